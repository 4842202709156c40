r"""LaTeX of people and models as MathML: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and the environments of amsmath.

latex2mathml passes text through without escaping and leaves out what it does not know. So its tree is written here
again, element by element from an allow-list, and where anything is unknown, hidden or out of bounds, or would be left
out, the formula is shown as it was written. Amounts of money are no mathematics.
"""

import re
from collections.abc import MutableMapping, Sequence
from xml.etree.ElementTree import Element

from django.utils.html import escape
from latex2mathml.converter import Converter
from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_block, amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_inline_dollar

# The number of children that an element must have; None: any number.
_CHILDREN = {
    "mrow": None, "mi": 0, "mn": 0, "mo": 0, "mtext": 0, "mspace": 0, "mstyle": None, "mpadded": None, "msqrt": None,
    "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3,
    "mtable": None, "mtr": None, "mtd": None,
}  # fmt: skip
_ELEMENT_ATTRIBUTES = {
    "accent", "depth", "displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace", "mathvariant",
    "maxsize", "minsize", "movablelimits", "rspace", "scriptlevel", "stretchy", "voffset", "width",
}  # fmt: skip
MATH_TAGS = {"math", *_CHILDREN}
MATH_ATTRIBUTES = {"math": {"display"}, **dict.fromkeys(_CHILDREN, _ELEMENT_ATTRIBUTES)}
MATH_CLASSES = {"mrow": {"boxed"}, "mtd": {"left", "right"}, "code": {"tex"}}

_LONGEST_FORMULA = 2_000  # characters
_MOST_IN_A_TEXT = 10_000  # characters of formulas; the rest is shown as written, so that rendering stays fast
_MOST_LINES = 50  # of a displayed formula
# Words, and lengths that neither leave the formula's surroundings nor draw one part of it over another.
_VALUE = re.compile(r"[a-z-]{1,20}|\+?\d{0,2}(\.\d+)?(em|ex|pt|px|%)?|-[01]?(\.\d+)?(em|ex)")
_ENTITY = re.compile(r"&#x([0-9A-Fa-f]{1,6});")
# Macros can grow without bounds, and phantoms are written but not seen.
_REFUSED = re.compile(
    r"\\(def|let|[a-z]*newcommand|[a-z]*newenvironment|DeclareMathOperator|[hv]?phantom|unicode|char)\b"
)
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(\w+)(\*?)\}")
# What latex2mathml calls an environment that it does not know or would number.
_ENVIRONMENTS = {
    "align": "align*", "aligned": "split", "split": "split", "flalign": "align*", "gather": "matrix",
    "gathered": "matrix", "equation": "equation*", "dcases": "cases", "smallmatrix": "matrix",
    "cases": "cases", "array": "array", "matrix": "matrix", "pmatrix": "pmatrix", "bmatrix": "bmatrix",
    "Bmatrix": "Bmatrix", "vmatrix": "vmatrix", "Vmatrix": "Vmatrix",
}  # fmt: skip
_COMMAND = re.compile(r"\\[A-Za-z]+(\{[^{}]*\})?")
_WORD = re.compile(r"\b[^\W\d_]{3,}\b")


class NotConvertible(ValueError):
    """latex2mathml does not know the formula, or what it makes of it may not be shown."""


def _to_mathml(latex: str, *, display: bool) -> str:
    if len(latex) > _LONGEST_FORMULA or _REFUSED.search(latex) or not latex.strip():
        raise NotConvertible
    bare = re.sub(r"\\.", "", latex, flags=re.DOTALL)
    if bare.count("{") != bare.count("}"):
        raise NotConvertible
    style = "block" if display else "inline"
    tree = Converter(display=style).convert_to_element(_ENVIRONMENT.sub(_known_environment, latex))
    return f'<math display="{style}" dir="ltr">{"".join(_serialised(child) for child in tree)}</math>'


def _known_environment(found: re.Match[str]) -> str:
    name = _ENVIRONMENTS.get(found[2])
    if name is None:
        raise NotConvertible
    return rf"\{found[1]}{{{name}}}"


def _serialised(element: Element) -> str:
    tag, attributes = element.tag, ""
    if tag == "menclose" and element.get("notation") == "box":  # browsers no longer know menclose
        tag, attributes = "mrow", ' class="boxed"'
    if tag not in _CHILDREN or _CHILDREN[tag] not in (None, len(element)) or "linebreak" in element.attrib:
        raise NotConvertible
    text = element.text or ""
    if text in ("&", "{", "}") or (text.startswith("\\") and tag != "mtext"):  # what the library could not place
        raise NotConvertible
    for name, value in element.items():
        if name == "columnalign" and value in ("left", "right"):
            attributes += f' class="{value}"'
        elif name in _ELEMENT_ATTRIBUTES:
            if not _VALUE.fullmatch(value):
                raise NotConvertible
            attributes += f' {name}="{value}"'
    shown = escape(_ENTITY.sub(lambda found: chr(int(found[1], 16)), text))
    return f"<{tag}{attributes}>{shown}{''.join(_serialised(child) for child in element)}</{tag}>"


