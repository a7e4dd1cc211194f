"""The command `gencourse`, or `python -m gencourse`."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gencourse.support.errors import UserError, WrongValue, words
from gencourse.support.output import plain_signs, plural

if TYPE_CHECKING:
    from gencourse.exercises.machine.exercise import Exercise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 1 where something failed, or 2 where the request cannot be done.

    What the user can mend is told in one line; any other exception is a bug of the course, and comes through.
    """
    plain_signs(sys.stdout)
    plain_signs(sys.stderr)
    parser = argparse.ArgumentParser(
        prog="gencourse",
        description="A course on deep generative models.",
        epilog="Where the shell does not find "
        "gencourse: .venv/bin/python -m gencourse COMMAND, in the folder of the course. In a cell of a notebook: "
        "%run -m gencourse COMMAND.",
    )
    parser.set_defaults(run=lambda _: print(parser.format_help(), end=""))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="is this machine ready, and how long will all take?")
    doctor.set_defaults(run=_doctor)

    execute = commands.add_parser("execute", help="run notebooks, each in a fresh kernel")
    execute.add_argument("notebooks", nargs="*", type=Path, help="which, such as 03, or files (default: all)")
    execute.add_argument("--to", type=Path, metavar="FOLDER", help="put results there (default: in place)")
    execute.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="override a parameter, such as: -p effort 0.1 (with --to)",
    )
    execute.add_argument(
        "--record",
        action="store_true",
        help="keep seconds and memory in gencourse/course/timings.json, on a machine that does nothing else (in place)",
    )
    execute.set_defaults(run=_execute)

    train = commands.add_parser("train", help="make a stored model again; a run that was stopped goes on")
    train.add_argument("name", help="which, such as pixelcnn")
    train.add_argument("--effort", type=float, default=1.0, help="multiplies the number of steps; below 1, a trial")
    train.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True, help="go on with a run that was stopped"
    )
    train.add_argument("--minutes", type=float, metavar="M", help="stop after so many; the same command goes on")
    train.add_argument("--device", default="cpu", help="such as cuda (default: cpu)")
    train.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        help="of the computation; a run begun on another processor goes on in its own, with float32 in that",
    )
    train.add_argument("--folder", type=Path, default="build/runs", help="of the runs (default: build/runs)")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="measure a stored model again, beside what its card says")
    evaluate.add_argument("name", help="which, such as pixelcnn")
    evaluate.add_argument("--quick", action="store_true", help="on 200 examples: a look, not the figure of the card")
    evaluate.add_argument("--device", default="cpu", help="such as cuda (default: cpu)")
    evaluate.set_defaults(run=_evaluate)

    study = commands.add_parser(
        "study",
        help="a failure over many seeds, here or on a cluster",
        description="Runs a study: every combination of settings with every seed; what is there already is not run "
        "again. `gencourse study report NAME` counts what is there; without a name, all studies are listed.",
    )
    study.add_argument("name", nargs="*", metavar="[report] NAME", help="which, such as gmm-singular")
    study.add_argument("--seeds", type=int, default=20, metavar="N", help="the seeds 0 to N-1 (default: 20)")
    study.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="DIAL=VALUE,…", help="such as: --set n=15,100"
    )
    study.add_argument("--folder", type=Path, help="of the results (default: build/studies/NAME)")
    study.add_argument("--workers", type=int, metavar="N", help="processes on this machine (default: one a core)")
    study.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as tcp://10.0.0.1:8786")
    study.add_argument("--retry", action="store_true", help="also run again what failed")
    study.add_argument("--pack", action="store_true", help="then put all into data/studies/NAME.json")
    study.add_argument("--to", type=Path, metavar="FILE", help="of the figure of a report (default: in the folder)")
    study.set_defaults(run=_study)

    lab = commands.add_parser("lab", help="open your own copies of the notebooks in JupyterLab")
    lab.add_argument("flags", nargs="*", metavar="FLAG", help="for JupyterLab, after --, such as: -- --no-browser")
    lab.set_defaults(run=_lab)

    copies = commands.add_parser("copies", help="make your own copies of the notebooks, or bring them up to date")
    copies.set_defaults(run=_copies)

    again = commands.add_parser("start-again", help="a notebook as the course has it; your old one is kept beside it")
    again.add_argument("notebook", help="which, such as 03_vae")
    again.set_defaults(run=_start_again)

    progress = commands.add_parser("progress", help="which exercises have passed")
    progress.add_argument("--forget", action="store_true", help="delete the file in which that is kept")
    progress.set_defaults(run=_progress)

    export = commands.add_parser("export", help="the exercises as assignments that can be graded")
    export.add_argument("what", choices=["nbgrader"], help="for what: a course folder of nbgrader")
    export.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    export.add_argument("--seed", type=int, help="of the inputs of hidden tests (default: drawn anew)")
    export.set_defaults(run=_export)

    try:
        options = parser.parse_args(arguments)
    except SystemExit as told:  # argparse has said what is wrong, or has shown the help
        return told.code
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except KeyboardInterrupt as stopped:
        print(str(stopped) or f"gencourse {options.command}: stopped", file=sys.stderr)
        return 130
    except (UserError, OSError) as error:
        _leave_what_cannot_be_written()
        if isinstance(error, BrokenPipeError):  # whoever reads has enough, as in `gencourse study | head`
            return 1
        print(f"{' '.join(filter(None, ['gencourse', options.command]))}: {words(error)}", file=sys.stderr)
        return 2


