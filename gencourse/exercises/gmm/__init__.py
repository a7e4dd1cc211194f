"""The exercises of notebook 02: a mixture of Gaussians, drawn from, evaluated, and fitted by EM."""

from gencourse.exercises.gmm.bic import exercise as bic
from gencourse.exercises.gmm.coin_flip_m_step import exercise as coin_flip_m_step
from gencourse.exercises.gmm.kmeans_plus_plus import exercise as kmeans_plus_plus
from gencourse.exercises.gmm.log_density import exercise as log_density
from gencourse.exercises.gmm.m_step import exercise as m_step
from gencourse.exercises.gmm.mixture_from_blank import exercise as mixture_from_blank
from gencourse.exercises.gmm.responsibilities import exercise as responsibilities
from gencourse.exercises.gmm.sample_mixture import exercise as sample_mixture

# in the order of the notebook
__all__ = [
    "sample_mixture",
    "log_density",
    "responsibilities",
    "m_step",
    "kmeans_plus_plus",
    "bic",
    "coin_flip_m_step",
    "mixture_from_blank",
]
