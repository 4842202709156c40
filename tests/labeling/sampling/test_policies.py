"""A policy becomes a row: once, under one name, and only if it lies whole in the store."""

from pathlib import Path

import pytest

from labeling.models import Policy
from labeling.sampling.policies import PolicyError, register_bundled_policy, register_policy
from records import ManifestError
from tests.labeling.factories import publish_policy

pytestmark = pytest.mark.django_db


def test_without_its_files_there_is_no_bundled_policy(store: Path) -> None:
    assert register_bundled_policy() is None


def test_a_policy_is_registered_once_by_its_hashes(store: Path) -> None:
    sha256 = publish_policy(store, "mine")
    policy = register_policy("policies/mine")
    assert (policy.name, policy.store_path, policy.manifest_sha256) == ("mine", "policies/mine", sha256)
    assert register_policy("policies/mine") == policy
    publish_policy(store, "mine", weights="other weights")
    with pytest.raises(PolicyError, match="other hashes"):
        register_policy("policies/mine")
    assert register_policy("policies/mine", name="mine-2").name == "mine-2"


def test_a_damaged_directory_is_not_registered(store: Path) -> None:
    publish_policy(store, "mine")
    (store / "policies/mine/model.safetensors").write_text("tampered")
    with pytest.raises(ManifestError, match="damaged"):
        register_policy("policies/mine")
    assert not Policy.objects.exists()


@pytest.mark.parametrize("path", ["../outside", "/etc", "policies/../../outside", ""])
def test_a_path_out_of_the_store_is_refused(store: Path, path: str) -> None:
    with pytest.raises(PolicyError, match="model store"):
        register_policy(path)


def test_an_odd_name_is_refused(store: Path) -> None:
    publish_policy(store, "mine")
    with pytest.raises(PolicyError, match="no name"):
        register_policy("policies/mine", name="no good")
