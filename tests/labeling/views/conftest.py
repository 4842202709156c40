"""Fixtures of the tests of pages."""

from typing import Any

import pytest


@pytest.fixture
def quick_passwords(settings: Any) -> None:
    """Argon2 is slow on purpose; a test of a page need not be."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
