"""The failure lab of notebook 05: what it reads from stored studies, and what it shows."""

import matplotlib.pyplot as plt
import pytest

from gencourse import study
from gencourse.study.lab import (
    Failure,
    by_seed,
    estimates,
    explore,
    farther,
    four,
    interval_curves,
    nine_failures,
    overview,
    paired,
    ranks,
    spread,
    table,
)


@pytest.fixture
def orbit():
    """The lab's smallest failure, drawn as a line."""
    return Failure(
        study="dirac-orbit",
        dial="r1",
        values=[1.0, 0.3, 0.1, 0.0],
        shows=("settled", "radius"),
        draw=lambda ax, r1: ax.plot([0, r1]),
        unit="γ of R1",
        where=dict(loss="original", noise=0.0),
    )


def test_four_of_the_values_with_both_ends():
    assert four(range(10)) == [0, 3, 6, 9] and four("abcd") == list("abcd") and four([1, 2]) == [1, 1, 2, 2]


def test_a_stored_study_is_read_by_its_dials():
    rows = estimates("dirac-orbit", "loss", "r1")
    assert set(rows) == {(run.settings["loss"], run.settings["r1"]) for run in study.load("dirac-orbit").runs}
    (alone,) = {row["radius"].n for row in estimates("dirac-orbit", "r1", seeds=iter([3])).values()}
    assert alone == 1
    assert estimates("dirac-orbit", "r1", loss="nothing") == {}


def test_a_table_has_a_line_for_each_setting_and_at_most_four_outcomes_side_by_side(capsys):
    rows = table("memorise", ["beta"], ["c_t", "fitted_c_t", "codes_c_t", "gap_decoded", "memorised"])
    printed = capsys.readouterr().out
    assert printed.startswith("made by: gencourse study memorise") and "0 failed" in printed
    assert len([line for line in printed.splitlines() if line[:1].isdigit() and "[" in line]) == 2 * len(rows)
    assert max(line.count("[") for line in printed.splitlines()) == 3  # five outcomes: three and two


def test_the_spread_is_that_of_the_runs(capsys):
    spread("dirac-orbit", "radius", "r1")
    values = [run.result["radius"] for run in study.load("dirac-orbit").runs if run.settings["r1"] == 0]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("radius, 0.0 ")]
    assert f"least {min(values):.3g}" in line and f"most {max(values):.3g}" in line
    assert f"median {sum(sorted(values)[49:51]) / 2:.3g}," in line  # of a hundred


def test_runs_are_paired_by_their_seeds_and_compared_by_their_order():
    settled = by_seed("dirac-orbit", "settled", r1=1.0)
    assert list(settled) == list(range(100)) and all(settled.values())
    with pytest.raises(KeyError, match="no run with"):
        by_seed("dirac-orbit", "settled", r1=77.0)
    assert ranks([1, 2, 3], [1, 2, 3])[0] == 0.5 and ranks([1e30, 2], [0, 1])[0] == 1
    assert ranks(range(20), range(100, 120))[1] < 1e-6


def test_a_failure_shows_its_symptom_and_its_detector(orbit):
    figure = orbit.picture(3)
    left, right = figure.axes
    assert left.lines[0].get_ydata()[1] == 0.1  # the third value
    assert [label.get_text() for label in right.get_xticklabels()] == ["1", "0.3", "0.1", "0"]
    settled = orbit.rows[0.1]["settled"]
    assert orbit.words(3).startswith(f"0.1: γ of R1. Over {settled.n} seeds: settled {settled.mean:.3g} [")
    plt.close(figure)


def test_the_lab_has_a_picture_and_words_for_every_position(orbit, monkeypatch):
    shown = {}
    monkeypatch.setattr("gencourse.widgets.explorer", lambda dials, frames, **more: shown.update(more, frames=frames))
    explore({"an orbit": orbit}, start=("an orbit", 2))
    for position in (1, 2, 3, 4):
        plt.close(shown["frames"]("an orbit", position))
        assert "seeds" in shown["captions"]("an orbit", position)
    assert shown["start"] == ("an orbit", 2)


def test_nine_failures_are_counted_before_any_symptom_is_drawn():
    lab = nine_failures()
    assert len(lab) == 9 and lab["blur"].values[0] < lab["blur"].values[-1]
    assert lab["memorising"].values[-1] == 0 and lab["a weak discriminator"].values[-1] == 2  # the severest comes last
    for each in lab.values():
        assert len(each.values) == 4 and "seeds" in each.words(4)
        with pytest.raises(ValueError, match="no symptom is drawn"):
            each.picture(1)


def test_the_overview_shows_each_detector_where_the_studies_have_it():
    lab = nine_failures()
    figure = overview(lab)
    assert [ax.get_title().splitlines()[0] for ax in figure.axes] == list(lab)
    assert all("failure: " in ax.get_title() for ax in figure.axes)
    for ax, each in zip(figure.axes, lab.values()):
        assert len(ax.containers) == len(each.shows)
        for bars, outcome in zip(ax.containers, each.shows):
            assert list(bars[0].get_ydata()) == [each.rows[value][outcome].mean for value in each.values]
    plt.close(figure)


def test_a_symptom_is_added_and_nothing_else_changed(orbit):
    other = orbit.drawn(lambda ax, r1: ax.plot([r1, r1]))
    figure = other.picture(4)
    assert list(figure.axes[0].lines[0].get_ydata()) == [0.0, 0.0] and other.rows.keys() == orbit.rows.keys()
    plt.close(figure)


def test_runs_with_two_settings_are_compared_seed_by_seed(capsys):
    first, second = dict(beta=0.0), dict(beta=4.0)
    less = paired("memorise", "gap_decoded", first, second)
    a, b = (by_seed("memorise", "gap_decoded", **each) for each in (first, second))
    assert less.value == pytest.approx(sum(a[s] - b[s] for s in a) / len(a)) and less.n == len(a)
    assert capsys.readouterr().out.startswith("gap_decoded: beta = 0 less beta = 4, seed by seed: +")
    paired("restored", ("nats_unseen", "nats_train"), dict(beta=0.0), dict(beta=0.0))
    assert capsys.readouterr().out.startswith("nats_unseen less nats_train (beta = 0), seed by seed: +")


def test_how_often_one_is_larger_is_a_share_of_the_seeds(capsys):
    share = farther("gap_decoded", ("memorise", dict(beta=0.0)), ("memorise", dict(beta=4.0)))
    assert share.value == 1 and "in 20 of 20 seeds, 1.00 of pairs" in capsys.readouterr().out
    assert farther("gap_decoded", ("memorise", dict(beta=0.0)), ("memorise", dict(beta=0.0))).value == 0


def test_intervals_are_drawn_over_the_settings():
    ax = plt.subplots()[1]
    rows = estimates("blur", "sigma")
    interval_curves(ax, rows, {"grey": "grey", "of codes": "grey_codes"})
    assert [label.get_text() for label in ax.get_xticklabels()] == [f"{sigma:g}" for sigma in rows]
    assert list(ax.containers[1][0].get_ydata()) == [row["grey_codes"].mean for row in rows.values()]
    plt.close(ax.figure)
