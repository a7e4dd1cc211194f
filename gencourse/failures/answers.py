"""What is told of a reader's answers to "which is which?", a line for each."""

from collections.abc import Callable, Iterator, Mapping


def answer_lines(
    answers: Mapping[str, str],
    truth: Mapping[str, str],
    right: Callable[[str, str], str],
    wrong: Callable[[str], str],
    unanswered: str = "no answer yet",
) -> Iterator[str]:
    """A line for each name: ○ for an open answer, ✓ for a right one, ✗ for a wrong one.

    answers: {name: answer}; "" and "?" are open. truth: {name: the right answer}. right(name, answer) and
    wrong(answer): what stands behind the mark.
    """
    for name, answer in answers.items():
        if answer in ("", "?"):
            yield f"○ {name}: {unanswered}"
        elif answer == truth[name]:
            yield f"✓ {name}: {right(name, answer)}"
        else:
            yield f"✗ {name}: {wrong(answer)}"
