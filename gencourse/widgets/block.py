"""A block of a page: pictures and sounds as text, each different one once."""

import base64
import io
import itertools
import math
import re
import wave
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from gencourse.plots import SAMPLE_RATE, png
from gencourse.plots.arrays import Numbers, array
from gencourse.plots.sounds import check_sound

LIMIT = 400_000  # characters; a notebook has 1.2 MB in all
STYLE = (
    "color:var(--jp-ui-font-color1,inherit);font-family:var(--jp-ui-font-family,inherit);font-size:14px;line-height:1.6"
)
Picture = bytes | Figure | Axes | Numbers
count = itertools.count(1)


def still(block: str) -> bytes:
    """The PNG of the picture that stands in a block of HTML before its dials are moved."""
    content = re.search(r'<img[^>]* src="data:[^,"]+,([^"]+)"', block)[1]
    return png(np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")))


def store(
    keys: Sequence[tuple], source: Callable | Mapping | None, encode: Callable[[Any], Hashable], optional: bool = False
) -> tuple[list, list[int]]:
    """Each different item once, and which of them belongs to each key (-1: none)."""
    stored, which = {}, []
    for key in keys if source is not None else []:
        item = source(*key) if callable(source) else item_of(source, key, optional)
        if item is None:
            if not optional:
                raise ValueError(f"there is no picture for {key}")
            which.append(-1)
            continue
        which.append(stored.setdefault(encode(item), len(stored)))
    return list(stored), which or [-1] * len(keys)


def item_of(source: Mapping, key: tuple, optional: bool = False) -> Any:
    """An item of a dictionary by its tuple, or by the one option that the tuple holds."""
    for name in (key, key[0]) if len(key) == 1 else (key,):
        if name in source:
            return source[name]
    if optional:
        return None
    raise ValueError(f"nothing is given for {key}; expected an entry for every combination of the dials")


def encode_picture(picture: Picture, width: int | None) -> bytes:
    """The PNG of a Figure, which is closed, of an array, enlarged if it is small, or of bytes that are one."""
    if isinstance(picture, bytes):
        if not picture.startswith(b"\x89PNG"):
            raise ValueError("a frame is bytes that are no PNG; expected a PNG file, an image or a Figure")
        return picture
    if isinstance(picture, Figure | Axes):
        content = png(picture)
        plt.close(picture if isinstance(picture, Figure) else picture.figure)
        return content
    image = array(picture)
    if image.ndim in (2, 3) and 0 < image.shape[1] < 100:
        scale = math.ceil((width or 240) / image.shape[1])
        image = image.repeat(scale, 0).repeat(scale, 1)  # large pixels, not blurred ones, whatever shows them
    return png(image)


def label_of(option: object) -> str:
    """An option as the dial shows it."""
    return f"{option:g}" if isinstance(option, float) else str(option)


def are_numbers(options: Iterable[object]) -> bool:
    """Do the options make a slider?"""
    return all(isinstance(option, int | float) and not isinstance(option, bool) for option in options)


def wav(waveform: Numbers, sample_rate: int = SAMPLE_RATE) -> bytes:
    """(T,) in [-1, 1] as a WAV file of 16-bit samples, one channel."""
    samples = np.rint(check_sound(waveform) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(samples.tobytes())
    return file.getvalue()
