"""Code blocks: the language as it was named, and the code coloured by Pygments, by classes only.

Only languages of the list are coloured, and only as named: a guess would be slow and often wrong. Code that takes a
lexer too long is shown without colours. The text of the code is never changed.
"""

import time
from collections.abc import MutableMapping, Sequence
from functools import lru_cache

from django.utils.html import escape
from markdown_it.token import Token
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, _TokenType

_LANGUAGES = {
    "bash", "c", "cpp", "csharp", "css", "diff", "go", "haskell", "html", "java", "javascript", "json", "kotlin",
    "lua", "python", "r", "ruby", "rust", "sh", "sql", "swift", "toml", "typescript", "xml", "yaml",
}  # fmt: skip
_ALIASES = {"py": "python", "js": "javascript", "ts": "typescript", "c++": "cpp", "c#": "csharp", "shell": "bash",
            "rs": "rust", "golang": "go", "yml": "yaml", "rb": "ruby", "kt": "kotlin", "python3": "python",
            "zsh": "bash", "cs": "csharp"}  # fmt: skip
_CLASSES = {
    Comment: "hl-comment",
    Keyword: "hl-keyword",
    Operator.Word: "hl-keyword",
    String: "hl-string",
    Number: "hl-number",
    Name.Function: "hl-name",
    Name.Class: "hl-name",
    Name.Decorator: "hl-name",
    Name.Tag: "hl-keyword",
    Name.Attribute: "hl-name",
    Generic.Inserted: "hl-inserted",
    Generic.Deleted: "hl-deleted",
}
CODE_CLASSES = {"div": {"code"}, "span": {"host", "language", *_CLASSES.values()}}
_LONGEST_TIME = 0.2  # seconds of the processor for one block
_MOST_IN_A_TEXT = 10_000  # characters of code; what follows is shown without colours, so that rendering stays fast


def render_code(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, env: MutableMapping[str, int]
) -> str:
    """A rule of the Markdown renderer for fenced and indented code."""
    token = tokens[index]
    words = token.info.split()
    label = f'<span class="language">{escape(token.info.strip())}</span>' if words else ""
    env["code"] = env.get("code", 0) + len(token.content)
    is_coloured = words != [] and env["code"] <= _MOST_IN_A_TEXT
    html = _coloured(token.content, words[0].lower()) if is_coloured else escape(token.content)
    return f'<div class="code">{label}<pre dir="ltr"><code>{html}</code></pre></div>\n'


def _coloured(code: str, language: str) -> str:
    name = _ALIASES.get(language, language)
    # Without a last line end, some lexers look for one from every character on.
    if name not in _LANGUAGES or not code.endswith("\n"):
        return escape(code)
    pieces = []
    deadline = time.thread_time() + _LONGEST_TIME
    for kind, text in _lexer(name).get_tokens(code):
        pieces.append((kind, text))
        if time.thread_time() > deadline:  # lexers may need the square of the code's length
            return escape(code)
    if "".join(text for _, text in pieces) != code:
        return escape(code)
    return "".join(_piece(kind, text) for kind, text in pieces)


def _piece(kind: _TokenType, text: str) -> str:
    name = _class_of(kind)
    return f'<span class="{name}">{escape(text)}</span>' if name else escape(text)


@lru_cache(maxsize=1024)
def _class_of(kind: _TokenType) -> str:
    """The class of the nearest kind above that has one."""
    return next((_CLASSES[above] for above in reversed(kind.split()) if above in _CLASSES), "")


@lru_cache(maxsize=len(_LANGUAGES))
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)
