"""An archived project hands out nothing new, on no page and by no program; what somebody has in hand they finish."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling import periodic
from labeling.dialogues import chat as dialogues_chat
from labeling.dialogues import editing, suggestions
from labeling.dialogues.review import submit_dialogue
from labeling.dialogues.rules import WritingError
from labeling.models import Dialogue, Export, Lease, Project, Ranking, SamplingRun, User
from labeling.projects.next_steps import next_step, num_to_rank, project_statuses
from labeling.prompts.pool import next_prompt
from labeling.rankings import assignment
from labeling.rounds import evaluation_requests
from labeling.rounds.errors import RoundError
from labeling.sampling import comparisons, runs
from labeling.sampling.comparisons import ComparisonError
from labeling.sampling.runs import SamplingError
from tests.labeling.api.api_client import Program
from tests.labeling.factories import (
    make_chat,
    make_comparison,
    make_dialogue,
    make_policy,
    make_project,
    make_prompt,
    make_reference,
    make_run,
    make_user,
)
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db(transaction=True)
SENTENCE = "This project is archived"


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", num_completions=4)


@pytest.fixture
def alice(project: Project) -> User:
    return make_user(username="alice", projects=[project])


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role=User.Role.REVIEWER, projects=[project])


@pytest.fixture
def at(project: Project, alice: User) -> Client:
    return as_user(alice)


def archive(project: Project) -> Project:
    project.archived_at = timezone.now()
    project.save(update_fields=["archived_at"])
    return project


def bring_back(project: Project) -> Project:
    project.archived_at = None
    project.save(update_fields=["archived_at"])
    return project


def url(name: str, *more: Any) -> str:
    return reverse(name, args=("bread", *more))


# Nothing new


def test_no_comparison_is_handed_out_by_a_page_or_a_program(project: Project, alice: User, at: Client) -> None:
    make_comparison(project=project)
    make_reference(project=project, use="gold")
    program = Program(alice)
    archive(project)
    assert SENTENCE in at.get(url("rank")).content.decode()
    assert SENTENCE in at.post(url("rank"), follow=True).content.decode()
    claimed = program.post("projects/bread/claim").json()
    assert SENTENCE in str(claimed)
    assert not Lease.objects.exists()
    assert num_to_rank(project, user=alice) == "0"
    bring_back(project)
    assert isinstance(assignment.claim(project, by=alice), Lease)


def test_no_prompt_is_handed_out_and_no_dialogue_begun(project: Project, alice: User, at: Client) -> None:
    prompt = make_prompt(project=project, content="What is a sourdough?")
    archive(project)
    page = at.get(url("write")).content.decode()
    assert SENTENCE in page
    assert "What is a sourdough?" not in page
    assert "Start from nothing" not in page
    assert next_prompt(project, by=alice) is None
    for values in ({}, {"prompt": str(prompt.id)}):
        answer = at.post(url("start_dialogue"), values)
        assert answer.status_code == 403
        assert SENTENCE in answer.content.decode()
    assert not Dialogue.objects.exists()


def test_no_chat_and_no_branch_is_begun(project: Project, alice: User, at: Client) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    archive(project)
    page = at.get(url("chat")).content.decode()
    assert SENTENCE in page
    assert "Start a chat" not in page
    assert at.post(url("start_chat")).status_code == 403
    message = dialogue.messages.order_by("position").first()
    assert message is not None
    assert at.post(url("branch_dialogue", dialogue.id, message.id)).status_code == 403
    assert Dialogue.objects.count() == 1


def test_no_practice_is_begun(project: Project, alice: User, at: Client) -> None:
    reference = make_reference(project=project, use="practice")
    board = url("practice_board", reference.comparison_id)
    assert board in at.get(url("practice")).content.decode()
    assert project_statuses([project], user=alice)[project.pk].practice_waits
    archive(project)
    page = at.get(url("practice")).content.decode()
    assert SENTENCE in page
    assert board not in page
    assert at.get(board).status_code == 403
    assert not project_statuses([project], user=alice)[project.pk].practice_waits


def test_no_review_is_handed_out(project: Project, alice: User, rita: User) -> None:
    submitted = make_dialogue(project=project, author=alice, state=Dialogue.State.SUBMITTED)
    client = as_user(rita)
    assert str(submitted.id) in client.get(url("review")).content.decode()
    archive(project)
    page = client.get(url("review")).content.decode()
    assert SENTENCE in page
    assert str(submitted.id) not in page
    assert not Dialogue.objects.awaiting_review_by(rita).exists()


def test_nothing_is_sampled_anew(project: Project, alice: User) -> None:
    chat = make_chat(project=project, author=alice, state=Dialogue.State.DRAFT)
    demonstration = make_dialogue(project=project, author=alice)
    archive(project)
    for dialogue in (chat, demonstration):
        dialogue.refresh_from_db()
    with pytest.raises(SamplingError, match=SENTENCE):
        dialogues_chat.say(chat, content="And rye?", num_drafts=1, by=alice)
    with pytest.raises(WritingError, match=SENTENCE):
        suggestions.suggest(demonstration, again=False, by=alice)
    with pytest.raises(SamplingError, match=SENTENCE):
        runs.request_completions(project, purpose="comparison", messages=[], num_completions=4)
    assert not SamplingRun.objects.exists()
    assert chat.messages.count() == 2, "what was said with it stays in the composer"


def test_no_comparison_is_made_and_no_policies_are_compared(project: Project) -> None:
    make_prompt(project=project)
    archive(project)
    with pytest.raises(ComparisonError, match=SENTENCE):
        comparisons.make_comparisons(project, num=1, seed=1, by=None)
    with pytest.raises(RoundError, match=SENTENCE):
        evaluation_requests.begin_evaluation(project, make_policy(), by=None)
    periodic.sweep()
    assert not SamplingRun.objects.exists()


def test_overnight_work_waits_until_the_project_is_back(project: Project, broker: Any) -> None:
    elsewhere = make_run(project=make_project(), purpose=SamplingRun.Purpose.COMPARISON)
    run = make_run(project=project, purpose=SamplingRun.Purpose.COMPARISON)
    archive(project)
    runs.send_waiting()
    run.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (run.state, elsewhere.state) == (SamplingRun.State.WAITING, SamplingRun.State.SENT)
    bring_back(project)
    runs.send_waiting()
    run.refresh_from_db()
    assert run.state == SamplingRun.State.SENT


# What is in hand


def test_a_board_in_hand_is_given_again_kept_and_submitted(project: Project, alice: User, at: Client) -> None:
    comparison = make_comparison(project=project)
    make_comparison(project=project)
    held = assignment.claim(project, by=alice)
    assert isinstance(held, Lease)
    archive(project)
    assert next_step(project, project_statuses([project], user=alice)[project.pk], user=alice).url == url("rank")
    assert at.post(url("rank")).headers["Location"] == url("lease", held.id)
    assert at.get(url("lease", held.id)).status_code == 200
    assert assignment.save_draft(held, draft={"tiers": []}, version=held.draft_version, by=alice)
    program = Program(alice)
    tiers = [[identifier] for identifier in held.shown_order]
    answer = program.post(f"projects/bread/leases/{held.id}/ranking", {"tiers": tiers}, key=str(uuid.uuid4()))
    assert answer.status_code == 201, answer.content
    assert Ranking.objects.get(retracted_at=None).comparison_id in {held.comparison_id, comparison.id}
    assert isinstance(assignment.claim(project, by=alice), assignment.Nothing)
    assert next_step(project, project_statuses([project], user=alice)[project.pk], user=alice).url == reverse("history")


def test_an_open_dialogue_is_written_on_and_submitted(project: Project, alice: User, at: Client) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    archive(project)
    page = at.get(url("dialogue", dialogue.id)).content.decode()
    assert SENTENCE in page
    editing.add_message(dialogue, role="user", content="And rye?", by=alice)
    editing.add_message(dialogue, role="assistant", content="Rye is heavier.", by=alice)
    submit_dialogue(dialogue, by=alice)
    dialogue.refresh_from_db()
    assert dialogue.state == Dialogue.State.SUBMITTED


def test_what_a_reviewer_has_open_is_still_accepted(project: Project, alice: User, rita: User) -> None:
    submitted = make_dialogue(project=project, author=alice, state=Dialogue.State.SUBMITTED)
    archive(project)
    assert as_user(rita).post(url("accept_dialogue", submitted.id)).status_code == 302
    submitted.refresh_from_db()
    assert submitted.state == Dialogue.State.ACCEPTED


def test_an_admin_still_reads_and_exports(project: Project) -> None:
    make_prompt(project=project)
    archive(project)
    admin = make_user(role=User.Role.ADMIN)
    client = as_user(admin)
    for name in ("project", "quality", "data", "rounds", "project_settings", "dialogues", "prompts"):
        assert client.get(url(name)).status_code == 200, name
    assert Program(admin).post("projects/bread/exports", {"kind": "prompts"}).status_code == 201
    assert Export.objects.get().project == project
