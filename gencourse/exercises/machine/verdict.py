"""What the reader sees: a verdict, as text and as a box that is readable on a light and on a dark page."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gencourse.exercises.machine.answers import Status

LOOKS = {  # sign, colour: word and sign say it without the colour too
    "passed": ("✓", "46, 160, 67"),
    "not yet": ("◐", "219, 140, 20"),
    "not attempted": ("○", "128, 128, 128"),
    "raised an error": ("⚠", "214, 64, 69"),
    "info": ("", "56, 132, 214"),
}


@dataclass(frozen=True)
class Page:
    """A title, some text (`code` between backticks, one paragraph a line), and a block of code or output."""

    look: Status | Literal["info"]
    title: str
    body: str
    code: str = ""

    def text(self) -> str:
        sign = LOOKS[self.look][0]
        lines = [
            f"{sign} {self.title}".strip(),
            *(line for line in self.body.splitlines() if line.strip()),
        ]
        return "\n    ".join(lines) + (f"\n\n{self.code}" if self.code else "")

    def html(self) -> str:
        sign, colour = LOOKS[self.look]
        code_style = (
            "background: rgba(128, 128, 128, .16); color: inherit; padding: 0 .25em"
        )
        paragraphs = [
            re.sub(
                r"`([^`]+)`", rf'<code style="{code_style}">\1</code>', html.escape(line)
            )
            for line in self.body.splitlines()
            if line.strip()
        ]
        block = (
            (
                f'<pre style="margin: .5em 0 0; background: none; color: inherit; white-space: pre-wrap">'
                f"{html.escape(self.code)}</pre>"
            )
            if self.code
            else ""
        )
        return (
            f'<div style="border-left: 4px solid rgb({colour}); background: rgba({colour}, .10); '
            f"color: inherit; padding: .5em 1em; margin: .3em 0; border-radius: 4px; line-height: 1.5; "
            f'max-width: 52em">'
            f"<b>{html.escape(f'{sign} {self.title}'.strip())}</b>"
            + "".join(f"<div>{paragraph}</div>" for paragraph in paragraphs)
            + block
            + "</div>"
        )

    __repr__ = text
    _repr_html_ = html


@dataclass(frozen=True, repr=False)
class Verdict:
    """What was found.

    status: "passed", "not yet", "not attempted" or "raised an error"; diagnosis: a short, stable name of what
    was found; message: what the reader sees; printed: the beginning of what the reader's function printed.

    >>> Verdict("half", "not yet", "half forgotten", "Where is the half?").passed
    False
    """

    exercise: str
    status: Status
    diagnosis: str
    message: str
    printed: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    def page(self, after: str = "") -> Page:
        printed = f"Your function printed:\n{self.printed}" if self.printed.strip() else ""
        return Page(
            self.status,
            f"{self.exercise}: {self.status}",
            f"{self.message}\n{after}",
            code=printed,
        )

    def __repr__(self) -> str:
        return self.page().text()

    def _repr_html_(self) -> str:
        return self.page().html()


@dataclass(frozen=True, repr=False)
class Listing:
    """Source text under a title. Markdown, so that the page's own theme colours it."""

    title: str
    source: str

    def text(self) -> str:
        return f"{self.title}\n\n{self.source}"

    def _repr_markdown_(self) -> str:
        return f"**{self.title}**\n\n```python\n{self.source}```"

    __repr__ = text
