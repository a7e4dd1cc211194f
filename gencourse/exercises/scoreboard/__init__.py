"""The exercises of notebook 06: to read a board of all families, and what two figures on it prove."""

from gencourse.exercises.scoreboard.paired_interval import exercise as paired_interval
from gencourse.exercises.scoreboard.pareto_front import exercise as pareto_front
from gencourse.exercises.scoreboard.surely_better import exercise as surely_better
from gencourse.exercises.scoreboard.which_is_which import exercise as which_is_which

# in the order of the notebook
__all__ = ["surely_better", "paired_interval", "which_is_which", "pareto_front"]
