"""The models of the course, one family a file; all are distributions over tensors of shape `event_shape`."""

from .baselines import ContextTable
from .pixelcnn import PixelCNN
from .pixelrnn import PixelRNN
from .wavenet import WaveNet

__all__ = ["ContextTable", "PixelCNN", "PixelRNN", "WaveNet"]
