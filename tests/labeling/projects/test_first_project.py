"""The project that a new Parley begins with, and what registering a policy checks."""

from pathlib import Path
from typing import Any

import pytest

from labeling.accounts.users import create_account
from labeling.models import Comparison, Dialogue, Message, Policy, Project, Prompt
from labeling.projects.administration import publish_guidelines
from labeling.projects.first_project import SEED, ensure_starting_project
from labeling.sampling.policies import BUNDLED, PolicyError, register_bundled_policy, register_policy
from records import ManifestError, publish_directory
from tests.labeling.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Path:
    settings.PARLEY_STORE = tmp_path
    return tmp_path


def publish(store: Path, name: str, *, weights: str = "weights") -> str:
    staging = store / "staging"
    staging.mkdir()
    (staging / "config.json").write_text("{}")
    (staging / "model.safetensors").write_text(weights)
    return publish_directory(staging, store / "policies" / name)


def counts() -> tuple[int, ...]:
    return tuple(rows.objects.count() for rows in (Project, Prompt, Dialogue, Message, Comparison, Policy))


def test_it_has_guidelines_prompts_demonstrations_and_practice(store: Path) -> None:
    adam = make_user(username="adam")
    project = ensure_starting_project()
    assert project.slug == "first-steps"
    assert project.guidelines is not None
    assert project.guidelines.text == (SEED / "guidelines.md").read_text()
    assert project.prompts.count() >= 60
    assert project.dialogues.filter(state="accepted", kind="imported").count() >= 20
    assert project.memberships.filter(user=adam).exists()
    assert project.current_round is not None
    assert project.policy is None


def test_practice_is_explained_and_never_in_the_queue(store: Path) -> None:
    project = ensure_starting_project()
    practice = list(project.comparisons.all())
    assert practice
    for comparison in practice:
        ids = {str(completion.id) for completion in comparison.completions.all()}
        assert (comparison.use, comparison.open_slots) == ("practice", 0)
        assert {identifier for tier in comparison.reference.tiers for identifier in tier} == ids
        assert set(comparison.reference.remarks) == ids
        assert comparison.reference.lesson


def test_starting_twice_changes_nothing(store: Path) -> None:
    publish(store, BUNDLED)
    ensure_starting_project()
    before = counts()
    ensure_starting_project()
    assert counts() == before


def test_what_people_did_stays(store: Path) -> None:
    project = ensure_starting_project()
    alice, _password = create_account(username="alice", role="trainer", by=None)
    publish_guidelines(project, text="Ours.", by=alice)
    project.prompts.first().delete()  # type: ignore[union-attr]
    project = ensure_starting_project()
    assert project.guidelines is not None
    assert project.guidelines.text == "Ours."
    assert not project.memberships.filter(user=alice).exists()  # an admin lets people in, not a restart


def test_the_bundled_policy_is_the_projects_as_soon_as_it_is_there(store: Path) -> None:
    assert ensure_starting_project().policy is None
    sha256 = publish(store, BUNDLED)
    project = ensure_starting_project()
    assert project.policy is not None
    assert (project.policy.name, project.policy.manifest_sha256, project.policy.state) == (BUNDLED, sha256, "promoted")
    assert project.current_round is not None
    assert project.current_round.policy == project.policy


def test_without_its_files_there_is_no_bundled_policy(store: Path) -> None:
    assert register_bundled_policy() is None


def test_a_policy_is_registered_once_by_its_hashes(store: Path) -> None:
    sha256 = publish(store, "mine")
    policy = register_policy("policies/mine")
    assert (policy.name, policy.store_path, policy.manifest_sha256) == ("mine", "policies/mine", sha256)
    assert register_policy("policies/mine") == policy
    publish(store, "mine", weights="other weights")
    with pytest.raises(PolicyError, match="other hashes"):
        register_policy("policies/mine")
    assert register_policy("policies/mine", name="mine-2").name == "mine-2"


def test_a_damaged_directory_is_not_registered(store: Path) -> None:
    publish(store, "mine")
    (store / "policies/mine/model.safetensors").write_text("tampered")
    with pytest.raises(ManifestError, match="damaged"):
        register_policy("policies/mine")
    assert not Policy.objects.exists()


@pytest.mark.parametrize("path", ["../outside", "/etc", "policies/../../outside", ""])
def test_a_path_out_of_the_store_is_refused(store: Path, path: str) -> None:
    with pytest.raises(PolicyError, match="model store"):
        register_policy(path)


def test_an_odd_name_is_refused(store: Path) -> None:
    publish(store, "mine")
    with pytest.raises(PolicyError, match="no name"):
        register_policy("policies/mine", name="no good")
