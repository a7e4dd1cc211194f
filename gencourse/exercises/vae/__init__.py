"""The exercises of notebook 03: from noise in the code to the units that carry something."""

from gencourse.exercises.vae.active_units import exercise as active_units
from gencourse.exercises.vae.elbo import exercise as elbo
from gencourse.exercises.vae.gaussian_kl import exercise as gaussian_kl
from gencourse.exercises.vae.importance_bound import exercise as importance_bound
from gencourse.exercises.vae.interpolate import exercise as interpolate
from gencourse.exercises.vae.reparameterise import exercise as reparameterise
from gencourse.exercises.vae.score_function_gradient import (
    exercise as score_function_gradient,
)
from gencourse.exercises.vae.vae_from_blank import exercise as vae_from_blank

# in the order of the notebook
__all__ = [
    "reparameterise",
    "score_function_gradient",
    "gaussian_kl",
    "elbo",
    "importance_bound",
    "active_units",
    "interpolate",
    "vae_from_blank",
]
