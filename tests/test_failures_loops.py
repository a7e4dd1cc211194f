"""Broken loops: each fault is there, shown by its number, and an answer is told right or wrong without more."""

import pytest
import torch

from gencourse.failures import loops


@pytest.mark.parametrize("fault", loops.FAULTS)
def test_each_fault_is_shown_by_its_number_and_by_no_other(fault):
    shown = {name: loops.symptom(loops.Loop(name, 1)) for name in loops.FAULTS}
    assert len(set(shown.values())) == len(loops.FAULTS)
    words = {
        "moves both": "D's turn changes the weights of: D, G; G's turn changes the weights of: G",
        "cut gradient": "D's turn changes the weights of: D; G's turn changes the weights of: no player",
        "frozen discriminator": "D's turn changes the weights of: no player; G's turn changes the weights of: G",
        "one noise": "two draws of noise() differ by at most 0.0",
    }
    if fault in words:
        assert shown[fault] == words[fault]
    else:
        before, after = (float(word) for word in shown[fault].split() if word[0] in "+-")
        assert after < before


def test_three_different_faults_are_drawn_and_all_of_them_by_some_seed():
    drawn = [[loop._fault for loop in loops.faulty_loops(seed).values()] for seed in range(20)]
    assert all(len(set(names)) == 3 for names in drawn) and set(sum(drawn, [])) == set(loops.FAULTS)


def test_answers_are_told_right_wrong_or_missing():
    right = {letter: loop._fault for letter, loop in loops.faulty_loops(0).items()}
    wrong = next(fault for fault in loops.FAULTS if fault not in right.values())
    told = loops.tell({"A": right["A"], "B": wrong, "C": ""}, 0).splitlines()
    assert [line[0] for line in told] == ["✓", "✗", "○"] and right["B"] not in told[1]
    with pytest.raises(ValueError, match="expected one of A, B and C"):
        loops.tell({"A": "ill"}, 0)


def test_the_turns_without_a_fault_in_them_train():
    loop = loops.Loop("", 0)
    real = loops.plane("ring", 128, torch.Generator().manual_seed(0)).x
    before = loops._weights(loop)
    loop.turn_d(real)
    loop.turn_g()
    after = loops._weights(loop)
    assert not any(torch.equal(before[name], after[name]) for name in before)
