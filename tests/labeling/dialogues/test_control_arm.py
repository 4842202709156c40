"""The control arm: who is in it, that it is recorded, and what is compared between the two."""

import uuid

import pytest
from django.utils import timezone

from labeling.dialogues import editing, suggestions
from labeling.dialogues.control_arm import arm_figures, is_control
from labeling.models import AuditEvent, Dialogue, Lease, Message, Project, User
from labeling.sampling.runs import default_sampling
from tests.labeling.factories import make_chat, make_comparison, make_dialogue, make_project, make_prompt

pytestmark = pytest.mark.django_db

QUESTION = ("user", "Why?", "typed")


@pytest.fixture
def project() -> Project:
    return make_project(control_share=0.3)


def written(project: Project, author: User, *, offered: bool, length: int, seconds: float = 30.0) -> Dialogue:
    authorship = "taken" if offered else "typed"
    dialogue = make_dialogue(
        project=project,
        author=author,
        turns=[QUESTION, ("assistant", "x" * length, authorship)],
        state=Dialogue.State.SUBMITTED,
        offers_suggestions=offered,
    )
    dialogue.messages.filter(role="assistant").update(seconds=seconds)
    return dialogue


def test_the_share_is_kept_over_many_dialogues(project: Project, alice: User) -> None:
    drawn = [is_control(project, by=alice, subject=uuid.UUID(int=number)) for number in range(4000)]
    assert 0.27 < sum(drawn) / len(drawn) < 0.33  # 4 standard errors
    assert not any(is_control(make_project(), by=alice, subject=uuid.uuid4()) for _ in range(20))
    everything = make_project(control_share=1.0)
    assert all(is_control(everything, by=alice, subject=uuid.uuid4()) for _ in range(20))


def test_beginning_anew_on_the_same_opening_changes_nothing(project: Project, alice: User) -> None:
    for prompt in (make_prompt(project=project) for _ in range(8)):
        begun = [editing.start_demonstration(project, by=alice, prompt=prompt) for _ in range(3)]
        assert len({dialogue.offers_suggestions for dialogue in begun}) == 1


def test_the_arm_is_drawn_for_every_person_and_every_opening_anew(alice: User, bob: User) -> None:
    project = make_project(control_share=0.5)
    subjects = [uuid.UUID(int=number) for number in range(64)]
    alices, bobs = ([is_control(project, by=one, subject=subject) for subject in subjects] for one in (alice, bob))
    assert len(set(alices)) == len(set(bobs)) == 2
    assert alices != bobs


def test_the_arm_and_the_share_it_was_drawn_under_are_recorded(project: Project, alice: User) -> None:
    dialogue = editing.start_demonstration(project, by=alice)
    event = AuditEvent.objects.get(verb="start dialogue", subject_id=str(dialogue.id))
    assert event.detail == {"offers_suggestions": dialogue.offers_suggestions, "control_share": 0.3}
    assert is_control(project, by=alice, subject=dialogue.id) is not dialogue.offers_suggestions


def test_the_arms_are_compared_by_length_time_and_changes(project: Project, alice: User) -> None:
    for number in range(6):
        written(project, alice, offered=True, length=100 + number, seconds=20)
        control = written(project, alice, offered=False, length=60 + number, seconds=50)
        answer = control.messages.get(role="assistant")
        AuditEvent.note("edit message", answer, by=alice)
        AuditEvent.note("put message back", answer, by=alice)
    written(make_project(), alice, offered=True, length=9)
    make_chat(project=project, author=alice, state=Dialogue.State.SUBMITTED).messages.update(authorship="edited")
    written(project, alice, offered=False, length=62, seconds=0)  # of before times were kept
    figures = arm_figures(project)
    assert (figures.num_offered, figures.num_control) == (6, 7)
    assert figures.begun_from_suggestion is not None
    assert figures.begun_from_suggestion.value == 1.0
    length, seconds, changes = figures.rows
    assert length.offered is not None
    assert length.control is not None
    assert length.difference is not None
    assert (length.offered.value, length.control.value) == (102.5, pytest.approx(437 / 7))
    assert length.difference.value == pytest.approx(102.5 - 437 / 7)
    assert 36 < length.difference.low < 40 < length.difference.high < 44
    assert seconds.difference is not None
    assert seconds.difference.value == pytest.approx(-30)
    assert changes.difference is not None
    assert changes.difference.value == pytest.approx(-6 / 7)


def test_too_few_dialogues_have_no_figures(project: Project, alice: User) -> None:
    for _ in range(4):
        written(project, alice, offered=True, length=10)
    rows = arm_figures(project).rows
    assert [(row.offered, row.control, row.difference) for row in rows] == [(None, None, None)] * 3
    for _ in range(5):
        written(project, alice, offered=False, length=10)
    shown = arm_figures(project).rows[:2]
    assert [(row.control is not None, row.difference) for row in shown] == [(True, None)] * 2
    assert arm_figures(make_project()).begun_from_suggestion is None


@pytest.mark.parametrize("reason", ["draft", "simulated", "branch", "beside completions", "a policy's answer"])
def test_what_says_nothing_of_suggestions_is_left_out(project: Project, alice: User, reason: str) -> None:
    dialogue = written(project, alice, offered=True, length=10)
    rows = Dialogue.objects.filter(id=dialogue.id)
    if reason == "draft":
        rows.update(state=Dialogue.State.DRAFT)
    if reason == "simulated":
        User.objects.update(is_simulated=True)
    if reason == "branch":
        rows.update(branched_from=written(project, alice, offered=True, length=10))
    if reason == "beside completions":
        comparison = make_comparison(project=project)
        values = {"shown_order": [], "expires_at": timezone.now()}
        lease = Lease.objects.create(comparison=comparison, trainer=alice, **values)
        rows.update(lease=lease)
    if reason == "a policy's answer":
        Message.objects.filter(dialogue=dialogue).update(authorship="policy")
    assert arm_figures(project).num_offered == (1 if reason == "branch" else 0)


def test_suggestions_are_sampled_apart_from_what_is_compared(alice: User) -> None:
    project = make_project(temperature=1.0, suggestion_top_p=0.9, suggestion_max_new_tokens=64)
    dialogue = make_dialogue(project=project, author=alice, turns=[QUESTION])
    run = suggestions.suggest(dialogue, again=False, by=alice)
    sampled = {name: run.sampling[name] for name in ("temperature", "top_p", "max_new_tokens")}
    assert sampled == {"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 64}
    assert default_sampling(project).temperature == 1.0
