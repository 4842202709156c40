"""What a test must assert: something, of the product, that can be false, of things that are there, and of processes
that ran. Each rule gives its faults as lines of text; `everything` is all of them.
"""

import ast
import builtins
import re
from collections.abc import Callable, Iterator
from functools import cache

from tests.asserting.sources import Function, Source, everything_of, nodes_of

_BUILTIN = set(dir(builtins))
_CHECKS = {"raises", "warns", "expect"}  # of pytest, and of Playwright
_CHECKING = ("assert_", "django_assert_")  # how the names of other libraries' begin
_COUNTING = {"len", "count", "abs"}
_COUNTED = re.compile(r"num_.*|.*(count|seconds|elapsed|duration|length)")
_STAYING = {"Popen", "Process"}  # others may wait for it
_STARTING = {"run", "call"} | _STAYING
_PROCESS_MODULES = {"subprocess", "multiprocessing", "torch.multiprocessing"}
_ENDED = {"returncode", "exitcode", "poll", "is_alive", "stdout", "stderr", "communicate", "wait", "check_returncode"}
_SURE = {"range", "enumerate", "zip", "sorted", "reversed", "list", "tuple", "set", "pairwise", "map"}
_ADDING = {"add", "append", "extend", "update"}
_PARTS = {"items", "values", "keys"}


def everything(source: Source) -> list[str]:
    rules: list[Callable[[Source], Iterator[str]]] = [
        tests_without_assertion,
        assertions_of_any_value,
        unwatched_processes,
        assertions_about_perhaps_nothing,
    ]
    return [fault for rule in rules for fault in rule(source)]


def tests_without_assertion(source: Source) -> Iterator[str]:
    """A test asserts, or names a function of the tests that does, and what it asserts is no literal of its own."""
    for test in source.tests:
        led_to = [part for _, function in everything_of(source, test) for part in _called_by_tests(function)]
        if not any(map(_asserts, led_to)):
            yield _fault(test, test, "asserts nothing of the product")


def assertions_of_any_value(source: Source) -> Iterator[str]:
    """Whatever the product does, these hold."""
    for node in nodes_of(source.tree):
        if isinstance(node, ast.Assert) and (reason := _why_always_true(node.test)):
            yield f"line {node.lineno}: {reason}: {ast.unparse(node.test)}"
    for function in nodes_of(source.tree):
        if isinstance(function, Function):
            literal = _literal_names(function)
            for node in _assertions(function):
                if not _why_always_true(node.test) and _names(node.test) and not _depends(node.test, literal):
                    yield _fault(function, node, f"asserts only what it wrote itself: {ast.unparse(node.test)}")


def unwatched_processes(source: Source) -> Iterator[str]:
    """Who starts a process asks how it ended or what it said; who starts several asks how many there were."""
    for test in source.tests:
        led_to = [function for _, function in everything_of(source, test)]
        for function in led_to:
            for call in _starts(function):
                asking = led_to if _name_of(call.func) in _STAYING else [test, function]
                if not _is_checked(call) and not any(map(_asks_of_a_process, asking)):
                    yield _fault(test, test, f"starts a process and does not ask how it ended ({function.name})")
        if _starts_several(test) and not any("process" in ast.unparse(node.test) for node in _assertions(test)):
            yield _fault(test, test, "starts several processes and does not assert how many there were")


def assertions_about_perhaps_nothing(source: Source) -> Iterator[str]:
    """`for x in found: assert ...`, `assert all(...)` and `assert not any(...)` hold of nothing at all.

    So the test says elsewhere, outside of such a loop, something of what is walked, or walks what it wrote itself.
    """
    for test in source.tests:
        if _is_drawn(test):
            continue
        filled, around = _filled_names(test), _loops_around(test)
        plain = [node for node in _assertions(test) if _quantified(node.test) is None]
        for walk, iterated in _walked(test):
            said = [node.test for node in plain if around[node] <= around[walk]]
            known = {text for expression in said for text in _texts(expression)}
            if not _is_filled(iterated, filled) and not (_texts_of_walked(iterated) | _collected(walk)) & known:
                yield _fault(test, walk, f"holds if there is nothing: {ast.unparse(iterated)}")


def _fault(test: Function, node: ast.AST, what: str) -> str:
    return f"line {getattr(node, 'lineno', 0)}: {test.name} {what}"


@cache
def _assertions(function: ast.AST) -> list[ast.Assert]:
    return [node for node in nodes_of(function) if isinstance(node, ast.Assert)]


# -- what an assertion depends on


@cache
def _called_by_tests(function: Function) -> list[Function]:
    """Of a fixture only what it hands out: that it could be set up says nothing of the test."""
    if not _has_decorator(function, "fixture"):
        return [function]
    return [node for node in nodes_of(function) if isinstance(node, Function) and node is not function]


