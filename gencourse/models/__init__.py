"""The models of the course, one family a file; how they are sampled step by step: `cached`.

base.py       what every autoregressive model is          settings.py   dtype, device, random numbers
causal.py     convolutions that do not see the future     checks.py     what is asked of arguments
cached/       sampling one position at a time, a file a model
"""

from gencourse.models import cached  # noqa: F401  registers how the autoregressive models are sampled
from gencourse.models.baselines import ContextTable
from gencourse.models.bernoulli_mixture import BernoulliMixture
from gencourse.models.classifier import Classifier
from gencourse.models.dirac_gan import DiracGAN
from gencourse.models.gan import GAN, Discriminator, Generator, image_gan, plane_gan
from gencourse.models.gmm import GMM
from gencourse.models.linear_vae import LinearGaussianVAE
from gencourse.models.pixelcnn import PixelCNN
from gencourse.models.pixelrnn import PixelRNN
from gencourse.models.vae import VAE, Autoencoder
from gencourse.models.wavenet import WaveNet

__all__ = [
    "Autoencoder",
    "BernoulliMixture",
    "Classifier",
    "ContextTable",
    "DiracGAN",
    "Discriminator",
    "GAN",
    "GMM",
    "Generator",
    "LinearGaussianVAE",
    "PixelCNN",
    "PixelRNN",
    "VAE",
    "WaveNet",
    "image_gan",
    "plane_gan",
]
