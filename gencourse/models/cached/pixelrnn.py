"""PixelRNN, one pixel at a time: x, (n, 2h), of the new pixel alone passes through the layers.

What comes from the row above is computed for a whole row at once, when that row is finished.
"""

import torch
from torch import Tensor

from gencourse.models.base import Stepper, cached_stepper, fourier_features
from gencourse.models.cached.rows import RowCache
from gencourse.models.checks import check_condition
from gencourse.models.pixelrnn import DiagonalBiLSTM, PixelRNN, RowLSTM, lstm_cell, row_neighbours


@cached_stepper.register
def pixelrnn_stepper(model: PixelRNN, n: int, condition: Tensor | None) -> Stepper:
    """The stepper of a PixelRNN: (n,) previous pixels -> (n, levels) logits of the next one."""
    check_condition(condition, model.n_classes, n)
    height, width = model.event_shape[1:]
    whole_width = width + model.blank
    bias = model.first.bias.new_zeros(1) if condition is None else model.class_bias(condition.long())  # (n, 2h)
    places = bias.new_zeros(1, 1) if model.place_bias is None else model.place_bias.flatten(0, 1)
    places = places.expand(height * whole_width, 1, -1)  # a row a place, blank ones too
    first = RowCache(model.first, n, whole_width)
    layer_stepper = RowLSTMStepper if model.kind == "row" else DiagonalBiLSTMStepper
    layers = [layer_stepper(layer, n) for layer in model.layers]
    _, hidden, _, out = model.head
    hidden_weight, hidden_bias = hidden.weight.T.contiguous(), hidden.bias
    out_weight, out_bias = out.weight.T.contiguous(), out.bias
    scale = hidden_bias.new_tensor(2 / (model.levels - 1))  # a tensor, so that levels take the dtype of the weights
    position = -1

    def step(previous: Tensor | None) -> Tensor:
        nonlocal position
        position += 1
        row, column = divmod(position, width)
        value = None if previous is None else fourier_features(previous[:, None] * scale - 1, model.fourier)
        if column == 0 and value is not None:  # a row is finished
            if model.blank:
                advance(row - 1, width, value)
                value = torch.zeros_like(value)
            for layer in layers:
                layer.finish_row()
        h = advance(row, column, value).relu_()
        h = torch.addmm(hidden_bias, h, hidden_weight).relu_()
        return torch.addmm(out_bias, h, out_weight)

    def advance(row: int, column: int, value: Tensor | None) -> Tensor:
        h = first(column, value) + bias + places[row * whole_width + column]
        for layer in layers:
            h = layer(column, h)
        return h  # (n, 2h)

    return step


class RowLSTMStepper:
    """A RowLSTM, one position at a time: state-to-state for a whole row when the row above is finished."""

    def __init__(self, layer: RowLSTM, n: int) -> None:
        self.layer = layer
        self.weight_in = layer.input_to_state.weight.T.contiguous()
        self.weight_up = layer.upsample.weight.T.contiguous()
        self.features = self.weight_up.shape[1]
        self.inputs = self.weight_in.new_zeros(n, (layer.side + layer.width) * self.features)  # side by side
        self.above = layer.input_to_state.bias.expand(layer.width, n, -1)  # (W, n, 4h)
        self.cells = self.weight_in.new_zeros(layer.width, n, layer.hidden)
        self.states: list[tuple[Tensor, Tensor]] = []

    def finish_row(self) -> None:
        """Compute what the row just finished contributes to the next one."""
        h, c = zip(*self.states, strict=True)
        neighbours = row_neighbours(torch.stack(h), self.layer.side, self.layer.side)
        self.above = self.layer.state_to_state(neighbours) + self.layer.input_to_state.bias
        self.cells, self.states = torch.stack(c), []

    def __call__(self, column: int, x: Tensor) -> Tensor:
        end = (column + self.layer.side + 1) * self.features
        self.inputs[:, end - self.features : end] = x
        window = self.inputs[:, column * self.features : end]
        state = lstm_cell(torch.addmm(self.above[column], window, self.weight_in), self.cells[column])
        self.states.append(state)
        return torch.addmm(x, state[0], self.weight_up)


class DiagonalBiLSTMStepper:
    """A DiagonalBiLSTM, one position at a time; the right direction runs once through each finished row."""

    def __init__(self, layer: DiagonalBiLSTM, n: int) -> None:
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
        """Compute what the row just finished contributes to the next one: run its right direction, from the end."""
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
