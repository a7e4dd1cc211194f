#!/bin/sh
# Sphinx 9.0.4: after a build that was killed while it wrote, the search does not know the pages that were new by then.
#
# Seen: two pages get a new word, and the build is killed (here by an extension that ends the process, as a time limit
#   or a lack of memory does) when the first has been written. The same command run again succeeds, without a warning;
#   both pages show the word, but the search finds it on the second only, in this build and in those that follow, until
#   the first page changes or --fresh-env is given. (After an error in an extension, which Sphinx sees, both are found.)
# Guessed: that a build that succeeds has an index of all that its pages say.
# Bitten: whoever keeps the doctrees between builds, as Sphinx does by itself: pages that cannot be found, and nothing
#   says so.
#
# Output, 2026-11-29:
#   killed build: exit 9
#   same command again: exit 0, warnings: 0
#   pages with the word: alpha.html beta.html
#   pages that the search finds: beta
#   after --fresh-env: alpha beta
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv >/dev/null
venv/bin/pip install -q sphinx==9.0.4 2>/dev/null
mkdir pages
cat > pages/conf.py <<'PY'
import os
def setup(app):
    def end(app, page, *rest):
        if page == "beta" and os.environ.get("KILLED"):
            os._exit(9)
    app.connect("html-page-context", end)
PY
printf 'Start\n=====\n\n.. toctree::\n\n   alpha\n   beta\n' > pages/index.rst
printf 'Alpha\n=====\n\nAardvarks.\n' > pages/alpha.rst
printf 'Beta\n====\n\nBuffaloes.\n' > pages/beta.rst
found() {
  venv/bin/python -c 'import json; s = open("out/searchindex.js").read()
index = json.loads(s[s.index("(") + 1 : s.rindex(")")])
places = next((v for k, v in index["terms"].items() if k.startswith("walrus")), [])
print(*sorted(index["docnames"][i] for i in (places if isinstance(places, list) else [places])))'
}
build() { venv/bin/sphinx-build -q -b html -d trees "$@" pages out; }
build
for page in alpha beta; do printf '\nWalruses.\n' >> "pages/$page.rst"; done
code=0; KILLED=1 build >/dev/null 2>&1 || code=$?
echo "killed build: exit $code"
again=0; build >again.txt 2>&1 || again=$?
echo "same command again: exit $again, warnings: $(grep -c WARNING again.txt || true)"
echo "pages with the word:" $(cd out && grep -l Walruses ./*.html | tr -d ./ | sed 's/html/.html/')
partly=$(found)
echo "pages that the search finds: $partly"
build --fresh-env
echo "after --fresh-env: $(found)"
test "$again" = 0 && test "$partly" = beta && test "$(found)" = "alpha beta"
