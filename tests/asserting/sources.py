"""Test files as syntax trees, and which functions of the tests a test leads to.

Names are followed, not calls: a checking function that is handed to a thread is one that the test leads to.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef

CHECKOUT = Path(__file__).resolve().parents[2]
TESTS = CHECKOUT / "tests"
_ON_USE = ("__init__", "__post_init__", "__enter__", "__exit__", "__call__")  # what naming a class may run


@dataclass(frozen=True, eq=False)
class Source:
    """One file of the tests. `path` is None for a text that stands in no file: it imports nothing of the tests."""

    text: str = field(repr=False)
    path: Path | None = None

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def tests(self) -> list[Function]:
        bodies = [self.tree.body, *(node.body for node in self.tree.body if isinstance(node, ast.ClassDef))]
        functions = [node for body in bodies for node in body if isinstance(node, Function)]
        return [node for node in functions if node.name.startswith("test_")]

    @cached_property
    def functions(self) -> dict[str, Function]:
        return {node.name: node for node in self.tree.body if isinstance(node, Function)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def imported(self) -> dict[str, tuple["Source", str]]:
        """What comes from other files of the tests, by the name it has here; "" stands for the file itself."""
        found = {}
        for node in nodes_of(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tests":
                for name in node.names:
                    here = name.asname or name.name
                    if inner := _source_of(f"{node.module}.{name.name}"):
                        found[here] = (inner, "")
                    elif outer := _source_of(node.module):
                        found[here] = (outer, name.name)
        return found

    @cached_property
    def conftests(self) -> list["Source"]:
        """Nearest first."""
        if self.path is None:
            return []
        folders = [folder for folder in self.path.parents if folder.is_relative_to(TESTS)]
        files = [folder / "conftest.py" for folder in folders]
        return [read(file) for file in files if file.exists() and file != self.path]

    def led_to(self, name: str) -> Iterator[tuple["Source", Function]]:
        """The function, class or fixture that a name stands for, if the tests define it."""
        if name in self.functions:
            yield self, self.functions[name]
        elif name in self.classes:
            yield from ((self, node) for node in self.classes[name].body if _is_run_on_use(node))  # type: ignore[misc]
        elif name in self.imported:
            source, original = self.imported[name]
            if original:
                yield from source.led_to(original)
        else:
            for conftest in self.conftests:
                if name in conftest.functions:
                    yield conftest, conftest.functions[name]
                    return


@cache
def everything_of(source: Source, test: Function) -> list[tuple[Source, Function]]:
    """The test, its fixtures, and the functions of the tests that these name, and so on.

    A method is led to by its name, where its class is named too: of which class a thing is, no tree says.
    """
    found: dict[int, tuple[Source, Function]] = {}
    waiting = [(source, test)]
    while waiting:
        while waiting:
            at, function = waiting.pop()
            if id(function) not in found:
                found[id(function)] = (at, function)
                waiting += _named_in(at, function)
        waiting = [led for led in _methods_named_in(list(found.values())) if id(led[1]) not in found]
    return list(found.values())


@cache
def _named_in(source: Source, function: Function) -> list[tuple[Source, Function]]:
    return list(_look_for_names(source, function))


def _look_for_names(source: Source, function: Function) -> Iterator[tuple[Source, Function]]:
    own = {argument.arg for argument in _arguments(function)}
    for name in own:
        yield from source.led_to(name)
    for node in nodes_of(function):
        if isinstance(node, ast.Name) and node.id not in own:
            yield from source.led_to(node.id)
        elif isinstance(node, ast.Attribute):
            whole, original = source.imported.get(getattr(node.value, "id", ""), (None, ""))
            if whole and not original:
                yield from whole.led_to(node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "usefixtures":
            for argument in node.args:
                yield from source.led_to(getattr(argument, "value", ""))


def _methods_named_in(functions: list[tuple[Source, Function]]) -> Iterator[tuple[Source, Function]]:
    words = [_words_of(function) for _, function in functions]
    names, attributes = set[str]().union(*(one[0] for one in words)), set[str]().union(*(one[1] for one in words))
    sources = {at for at, _ in functions}
    sources |= {source for at in sources for source, _ in at.imported.values()}
    for source in sources:
        for name in names & source.classes.keys():
            for node in source.classes[name].body:
                if isinstance(node, Function) and node.name in attributes:
                    yield source, node


@cache
def _words_of(function: Function) -> tuple[set[str], set[str]]:
    """Its names and its attributes."""
    nodes = list(nodes_of(function))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names, {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _arguments(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _is_run_on_use(node: ast.stmt) -> bool:
    return isinstance(node, Function) and node.name in _ON_USE


@cache
def nodes_of(tree: ast.AST) -> list[ast.AST]:
    """A tree's nodes, each before what it holds; walked once, since every rule asks again."""
    return list(ast.walk(tree))


@cache
def read(path: Path) -> Source:
    return Source(path.read_text(), path)


def _source_of(module: str) -> Source | None:
    path = CHECKOUT.joinpath(*module.split(".")).with_suffix(".py")
    return read(path) if path.exists() else None
