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
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import Autoregressive, check_image_shape, class_bias, fourier_features, positive_integer
from .causal import MaskedConv2d, RowCache, odd


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
    """

    def __init__(
        self,
        event_shape: tuple[int, int, int],
        levels: int = 2,
        kind: str = "row",
        n_layers: int = 1,
        hidden: int = 16,
        first_kernel: int = 7,
        kernel_size: int = 3,
        n_classes: int | None = None,
        place_bias: bool = False,
        fourier: int = 0,
    ):
        super().__init__(event_shape, levels, n_classes)
        check_image_shape(self.event_shape)
        if kind not in tuple(KINDS):
            raise ValueError(f"kind is {kind!r}; expected one of {tuple(KINDS)}")
        n_layers = positive_integer("n_layers", n_layers)
        hidden = positive_integer("hidden", hidden)
        kernel_size, first_kernel = odd(kernel_size), odd(first_kernel, "first_kernel")
        if first_kernel == 1:
            raise ValueError("first_kernel is 1; with its centre hidden it would see nothing, use 3 or more")
        _, height, width = self.event_shape
        self.kind = kind
        # No position of a row knows the row's last pixel. A blank column after it does, and there the right
        # direction starts; else the first pixels of the next row would be predicted without it.
        self.blank = 1 if kind == "diagonal" else 0
        self.fourier = positive_integer("fourier", fourier, least=0)
        self.first = MaskedConv2d(1 + 2 * self.fourier, 2 * hidden, first_kernel, "A")
        self.class_bias = class_bias(self.n_classes, 2 * hidden)
        # for the blank column as well: (H, W + blank, 1, 2h)
        place = (height, width + self.blank, 1, 2 * hidden)
        self.place_bias = nn.Parameter(torch.zeros(place)) if place_bias else None
        self.layers = nn.ModuleList(
            KINDS[kind](hidden, height, width + self.blank, kernel_size) for _ in range(n_layers)
        )
        self.head = nn.Sequential(
            nn.ReLU(), nn.Linear(2 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, self.levels)
        )

    def logits(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        encoded = self.encode(x)
        self.check_condition(condition, len(x))
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

    def _stepper(self, n: int, condition: Tensor | None):
        self.check_condition(condition, n)
        width, position = self.event_shape[2], -1
        bias = self.first.bias.new_zeros(1) if condition is None else self.class_bias(condition.long())  # (n, 2h)
        places = bias.new_zeros(1, 1) if self.place_bias is None else self.place_bias.flatten(0, 1)
        places = places.expand(self.event_shape[1] * (width + self.blank), 1, -1)  # a place, blank ones too
        first = RowCache(self.first, n, width + self.blank)
        layers = [layer.stepper(n) for layer in self.layers]
        _, hidden, _, out = self.head
        w1, b1, w2, b2 = hidden.weight.T.contiguous(), hidden.bias, out.weight.T.contiguous(), out.bias
        scale = self._scale()

        def step(previous: Tensor | None) -> Tensor:
            nonlocal position
            position += 1
            column = position % width
            value = None if previous is None else fourier_features(previous[:, None] * scale - 1, self.fourier)
            if column == 0 and value is not None:
                if self.blank:
                    advance(position // width - 1, width, value)
                    value = torch.zeros_like(value)
                for layer in layers:
                    layer.finish_row()
            return torch.addmm(b2, torch.addmm(b1, advance(position // width, column, value).relu_(), w1).relu_(), w2)

        def advance(row: int, column: int, value: Tensor | None) -> Tensor:
            h = first(column, value) + bias + places[row * (width + self.blank) + column]
            for layer in layers:
                h = layer(column, h)
            return h  # (n, 2h)

        return step


class RowLSTM(nn.Module):
    """One row at a time, (H, W, B, 2h) -> (H, W, B, 2h): section 3.1, and 3.3 for the sum.

    Input-to-state is a convolution along the row with mask B (its k//2 taps to the right are left out),
    state-to-state one of width k over the row above: the context widens by k//2 pixels a row, on both sides.
    """

    def __init__(self, hidden: int, height: int, width: int, kernel_size: int):
        super().__init__()
        self.hidden, self.width, self.side = hidden, width, kernel_size // 2
        self.input_to_state = nn.Linear((self.side + 1) * 2 * hidden, 4 * hidden)
        self.state_to_state = nn.Linear(kernel_size * hidden, 4 * hidden, bias=False)
        self.upsample = nn.Linear(hidden, 2 * hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gates = self.input_to_state(beside(x, self.side, 0))  # (H, W, B, 4h), all rows at once
        weight = self.state_to_state.weight.T.to(gates.dtype)
        h = c = gates.new_zeros(*gates.shape[1:3], self.hidden)
        rows = []
        for row in gates.unbind(0):
            above = beside(h, self.side, self.side).flatten(0, 1)  # (W·B, k·h)
            h, c = lstm_cell(torch.addmm(row.flatten(0, 1), above, weight).view_as(row), c)
            rows.append(h)
        return x + self.upsample(torch.stack(rows))

    def stepper(self, n: int):
        return RowStep(self, n)


class DiagonalBiLSTM(nn.Module):
    """One diagonal at a time, from both upper corners, (H, W, B, 2h) -> (H, W, B, 2h): section 3.2, and 3.3.

    In the skewed map a diagonal is a column, and both neighbours of a position lie in the column before: the
    one above it a row up, the one before it in the same row. Half of the map is empty; the loop skips it.
    """

    def __init__(self, hidden: int, height: int, width: int, kernel_size: int):
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

    def stepper(self, n: int):
        return DiagonalStep(self, n)


KINDS = {"row": RowLSTM, "diagonal": DiagonalBiLSTM}


class RowStep:
    """A RowLSTM, one position at a time: state-to-state for a whole row when the row above is finished."""

    def __init__(self, layer: RowLSTM, n: int):
        self.layer, self.n = layer, n
        self.weight_in = layer.input_to_state.weight.T.contiguous()
        self.weight_up = layer.upsample.weight.T.contiguous()
        self.features = self.weight_up.shape[1]
        self.inputs = self.weight_in.new_zeros(n, (layer.side + layer.width) * self.features)  # side by side
        self.above = layer.input_to_state.bias.expand(layer.width, n, -1)  # (W, n, 4h)
        self.cells = self.weight_in.new_zeros(layer.width, n, layer.hidden)
        self.states = []

    def finish_row(self) -> None:
        h, c = zip(*self.states, strict=True)
        neighbours = beside(torch.stack(h), self.layer.side, self.layer.side)
        self.above = self.layer.state_to_state(neighbours) + self.layer.input_to_state.bias
        self.cells, self.states = torch.stack(c), []

    def __call__(self, column: int, x: Tensor) -> Tensor:
        end = (column + self.layer.side + 1) * self.features
        self.inputs[:, end - self.features : end] = x
        window = self.inputs[:, column * self.features : end]
        state = lstm_cell(torch.addmm(self.above[column], window, self.weight_in), self.cells[column])
        self.states.append(state)
        return torch.addmm(x, state[0], self.weight_up)


class DiagonalStep:
    """A DiagonalBiLSTM, one position at a time; the right direction runs once through each finished row."""

    def __init__(self, layer: DiagonalBiLSTM, n: int):
        self.layer = layer
        self.weight_in = layer.inputs[0].contiguous()
        self.weight_above, self.weight_before = layer.states.chunk(2, 1)  # (2, h, 4h) each
        self.weight_up = layer.upsample.weight.T.contiguous()
        self.zero = self.weight_in.new_zeros(n, layer.hidden)
        self.right = self.zero.expand(layer.width, n, -1)  # (W, n, h), of the row above
        self.above = layer.bias[0].expand(layer.width, n, -1)  # (W, n, 4h), for the left direction
        self._start_row()

    def _start_row(self) -> None:
        self.h = self.c = self.zero
        self.inputs, self.states = [], []

    def finish_row(self) -> None:
        self.above = torch.stack(self.states) @ self.weight_above[0] + self.layer.bias[0]
        gates = torch.stack(self.inputs) @ self.layer.inputs[1] + self.layer.bias[1]
        gates += self.right @ self.weight_above[1]  # (W, n, 4h)
        h, c, states = self.zero, self.zero, []
        for gate in reversed(gates.unbind(0)):
            h, c = lstm_cell(torch.addmm(gate, h, self.weight_before[1]), c)
            states.append(h)
        self.right = torch.stack(states[::-1])
        self._start_row()

    def __call__(self, column: int, x: Tensor) -> Tensor:
        gates = torch.addmm(self.above[column], x, self.weight_in).addmm_(self.h, self.weight_before[0])
        self.h, self.c = lstm_cell(gates, self.c)
        self.inputs.append(x)
        self.states.append(self.h)
        return torch.addmm(x, self.h + self.right[column], self.weight_up)


def lstm_cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """New hidden and cell state from the four gates: (…, 4h), (…, h) -> (…, h), (…, h). Equation 3."""
    size = c.shape[-1]
    opening, content = gates.split([3 * size, size], -1)
    o, f, i = opening.sigmoid().chunk(3, -1)
    g = content.tanh()
    c = f * c + i * g
    return o * c.tanh(), c


def beside(x: Tensor, left: int, right: int) -> Tensor:
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
