"""Docstrings as the book shows them: display formulas typeset, everything else as it was written.

Docstrings are plain text with `code` between backticks, so that help() reads well: nothing else in them is markup.
A paragraph that is indented, and is an equation, is a display formula.
"""

import re

WORDS = r"(?<![\\A-Za-z{])(log|exp|softmax|sigmoid|tanh|min|max|tr|det|KL|JS|ELBO|loss|sign)(?![A-Za-z])"
SIGNS = {
    "½": r"\tfrac12 ", "∫": r"\int ", "‖": r"\Vert ", "≥": r"\ge ", "≤": r"\le ", "·": r"\cdot ", "−": "-",
    "…": r"\dots ", "∇": r"\nabla ", "∂": r"\partial ",
    "√": r"\surd ", "±": r"\pm ", "∗": r"\ast ", "σ": r"\sigma ", "μ": r"\mu ",
    "µ": r"\mu ", "θ": r"\theta ", "ψ": r"\psi ", "γ": r"\gamma ", "β": r"\beta ", "λ": r"\lambda ", "Σ": r"\Sigma ",
    "²": "^2", "³": "^3", "⁻¹": "^{-1}", "ᵀ": r"^{\mathsf T}", "~": r"\sim ", "|": r"\mid ", "∈": r"\in ",
    "∞": r"\infty ", "×": r"\times ", "ε": r"\epsilon ", "∏": r"\prod ", "δ": r"\delta ", "α": r"\alpha ",
}  # fmt: skip


NAMED = re.compile(r"[\w(]\w*\)?(, \w+)*: ")  # a name, or several, with their meaning


def process(app, what, name, obj, options, lines):
    """For Sphinx's autodoc-process-docstring: rewrites `lines` in place."""
    lines[:] = rewritten(lines)


def rewritten(lines):
    """The lines as reStructuredText: formulas as math, signs of markup escaped, names with their meaning as a list."""
    out, block = [], []
    for number, line in enumerate([*lines, ""]):
        after_blank = not number or not lines[number - 1].strip()
        indented = line.startswith("    ")
        if (block and line.strip() and (indented or not block[0].startswith("    "))) or (
            not block and after_blank and (indented or NAMED.match(line))
        ):
            block.append(line)
            continue
        if block:
            out += _shown([text.removeprefix("    ") for text in block] if block[0].startswith("    ") else block)
            block = []
        out.append(_escaped(line))
    return out[:-1]


def _shown(block):
    if is_equation(block):
        return [".. math::", "", *(f"   {tex(text)}" for text in block), ""]
    if NAMED.match(block[0]):
        return [*(("* " if NAMED.match(text) else "  ") + _escaped(text.strip()) for text in block), ""]
    return ["::", "", *(f"   {text}" for text in block), ""]


def is_equation(block):
    """Is it mathematics rather than code, names with their meaning, or a drawing?"""
    text = " ".join(block)
    return len(block) <= 2 and bool(re.search(r"[=≥]", text)) and not re.search(r'["#]|\w\.\w|: |->', text)


def tex(formula):
    """A formula in Unicode as TeX: log P(x) = Σ_i log P(x_i | x_1, …, x_{i-1})."""
    formula = formula.strip()
    words = re.search(r",? +(~ )?(the [\w' ]+|with|where)", formula)
    formula = re.sub(r"\b(the [\w' ]+|with(?= )|where(?= ))", r"\\text{\1}", formula) if words else formula
    formula = re.sub(r"Σ(_\w|_\{\w+\})? (?=[^,)])", r"\\sum\1 ", formula)
    formula = re.sub(r" {2,}", r" \\qquad ", formula)
    formula = re.sub(r"_([a-z]{2,})\b", r"_{\1}", formula)
    formula = re.sub(WORDS, r"\\operatorname{\1}", formula)
    for sign, command in SIGNS.items():
        formula = formula.replace(sign, command)
    return re.sub(r"\\operatorname\{(min|max|log|exp|tanh|det)\}", r"\\\1", formula)


def _escaped(line):
    """A line with whatever reStructuredText would take for markup, outside of `code`, escaped."""
    parts = re.split(r"(`[^`]+`)", line)
    parts[::2] = [re.sub(r"([*|\\])|_(?!\w)", lambda sign: "\\" + sign[0], part) for part in parts[::2]]
    return "".join(f"`{part}`" if i % 2 else part for i, part in enumerate(parts))
