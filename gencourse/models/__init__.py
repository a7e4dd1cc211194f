"""The models of the course, one family a file; all are distributions over tensors of shape `event_shape`."""

from .baselines import ContextTable
from .bernoulli_mixture import BernoulliMixture
from .classifier import Classifier
from .gan import GAN, DiracGAN, Discriminator, Generator
from .gmm import GMM
from .pixelcnn import PixelCNN
from .pixelrnn import PixelRNN
from .vae import VAE, Autoencoder, LinearGaussianVAE
from .wavenet import WaveNet

__all__ = [
    "Autoencoder", "BernoulliMixture", "Classifier", "ContextTable", "DiracGAN", "Discriminator", "GAN", "GMM",
    "Generator", "LinearGaussianVAE", "PixelCNN", "PixelRNN", "VAE", "WaveNet",
]  # fmt: skip
