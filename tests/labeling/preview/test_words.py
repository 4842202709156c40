"""What a visitor says of answers and of the filter, who reads it, and that it goes when they go."""

import pytest
from django.test import Client

from labeling.challenges import entries
from labeling.dialogues.answers import record_completions
from labeling.jobs.screens import screen_of
from labeling.models import Appeal, Dialogue, Entry, Preview, Prompt, Report, SamplingRun, Screening, Thumb, User
from labeling.preview import chatting, erasure
from labeling.safety import appeals, follow_ups, reports, triage
from tests.labeling.challenges.material import make_challenge
from tests.labeling.factories import make_user
from tests.labeling.preview.material import chat, make_preview, make_visitor
from tests.labeling.sampling.screened import blocked_result
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db

TALE = "They fought until the evening, and the wood was red."


@pytest.fixture
def preview() -> Preview:
    return make_preview()


@pytest.fixture
def vera(preview: Preview) -> User:
    return make_visitor(preview, training=True)


def blocked_chat(preview: Preview, by: User) -> tuple[Dialogue, Screening]:
    """A chat whose first message the filter blocked."""
    dialogue = chatting.begin(preview, content=TALE, with_two=False, by=by)
    run = dialogue.sampling_runs.get()
    SamplingRun.objects.filter(pk=run.pk).update(state="sent", attempt=1)
    run.refresh_from_db()
    assert record_completions(blocked_result(run, category="V"))
    return dialogue, Screening.objects.get(side="said")


def page_of(client: Client, preview: Preview, dialogue: Dialogue) -> str:
    return client.get(f"/t/{preview.slug}/chat/{dialogue.pk}/").content.decode()


def test_a_blocked_message_leads_to_an_appeal_that_is_won_and_lets_that_text_pass(preview: Preview, vera: User) -> None:
    dialogue, screening = blocked_chat(preview, vera)
    client, where = as_user(vera), f"/t/{preview.slug}/screenings/{screening.pk}/appeal/"
    shown = page_of(client, preview, dialogue)
    assert "Decided automatically" in shown
    assert where in shown
    assert client.post(where, {"why": "It is a tale."}).status_code == 302
    assert client.post(where, {"why": "Again."}).status_code == 409
    assert "You appealed" in client.get(f"/t/{preview.slug}/mine/").content.decode()
    reviewer = make_user(role="reviewer", projects=[preview.project])
    run = dialogue.sampling_runs.get()
    before = screen_of(run)
    appeals.decide(Appeal.objects.get(), by=reviewer, overturns=True, reply="A tale indeed.")
    after = screen_of(run)
    assert before is not None
    assert after is not None
    assert [rule.category for rule in before.rules] == []
    assert [(rule.category, rule.side, rule.block_at) for rule in after.rules] == [("V", "said", None)]
    assert "Decided automatically" not in page_of(client, preview, dialogue)
    assert "A tale indeed." in client.get(f"/t/{preview.slug}/mine/").content.decode()
    assert client.post(f"/t/{preview.slug}/chat/{dialogue.pk}/again/").status_code == 302
    run.messages = [{"role": "user", "content": "They fight again."}]
    other = screen_of(run)
    assert other is not None
    assert other.rules == ()


def test_nobody_appeals_for_somebody_else(preview: Preview, vera: User) -> None:
    _dialogue, screening = blocked_chat(preview, vera)
    walter = make_visitor(preview, email="walter@example.org")
    assert as_user(walter).get(f"/t/{preview.slug}/screenings/{screening.pk}/appeal/").status_code == 404


def test_a_report_becomes_a_prompt_with_lineage_until_its_writer_goes(preview: Preview, vera: User) -> None:
    dialogue = chat(preview, vera, "Is the moon hollow?")
    answer = dialogue.messages.get(position=1)
    here = f"/t/{preview.slug}/chat/{dialogue.pk}/messages/{answer.pk}/"
    client = as_user(vera)
    assert client.post(f"{here}report/", {"kind": "false", "note": "It is not."}).status_code == 302
    assert client.post(f"{here}thumb/", {"thumb": "down", "reasons": "not true"}).status_code == 302
    report, thumb = Report.objects.get(reporter=vera), Thumb.objects.get(created_by=vera)
    assert (report.may_train, thumb.trainer_kind) == (True, "visitor")
    assert report.case is not None
    adam = make_user(username="adam")
    triage.decide(report.case, agreed=True, action="noted", why="It is solid.", by=adam)
    made = follow_ups.follow_up(report.case, "prompt", by=adam)
    assert made.prompt is not None
    assert made.prompt.messages[-1]["content"] == "Is the moon hollow?"
    mine = client.get(f"/t/{preview.slug}/mine/").content.decode()
    assert "It is solid." in mine
    challenge = make_challenge(project=preview.project)
    words = entries.Words(title="Hollow", text="The moon.", reports=[report])
    entries.keep_draft(challenge, words, by=vera)
    erasure.erase_visitor(vera)
    assert not Report.objects.filter(pk=report.pk).exists()
    assert not Thumb.objects.filter(pk=thumb.pk).exists()
    assert not Entry.objects.filter(author=vera).exists()
    assert "hollow" not in str(list(Prompt.objects.values_list("messages", flat=True)))


def test_without_consent_a_better_answer_is_refused_and_nothing_may_train(preview: Preview) -> None:
    walter = make_visitor(preview, email="walter@example.org", training=False)
    dialogue = chat(preview, walter)
    answer = dialogue.messages.get(position=1)
    here = f"/t/{preview.slug}/chat/{dialogue.pk}/messages/{answer.pk}/"
    refused = as_user(walter).post(
        f"{here}thumb/", {"thumb": "down", "better": "Better so.", "why": "1"}, headers={"HX-Request": "true"}
    )
    assert refused.status_code == 422
    assert not Dialogue.objects.filter(author=walter, kind="demonstration").exists()
    as_user(walter).post(f"{here}report/", {"kind": "harmful"})
    assert not reports.own_report(walter, message=answer).may_train  # type: ignore[union-attr]