def _leave_what_cannot_be_written() -> None:
    try:
        sys.stdout.flush()
    except OSError:  # Python would try once more at its end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _doctor(options: argparse.Namespace) -> int:
    from gencourse.course.doctor import check_machine

    machine = check_machine()
    print(machine)
    return 1 if machine.problems else 0


def _execute(options: argparse.Namespace) -> int:
    from gencourse.course import doctor, minutes
    from gencourse.course import execute as run

    notebooks = [run.find(name) for name in options.notebooks] or sorted(run.NOTEBOOKS.glob("*.ipynb"))
    if not notebooks:
        raise FileNotFoundError(
            f"there are no notebooks in {run.NOTEBOOKS}; name some, or install the course from a "
            "clone of the repository"
        )
    parameters = {name: _value(text) for name, text in options.parameter}
    show_progress = os.environ.get("GENCOURSE_PROGRESS") != "0"
    if options.record:
        if options.to is not None or any(path.resolve().parent != run.NOTEBOOKS for path in notebooks):
            raise WrongValue("--record is for the notebooks of the course, in place: leave --to out")
        doctor.check_recordable([path.stem for path in notebooks])
        rates = doctor.benchmark().rates
    runs = run.execute(notebooks, options.to, parameters, show_progress)

    print(run.table(runs))
    failed = [each for each in runs if each.error]
    for each in failed:
        print(f"FAILED {each.notebook.name}, {each.error}", file=sys.stderr)
    if options.record:
        minutes.state(doctor.record(runs, rates), run.NOTEBOOKS.parent)
        return 1 if any(map(run.over, runs)) else 0
    if len(failed) < len(runs):
        print(f"The executed notebooks are in {options.to or notebooks[0].parent}; open them in JupyterLab.")
    return 1 if failed else 0


def _train(options: argparse.Namespace) -> int:
    from gencourse import checkpoints

    try:
        checkpoints.train(
            options.name,
            options.effort,
            resume=options.resume,
            minutes=options.minutes,
            device=options.device,
            folder=options.folder,
            precision=options.precision,
        )
    except FloatingPointError as diverged:
        print(f"gencourse train: {diverged}", file=sys.stderr)
        return 1
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from gencourse import checkpoints

    card = checkpoints.read_card(options.name)
    figures = checkpoints.evaluate(options.name, options.quick, options.device)
    part = "the first 200 of the test set" if options.quick else "the whole test set"
    print(
        f"{card['name']}: {card['model']}, {plural(card['parameters'], 'parameter')}, "
        f"{plural(card['steps'], 'step')}, {plural(card['minutes'], 'minute')}; {part}, {card['unit']}"
    )
    print(f"{'':16}{'now':>12}{'card':>12}{'difference':>12}")
    for key, (now, then) in figures.items():
        print(f"{key:16}{now:12.4f}{then:12.4f}{now - then:+12.4f}")
    if options.quick:
        return 0
    unlike = [key for key, (now, then) in figures.items() if not abs(now - then) <= 1e-3 * abs(then)]
    if unlike:
        print(f"gencourse evaluate: {', '.join(unlike)}: more than a thousandth off the card", file=sys.stderr)
    return 1 if unlike else 0


def _study(options: argparse.Namespace) -> int:
    import gencourse.course.spread  # noqa: F401 (the chapters are studies, too)
    from gencourse import study

    if not options.name:
        for name, function in study.STUDIES.items():
            dials = ", ".join(f"{dial}={value}" for dial, value in study.dials(name).items())
            print(f"{name:18} {function.__doc__.splitlines()[0]}\n{'':18} {dials}")
        return 0
    *report, name = options.name
    if report == ["report"]:
        return _report(name, options.folder, options.to)
    if report:
        raise WrongValue(f"{' '.join(options.name)!r} makes no sense; expected NAME or report NAME")
    settings = _settings(options.settings)
    if options.pack:
        study.pack_folder()  # or it would be found out after hours
    try:
        runs = study.run(
            name,
            options.seeds,
            settings,
            folder=options.folder,
            workers=options.workers,
            scheduler=options.scheduler,
            retry=options.retry,
        )
        print(study.report(name, runs))
        if options.pack:
            print(f"packed into {study.pack(name, options.seeds, settings, options.folder)}")
    except study.StudyError as stopped:
        print(f"gencourse study: {words(stopped)}", file=sys.stderr)
        return 1
    failed = sum(run.error is not None for run in runs)
    if failed:
        print(f"{failed} of {plural(len(runs), 'run')} failed; --retry runs them again", file=sys.stderr)
    return 1 if failed else 0


