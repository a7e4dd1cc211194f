"""PixelRNN: recurrences that carry what the rows above have shown down to the pixel to be predicted.

Paper: van den Oord et al., "Pixel Recurrent Neural Networks" (arXiv:1601.06759), section 3.1 for the Row
LSTM, 3.2 for the Diagonal BiLSTM, 3.3 for the residual connections, 3.4 for the masks, table 1 for the whole.

An LSTM cell has two inputs: *input-to-state*, from the layer below, for the whole map at once; and
*state-to-state*, from its neighbours in the same layer, which must come first. The neighbours decide what can
be computed together, and what can be seen:

        Row LSTM                       Diagonal BiLSTM
        a whole row at once            a whole diagonal at once, from both upper corners
        a b c    h(x) from a, b, c     . a        left:  h(x) from a and b       a .
        . x .                          b x        right: h(x) from a and b       x b
        sees a triangle                sees everything

Inside the network a map has the shape (H, W, B, channels): a row of the whole batch lies together.

Sampling one pixel at a time with caches stands in `gencourse/models/cached/pixelrnn.py`.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.models.base import Autoregressive, fourier_features, new_class_bias
from gencourse.models.causal import MaskedConv2d
from gencourse.models.checks import (
    check_condition,
    check_first_kernel,
    check_image_shape,
    check_kernel_size,
)
from gencourse.support.checks import check_choice, positive_integer

Kind = Literal["row", "diagonal"]
KINDS = get_args(Kind)


class PixelRNN(Autoregressive):
    """A masked convolution, residual LSTM layers and two 1×1 layers, over images of one channel (table 1).

    Args:
        event_shape: (1, H, W).
        levels: values of a pixel, 2 for binary images, 256 for grey ones.
        kind: "row" (Row LSTM) or "diagonal" (Diagonal BiLSTM).
        n_layers: LSTM layers.
        hidden: h, features of an LSTM state; the residual stream has 2h.
        first_kernel: odd size, 3 or more, of the first convolution (mask A: the pixel itself is hidden).
        kernel_size: odd width k of the Row LSTM's two convolutions; the Diagonal BiLSTM has no use for it.
        n_classes: condition on a class index, by a bias on the residual stream.
        place_bias: learn a bias for every place of the page, added to the residual stream.
        fourier: beside each level u in [-1, 1] the network is given sin(2^k π u) and cos(2^k π u) for k below this
            number (see `fourier_features`). 0, as in the paper: the level alone.

    Raises:
        TypeError, ValueError: an unknown kind, an even kernel, or a size that is no positive integer.

    >>> model = PixelRNN((1, 4, 4), kind="diagonal", hidden=4)
    >>> images = model.sample(2, torch.Generator().manual_seed(0))
    >>> images.shape, model.logits(images).shape, model.log_prob(images).shape
    (torch.Size([2, 1, 4, 4]), torch.Size([2, 2, 1, 4, 4]), torch.Size([2]))
    """

    def __init__(
        self,
        event_shape: tuple[int, int, int],
        levels: int = 2,
        kind: Kind = "row",
        n_layers: int = 1,
        hidden: int = 16,
        first_kernel: int = 7,
        kernel_size: int = 3,
        n_classes: int | None = None,
        place_bias: bool = False,
        fourier: int = 0,
    ) -> None:
        super().__init__(event_shape, levels, n_classes)
        check_image_shape(self.event_shape)
        check_choice("kind", kind, KINDS)
        n_layers = positive_integer("n_layers", n_layers)
        hidden = positive_integer("hidden", hidden)
        kernel_size, first_kernel = check_kernel_size(kernel_size), check_first_kernel(first_kernel)
        _, height, width = self.event_shape
        self.kind = kind
        # No position of a row knows the row's last pixel. A blank column after it does, and there the right
        # direction starts; else all pixels of the next row but those near the right border, whose first convolution
        # touches it, would be predicted without it.
        self.blank = 1 if kind == "diagonal" else 0
        self.fourier = positive_integer("fourier", fourier, least=0)
        self.first = MaskedConv2d(1 + 2 * self.fourier, 2 * hidden, first_kernel, "A")
        self.class_bias = new_class_bias(self.n_classes, 2 * hidden)
        places = (height, width + self.blank, 1, 2 * hidden)  # the blank column as well
        self.place_bias = nn.Parameter(torch.zeros(places)) if place_bias else None
        if kind == "row":
            layers = [RowLSTM(hidden, width, kernel_size) for _ in range(n_layers)]
        else:
            layers = [DiagonalBiLSTM(hidden, height, width + self.blank) for _ in range(n_layers)]
        self.layers = nn.ModuleList(layers)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Linear(2 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, self.levels)
        )

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """(B, 1, H, W) -> (B, levels, 1, H, W): table 1; see `Autoregressive.logits`."""
        encoded = self.encode(x)
        check_condition(condition, self.n_classes, len(x))
        h = self.first(F.pad(fourier_features(encoded, self.fourier), (0, self.blank)))  # (B, 2h, H, W + blank)
        h = h.permute(2, 3, 0, 1).contiguous()  # (H, W + blank, B, 2h)
        if condition is not None:
            h = h + self.class_bias(condition.long()).to(h.dtype)
        if self.place_bias is not None:
            h = h + self.place_bias.to(h.dtype)
        for layer in self.layers:
            h = layer(h)
        h = self.head(h[:, : self.event_shape[2]])  # (H, W, B, levels)
        return h.permute(2, 3, 0, 1).unsqueeze(2)


class RowLSTM(nn.Module):
    """One row at a time, (H, W, B, 2h) -> (H, W, B, 2h): section 3.1, and 3.3 for the sum.

    Input-to-state is a convolution along the row with mask B (its k//2 taps to the right are left out),
    state-to-state one of width k over the row above: the context widens by k//2 pixels a row, on both sides.
    """

    def __init__(self, hidden: int, width: int, kernel_size: int) -> None:
        super().__init__()
        self.hidden, self.width, self.side = hidden, width, kernel_size // 2
        self.input_to_state = nn.Linear((self.side + 1) * 2 * hidden, 4 * hidden)
        self.state_to_state = nn.Linear(kernel_size * hidden, 4 * hidden, bias=False)
        self.upsample = nn.Linear(hidden, 2 * hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gates = self.input_to_state(row_neighbours(x, self.side, 0))  # (H, W, B, 4h), all rows at once
        weight = self.state_to_state.weight.T.to(gates.dtype)
        h = c = gates.new_zeros(*gates.shape[1:3], self.hidden)
        rows = []
        for row in gates.unbind(0):
            above = row_neighbours(h, self.side, self.side).flatten(0, 1)  # (W·B, k·h)
            h, c = lstm_cell(torch.addmm(row.flatten(0, 1), above, weight).view_as(row), c)
            rows.append(h)
        return x + self.upsample(torch.stack(rows))


class DiagonalBiLSTM(nn.Module):
    """One diagonal at a time, from both upper corners, (H, W, B, 2h) -> (H, W, B, 2h): section 3.2, and 3.3.

    In the skewed map a diagonal is a column, and both neighbours of a position lie in the column before: the
    one above it a row up, the one before it in the same row. Half of the map is empty; the loop skips it.
    """

    def __init__(self, hidden: int, height: int, width: int) -> None:
        super().__init__()
        self.hidden, self.width = hidden, width
        self.inputs = nn.Parameter(torch.empty(2, 2 * hidden, 4 * hidden))  # direction, features, gates
        self.bias = nn.Parameter(torch.empty(2, 1, 4 * hidden))
        self.states = nn.Parameter(torch.empty(2, 2 * hidden, 4 * hidden))  # of (above, before)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -((2 * hidden) ** -0.5), (2 * hidden) ** -0.5)
        self.upsample = nn.Linear(hidden, 2 * hidden, bias=False)
        index = torch.arange(1, height * width + 1, device="cpu").view(1, 1, height, width)
        diagonals = [skew(i)[0, 0].T for i in (index, index.flip(3))]  # the right direction in a mirror
        order = torch.stack([i[i > 0] - 1 for i in diagonals]).to(self.inputs.device)
        self.register_buffer("order", order, persistent=False)  # (2, H·W): pixels, diagonal after diagonal
        self.register_buffer("back", order.argsort(1), persistent=False)  # and from there to raster order
        self.lengths = [min(t + 1, height, width, height + width - 1 - t) for t in range(height + width - 1)]

    def forward(self, x: Tensor) -> Tensor:
        height, width, batch, features = x.shape
        inputs = x.flatten(0, 1).index_select(0, self.order.flatten()).view(2, -1, features)  # (2, H·W·B, 2h)
        gates = torch.baddbmm(self.bias, inputs, self.inputs).view(2, height * width, batch, -1)
        weight = self.states.to(gates.dtype)
        h = c = gates.new_zeros(2, 0, batch, self.hidden)
        diagonals = []
        for t, diagonal in enumerate(gates.split(self.lengths, 1)):  # (2, length, B, 4h), from the top down
            from_first, new_row = int(t < width), int(t < height)
            h = F.pad(h, (0, 0, 0, 0, from_first, new_row))  # zeros beyond the border
            c = F.pad(c, (0, 0, 0, 0, 0, new_row))[:, 1 - from_first :]  # a cell's is the one before
            neighbours = torch.cat([h[:, :-1], h[:, 1:]], -1).flatten(1, 2)  # (2, length·B, 2h)
            h, c = lstm_cell(torch.baddbmm(diagonal.flatten(1, 2), neighbours, weight).view_as(diagonal), c)
            diagonals.append(h)
        left, right = (h.index_select(0, i) for h, i in zip(torch.cat(diagonals, 1), self.back, strict=True))
        seen = left + F.pad(right[:-width], (0, 0, 0, 0, width, 0))  # a row down, or it would show the future
        return x + self.upsample(seen).view_as(x)


def lstm_cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """New states h and c from the four gates: (…, 4h), (…, h) -> (…, h), (…, h). Equation 3,

        [o, f, i] = σ(gates),    g = tanh(gates),    c = f ⊙ c + i ⊙ g,    h = o ⊙ tanh(c)

    where each of o, f, i and g is a quarter of the gates.
    """
    size = c.shape[-1]
    opening, content = gates.split([3 * size, size], -1)
    o, f, i = opening.sigmoid().chunk(3, -1)
    g = content.tanh()
    c = f * c + i * g
    h = o * c.tanh()
    return h, c


def row_neighbours(x: Tensor, left: int, right: int) -> Tensor:
    """Each position with its neighbours in the row: (…, W, B, C) -> (…, W, B, (left + 1 + right)·C)."""
    padded = F.pad(x, (0, 0, 0, 0, left, right))
    return torch.cat([padded.narrow(-3, k, x.shape[-3]) for k in range(left + 1 + right)], -1)


def skew(x: Tensor) -> Tensor:
    """Shift row i to the right by i, so that diagonals become columns: (B, C, H, W) -> (B, C, H, W + H - 1).

    a b c        a b c . .
    d e f   ->   . d e f .
    g h i        . . g h i
    """
    height, width = x.shape[-2:]
    # Rows of W + H, read as rows of W + H - 1, begin one place later each.
    return F.pad(x, (0, height)).flatten(-2)[..., :-height].unflatten(-1, (height, width + height - 1))


def unskew(y: Tensor, width: int) -> Tensor:
    """Undo `skew`: (B, C, H, width + H - 1) -> (B, C, H, width)."""
    height = y.shape[-2]
    return F.pad(y.flatten(-2), (0, height)).unflatten(-1, (height, width + height))[..., :width]
