"""The table of counts, one pixel at a time: the context of the new pixel alone is looked up."""

import torch
from torch import Tensor

from gencourse.models.base import Stepper, cached_stepper
from gencourse.models.baselines import ContextTable
from gencourse.models.checks import check_condition


@cached_stepper.register
def context_table_stepper(model: ContextTable, n: int, condition: Tensor | None) -> Stepper:
    """The stepper of a ContextTable: (n,) previous pixels -> (n, levels) logits of the next one."""
    check_condition(condition, model.n_classes, n)
    image = torch.zeros(n, *model.event_shape, dtype=torch.long, device=model.counts.device)
    table, width, position = model.table(), model.event_shape[2], -1

    def step(previous: Tensor | None) -> Tensor:
        nonlocal position
        position += 1
        if previous is not None:
            image.view(n, -1)[:, position - 1] = previous
        context = torch.zeros(n, dtype=torch.long, device=image.device)
        for row, column in model.neighbours:
            i, j = position // width + row, position % width + column
            inside = i >= 0 and 0 <= j < width
            context = context * model.levels + (image[:, 0, i, j] if inside else 0)
        return table[position, context]

    return step
