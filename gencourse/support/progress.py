"""One kind of progress bar, and one switch for all: GENCOURSE_PROGRESS=0, or `progress.enabled = False`."""

import os
from collections.abc import Iterable

from tqdm.auto import tqdm

enabled = True


def progress(
    iterable: Iterable | None = None, total: int | None = None, desc: str = "", unit: str = "it", initial: int = 0
) -> tqdm:
    """A tqdm bar over `iterable`, or a bar of `total` units that the caller moves with `.update(n)`.

    initial: units that were done before; the time left is reckoned without them.
    """
    off = not enabled or os.environ.get("GENCOURSE_PROGRESS") == "0"
    return tqdm(iterable, total=total, desc=desc, unit=unit, initial=initial, disable=off)
