"""The results of studies that are shipped: enough seeds, made by the functions that stand here."""

import json
import shlex

import pytest

import gencourse.course.spread  # noqa: F401 (the chapters are studies, too)
from gencourse import study
from gencourse.cli import main
from gencourse.data import data_root

SHIPPED = sorted(path.stem for path in (data_root() / "studies").glob("*.json"))
CHAPTERS = {name for name in SHIPPED if name.startswith("chapter-")}  # a whole notebook for each seed
FEWER = CHAPTERS | {"equal-compute"}  # and ten trainings of each network, an hour


def test_every_study_is_shipped():
    assert {*SHIPPED} - CHAPTERS == {name for name in study.STUDIES if not name.startswith("chapter-")}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_combination_has_enough_seeds_and_none_failed(name):
    runs, least = study.load(name).runs, 10 if name in FEWER else 20
    seeds = {}
    for run in runs:
        assert run.error is None, run
        seeds.setdefault(tuple(run.settings.items()), []).append(run.seed)
    assert all(sorted(those) == list(range(len(those))) and len(those) >= least for those in seeds.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_seeds_differ(name):
    results = {}
    for run in study.load(name).runs:
        results.setdefault(tuple(run.settings.items()), set()).add(json.dumps(run.result))
    assert all(len(different) > 1 for different in results.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_the_settings_are_the_dials_of_the_function_and_the_command_names_them(name):
    packed = study.load(name)
    assert all(list(run.settings) == list(study.dials(name)) for run in packed.runs)
    words = shlex.split(packed.command)
    assert words[:3] == ["gencourse", "study", name] and words[-1] == "--pack"


@pytest.mark.parametrize("name", ["dirac-orbit", "gmm-singular", "blur"])
def test_a_run_made_again_is_the_one_that_was_shipped(name):
    run = study.load(name).runs[-1]
    again = study.STUDIES[name](run.seed, **run.settings)
    for key, value in run.result.items():
        if isinstance(value, float) and not isinstance(value, bool):
            assert again[key] == pytest.approx(value, rel=0.05, abs=0.02), key
        else:
            assert again[key] == value, key


def test_the_report_falls_back_to_what_is_shipped(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study", "report", "dirac-orbit"]) == 0
    told = capsys.readouterr().out
    assert "as shipped" in told and "settled" in told


@pytest.mark.parametrize("name", sorted({*SHIPPED} - CHAPTERS))  # what a chapter notes is explained where it is noted
def test_everything_that_comes_out_is_explained(name):
    outcomes = {key for run in study.load(name).runs for key in run.result}
    words = study.STUDIES[name].__doc__

    def explained(key):
        whose, _, what = key.partition("_")
        return key in words or (f"{whose}_:" in words and f"{what}:" in words)

    assert not [key for key in outcomes if not explained(key)]
