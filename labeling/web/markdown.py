"""Text of people and models as safe HTML: Markdown is rendered, then sanitised by an allow-list.

Two independent defences: the parser passes no raw HTML, and the sanitiser allows only plain tags and MathML. Images are
not rendered (no tracking pixels), links show their host, and characters that change the direction of text are shown as
code points, so that they cannot disguise what is written. Where Markdown would change what was written (numbers,
backslashes, reference lines), the text stays; `render_raw` gives it exactly.
"""

import re
from threading import Lock
from urllib.parse import urlsplit

import nh3
from cachetools import LRUCache, cached
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.escape import escape as markdown_escape
from markdown_it.token import Token

from labeling.web.highlighting import CODE_CLASSES, render_code
from labeling.web.mathematics import MATH_ATTRIBUTES, MATH_CLASSES, MATH_TAGS, add_mathematics

_TAGS = {
    "a", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
} | MATH_TAGS  # fmt: skip
_ATTRIBUTES = {"*": {"dir"}, "a": {"href", "title"}, "ol": {"start"}, "li": {"value"}, **MATH_ATTRIBUTES}
_CLASSES = {"ol": {"in-brackets"}, **CODE_CLASSES, **MATH_CLASSES}
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_BLOCKS = {"paragraph_open", "heading_open", "list_item_open", "th_open", "td_open"}
_ESCAPABLE = set("*_`[]<>#|~!+-.$&\n")  # to these Markdown gives a meaning, which a backslash takes away
_NUMBER = re.compile("0|[1-9][0-9]{0,2}")  # of an item of a list; "1986. was a good year" is none, nor is "007."
_LONGEST_MARKDOWN = 40_000  # characters; a longer text is shown as plain paragraphs, so that rendering stays fast


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
    markdown.enable(["table", "strikethrough"])
    markdown.disable(["image", "reference"])
    markdown.inline.ruler.at("escape", _escape)
    add_mathematics(markdown)
    markdown.core.ruler.after("block", "written_numbers", _keep_numbers)
    markdown.core.ruler.push("directions", _set_directions)
    markdown.add_render_rule("written_number", _written_number)
    markdown.add_render_rule("link_close", _link_close)
    markdown.add_render_rule("fence", render_code)
    markdown.add_render_rule("code_block", render_code)
    return markdown


def _escape(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (a rule of the parser)
    """Markdown's rule, but a backslash stays where it takes no meaning away, as in LaTeX and in paths."""
    following = state.src[state.pos + 1 : state.pos + 2]
    if state.src[state.pos] != "\\" or following in _ESCAPABLE:
        return markdown_escape(state, silent)
    if following != "\\":
        return False
    if not silent:
        state.pending += "\\\\"
    state.pos += 2
    return True


def _keep_numbers(state: StateCore) -> None:
    """Every item keeps its number. What only begins with a number, or is nothing but one, is a paragraph again."""
    tokens = state.tokens
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.type == "ordered_list_open":
            opened.append(index)
            if token.markup == ")":
                token.attrSet("class", "in-brackets")
        elif token.type == "list_item_open" and token.info:
            token.attrSet("value", str(int(token.info)))
        elif token.type == "ordered_list_close" and _is_no_list(tokens[opened[-1] : index + 1]):
            _write_out(tokens, opened.pop(), index)
        elif token.type == "ordered_list_close":
            opened.pop()
    state.tokens = [token for token in tokens if token.type != "dropped"]


def _is_no_list(tokens: list[Token]) -> bool:
    items = [token for token in tokens if token.type == "list_item_open" and token.level == tokens[0].level + 1]
    is_empty = len(tokens) == 4  # the list and one item, opened and closed
    numbers = [one.info for one in items]
    return (
        is_empty or (len(numbers) == 1 and numbers != ["1"]) or any(not _NUMBER.fullmatch(number) for number in numbers)
    )


def _write_out(tokens: list[Token], start: int, end: int) -> None:
    """Turn the list from `start` to `end` into paragraphs that begin with the numbers as they were written."""
    level, markup = tokens[start].level, tokens[start].markup
    for index in range(start, end + 1):
        token = tokens[index]
        if token.type == "list_item_open" and token.level == level + 1:
            number = f"{token.info}{markup}"
            following = tokens[index + 1]
            if following.type == "paragraph_open":
                inline = tokens[index + 2]
                inline.content = f"{number} {inline.content}"
                token.type = "dropped"
            else:
                token.type, token.content = "written_number", number
        elif token.level <= level + 1:  # the rest of the list and its items
            token.type = "dropped"
        elif token.level == level + 2 and token.type in ("paragraph_open", "paragraph_close"):
            token.hidden = False


def _set_directions(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in _BLOCKS:
            token.attrSet("dir", "auto")


def _written_number(_renderer: RendererHTML, tokens: list[Token], index: int, _options: object, _env: object) -> str:
    return f'<p dir="auto">{escape(tokens[index].content)}</p>\n'


def _link_close(_renderer: RendererHTML, tokens: list[Token], index: int, _options: object, _env: object) -> str:
    """Close a link and write its host after it."""
    opened = next(token for token in reversed(tokens[:index]) if token.type == "link_open")
    host = urlsplit(str(opened.attrGet("href") or "")).hostname
    return f'</a><span class="host"> ({escape(host)})</span>' if host else "</a>"


_MARKDOWN = _markdown()
_CACHED_CHARACTERS = 8_000_000  # of HTML; a number of texts alone would be no bound, since one has up to 100,000
_RENDERED: LRUCache[str, str] = LRUCache(maxsize=_CACHED_CHARACTERS, getsizeof=len)


def render_prose(text: str) -> SafeString:
    """Safe HTML for one text of a person or a model. Never raises on any text."""
    return mark_safe(_render(text))  # noqa: S308 (nh3 let only plain tags through)


def render_raw(text: str) -> SafeString:
    """The text as it is stored, character by character, as the content of an HTML element.

    Each character that changes the direction of text stands in an element of its own, at whose end its effect ends.
    """
    escaped = str(escape(text)).replace("\r", "&#13;")  # a parser of HTML would make a line feed of it
    marked = _DIRECTION.sub(
        lambda found: f'<bdi class="turn" data-code="U+{ord(found.group()):04X}">{found.group()}</bdi>', escaped
    )
    return mark_safe(marked)  # noqa: S308 (escaped above)


@cached(_RENDERED, key=lambda text: text, lock=Lock())
def _render(text: str) -> str:
    visible = _DIRECTION.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)
    if len(visible) > _LONGEST_MARKDOWN:
        html = "".join(f'<p dir="auto">{escape(part)}</p>' for part in visible.split("\n\n"))
    else:
        html = _MARKDOWN.render(visible)
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
