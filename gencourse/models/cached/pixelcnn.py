"""PixelCNN, one pixel at a time: h, (n, channels), of the new pixel alone passes through the layers.

A stepper of a layer is a function; it is called once a pixel, in raster order, and keeps what later pixels need.
`position` counts the pixels, row · width + column.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gencourse.models.base import Stepper, cached_stepper, fourier_features
from gencourse.models.cached.rows import RowCache
from gencourse.models.causal import VerticalConv2d
from gencourse.models.checks import check_condition
from gencourse.models.pixelcnn import GatedStacks, PixelCNN, ResidualBlock, SingleStack, gated_activation

BodyStepper = Callable[[int, Tensor | None], Tensor]


@cached_stepper.register
def pixelcnn_stepper(model: PixelCNN, n: int, condition: Tensor | None) -> Stepper:
    """The stepper of a PixelCNN: (n,) previous pixels -> (n, levels) logits of the next one."""
    check_condition(condition, model.n_classes, n)
    body_stepper = single_stack_stepper if isinstance(model.body, SingleStack) else gated_stacks_stepper
    step_body = body_stepper(model.body, n, model.event_shape[2], model.bias_after_first(condition))
    _, hidden, _, out = model.head
    hidden_weight, hidden_bias = hidden.weight.flatten(1).T, hidden.bias
    out_weight, out_bias = out.weight.flatten(1).T, out.bias
    scale = hidden_bias.new_tensor(2 / (model.levels - 1))  # a tensor, so that levels take the dtype of the weights
    position = -1

    def step(previous: Tensor | None) -> Tensor:
        nonlocal position
        position += 1
        value = None if previous is None else fourier_features(previous[:, None] * scale - 1, model.fourier)
        h = step_body(position, value)
        h = torch.addmm(hidden_bias, h.relu(), hidden_weight).relu_()
        return torch.addmm(out_bias, h, out_weight)

    return step


# -- the single stack --------------------------------------------------------------------------------------------


def single_stack_stepper(stack: SingleStack, n: int, width: int, bias: Tensor) -> BodyStepper:
    """(position, (n, in) features of the pixel before) -> (n, channels). bias: (n or 1, channels, H, W)."""
    first = RowCache(stack.first, n, width)
    blocks = [residual_block_stepper(block, n, width) for block in stack.blocks]
    bias = bias.flatten(2).permute(2, 0, 1)  # (H·W, n or 1, channels)

    def step(position: int, value: Tensor | None) -> Tensor:
        h = first(position % width, value) + bias[position]
        for block in blocks:
            h = block(position, h)
        return h

    return step


def residual_block_stepper(block: ResidualBlock, n: int, width: int) -> BodyStepper:
    """(position, (n, channels)) -> (n, channels): all but the masked convolution looks at the new pixel alone."""
    masked = RowCache(block.masked, n, width)
    reduce_weight, reduce_bias = block.reduce.weight.flatten(1).T, block.reduce.bias
    expand_weight, expand_bias = block.expand.weight.flatten(1).T, block.expand.bias
    places = None if block.place_bias is None else block.place_bias.flatten(1).T.contiguous()  # (H·W, channels/2)

    def step(position: int, h: Tensor) -> Tensor:
        inner = masked(position % width, torch.addmm(reduce_bias, h.relu(), reduce_weight).relu_())
        if places is not None:
            inner += places[position]
        return torch.addmm(expand_bias, inner.relu_(), expand_weight).add_(h)

    return step


# -- the gated stacks --------------------------------------------------------------------------------------------


def gated_stacks_stepper(stacks: GatedStacks, n: int, width: int, bias: Tensor) -> BodyStepper:
    """(position, (n, in) features of the pixel before) -> (n, channels). bias: (n or 1, channels, H, W).

    At the start of a row the vertical stack reads the rows above, all columns at once; then the horizontal stack goes
    one pixel a step.
    """
    first, *later = stacks.layers
    first_rows = first.vertical.kernel_size[0]
    image = bias.new_zeros(n, first.vertical.in_channels, first_rows + 1, width)  # rows above, the present one last
    above = [  # what each later vertical layer saw of the rows above
        bias.new_zeros(n, layer.vertical.in_channels, layer.vertical.kernel_size[0] - 1, width) for layer in later
    ]
    links: list[Tensor] = []  # of each layer, from the vertical to the horizontal stack in the present row: (W, n, 2C)
    horizontal = [RowCache(layer.horizontal, n, width) for layer in stacks.layers]
    out_weights = [(layer.out.weight.flatten(1).T, layer.out.bias) for layer in stacks.layers]
    places = [None if layer.place_bias is None else layer.place_bias.flatten(1).T for layer in stacks.layers]
    bias_at = bias.flatten(2).permute(2, 0, 1)  # (H·W, n or 1, channels)

    def start_row(row: int) -> None:
        links.clear()
        v = vertical_row(first.vertical, image[:, :, :-1])
        links.append(first.link(v)[:, :, 0].permute(2, 0, 1).contiguous())
        v = gated_activation(v) + bias[:, :, row : row + 1]
        for k, layer in enumerate(later):
            seen = torch.cat([above[k], v], 2)
            above[k] = seen[:, :, 1:]
            v = vertical_row(layer.vertical, seen)
            links.append(layer.link(v)[:, :, 0].permute(2, 0, 1).contiguous())
            v = gated_activation(v)

    def step(position: int, value: Tensor | None) -> Tensor:
        column = position % width
        if value is not None:
            image[:, :, -1, column - 1] = value  # column -1 is the last of the row just finished
        if column == 0:
            image[:, :, :-1] = image[:, :, 1:].clone()
            image[:, :, -1] = 0
            start_row(position // width)
        h = None
        for k, (row, (weight, out_bias)) in enumerate(zip(horizontal, out_weights, strict=True)):
            gates = row(column, value if k == 0 else h).add_(links[k][column])
            if places[k] is not None:
                gates += places[k][position]
            new = torch.addmm(out_bias, gated_activation(gates), weight)
            h = new + bias_at[position] if k == 0 else h + new
        return h

    return step


def vertical_row(conv: VerticalConv2d, rows: Tensor) -> Tensor:
    """One row of a vertical convolution, from all rows that it sees: (n, in, kernel rows, W) -> (n, 2C, 1, W)."""
    return F.conv2d(rows, conv.weight, conv.bias, padding=(0, conv.kernel_size[1] // 2))
