"""What the tests of exports share: a store of their own."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def store(tmp_path: Path, settings: Any) -> Path:
    settings.PARLEY_STORE = tmp_path / "store"
    return settings.PARLEY_STORE  # type: ignore[no-any-return]
