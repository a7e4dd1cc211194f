"""The command `gencourse`, or `python -m gencourse`."""

import argparse
import ast
import os
import sys
from pathlib import Path


def main(arguments=None):
    """Run one command; returns 0, or 1 where something failed, or 2 where the request makes no sense."""
    parser = argparse.ArgumentParser(prog="gencourse", description="A course on deep generative models.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="is this machine ready, and how long will all take?")
    doctor.set_defaults(run=_doctor)

    execute = commands.add_parser("execute", help="run notebooks, each in a fresh kernel")
    execute.add_argument("notebooks", nargs="*", type=Path, help="which (default: all of notebooks/)")
    execute.add_argument("--to", type=Path, metavar="FOLDER", help="put results there (default: in place)")
    execute.add_argument(
        "-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
        help="override a parameter, such as: -p effort 0.1 (with --to)",
    )
    execute.set_defaults(run=_execute)

    train = commands.add_parser("train", help="make a stored model again; a run that was stopped goes on")
    train.add_argument("name", help="which, such as pixelcnn")
    train.add_argument("--effort", type=float, default=1.0, help="multiplies the number of steps")
    train.set_defaults(run=_train)

    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (KeyError, ValueError, FileNotFoundError) as error:
        words = error.args[0] if isinstance(error, KeyError) else error
        print(f"gencourse {options.command}: {words}", file=sys.stderr)
        return 2


def _doctor(options):
    from gencourse.doctor import check_machine

    machine = check_machine()
    print(machine)
    return 1 if machine.problems else 0


def _execute(options):
    from gencourse import execute as run

    notebooks = options.notebooks or sorted(run.NOTEBOOKS.glob("*.ipynb"))
    if not notebooks:
        raise FileNotFoundError("there are no notebooks; name some, or run from a clone of the repository")
    parameters = {name: _value(text) for name, text in options.parameter}
    show_progress = os.environ.get("GENCOURSE_PROGRESS") != "0"
    runs = run.execute(notebooks, options.to, parameters, show_progress)

    print(run.table(runs))
    failed = [each for each in runs if each.error]
    for each in failed:
        print(f"FAILED {each.notebook.name}, {each.error}", file=sys.stderr)
    if options.to is None:  # the reference that `gencourse doctor` scales from
        own = [each for each in runs if each.notebook.resolve().parent == run.NOTEBOOKS]
        if own:
            from gencourse import doctor

            doctor.record(own, doctor.benchmark())
    if len(failed) < len(runs):
        print(f"The executed notebooks are in {options.to or notebooks[0].parent}; open them in JupyterLab.")
    return 1 if failed else 0


def _train(options):
    from gencourse import checkpoints

    try:
        checkpoints.train(options.name, options.effort)
    except KeyboardInterrupt as stopped:
        print(stopped, file=sys.stderr)
        return 130
    return 0


def _value(text):
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
