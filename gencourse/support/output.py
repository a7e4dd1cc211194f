"""What is shown to the reader: boxes in a notebook, text elsewhere, in the characters that the output has."""

import codecs
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

# signs of the course's messages as characters that every output has
PLAIN = {"✓": "+", "✗": "x", "○": "o", "◐": "~", "⚠": "!", "×": "x", "·": "*", "–": "-", "—": "-", "−": "-", "≥": ">=",
         "≤": "<=", "≈": "~", "→": "->", "∣": "|", "“": '"', "”": '"', "‘": "'", "’": "'"}  # fmt: skip


def plural(n: int, one: str, many: str = "") -> str:
    """A count in words: plural(1, "run") is "1 run", plural(2, "run") "2 runs"; `many` where it is not `one` and s."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def plain_signs(stream: TextIO) -> None:
    """Let a text stream replace what its encoding does not have, where it would raise UnicodeEncodeError."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=ERRORS)


def say(text: str) -> None:
    """Print, with plain signs in place of those that the output does not have."""
    print(_as_shown(text))


def table(head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    """Print rows of words below each other, {name: one word for each column of the head}: names left, words right.

    >>> table(["nats"], {"PixelCNN": ["85.47"], "GAN": ["none"]})
                nats
    PixelCNN   85.47
    GAN         none
    """
    wide = [max(map(len, column)) for column in zip(head, *rows.values(), strict=True)]
    names = max(map(len, rows))
    for name, words in {"": head, **rows}.items():
        say(f"{name:{names}}   " + "  ".join(word.rjust(size) for word, size in zip(words, wide)))


def command(words: str) -> str:
    """A command of the course, such as "train pixelcnn", as it works where it is read: in a cell, or in this shell."""
    if in_ipython():
        return f"%run -m gencourse {words}"
    python = Path(sys.executable)
    if (found := shutil.which("gencourse")) and Path(found).parent == python.parent:  # its environment is active
        return f"gencourse {words}"
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return f"{shlex.quote(str(python))} -m gencourse {words}"


def in_ipython() -> bool:
    """Whether this is a cell of a notebook, or IPython in a terminal."""
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None


def show(thing: object) -> None:
    """A box in a notebook, text (its repr) elsewhere."""
    text = repr(thing)
    if in_ipython() and _as_shown(text) == text:
        sys.modules["IPython"].display.display(thing)
    else:
        print(_as_shown(text))


def _as_shown(text: str) -> str:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, ERRORS).decode(encoding)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """The handler of UnicodeEncodeError: a plain sign, the letter without its accent, or a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error

    def plain(sign: str) -> str:
        bare = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
        return PLAIN.get(sign) or bare or "?"

    return "".join(map(plain, error.object[error.start : error.end])), error.end


ERRORS = "gencourse-plain"
codecs.register_error(ERRORS, _replace)
