"""A plugin of `make fuzz`: calls every property test again and again, each time with other examples, for its share of
the time given. What a test finds is printed as a blob, which makes a plain test of it, and is tried first next time.
"""

import time

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=600, help="how long to explore, all tests together")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Stands in for pytest's own single call. A call ends when its examples are through, so the time is about right."""
    names = pyfuncitem._fixtureinfo.argnames
    values = {name: pyfuncitem.funcargs[name] for name in names}
    session = pyfuncitem.session
    until = time.monotonic() + session.config.getoption("--fuzz-seconds") / len(session.items)
    pyfuncitem.obj(**values)
    while time.monotonic() < until:
        pyfuncitem.obj(**values)
    return True
