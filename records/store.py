"""Where the model store is: the one place that the platform and its workers must find alike."""

import os
from pathlib import Path


def model_store() -> Path:
    """PARLEY_STORE, or store/ under PARLEY_VAR, or var/store of this checkout; absolute."""
    var = os.environ.get("PARLEY_VAR") or Path(__file__).parents[1] / "var"
    return Path(os.environ.get("PARLEY_STORE") or Path(var) / "store").absolute()
