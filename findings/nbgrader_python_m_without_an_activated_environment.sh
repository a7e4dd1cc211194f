#!/usr/bin/env bash
# nbgrader 0.9.6: run as `.venv/bin/python -m nbgrader`, in an environment that is not activated, every command that
# opens the gradebook fails, with a traceback of FileNotFoundError 'alembic': it starts alembic by its bare name, though
# alembic stands beside the Python that runs it. With that folder on the PATH the same command succeeds.
#
# One would guess: `python -m` needs no activated environment, which is what it is there for; and a package that depends
# on another one imports it, or starts it by sys.executable.
#
# Bitten: cron jobs, services, Makefiles and CI that call an environment's Python by its path.
#
# Seen on 2026-11-29:
SEEN="not activated: exit 1, No such file or directory: 'alembic'
its folder on the PATH: exit 0, release/one/one.ipynb written"
set -eu
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check nbgrader==0.9.6 alembic==1.20.1 nbconvert==7.17.2
mkdir -p course/source/one
echo 'c = get_config()' > course/nbgrader_config.py
python=$PWD/venv/bin/python
"$python" - <<'P'
import nbformat

cell = nbformat.v4.new_code_cell("assert True")
cell.metadata["nbgrader"] = {
    "grade_id": "test", "grade": True, "solution": False, "locked": True, "task": False, "points": 1, "schema_version": 3,
}
nbformat.write(nbformat.v4.new_notebook(cells=[cell]), "course/source/one/one.ipynb")
P
cd course
code=0
PATH=/usr/bin:/bin "$python" -m nbgrader generate_assignment one > ../told 2>&1 || code=$?
why=$(grep -o "No such file or directory: 'alembic'" ../told | head -1)
seen="not activated: exit $code, $why"
rm -f gradebook.db
code=0
PATH=$(dirname "$python"):/usr/bin:/bin "$python" -m nbgrader generate_assignment one > ../told 2>&1 || code=$?
seen="$seen
its folder on the PATH: exit $code, $(ls release/one/one.ipynb) written"
echo "$seen"
[ "$seen" = "$SEEN" ] || { cat ../told; echo "this has changed"; exit 1; }
