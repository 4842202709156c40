"""Charts: a figure that is drawn where another would stand misleads whoever reads it."""

from tests.mutants.mutant import Mutant


def _in(module: str, fault: str, before: str, after: str) -> Mutant:
    return Mutant(f"charts/{module}.py", fault, ((before, after),), ("tests/charts/test_charts.py",))


MUTANTS = [
    _in("lines", "higher figures stand lower", "start=FLOOR, end=TOP)", "start=TOP, end=FLOOR)"),
    _in("lines", "intervals reach beyond the range", "(point.y, point.low, point.high) if y", "(point.y,) if y"),
    _in("svg", "texts of people are markup", 'return escape("".join(allowed))', 'return "".join(allowed)'),
]
