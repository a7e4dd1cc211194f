"""The models of the course, one family a file; all are distributions over tensors of shape `event_shape`."""

from .baselines import ContextTable
from .gmm import GMM
from .pixelcnn import PixelCNN
from .pixelrnn import PixelRNN
from .vae import VAE, Autoencoder, LinearGaussianVAE
from .wavenet import WaveNet

__all__ = ["Autoencoder", "ContextTable", "GMM", "LinearGaussianVAE", "PixelCNN", "PixelRNN", "VAE", "WaveNet"]
