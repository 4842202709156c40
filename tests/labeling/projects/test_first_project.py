"""The project that a new Parley begins with."""

import re
from pathlib import Path

import pytest

from labeling.accounts.users import create_account
from labeling.models import Comparison, Dialogue, Message, Policy, Project, Prompt
from labeling.projects.administration import publish_guidelines
from labeling.projects.first_project import SEED, ensure_starting_project
from labeling.rankings.wording import skip_reasons
from labeling.sampling.mixtures import change_mixture, divide, mixture_of
from labeling.sampling.policies import BUNDLED
from tests.labeling.factories import make_user, publish_policy

pytestmark = pytest.mark.django_db


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


def test_its_guidelines_name_a_reason_to_skip_that_the_menu_has() -> None:
    (named,) = re.findall(r"“(.+?)” is a reason", (SEED / "guidelines.md").read_text())
    assert named in skip_reasons()


def test_a_newcomer_meets_temperatures_that_can_be_told_apart_and_an_admins_stay(store: Path) -> None:
    project = ensure_starting_project()
    parts = mixture_of(project)
    assert [(part.policy, part.temperature) for part in parts] == [(None, 0.3), (None, 0.5), (None, 0.7)]
    assert divide(project.num_completions, [part.share for part in parts], start=12345) == [1, 2, 1]
    change_mixture(project, parts[:1], by=make_user(username="adam"))
    assert mixture_of(ensure_starting_project()) == parts[:1]


def test_each_completion_is_rated_before_the_order_unless_the_project_says_otherwise(store: Path) -> None:
    project = ensure_starting_project()
    assert project.asks_ratings
    Project.objects.update(asks_ratings=False)
    assert not ensure_starting_project().asks_ratings


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
    publish_policy(store, BUNDLED)
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
    sha256 = publish_policy(store, BUNDLED)
    project = ensure_starting_project()
    assert project.policy is not None
    assert (project.policy.name, project.policy.manifest_sha256, project.policy.state) == (BUNDLED, sha256, "promoted")
    assert project.current_round is not None
    assert project.current_round.policy == project.policy
