"""A project whose address is short, and Alice's browser. The pages of reviewing have Rita's instead."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from django.test import Client

    from labeling.models import Project, User


@pytest.fixture
def project() -> "Project":
    from tests.labeling.factories import make_project

    return make_project(slug="sky")


@pytest.fixture
def client(alice: "User") -> "Client":
    from tests.labeling.signed_in import as_user

    return as_user(alice)
