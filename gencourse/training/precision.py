"""How a training computes: in which precision, in which order of memory, and on which device."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from gencourse.support.output import say

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
Computed = Literal["float32", "bfloat16"]  # what "auto" comes to


def native_bfloat16(device: torch.device | str = "cpu") -> bool:
    """True if the device multiplies bfloat16 in hardware (AVX-512 BF16 or AMX on x86; CUDA says so itself)."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and any(capabilities.get(k) for k in ("avx512_bf16", "amx_bf16"))


def resolved_precision(asked: Precision, state: dict[str, Any] | None, device: torch.device, name: str) -> Computed:
    """What "auto" is on this device, "float32" or "bfloat16"; a run that was begun goes on in its own, where it can.

    Args:
        state: of the run that was begun, or None. name: of the run, for what is said where the two differ.
    """
    if asked != "auto":
        return asked
    here = "bfloat16" if native_bfloat16(device) else "float32"
    begun = (state or {}).get("settings", {}).get("precision", here)
    if begun == here:
        return here
    if begun == "bfloat16" and device.type != "cpu":  # which computes in it, though slowly
        say(f"{name}: begun in bfloat16, which is not computed here; goes on in float32")
        return "float32"
    slowly = ', which is slow on this processor; precision="float32" goes on in that' if begun == "bfloat16" else ""
    say(f"{name}: goes on in {begun}, in which it was begun{slowly}")
    return begun


def in_precision(function: Callable[..., Tensor], precision: Computed, device: torch.device) -> Callable[..., Tensor]:
    """The same function, with its matrix products and convolutions in this precision; the weights stay float32."""

    def computed(*arguments: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return function(*arguments)

    return computed


@contextlib.contextmanager
def channels_last(model: nn.Module) -> Iterator[None]:
    """Inside, the model's weights lie in channels-last memory, which is faster for convolutions."""
    model.to(memory_format=torch.channels_last)
    try:
        yield
    finally:
        model.to(memory_format=torch.contiguous_format)
