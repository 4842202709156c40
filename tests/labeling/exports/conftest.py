"""What the tests of exports share: a store of their own, which each of them writes to."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _store(store: Path) -> None:
    pass
