"""Sounds to listen to."""

import html
from collections.abc import Mapping

from gencourse.plots import (
    SAMPLE_RATE,
    data_url,
    display,
)
from gencourse.plots.arrays import Numbers, array
from gencourse.widgets.block import STYLE, wav


def listen(waveform: Numbers, label: str, sample_rate: int = SAMPLE_RATE) -> None:
    """A player for a sound (T,) in [-1, 1]. A second at 8 kHz adds 21 kB to the notebook."""
    players({label: waveform}, sample_rate)


def players(waveforms: Mapping[str, Numbers], sample_rate: int = SAMPLE_RATE) -> None:
    """Several players side by side, {label: (T,) waveform}."""
    if not waveforms:
        raise ValueError("waveforms is empty; expected {label: (T,) waveform}")
    blocks, texts = [], []
    for label, waveform in waveforms.items():
        source = data_url(wav(waveform, sample_rate), "audio/wav")
        words = html.escape(str(label))
        player = f'<audio controls aria-label="{words}" src="{source}" style="width:260px"></audio>'
        place = f"{STYLE};display:inline-block;margin:0 1em .4em 0"
        blocks.append(f'<div style="{place}">{words}<br>{player}</div>')
        texts.append(f"[sound, {len(array(waveform)) / sample_rate:.1f} s: {label}]")
    display({"text/html": "".join(blocks), "text/plain": "\n".join(texts)})
