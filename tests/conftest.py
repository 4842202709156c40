"""Fixtures that every package's tests share."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Shapes written in signatures are checked on every call. Before any of these packages is imported.
install_import_hook(["language", "rewardmodel", "policy"], "beartype.beartype")


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published tiny policy; read-only, since all tests of a session share it."""
    from tests.tiny import build_tiny_policy

    return build_tiny_policy(tmp_path_factory.mktemp("store") / "tiny")
