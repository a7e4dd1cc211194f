"""Builds the book (build/book) and the slides (build/slides), and packs them: `python docs/build.py book`, and so on.

The committed notebooks are the only source of what they say. They are laid into build/, beside the few pages of
docs/pages; lists of claims, exercises and papers are filled in from the notebooks, the API from the docstrings.
What the pages load comes from npm, in the versions of package-lock.json, and is copied into the result.
"""

import importlib.util
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from gencourse.support.files import write_whole

DOCS = Path(__file__).resolve().parent
BUILD = DOCS.parent / "build"
NPM = BUILD / "npm"

# of each package only what a page loads; the licence goes along
VENDORED = {
    "mathjax": ["es5/tex-svg.js", "LICENSE"],
    "reveal.js": ["dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "LICENSE"],
}


class Missing(RuntimeError):
    """A tool that the build needs is not there; the message says how to get it."""


def packages():
    """The folder with the npm packages, installed as package-lock.json says. Raises Missing without npm."""
    here = NPM / "package-lock.json"
    wanted = (DOCS / "package-lock.json").read_text(encoding="utf-8")
    if here.is_file() and here.read_text(encoding="utf-8") == wanted and (NPM / "complete").exists():
        return NPM / "node_modules"
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("npm is not there, which fetches MathJax and reveal.js: install Node.js 18 or newer")
    NPM.mkdir(parents=True, exist_ok=True)
    (NPM / "complete").unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(DOCS / name, NPM / name)
    if subprocess.run([npm, "ci", "--silent"], cwd=NPM, stdin=subprocess.DEVNULL).returncode:
        raise Missing("npm could not fetch the packages of docs/package-lock.json; is there a network?")
    (NPM / "complete").touch()
    return NPM / "node_modules"


def vendor(name, folder):
    """Copy what pages load of one npm package into `folder`/`name`."""
    for path in VENDORED[name]:
        target = Path(folder) / name / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(packages() / name / path, target)


def book(target=BUILD / "book", source=BUILD / "book-source"):
    """Build the book; returns the number of what went wrong (0: nothing). Warnings count as errors.

    After a build that did not end well all is built anew: Sphinx would leave the pages that it had written by then out
    of the index of the search.
    """
    import space
    from sphinx.cmd.build import build_main
    from stage import stage

    stage(source)
    vendor("mathjax", source / "_static")
    space.export(source / "_static" / "code-space")
    arguments = ["-c", str(DOCS), "-b", "html", "-d", f"{source}-doctrees", "-W", "--keep-going", "-q"]
    unfinished = Path(f"{source}-unfinished")
    arguments += ["--fresh-env", "--write-all"] if unfinished.exists() else []
    unfinished.touch()
    failed = build_main([*arguments, str(source), str(target)])
    if not failed:
        unfinished.unlink()
    for path in Path(target).rglob("*.map"):  # for those who work on the theme
        path.unlink()
    return failed


def slides(target=BUILD / "slides"):
    """Build one deck a notebook, and the page that lists them; returns 0."""
    from slides import build

    for name in ("mathjax", "reveal.js"):
        vendor(name, target)
    build(target)
    return 0


# what a release holds beside what was built
BESIDE = ("CITATION.cff", "LICENSE", "LICENSE-TEXT", "data/README.md")
BUILT = ("book", "slides", "handouts")


def release(build=BUILD):
    """Pack what has been built into build/gencourse-VERSION.zip, to be published; returns its path.

    The same files give the same archive, whenever and wherever it is made. Raises Missing where nothing is built.
    """
    root = DOCS.parent
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    parts = [name for name in BUILT if (build / name / "index.html").is_file()]
    if not parts:
        raise Missing("nothing is built yet: make book slides")
    links = "".join(f'<li><a href="{name}/index.html">{name}</a></li>' for name in parts)
    title = (root / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    head = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    files = {"index.html": f"{head}<h1>{title}</h1><ul>{links}</ul></html>\n".encode()}
    files |= {name: (root / name).read_bytes() for name in BESIDE}
    for part in parts:
        found = (path for path in (build / part).rglob("*") if path.is_file())
        files |= {path.relative_to(build).as_posix(): path.read_bytes() for path in found}
    target = build / f"gencourse-{version}.zip"
    with write_whole(target) as new, zipfile.ZipFile(new, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"gencourse-{version}/{name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, files[name])
    return target


def main(arguments):
    """Build what is named; returns 0, or 1 where something went wrong."""
    builders = {"book": book, "slides": slides}
    if len(arguments) != 1 or arguments[0] not in [*builders, "release"]:
        print("usage: python docs/build.py book|slides|release", file=sys.stderr)
        return 2
    try:
        if arguments == ["release"]:
            print(release().relative_to(BUILD.parent))
            return 0
        if importlib.util.find_spec("myst_nb") is None:
            raise Missing("the packages of the extra [site] are not there: pip install -c constraints.txt -e '.[site]'")
        failed = builders[arguments[0]]()
    except Missing as missing:
        print(f"make {arguments[0]}: {missing}", file=sys.stderr)
        return 1
    if not failed:
        print(f"build/{arguments[0]}/index.html")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