# ---- Where a formula begins and ends ---------------------------------------------------------


def add_mathematics(markdown: MarkdownIt) -> None:
    dollarmath_plugin(markdown, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    markdown.inline.ruler.at("math_inline", _dollars)
    markdown.inline.ruler.before("math_inline", "math_bracket", _brackets)
    amsmath_plugin(markdown)
    interrupts: RuleOptionsType = {"alt": ["paragraph", "blockquote", "list"]}
    markdown.block.ruler.at("amsmath", _amsmath, interrupts)
    markdown.block.ruler.at("math_block", _displayed, interrupts)
    for kind in ("math_inline", "math_inline_double", "math_block", "amsmath"):
        markdown.add_render_rule(kind, _rendered)


def _rendered(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, env: MutableMapping[str, int]
) -> str:
    token = tokens[index]
    opening, _, closing = token.markup.partition(" ")
    written = f"{opening}{token.content}{closing or opening}".strip()
    env["formulas"] = env.get("formulas", 0) + len(token.content)
    if env["formulas"] > _MOST_IN_A_TEXT:
        return _source(written, is_block=token.block)
    try:
        return _to_mathml(token.content, display=token.type != "math_inline")
    except Exception:  # noqa: BLE001 (for bad LaTeX the library raises whatever its parser runs into)
        return _source(written, is_block=token.block)


def _source(written: str, *, is_block: bool) -> str:
    source = f'<code class="tex">{escape(written)}</code>'
    return f'<p dir="ltr">{source}</p>\n' if is_block else source


_read_dollars = math_inline_dollar(False, False, True)


def _dollars(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (a rule of the parser)
    start = state.pos
    if state.src[start] != "$" or not _read_dollars(state, True):
        return False
    end, state.pos = state.pos, start
    touches_word = state.src[start - 1 : start].isalnum() or state.src[end : end + 1].isalnum()
    if touches_word or _is_money(state.src[start:end].strip("$")):
        return False
    return _read_dollars(state, silent)


def _is_money(content: str) -> bool:
    """A number and words, as in `$5 per unit, of which R$`."""
    return content[:1].isdigit() and _WORD.search(_COMMAND.sub(" ", content)) is not None


def _brackets(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    r"""`\(…\)`, and `\[…\]` within a paragraph."""
    opening = state.src[state.pos : state.pos + 2]
    if opening not in ("\\(", "\\["):
        return False
    closing = "\\)" if opening == "\\(" else "\\]"
    end = state.src.find(closing, state.pos + 2, min(state.posMax, state.pos + _LONGEST_FORMULA + 4))
    if end < 0 or not state.src[state.pos + 2 : end].strip():
        return False
    if not silent:
        token = state.push("math_inline" if opening == "\\(" else "math_inline_double", "math", 0)
        token.content = state.src[state.pos + 2 : end]
        token.markup = f"{opening} {closing}"
    state.pos = end + 2
    return True


def _displayed(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    r"""A block from `$$` or `\[` at the start of a line to the end of one; there is no empty line in it."""
    line = _line(state, start)
    closing = {"$$": "$$", "\\[": "\\]"}.get(line[:2])
    if closing is None or state.is_code_block(start):
        return False
    opening, lines, last, bound = line[:2], [line[2:]], start, _last_line(state, start, end)
    while closing not in lines[-1]:
        last += 1
        if last >= bound or opening in lines[-1]:
            return False
        lines.append(_line(state, last))
    before, _, after = lines[-1].partition(closing)
    if after.strip():
        return False
    if not silent:
        token = state.push("math_block", "math", 0)
        token.block, token.map = True, [start, last + 1]
        token.content = "\n".join([*lines[:-1], before])
        token.markup = f"{opening} {closing}"
        state.line = last + 1
    return True


def _amsmath(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    if not _line(state, start).startswith("\\begin{"):
        return False
    return amsmath_block(state, start, _last_line(state, start, end), silent)


def _last_line(state: StateBlock, start: int, end: int) -> int:
    """The line after those that a formula from `start` on may have: a search that goes on costs its square."""
    line = start + 1
    while line < min(end, start + _MOST_LINES) and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        line += 1
    return line


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]
