"""Fixtures of the tests of pages."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from django.test import Client

    from labeling.models import Lease, Project, User


@pytest.fixture
def quick_passwords(settings: Any) -> None:
    """Argon2 is slow on purpose; a test of a page need not be."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def erin(project: "Project") -> "Client":
    """An engineer's browser."""
    from tests.labeling.cast import make_user
    from tests.labeling.views.signed_in import as_user

    return as_user(make_user(username="erin", role="engineer", projects=[project]))


@pytest.fixture
def held(project: "Project", alice: "User") -> "Lease":
    """Alice's place in a comparison."""
    from labeling import assignment
    from labeling.models import Lease
    from tests.labeling.cast import make_comparison

    make_comparison(project=project)
    claimed = assignment.claim(project, by=alice)
    assert isinstance(claimed, Lease)
    return claimed