@cache
def _asserts(function: Function) -> bool:
    literal = _literal_names(function)
    if any(_depends(node.test, literal) for node in _assertions(function)):
        return True
    calls = [node for node in nodes_of(function) if isinstance(node, ast.Call)]
    return any(_is_check(_name_of(call.func)) or _is_checked(call) for call in calls)


def _is_check(name: str) -> bool:
    return name in _CHECKS or name.startswith(_CHECKING)


def _has_decorator(function: Function, name: str) -> bool:
    return any(_name_of(getattr(one, "func", one)) == name for one in function.decorator_list)


def _name_of(expression: ast.AST) -> str:
    """The last part of a dotted name."""
    return str(getattr(expression, "attr", getattr(expression, "id", "")))


def _names(expression: ast.AST) -> set[str]:
    return {node.id for node in nodes_of(expression) if isinstance(node, ast.Name)}


def _depends(expression: ast.AST, literal: set[str]) -> bool:
    """On a name that is neither Python's own, nor made of literals here, nor bound by a comprehension over such."""
    bound = {
        name
        for node in nodes_of(expression)
        if isinstance(node, ast.comprehension) and not (_names(node.iter) - _BUILTIN - literal)
        for name in _names(node.target)
    }
    return bool(_names(expression) - _BUILTIN - literal - bound)


@cache
def _literal_names(function: Function) -> set[str]:
    """Names that only literals are bound to, and that nothing but assertions can read, so that nobody fills them."""
    given: dict[str, bool] = {}
    read_by_assertions = {id(node) for one in _assertions(function) for node in nodes_of(one)}
    shared: set[str] = set()
    for node in nodes_of(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            given[name] = given.get(name, True) and not _names(node.value)
        elif isinstance(node, ast.Name) and id(node) not in read_by_assertions and isinstance(node.ctx, ast.Load):
            shared.add(node.id)
    plain = {id(node.targets[0]) for node in nodes_of(function) if isinstance(node, ast.Assign)}
    other = {
        node.id
        for node in nodes_of(function)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) and id(node) not in plain
    }
    return {name for name, is_literal in given.items() if is_literal} - shared - other


# -- what is always true


def _why_always_true(test: ast.expr) -> str:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return "either of two is enough, so say which one it is"
    if isinstance(test, ast.Constant) and test.value:
        return "is a constant"
    if isinstance(test, ast.JoinedStr | ast.Lambda) or (_is_display(test) and _is_filled(test, set())):
        return "is never false"
    if (
        isinstance(test, ast.Call)
        and getattr(test.func, "id", "") == "isinstance"
        and _is_named(test.args[-1], "object")
    ):
        return "everything is an object"
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _why_comparison_holds(test.left, test.ops[0], test.comparators[0])
    if isinstance(test, ast.BoolOp):
        return next(filter(None, map(_why_always_true, test.values)), "")
    return ""


def _is_display(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Tuple | ast.List | ast.Set | ast.Dict)


