"""The two tasks at the end of chapter 06: right choices pass, and every wrong one is told why."""

import pytest
import torch

from gencourse import data, metrics
from gencourse.exercises.scoreboard import choices

RIGHT = {"code": "chain", "film": "in one pass", "print": "in many passes"}


def letters(board):
    makes = {row: make for make, row in choices._ROWS.items()}
    return {makes[row]: letter for letter, row in board.items()}


@pytest.mark.parametrize("seed", range(3))
def test_the_right_choices_pass_whatever_the_order(seed):
    board = choices.unseen_board(seed)
    named = letters(board)
    lines = choices.check_choices(board, {purpose: named[make] for purpose, make in RIGHT.items()})
    assert len(lines) == 3 and all(line.startswith("✓") for line in lines)


def test_every_wrong_choice_is_told_why():
    board = choices.unseen_board(0)
    for purpose, right in RIGHT.items():
        for make, letter in letters(board).items():
            if make != right:
                (line,) = [each for each in choices.check_choices(board, {purpose: letter}) if purpose in each]
                assert line.startswith(f"✗ {purpose}: not {letter}. ") and len(line) > 40


def test_nothing_is_not_attempted_and_an_unknown_letter_is_refused():
    board = choices.unseen_board(0)
    assert all(line.startswith("○") for line in choices.check_choices(board, {}))
    with pytest.raises(ValueError, match="'Z' is not on the board"):
        choices.check_choices(board, {"code": "Z"})


@pytest.fixture(scope="module")
def digits():
    return data.binarise(data.mnist("test")[0][:1000], torch.Generator().manual_seed(0))


def thick(x):
    return metrics.thickness(x).mean().item()


def test_a_floor_of_other_test_digits_and_a_control_that_is_seen_pass(digits):
    reference, *floor = digits.split(200)
    bold = torch.nn.functional.max_pool2d(floor[0].float(), 3, 1, 1).to(torch.uint8)
    (line,) = choices.check_floor(thick, reference, digits, floor, bold)
    assert line.startswith("✓")
    (line,) = choices.check_floor(thick, reference, digits, floor[:3], floor[3])
    assert line.startswith("✗ The control is not seen")


def test_each_mistake_with_a_floor_is_named(digits):
    reference, *floor = digits.split(200)
    bold = torch.nn.functional.max_pool2d(floor[0].float(), 3, 1, 1).to(torch.uint8)
    wrong = {
        "no spread": [floor[0]],
        "as many images": [floor[0][:50], floor[1]],
        "images of the reference": [reference, floor[0]],
        "no test images": [1 - floor[0], floor[1]],
        "not attempted": None,
    }
    for words, sets in wrong.items():
        assert any(words in line for line in choices.check_floor(thick, reference, digits, sets, bold)), words
