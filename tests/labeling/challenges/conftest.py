"""An admin, two entrants and an open challenge."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from labeling.models import Challenge, Project, User


@pytest.fixture
def adam(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="adam")


@pytest.fixture
def challenge(project: "Project", adam: "User") -> "Challenge":
    from tests.labeling.challenges.material import make_challenge

    return make_challenge(project=project)