def _why_comparison_holds(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> str:
    has_call = any(isinstance(node, ast.Call) for node in nodes_of(left))
    if ast.dump(left) == ast.dump(right) and not has_call and isinstance(operator, ast.Eq | ast.Is | ast.LtE | ast.GtE):
        return "compares a thing with itself"
    if isinstance(operator, ast.LtE | ast.Lt):
        left, right = right, left
        operator = ast.GtE() if isinstance(operator, ast.LtE) else ast.Gt()
    least = {ast.GtE: "0", ast.Gt: "-1"}.get(type(operator))
    if least is not None and ast.unparse(right) in {least, f"{least}.0"} and _is_count(left):
        return "a count or a time is never below 0"
    return ""


def _is_count(expression: ast.expr) -> bool:
    if isinstance(expression, ast.Call):
        return _name_of(expression.func) in _COUNTING
    if isinstance(expression, ast.Subscript):
        return isinstance(expression.slice, ast.Constant) and _sounds_counted(str(expression.slice.value))
    return _sounds_counted(_name_of(expression))


def _sounds_counted(name: str) -> bool:
    return _COUNTED.fullmatch(name) is not None


def _is_named(expression: ast.expr, name: str) -> bool:
    return isinstance(expression, ast.Name) and expression.id == name


# -- processes


@cache
def _starts(function: Function) -> list[ast.Call]:
    calls = [node for node in nodes_of(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    starting = [call for call in calls if _name_of(call.func) in _STARTING]
    return [call for call in starting if ast.unparse(call.func.value) in _PROCESS_MODULES]  # type: ignore[attr-defined]


def _is_checked(call: ast.Call) -> bool:
    return any(word.arg == "check" and getattr(word.value, "value", False) is True for word in call.keywords)


@cache
def _asks_of_a_process(function: Function) -> bool:
    """Its end or its output, in an assertion or in a condition; or it gives one to somebody who asserts about it."""
    told = {
        name
        for node in nodes_of(function)
        if isinstance(node, ast.Assign) and _tells_of_an_end(node.value)
        for target in node.targets
        for name in _names(target)
    }
    asked = [node.test for node in nodes_of(function) if isinstance(node, ast.Assert | ast.If | ast.While)]
    asked += [node.value for node in nodes_of(function) if isinstance(node, ast.Return) and node.value]
    return any(_tells_of_an_end(one) or _names(one) & told for one in asked)


def _tells_of_an_end(expression: ast.AST) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr in _ENDED for node in nodes_of(expression))


def _starts_several(test: Function) -> bool:
    for node in nodes_of(test):
        for word in getattr(node, "keywords", ()):
            if word.arg == "processes" and getattr(word.value, "value", 2) != 1:
                return True
    return False


# -- what is walked


def _is_drawn(test: Function) -> bool:
    """Of the many examples of a property test some may be empty."""
    return _has_decorator(test, "given")


def _walked(test: Function) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Loops that assert, and assertions that walk, with what they walk; not what an outer loop gives to walk."""
    inner = {
        id(node)
        for loop in nodes_of(test)
        if isinstance(loop, ast.For)
        for node in nodes_of(loop)
        if node is not loop and (iterated := _iterated(node)) is not None and _names(iterated) & _names(loop.target)
    }
    for node in nodes_of(test):
        if id(node) not in inner and (iterated := _iterated(node)) is not None:
            yield node, iterated


def _iterated(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.For):
        return node.iter if _assertions(node) else None
    return _quantified(node.test) if isinstance(node, ast.Assert) else None


def _quantified(test: ast.expr) -> ast.expr | None:
    """What `all(...)`, `not any(...)` or `not [... for ...]` walks."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        if isinstance(test.operand, ast.ListComp | ast.SetComp):
            return test.operand.generators[0].iter
        test, wanted = test.operand, "any"
    else:
        wanted = "all"
    if not (isinstance(test, ast.Call) and _is_named(test.func, wanted) and test.args):
        return None
    argument = test.args[0]
    return argument.generators[0].iter if isinstance(argument, ast.GeneratorExp | ast.ListComp) else argument


def _loops_around(test: Function) -> dict[ast.AST, frozenset[ast.AST]]:
    found: dict[ast.AST, frozenset[ast.AST]] = {test: frozenset()}
    for node in nodes_of(test):  # parents come first
        around = found[node] | ({node} if isinstance(node, ast.For) else set())
        found |= dict.fromkeys(ast.iter_child_nodes(node), around)
    return found


def _collected(loop: ast.AST) -> set[str]:
    """What a loop writes or adds to: an assertion about it afterwards says that the loop had something to walk."""
    if not isinstance(loop, ast.For):
        return set()
    nodes = [node for statement in loop.body for node in nodes_of(statement)]
    return {
        ast.unparse(node.value)
        for node in nodes
        if (isinstance(node, ast.Attribute) and node.attr in _ADDING)
        or (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
    }


def _filled_names(test: Function) -> set[str]:
    """Names that a display, or a walk over one, is bound to, or that grow in a loop over one."""
    filled: set[str] = set()
    for node in nodes_of(test):
        if isinstance(node, ast.Assign) and _is_filled(node.value, filled):
            filled |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.For) and _is_filled(node.iter, filled):
            grown = [
                one.value.func for one in node.body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call)
            ]
            filled |= {
                ast.unparse(one.value) for one in grown if isinstance(one, ast.Attribute) and one.attr in _ADDING
            }
    return filled


def _is_filled(expression: ast.expr, filled: set[str]) -> bool:
    """Surely not empty: written out, a range, a constant of the file, or made of such one by one."""
    if isinstance(expression, ast.Tuple | ast.List | ast.Set):
        return any(not isinstance(one, ast.Starred) for one in expression.elts)
    if isinstance(expression, ast.Dict):
        return bool(expression.keys)
    if isinstance(expression, ast.Name):
        return expression.id in filled or expression.id.isupper()
    if isinstance(expression, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        return all(not one.ifs and _is_filled(one.iter, filled) for one in expression.generators)
    if isinstance(expression, ast.Attribute):
        return expression.attr.isupper()
    if isinstance(expression, ast.Call):
        if getattr(expression.func, "attr", "") in _PARTS and isinstance(expression.func, ast.Attribute):
            return _is_filled(expression.func.value, filled)
        if getattr(expression.func, "id", "") == "range":
            return True
        if getattr(expression.func, "id", "") in _SURE:
            return any(_is_filled(one, filled) for one in expression.args)
    return False


def _texts(expression: ast.AST) -> set[str]:
    return {ast.unparse(node) for node in nodes_of(expression) if isinstance(node, ast.expr)}


def _texts_of_walked(iterated: ast.expr) -> set[str]:
    """The names and attributes that the walked things come from, without the functions that are called with them."""
    called = {id(node.func) for node in nodes_of(iterated) if isinstance(node, ast.Call)}
    found = [
        node
        for node in nodes_of(iterated)
        if isinstance(node, ast.Name | ast.Attribute | ast.Call) and id(node) not in called
    ]
    return {ast.unparse(node) for node in found} - _BUILTIN
