"""Builds the book (build/book) and the slides (build/slides): `python docs/build.py book` or `slides`.

The committed notebooks are the only source of what they say. They are laid into build/, beside the few pages of
docs/pages; lists of claims, exercises and papers are filled in from the notebooks, the API from the docstrings.
What the pages load comes from npm, in the versions of package-lock.json, and is copied into the result.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

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
    """Build the book; returns the number of what went wrong (0: nothing). Warnings count as errors."""
    import space
    from sphinx.cmd.build import build_main
    from stage import stage

    stage(source)
    vendor("mathjax", source / "_static")
    space.export(source / "_static" / "code-space")
    arguments = ["-c", str(DOCS), "-b", "html", "-d", f"{source}-doctrees", "-W", "--keep-going", "-q"]
    failed = build_main([*arguments, str(source), str(target)])
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


def main(arguments):
    """Build what is named; returns 0, or 1 where something went wrong."""
    builders = {"book": book, "slides": slides}
    if len(arguments) != 1 or arguments[0] not in builders:
        print("usage: python docs/build.py book|slides", file=sys.stderr)
        return 2
    try:
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
