"""A small classifier of images: the judge whose features and classes the yardsticks of generators are measured on.

    P(y|x) = softmax(W h(x) + b),    loss = −log P(y|x),

with features h(x) from three convolutional layers, after LeNet-5 (LeCun et al., Proceedings of the IEEE 86, 1998,
section II). It is no generative model: it says nothing about P(x).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.models.settings import first_weight
from gencourse.support.checks import INTEGERS, article, positive_integer


class Classifier(nn.Module):
    """Which of `n_classes` an image shows.

    Args:
        event_shape: (C, H, W), the shape of one image, at least 8 pixels high and wide.
        n_classes: number of classes. channels: of the first layer; the second has twice, the third four times as many.
        n_features: width F of the last hidden layer.

    Raises:
        TypeError, ValueError: for sizes that are not positive integers, or an image smaller than 8 × 8.

    >>> classifier = Classifier((1, 8, 8), n_classes=3, channels=2, n_features=5)
    >>> images = torch.zeros(4, 1, 8, 8)
    >>> classifier(images).shape, classifier.features(images).shape
    (torch.Size([4, 3]), torch.Size([4, 5]))
    """

    def __init__(
        self, event_shape: Sequence[int] = (1, 28, 28), n_classes: int = 10, channels: int = 16, n_features: int = 96
    ) -> None:
        super().__init__()
        if not isinstance(event_shape, Sequence) or isinstance(event_shape, str) or len(event_shape) != 3:
            raise ValueError(f"event_shape is {event_shape!r}; expected (channels, height, width), such as (1, 28, 28)")
        self.event_shape = tuple(positive_integer("event_shape", size) for size in event_shape)
        if min(self.event_shape[1:]) < 8:
            raise ValueError(
                f"event_shape is {self.event_shape}; expected at least 8 pixels each way: they are halved three times"
            )
        self.n_classes = positive_integer("n_classes", n_classes, least=2)
        self.n_features = positive_integer("n_features", n_features)
        c = positive_integer("channels", channels)
        height, width = (size // 8 for size in self.event_shape[1:])
        self.body = nn.Sequential(
            nn.Conv2d(self.event_shape[0], c, 5, padding=2),
            nn.SiLU(),
            nn.MaxPool2d(2),  # (B, c, H/2, W/2)
            nn.Conv2d(c, 2 * c, 3, padding=1),
            nn.SiLU(),
            nn.MaxPool2d(2),  # (B, 2c, H/4, W/4)
            nn.Conv2d(2 * c, 4 * c, 3, padding=1),
            nn.SiLU(),
            nn.MaxPool2d(2),  # (B, 4c, H/8, W/8)
            nn.Flatten(),
            nn.Linear(4 * c * height * width, n_features),
            nn.SiLU(),  # (B, F)
        )
        self.head = nn.Linear(n_features, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the classes, log P(y|x) up to a constant: (B, *event_shape) in [0, 1] -> (B, n_classes).

        Raises:
            TypeError, ValueError: x is not a batch of such images; see `features`.
        """
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer h(x): (B, *event_shape) in [0, 1] -> (B, n_features).

        Binary images may be uint8, zeros and ones; grey levels are given as x / 255.

        Raises:
            TypeError: x is no tensor of numbers. ValueError: another shape, no image, NaN, values outside [0, 1].
        """
        h = self.body[0](self._check(x))  # (B, c, H, W)
        return self.body[1:](h.contiguous(memory_format=torch.channels_last))  # where pooling is faster

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy, the mean of −log P(label|x): (B, *event_shape), (B,) classes -> a scalar, nats per image."""
        x = self._check(x)
        if not isinstance(labels, Tensor) or labels.dtype not in INTEGERS:
            kind = labels.dtype if isinstance(labels, Tensor) else article(labels)
            raise TypeError(f"labels are {kind}; expected a tensor of (B,) whole numbers")
        if labels.shape != x.shape[:1]:
            raise ValueError(f"labels have shape {tuple(labels.shape)} for {len(x)} images; expected ({len(x)},)")
        if len(labels) and not 0 <= labels.min() <= labels.max() < self.n_classes:
            raise ValueError(f"labels go from {labels.min()} to {labels.max()}; expected 0 to {self.n_classes - 1}")
        return F.cross_entropy(self(x), labels.long())

    def _check(self, x: Tensor) -> Tensor:
        """x in the dtype of the weights, or an error unless it is a batch of images in [0, 1]."""
        if not isinstance(x, Tensor):
            raise TypeError(f"x is {article(x)}; expected a torch.Tensor of shape (B, *{self.event_shape})")
        if x.dim() == 0 or tuple(x.shape[1:]) != self.event_shape or not len(x):
            raise ValueError(
                f"x has shape {tuple(x.shape)}; this Classifier knows event_shape {self.event_shape}, so "
                f"x must be (batch, {', '.join(map(str, self.event_shape))}), with one image at least"
            )
        low, high = x.detach().min().item(), x.detach().max().item()
        if not (0 <= low and high <= 1):  # NaN neither
            raise ValueError(f"x goes from {low:g} to {high:g}; expected images in [0, 1]: x / 255, or binary ones")
        return x.to(first_weight(self).dtype)
