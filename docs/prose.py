"""Markdown in pieces: blocks and sentences, and how much of them a slide has room for."""

import re

SHOWN = 340  # characters of prose on a slide
ROWS = 8  # of a table on a slide
LETTERS = 1300  # of all rows of a table on a slide


def split_blocks(markdown):
    """Paragraphs, lists, tables, formulas and headings of Markdown, in order; a heading is a block of its own."""
    blocks = []
    for block in re.split(r"\n\s*\n", markdown.strip()):
        while heading := re.match(r"(#{1,4} .+)\n(?=.)", block):
            blocks.append(heading[1])
            block = block[heading.end() :]
        # a list under its own sentence is a block of its own too
        parts = re.split(r"\n(?=(?:- |\d+\. ))", block, maxsplit=1)
        if len(parts) == 2 and not is_display(parts[0]):
            blocks += parts
        elif block.startswith("|"):
            head, rule, *rows = block.splitlines()
            parts = [[]]
            for row in rows:
                if len(parts[-1]) == ROWS or parts[-1] and sum(map(len, [*parts[-1], row])) > LETTERS:
                    parts.append([])
                parts[-1].append(row)
            blocks += ["\n".join([head, rule, *part]) for part in parts]
        else:
            blocks.append(block)
    return [block for block in blocks if block.strip()]


def is_display(block):
    """Is it a formula, a list or a table: something to be seen?"""
    return bool(re.match(r"\$\$|- |\d+\. |\|", block))


def sentences(text):
    """The sentences of a paragraph. A full stop inside of $…$, `…` or an abbreviation ends none."""
    kept = []

    def hide(match):
        kept.append(match[0])
        return f"\x00{len(kept) - 1}\x01"

    no_end = r"\$[^$]+\$|`[^`]+`|\*{1,2}[^*]+\*{1,2}|\b(?:e\.g|i\.e|al|cf|vs|eq)\."
    hidden = re.sub(no_end, hide, " ".join(text.split()))
    parts = re.split(r"(?:(?<=[.?!])|(?<=[.?!]\))) +(?=[A-ZÀ-Ž“(*\x00-])", hidden)
    return [re.sub(r"\x00(\d+)\x01", lambda match: kept[int(match[1])], part) for part in parts]


def opening(text):
    """The first sentence of a paragraph, and the next ones while the first are short."""
    first, *others = sentences(text)
    for sentence in others:
        if len(first) > 80 or len(first) + len(sentence) > 220:
            break
        first += f" {sentence}"
    return first


def closing(text):
    """The last sentence of a paragraph, and those before it while there is room; a remark in brackets is none."""
    chosen = []
    for sentence in reversed([each for each in sentences(text) if not each.startswith("(")]):
        if chosen and len(sentence) + sum(map(len, chosen)) > 220:
            break
        chosen.insert(0, sentence)
    return " ".join(chosen)


def until_heading(blocks):
    """Takes the blocks up to the next heading away, and returns them."""
    number = next((i for i, block in enumerate(blocks) if block.startswith("#")), len(blocks))
    taken, blocks[:] = blocks[:number], blocks[number:]
    return taken


def shorten(text):
    """As many of the first sentences as a slide has room for, as a list; and whether that is all."""
    blocks = text.split("\n\n")
    chosen = []
    for sentence in sentences(blocks[0]):
        if chosen and (len(chosen) == 4 or sum(map(len, chosen)) + len(sentence) > SHOWN):
            break
        chosen.append(sentence)
    whole = len(blocks) == 1 and len(chosen) == len(sentences(blocks[0]))
    return (chosen[0] if len(chosen) == 1 else "\n".join(f"- {sentence}" for sentence in chosen)), whole


def join(*parts):
    """Blocks of Markdown that are not empty, one below the other."""
    return "\n\n".join(part for part in parts if part)
