"""Text of people and models as safe HTML: Markdown is rendered, then sanitised by an allow-list.

Two independent defences: the parser passes no raw HTML, and the sanitiser allows only plain tags. Images are not
rendered (no tracking pixels), links show their host, and characters that change the direction of text are shown as
code points, so that they cannot disguise what is written.
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "span": {"class"}}
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LONE_NUMBER = re.compile(r"\s*(\d{1,9})([.)])\s*")
_LONGEST_MARKDOWN = 40_000  # characters; a longer text is shown as plain paragraphs, so that rendering stays fast


def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
    markdown.enable(["table", "strikethrough"])
    markdown.disable(["image"])
    markdown.add_render_rule("link_close", _link_close)
    return markdown


def _link_close(_renderer: RendererHTML, tokens: list[Token], index: int, _options: object, _env: object) -> str:
    """Close a link and write its host after it."""
    opened = next(token for token in reversed(tokens[:index]) if token.type == "link_open")
    host = urlsplit(str(opened.attrGet("href") or "")).hostname
    return f'</a><span class="host"> ({escape(host)})</span>' if host else "</a>"


_MARKDOWN = _markdown()


def render_prose(text: str) -> SafeString:
    """Safe HTML for one text of a person or a model. Never raises on any text."""
    return mark_safe(_render(text))  # noqa: S308 (nh3 let only plain tags through)


@lru_cache(maxsize=2048)
def _render(text: str) -> str:
    visible = _DIRECTION.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)
    if len(visible) > _LONGEST_MARKDOWN:
        html = "".join(f"<p>{escape(part)}</p>" for part in visible.split("\n\n"))
    else:
        # An answer that is only a number, "391.", would be rendered as item 391 of an empty list: escape it.
        lone = _LONE_NUMBER.fullmatch(visible)
        html = _MARKDOWN.render(rf"{lone[1]}\{lone[2]}" if lone else visible)
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
