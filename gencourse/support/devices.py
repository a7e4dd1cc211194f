"""Where new tensors are made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def made_on(device: torch.device | str) -> Iterator[None]:
    """New tensors are made on this kind of device inside, whatever the default is.

    Where the default is that already, the context of `torch.device`, which makes each operation slower, is not needed.
    A default that is set inside ends with it.
    """
    device = torch.device(device)
    if torch.get_default_device().type != device.type:
        with device:
            yield
        return
    try:
        yield
    finally:
        if torch.get_default_device().type != device.type:
            torch.set_default_device(None if device.type == "cpu" else device)
