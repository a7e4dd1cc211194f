"""The exercise of notebook 00: what a likelihood is, on a biased coin."""

from gencourse.exercises.start.coin_log_likelihood import exercise as coin_log_likelihood

# in the order of the notebook
__all__ = ["coin_log_likelihood"]
