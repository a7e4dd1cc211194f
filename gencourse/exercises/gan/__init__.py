"""The exercises of notebook 04: both losses and steps, penalties on the slope, counting modes, and a whole GAN."""

from gencourse.exercises.gan.best_discriminator import exercise as best_discriminator
from gencourse.exercises.gan.discriminator_loss import exercise as discriminator_loss
from gencourse.exercises.gan.discriminator_step import exercise as discriminator_step
from gencourse.exercises.gan.gan_from_blank import exercise as gan_from_blank
from gencourse.exercises.gan.generator_loss import exercise as generator_loss
from gencourse.exercises.gan.generator_step import exercise as generator_step
from gencourse.exercises.gan.gradient_penalty import exercise as gradient_penalty
from gencourse.exercises.gan.mode_count import exercise as mode_count
from gencourse.exercises.gan.r1_penalty import exercise as r1_penalty

# in the order of the notebook
__all__ = [
    "discriminator_loss",
    "best_discriminator",
    "discriminator_step",
    "generator_loss",
    "generator_step",
    "mode_count",
    "r1_penalty",
    "gradient_penalty",
    "gan_from_blank",
]
