"""An export freezes what its methods section needs: the section is the same whatever becomes of the rows."""

import hashlib

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from labeling.models import Completion, Export, GuidelineVersion, Policy, Project, User
from records.methods import methods_section
from tests.labeling.exports.material import directory_of, exported, make_adjudication, make_ranking, manifest_of
from tests.labeling.factories import make_comparison, make_dialogue, make_policy, make_project, make_thumb, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    started = make_policy(name="start", manifest_sha256="5" * 64)
    return make_project(slug="sky", policy=make_policy(name="taught", manifest_sha256="7" * 64, parent=started))


@pytest.fixture
def trainers(project: Project) -> list[User]:
    people = [make_user(username=name, projects=[project]) for name in ("alice", "bob", "carol")]
    return [*people, make_user(username="pat", projects=[project], is_simulated=True)]


@pytest.fixture
def export(project: Project, trainers: list[User]) -> Export:
    """Two comparisons of four: the first ranked by two people and adjudicated, the second by all but one person."""
    alice, bob, carol, pat = trainers
    first, second = (make_comparison(project=project, state="done", open_slots=0) for _ in range(2))
    make_ranking(project=project, comparison=first, trainer=alice, order=((0,), (1,), (2,), (3,)))
    make_ranking(project=project, comparison=first, trainer=bob, order=((1,), (0,), (2,), (3,)))
    make_adjudication(first, reviewer=carol)
    for trainer in (alice, bob, pat):
        make_ranking(project=project, comparison=second, trainer=trainer, order=((0,), (1, 2, 3)))
    way = {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "max_new_tokens": 64}
    for number, completion in enumerate(Completion.objects.filter(comparison=first)):
        Completion.objects.filter(id=completion.id).update(sampling={"seed": number, **way})
    Completion.objects.filter(comparison=first).update(policy=project.policy)
    return exported(project, trainer_kinds=["person", "simulated"])


def section(export: Export) -> str:
    return methods_section(manifest_of(export), manifest_sha256=export.manifest_sha256)


def test_people_are_counted_by_kind_and_a_reviewer_is_no_trainer(export: Export, trainers: list[User]) -> None:
    assert manifest_of(export)["methods"]["trainers"] == {"person": 2, "simulated": 1}
    text = section(export)
    assert "2 people; 1 simulated trainer" in text
    assert len(trainers) == 4
    assert not [one for one in trainers if one.pseudonym in text or one.username in text]


def test_agreement_has_its_interval(export: Export) -> None:
    # First: 5 of 6 pairs alike. Second: three couples of trainers, 3 ordered pairs each, all alike.
    assert manifest_of(export)["methods"]["agreement"]["n"] == 15
    # Wilson for 14 of 15: (14/15 + z²/30 ± z·sqrt(14/15·1/15/15 + z²/900)) / (1 + z²/15), z = 1.96.
    assert "alike in 93.3 % of 15 cases (95 % Wilson interval 70.2 to 98.8 %)" in section(export)


def test_sampling_is_counted_once_a_comparison_and_models_have_hashes(export: Export) -> None:
    text = section(export)
    assert "Sampled: 4 at temperature 0.7, top-p 1, no top-k, at most 64 tokens." in text
    assert f"taught (SHA-256 of its manifest `{'7' * 64}`, trained from `{'5' * 64}`)" in text


def test_filters_say_what_there_was_without_them(project: Project, export: Export) -> None:
    assert "Records without any filter: 6; with them: 6." in section(export)
    assert "Records without any filter: 6; with them: 1." in section(exported(project, trainer_kinds=["simulated"]))


def test_what_changes_later_changes_nothing(project: Project, export: Export) -> None:
    guidelines = project.guidelines
    assert guidelines is not None
    before = section(export)
    assert hashlib.sha256(guidelines.text.encode()).hexdigest() in before
    GuidelineVersion.objects.update(text="Others.")
    Policy.objects.update(manifest_sha256="0" * 64)
    Project.objects.update(rankings_wanted=9)
    assert section(export) == before
    assert "9 rankings wanted" in section(exported(project))


def test_the_page_shows_what_the_files_say(erins_browser: Client, export: Export) -> None:
    page = erins_browser.get(reverse("export", args=("sky", export.id))).content.decode()
    assert escape(section(export)) in page
    (directory_of(export) / "rankings.jsonl").unlink()  # it needs the manifest alone
    assert escape(section(export)) in erins_browser.get(reverse("export", args=("sky", export.id))).content.decode()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("demonstrations", "1 demonstration with 2 answers"),
        ("thumbs", "1 thumb: 0 up and 1 down."),
        ("prompts", "The data are 0 prompts."),
        ("labels", "The data are 0 labelled texts."),
    ],
)
def test_every_kind_of_export_has_a_section(project: Project, kind: str, said: str) -> None:
    turns = [("user", "Hello.", "typed"), ("assistant", "Hi.", "typed")] * 2
    make_dialogue(project=project, state="accepted", turns=turns)
    make_thumb(project=project)
    assert said in section(exported(project, kind))
