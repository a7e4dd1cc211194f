"""Interactives: one a function, each whole in itself.

A dial chooses among pictures, and sounds, that were made beforehand and lie in the page: so it moves in a
notebook without a kernel, in an exported page and on a slide, with no network. Where scripts are not allowed,
in a notebook that is not trusted or on a web page that shows one, the first picture stands still. Only
`live_receptive_field` needs a kernel.
"""

from gencourse.widgets.block import wav
from gencourse.widgets.dials import (
    em_stepper,
    explorer,
    explorer_html,
    sampling_film,
    scrubber,
)
from gencourse.widgets.fields import dilation_explorer, field_legend, live_receptive_field, receptive_field_explorer
from gencourse.widgets.sounds import listen, players
from gencourse.widgets.walker import code_walker, code_walker_html, interpolation, traversals

__all__ = [
    "code_walker",
    "code_walker_html",
    "dilation_explorer",
    "em_stepper",
    "explorer",
    "explorer_html",
    "field_legend",
    "interpolation",
    "listen",
    "live_receptive_field",
    "players",
    "receptive_field_explorer",
    "sampling_film",
    "scrubber",
    "traversals",
    "wav",
]
