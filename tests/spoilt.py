"""Answers that are no answer: the reference's, spoilt."""


def verdicts(exercise, spoil, input_):
    """What is said if the reference's answer is spoilt, and if it raises an error: on "every input", or on the k-th."""
    calls = []

    def answer(*arguments):
        calls.append(0)
        value = exercise.reference(*arguments)
        return spoil(value) if input_ in ("every input", len(calls) - 1) else value

    def error(*arguments):
        calls.append(0)
        return 1 / 0 if input_ in ("every input", len(calls) - 1) else exercise.reference(*arguments)

    for fn in (answer, error):
        calls.clear()
        yield exercise.grade(fn)
