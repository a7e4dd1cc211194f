#!/usr/bin/env bash
# nbformat 5.11.1 with what JupyterLab brings along (jsonschema 4.26.0 with its extra format-nongpl, rfc3987-syntax 1.1.0,
# lark 1.3.1): `import nbformat` compiles 39 grammars of web addresses by lark, before a notebook is looked at and though
# no schema of a notebook has an address in it. Without rfc3987-syntax the same import compiles none.
#
# One would guess: reading a JSON file with a schema costs milliseconds, and installing an optional checker of formats
# costs nothing until a format is checked.
#
# Bitten: every small tool that imports nbformat (converters, test runners, kernels that start many times); on a small or
# busy machine it is seconds at each start.
#
# Seen on 2026-11-29:
SEEN='nbformat alone: 0 grammars
with rfc3987-syntax: 39 grammars'
set -eu
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check nbformat==5.11.1 jsonschema==4.26.0 lark==1.3.1
cat > look.py <<'P'
import lark

built = []
make = lark.Lark.__init__


def counted(self, *arguments, **options):
    built.append(1)
    make(self, *arguments, **options)


lark.Lark.__init__ = counted
import nbformat  # noqa: E402, F401

print(f"{len(built)} grammars")
P
alone=$(venv/bin/python look.py)
venv/bin/python -m pip install -q --disable-pip-version-check 'jsonschema[format-nongpl]==4.26.0' rfc3987-syntax==1.1.0
seen="nbformat alone: $alone
with rfc3987-syntax: $(venv/bin/python look.py)"
echo "$seen"
[ "$seen" = "$SEEN" ] || { echo "this has changed"; exit 1; }
