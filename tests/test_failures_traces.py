"""Runs of EM with a bug each: every bug shows in the numbers that the chapter names, whatever the seed."""

import pytest
import torch

from gencourse.failures import traces


def named(run):
    """The bug of a run by what it shows."""
    apart = torch.cdist(run.means, run.means) + 9 * torch.eye(len(run.means))
    if apart.min() < 1e-6:
        return "equal start"
    return "weights forgotten" if run.training.diff().min() < -1e-3 else "singular component"


@pytest.mark.parametrize("seed", range(12))
def test_each_run_is_told_by_its_numbers(seed, capsys):
    runs = traces.em_traces(seed)
    answers = {name: named(run) for name, run in runs.items()}
    assert sorted(answers.values()) == sorted(traces.BUGS)
    assert traces.judge_traces(answers, seed) == dict.fromkeys("ABC", True)
    assert capsys.readouterr().out.count("\n") == 3
    (crowded,) = [run for name, run in runs.items() if answers[name] == "singular component"]
    assert crowded.thinnest < 0.002 and crowded.training[-1] - crowded.held_out[-1] > 2


def test_open_and_wrong_answers_are_told(capsys):
    right = {name: named(run) for name, run in traces.em_traces(0).items()}
    wrong = {"A": right["B"], "B": right["B"], "C": ""}
    assert traces.judge_traces(wrong, 0) == {"A": False, "B": True}
    assert "C: not answered yet" in capsys.readouterr().out
    for answers in ({"A": "no bug"}, {"D": right["A"]}):
        with pytest.raises(ValueError):
            traces.judge_traces(answers, 0)


def test_the_same_seed_gives_the_same_runs():
    a, b = traces.em_traces(3), traces.em_traces(3)
    assert all(torch.equal(a[name].training, b[name].training) for name in a)
