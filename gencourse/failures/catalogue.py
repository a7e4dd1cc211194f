"""The failures that a study can measure over many seeds: each name, its function, and what its dials can say."""

from collections.abc import Callable

from gencourse.data import POINTS
from gencourse.failures import autoregression, gan, gmm, scoreboard, vae
from gencourse.models.gan import LOSSES
from gencourse.models.gmm import COVARIANCES

CHOICES = {  # what a dial that is a text can say: a slip is found before any work
    "method": tuple(gan.METHODS), "points": POINTS, "loss": LOSSES, "family": gan.FAMILIES,
    "start": gan.STARTS, "images": vae.IMAGES, "covariance": COVARIANCES, "network": scoreboard.NETWORKS,
}  # fmt: skip
STUDIES: dict[str, Callable[..., dict]] = {
    "wrong-prefix": autoregression.wrong_prefix,
    "gmm-singular": gmm.gmm_singular,
    "blur": vae.blur,
    "memorise": vae.memorise,
    "restored": vae.restored,
    "soft": vae.soft,
    "posterior-collapse": vae.posterior_collapse,
    "holes": vae.holes,
    "mode-collapse": gan.mode_collapse,
    "r1-off": gan.r1_off,
    "signals": gan.signals,
    "too-strong": gan.too_strong,
    "balance": gan.balance,
    "equal-steps": gan.equal_steps,
    "stupid-judge": gan.stupid_judge,
    "blind-spot": gan.blind_spot,
    "dirac-orbit": gan.dirac_orbit,
    "equal-compute": scoreboard.equal_compute,
}
