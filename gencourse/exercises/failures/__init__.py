"""The exercises of notebook 05: detectors, each of one failure, and the game that goes round in circles."""

from gencourse.exercises.failures.ascend import exercise as ascend
from gencourse.exercises.failures.birthday_support import exercise as birthday_support
from gencourse.exercises.failures.collapse_score import exercise as collapse_score
from gencourse.exercises.failures.diagnose import exercise as diagnose
from gencourse.exercises.failures.dirac_eigenvalues import exercise as dirac_eigenvalues
from gencourse.exercises.failures.free_bits_kl import exercise as free_bits_kl
from gencourse.exercises.failures.memorisation_score import exercise as memorisation_score

# in the order of the notebook
__all__ = [
    "memorisation_score",
    "free_bits_kl",
    "collapse_score",
    "birthday_support",
    "ascend",
    "dirac_eigenvalues",
    "diagnose",
]
