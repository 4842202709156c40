"""Which version runs is shown to those who work here, and to nobody else."""

import tomllib
from pathlib import Path

import pytest
from django.test import Client

from labeling.models import Project, User
from labeling.web.version import running_version
from tests.labeling.factories import make_user

pytestmark = pytest.mark.django_db
PROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"
SHOWN = f"Parley {tomllib.loads(PROJECT.read_text())['project']['version']}"


def page_of(user: User | None) -> str:
    client = Client()
    if user:
        client.force_login(user)
    return client.get("/account/" if user else "/sign-in/").content.decode()


def test_it_is_the_installed_packages() -> None:
    assert f"Parley {running_version()}" == SHOWN


def test_members_read_it_in_the_menu_and_strangers_nowhere(alice: User, project: Project) -> None:
    assert SHOWN in page_of(alice)
    assert SHOWN not in page_of(None)
    assert running_version() not in Client().get("/health/ready/").content.decode()


def test_visitors_do_not(project: Project) -> None:
    assert SHOWN not in page_of(make_user(username="vera", role="visitor"))
