"""Every failure of notebook 05 as a plain function `(seed, *, dial=default, …) -> dict`: one run, counted by a study.

A function builds what it needs from the seed, on one thread and within minutes, and returns what came out: yes or no,
numbers, short texts. Nothing is drawn, nothing is kept. It runs in torch's `usual_settings`, so that the same seed
gives the same numbers whatever a notebook has set.
"""