def _report(name: str, folder: Path | None, picture: Path | None) -> int:
    from gencourse import plots, study
    from gencourse.support.files import write_whole

    try:
        runs = study.results(name, folder)
        picture = picture or (folder or Path("build/studies") / name) / "report.png"
    except FileNotFoundError:
        if folder is not None:
            raise
        packed = study.load(name)
        runs = packed.runs
        print(f"nothing in build/studies/{name}; as shipped, made by: {packed.command}")
    print(study.report(name, runs))
    if picture is None:
        print("--to FILE.png writes the figure as well")
        return 0
    plots.use_style()
    content = plots.png(study.figure(runs))
    try:
        with write_whole(picture) as part:
            part.write_bytes(content)
    except OSError as error:
        raise WrongValue(
            f"the figure cannot be written to {picture} ({error.strerror}); --to FILE.png names another place"
        ) from None
    print(f"the figure is {picture}")
    return 0


def _lab(options: argparse.Namespace) -> int:
    from gencourse.course import copies

    _copies(options)
    copies.lab(options.flags)
    return 0


def _copies(options: argparse.Namespace) -> int:
    from gencourse.course import copies

    print(*copies.update(), copies.told(), sep="\n")
    return 0


def _start_again(options: argparse.Namespace) -> int:
    from gencourse.course import copies

    print(*copies.start_again(options.notebook), sep="\n")
    return 0


def _progress(options: argparse.Namespace) -> int:
    from gencourse.exercises.machine import passed

    file = passed.path()
    if options.forget:
        print(f"{file} is deleted." if passed.forget() else "There is nothing to forget.")
        return 0
    when, rows, problems = passed.read(), [], []
    for path, found in _exercises(problems):
        for exercise in found:
            date = f"{when[exercise.key]:%Y-%m-%d %H:%M}" if exercise.key in when else ""
            rows.append((path.stem, exercise.name, exercise.minutes, exercise.difficulty, date))
    if rows:
        first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
        print(f"{'notebook':<{first}}  {'exercise':<{second}}  minutes  difficulty  passed")
        for notebook, name, minutes, difficulty, date in rows:
            print(f"{notebook:<{first}}  {name:<{second}}  {minutes:7}  {difficulty:10}  {date}".rstrip())
    done = [row for row in rows if row[-1]]
    minutes = f"{sum(row[2] for row in done)} of {plural(sum(row[2] for row in rows), 'minute')}"
    print(f"\n{len(done)} of {plural(len(rows), 'exercise')}, {minutes}.")
    print(f"Kept in {file} and nowhere else." if file else "Nothing is kept here: see GENCOURSE_PASSED.")
    for problem in problems:
        print(f"Not read: {problem}", file=sys.stderr)
    return 0


def _exercises(problems: list[str]) -> Iterator[tuple[Path, list[Exercise]]]:
    """(path, exercises) of every notebook of the course: of the reader's copy, or of the course's own where none is.

    What cannot be read is told in the list `problems`.
    """
    from gencourse.course import copies
    from gencourse.course.execute import NOTEBOOKS
    from gencourse.course.notebook import exercises, read

    names = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    if not names:
        problems.append(f"there are no notebooks in {NOTEBOOKS}; install the course from a clone of the repository")
    for name in names:
        for path in (copies.folder() / name, NOTEBOOKS / name):
            try:
                wrong, notebook = [], read(path)
                yield path, [exercise for _, exercise in exercises(notebook, wrong)]
                problems += [f"{path}, {each}" for each in wrong]
                break
            except FileNotFoundError:
                continue
            except (OSError, UserError) as error:
                problems.append(words(error))


def _export(options: argparse.Namespace) -> int:
    from gencourse.course.execute import NOTEBOOKS
    from gencourse.grading import export

    made = export.nbgrader_course(options.folder, sorted(NOTEBOOKS.glob("*.ipynb")), options.seed)
    width = max(len(name) for name, _, _ in made)
    for name, exercises, points in made:
        print(f"{name:<{width}}  {plural(exercises, 'exercise'):12}  {points:3} points")
    print(f"The course folder is {options.folder}. There, with nbgrader: nbgrader generate_assignment {made[0][0]}")
    return 0


def _settings(texts: Iterable[str]) -> dict[str, list[object]]:
    """["n=15,100", "floor=0.1"] -> {"n": [15, 100], "floor": [0.1]}."""
    settings = {}
    for text in texts:
        dial, equals, values = text.partition("=")
        if not (dial and equals and values):
            raise WrongValue(f"--set {text!r}: expected DIAL=VALUE,VALUE, such as --set n=15,100")
        if dial in settings:
            raise WrongValue(f"--set {dial} is given twice; write its values in one: {dial}=1,2")
        settings[dial] = [_value(value) for value in values.split(",")]
    return settings


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
