"""Claims as the reader sees them: the box of a decision, the table of the ledger."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gencourse.claims.ledger import CLAIMS, Claim, Decision, as_stored, find, from_stored
from gencourse.claims.outcome import Outcome
from gencourse.support.output import show

MIME = "application/vnd.gencourse.claim+json"  # a decision with its measurements, beside its box in a stored notebook
# of tests: {id: outcome} in JSON; an exact claim that comes out otherwise is an error
EXPECTED = "GENCOURSE_OUTCOMES"


class ClaimError(AssertionError):
    """A claim came out otherwise than it has to."""


class Trained(Protocol):
    """What a training returns: a history of `fit`, `fit_gan` or `fit_em`."""

    interrupted: bool


def confirm(
    id: str,
    *,
    after: Trained | Sequence[Trained] | Mapping[Any, Trained] = (),
    effort: float = 1.0,
    **measurements: Any,
) -> None:
    """Let the rule of the claim `id` decide on `measurements`, and show what it says, whatever that is.

    The measurements are those that the rule takes (`CLAIMS[id].rule`): numbers, `metrics.Interval`s, or lists and dicts
    of them. `after` is what the trainings returned that the claim rests on: a history of `fit`, `fit_gan` or `fit_em`,
    or several in a list or a dict. If one of them was interrupted, the claim is shown as not measured, with what to do.
    Rules about what was trained are made for `effort` 1: at a lower one the parts are shown, and nothing is decided.
    Raises KeyError for an unknown id, TypeError or ValueError for other arguments.
    """
    claim = find(id)
    measurements = as_stored(measurements)
    decision = claim.decide(**from_stored(measurements))
    if stopped := _stopped(after):
        show(_NotMeasured(claim, stopped))
        return
    show(Shown(claim, decision, measurements, effort))
    expected = json.loads(os.environ.get(EXPECTED, "{}")).get(id, decision.outcome)
    if claim.exact and expected != decision.outcome:
        parts = "; ".join(map(str, decision.parts))
        raise ClaimError(f"{id} {decision.outcome}, and was expected to come out as: {expected}. {parts}")


def ledger() -> _Ledger:
    """All claims as a table: in a notebook as HTML, elsewhere as text."""
    return _Ledger()


def _stopped(after: Trained | Sequence[Trained] | Mapping[Any, Trained]) -> str:
    """Which of the trainings were interrupted, in words; "" if none was."""
    if isinstance(after, Mapping):
        after = list(after.values())
    words = []
    for history in after if isinstance(after, list | tuple) else [after]:
        if not hasattr(history, "interrupted"):
            what = f"{type(history).__name__} {history!r}"[:100]
            raise TypeError(f"after is {what}; expected what `fit`, `fit_gan` or `fit_em` returned, or several of them")
        if history.interrupted:
            words.append(getattr(history, "stopped", None) or "a training was stopped before its end")
    return "; ".join(dict.fromkeys(words))


# translucent colours over the page's own: the boxes read well on a light page and on a dark one
_GREEN, _RED, _AMBER, _GREY = "46, 160, 67", "214, 64, 69", "200, 130, 0", "128, 128, 128"
COLOURS = {Outcome.HOLDS: _GREEN, Outcome.FAILS: _RED, Outcome.OPEN: _AMBER}


def _box(colour: str, head: str, *lines: str) -> str:
    """A box with a bold head and lines below it, all of them HTML."""
    style = (
        f"border-left: 4px solid rgb({colour}); background: rgba({colour}, .10); color: inherit; "
        "padding: .5em 1em; margin: .3em 0; border-radius: 4px; line-height: 1.5; max-width: 52em"
    )
    return f'<div style="{style}"><b>{head}</b>{"".join(lines)}</div>'


@dataclass(frozen=True, repr=False)
class Shown:
    """A decision with its measurements, as the box in a notebook and as text."""

    claim: Claim
    decision: Decision
    measurements: dict[str, Any]
    effort: float = 1.0

    @property
    def decided(self) -> bool:
        """Whether the rule is made for this run: an exact claim at any effort, the others from effort 1 on."""
        return self.claim.exact or self.effort >= 1

    @property
    def head(self) -> str:
        """The outcome in a word or two, with the claim's number."""
        if not self.decided:
            return f"○ {self.claim.id} is not decided at effort {self.effort:g}"
        return f"{self.decision.outcome.mark} {self.claim.id} {self.decision.outcome.verb}"

    def __repr__(self) -> str:
        parts = "".join(f"\n  {part}" for part in self.decision.parts)
        told = f"\n  The rule is of {self.claim.since}. {self.claim.before}".rstrip()
        return f"{self.head}: {self.claim.claim}\n  The notes say: {self.claim.sentence}{parts}{told}"

    def _repr_html_(self) -> str:
        cells = (
            (COLOURED[part.outcome], *map(html.escape, (part.what, part.measured, part.asked)))
            for part in self.decision.parts
        )
        rows = "".join("<tr>" + "".join(f'<td style="{_CELL}">{text}</td>' for text in row) + "</tr>" for row in cells)
        heads = ("", "what was measured", "number", "asked of it")
        names = "".join(f'<th scope="col" style="{_CELL}">{name}</th>' for name in heads)
        table = f'<table style="{_TABLE}"><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>'
        told = f"The rule is of {self.claim.since}."
        if self.claim.before:
            told = (
                f'<details><summary style="opacity: .8">{told} It replaced another one.</summary>'
                f"{html.escape(self.claim.before)}</details>"
            )
        else:
            told = f'<div style="opacity: .8">{told}</div>'
        return _box(
            COLOURS[self.decision.outcome] if self.decided else _GREY,
            f"{html.escape(self.head)}: {html.escape(self.claim.claim)}",
            f'<div style="opacity: .8">The notes say: <i>{html.escape(self.claim.sentence)}</i></div>',
            table,
            told,
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        stored = {
            "claim": self.claim.id,
            "outcome": str(self.decision.outcome) if self.decided else "not decided",
            "parts": [
                {"what": part.what, "measured": part.measured, "asked": part.asked, "outcome": str(part.outcome)}
                for part in self.decision.parts
            ],
            "measurements": self.measurements,
        }
        return {"text/plain": repr(self), "text/html": self._repr_html_(), MIME: stored}


# whatever a page says of tables: its colours and its alignment are not those of a box
_TABLE = "color: inherit; background: none; border-collapse: collapse; margin: 0"
_CELL = "text-align: left; vertical-align: top; white-space: normal; padding: 0 1em 0 0; background: none; border: none"
COLOURED = {
    outcome: f'<span style="color: rgb({colour}); font-weight: bold" aria-label="{outcome}">{outcome.mark}</span>'
    for outcome, colour in COLOURS.items()
}


@dataclass(frozen=True, repr=False)
class _NotMeasured:
    """A claim whose trainings were interrupted. Its text begins otherwise, so that nobody lists it as decided."""

    claim: Claim
    stopped: str

    @property
    def lines(self) -> tuple[str, str]:
        return (
            f"Not measured: {self.stopped}. The claim rests on the whole training.",
            "To do: run the cell of that training again to its end, then the cells from there to this one. For shorter "
            "trainings set a smaller effort at the top, such as effort = 0.1, and run all cells.",
        )

    def __repr__(self) -> str:
        return "\n  ".join([f"○ not measured {self.claim.id}  {self.claim.claim}", *self.lines])

    def _repr_html_(self) -> str:
        head = html.escape(f"○ not measured {self.claim.id}: {self.claim.claim}")
        return _box(_GREY, head, *(f"<div>{html.escape(line)}</div>" for line in self.lines))


class _Ledger:
    def __repr__(self) -> str:
        lines = (f"{c.id:<5} {c.notebook:<18} {c.claim} By {c.measured_by}." for c in CLAIMS.values())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [("", "notebook", "the notes", "claim", "measured by")]
        rows += [(c.id, c.notebook, c.sentence, c.claim, c.measured_by) for c in CLAIMS.values()]
        cell = '<td style="text-align: left; vertical-align: top">{}</td>'.format
        lines = ("".join(cell(html.escape(text)) for text in row) for row in rows)
        return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
