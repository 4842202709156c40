"""House rules that a machine can hold to: sizes, names, opening words, and an access rule on every view."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "records",
    "charts",
    "judging",
    "language",
    "sampler",
    "rewardmodel",
    "contentfilter",
    "policy",
    "training",
    "labeling",
    "parley",
    "benchmarks",
    "tests",
)
LONGEST_FILE = 420  # about 400
LONGEST_TEST_FILE = 420
LONGEST_TEMPLATE = 150
LONGEST_OPENING = 6
LONGEST_LOOP = 120  # a training loop may be one function: the paper, told in order

# Words that say nothing of what a thing is. Django's own managers are called what Django calls them.
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers", "handler", "processor"}
EMPTY_MODULES = EMPTY_WORDS | {"common", "misc"}
EMPTY_ARGUMENTS = {"info", "item", "obj"}


def python_files() -> list[Path]:
    found = [path for name in PACKAGES for path in sorted((CHECKOUT / name).rglob("*.py"))]
    return [CHECKOUT / "manage.py", *(path for path in found if "migrations" not in path.parts)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def templates() -> list[Path]:
    return sorted((CHECKOUT / "labeling" / "templates").rglob("*.html"))


def test_there_is_something_to_look_at() -> None:
    """A walk that finds nothing passes every rule below."""
    assert len(python_files()) > 50
    assert templates()


def test_no_file_is_too_long_to_read() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (*python_files(), *templates())}
    too_long = [f"{_name(path)}: {lines} lines" for path, lines in lengths.items() if lines > _longest(path)]
    assert not too_long, too_long


def test_no_function_is_longer_than_a_training_loop() -> None:
    too_long = [
        f"{_name(path)}:{node.lineno} {node.name}: {length} lines"
        for path, node in _nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_LOOP
    ]
    assert not too_long, too_long


def test_every_file_opens_by_saying_what_it_is_for() -> None:
    silent = []
    for path in python_files():
        opening = ast.get_docstring(parsed(path))
        if path.read_text().strip() and not opening:
            silent.append(f"{_name(path)}: has no opening docstring")
        elif opening and len(opening.split("\n\n")[0].splitlines()) > LONGEST_OPENING:
            silent.append(f"{_name(path)}: its first paragraph has more than {LONGEST_OPENING} lines")
    assert not silent, silent


def test_no_module_class_or_function_has_an_empty_name() -> None:
    empty = [_name(path) for path in python_files() if EMPTY_MODULES & set(path.stem.split("_"))]
    for path, node in _nodes(ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef):
        words = set(re.sub(r"(?<!^)(?=[A-Z])", "_", node.name).lower().split("_"))
        if words & EMPTY_WORDS and not (isinstance(node, ast.ClassDef) and _has_foreign_base(node)):
            empty.append(f"{_name(path)}:{node.lineno} {node.name}")
    assert not empty, empty


def test_no_argument_has_an_empty_name() -> None:
    empty = [
        f"{_name(path)}:{node.lineno} {node.arg}"
        for path, node in _nodes(ast.arg)
        if node.arg in EMPTY_ARGUMENTS and path.name != "conftest.py"  # pytest's hooks call them so
    ]
    assert not empty, "\n".join(empty)


def test_nothing_is_left_to_do_without_an_issue() -> None:
    pattern = re.compile(r"#.*\b(TODO|FIXME|XXX)\b(?! #\d)")
    left = [
        f"{_name(path)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if path != Path(__file__) and pattern.search(line)
    ]
    assert not left, left


def test_what_a_template_includes_is_named_as_a_fragment() -> None:
    pattern = re.compile(r"{%\s*include\s+[\"']([^\"']+)[\"']")
    wrong = [
        f"{_name(path)} includes {included}"
        for path in templates()
        for included in pattern.findall(path.read_text())
        if not Path(included).name.startswith("_")
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("forbidden", [r"\|\s*safe\b", r"<script(?![^>]*\bsrc=)", r"\son[a-z]+=", r"\sstyle="])
def test_no_template_works_around_the_content_policy(forbidden: str) -> None:
    """Inline script and style are refused by every browser; |safe is how they would come in."""
    wrong = [
        f"{_name(path)}:{number}"
        for path in templates()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(forbidden, line)
    ]
    assert not wrong, wrong


def test_every_view_says_who_may_open_it() -> None:
    from django.urls import get_resolver

    from labeling import urls

    assert urls.urlpatterns
    silent = [
        str(pattern.pattern)
        for pattern in get_resolver().url_patterns
        if not getattr(getattr(pattern, "callback", None), "access", None)
    ]
    assert not silent, silent


def _longest(path: Path) -> int:
    if path.suffix == ".html":
        return LONGEST_TEMPLATE
    return LONGEST_TEST_FILE if path.is_relative_to(CHECKOUT / "tests") else LONGEST_FILE


def _nodes(*kinds: type[ast.AST]) -> Iterator[tuple[Path, Any]]:
    for path in python_files():
        for node in ast.walk(parsed(path)):
            if isinstance(node, kinds):
                yield path, node


def _has_foreign_base(node: ast.ClassDef) -> bool:
    """A Django manager is a manager; an ASGI handler a handler: the base's word, not ours."""
    last_word = re.sub(r"(?<!^)(?=[A-Z])", " ", node.name).split()[-1]
    return any(last_word in ast.unparse(base) for base in node.bases)


def _name(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))
