"""Thumbs in chats: one a person and message, exported for KTO with reasons; a better answer waits for a reviewer."""

import uuid

import pytest
from django.urls import reverse

from labeling.dialogues import review
from labeling.dialogues.rules import WritingError
from labeling.exports.retractions import retractions_in
from labeling.imports.thumbs import set_retracted
from labeling.models import Completion, Dialogue, Message, Project, Report, SamplingRun, Thumb, User
from labeling.safety import thumbs
from labeling.sampling import thumbs_down
from labeling.withdrawals import batches
from tests.labeling.exports.material import exported
from tests.labeling.exports.test_thumbs import exported_as_kto, lines_in, thumbs_in
from tests.labeling.factories import make_chat, make_run, make_user
from tests.labeling.safety.test_reports import answer_of
from tests.labeling.signed_in import as_user, htmx_post, page_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(project: Project, alice: User) -> Message:
    return answer_of(alice, project)


def test_a_thumb_is_exported_for_kto_and_as_a_record_with_its_reasons(message: Message, alice: User) -> None:
    project = message.dialogue.project
    thumbs.give(message, by=alice, up=False, reasons=("too long", "not true", "nonsense"))
    prompt = [{"role": "user", "content": "Question 0?"}]
    kto = exported_as_kto(project, validation_percent=0, test_percent=0)
    answer = [{"role": "assistant", "content": "Rome."}]
    assert lines_in(kto) == [{"prompt": prompt, "completion": answer, "label": False}]
    (record,) = thumbs_in(exported(project, "thumbs"))
    assert (record.up, record.reason) == (False, "not true; too long")
    assert (record.trainer, record.trainer_kind, record.source) == (alice.pseudonym, "person", "chat")
    assert record.completion.policy == project.policy.name  # type: ignore[union-attr]
    assert not Report.objects.exists()  # it calls nobody


def test_personal_data_in_a_thumbs_texts_is_scrubbed(project: Project, alice: User) -> None:
    thumbs.give(answer_of(alice, project, "Write to a.person@example.org."), by=alice, up=True)
    (record,) = thumbs_in(exported(project, "thumbs", scrubs_personal_data=True))
    assert record.completion.content == "Write to [e-mail address]."


def test_a_second_thumb_changes_the_first_and_it_can_be_taken_back(message: Message, alice: User) -> None:
    first = thumbs.give(message, by=alice, up=True)
    second = thumbs.give(message, by=alice, up=False, reasons=["style"])
    assert (second.id, second.up, Thumb.objects.count()) == (first.id, False, 1)
    thumbs.take_back(message, by=alice)
    thumbs.take_back(message, by=alice)
    assert not Thumb.objects.that_count().exists()
    assert thumbs.give(message, by=alice, up=True).id != first.id
    assert Thumb.objects.that_count().count() == 1


def test_a_thumb_changed_after_an_export_marks_the_export(message: Message, alice: User, erin: User) -> None:
    project = message.dialogue.project
    first = thumbs.give(message, by=alice, up=True)
    before = exported(project, "thumbs")
    assert thumbs.give(message, by=alice, up=True).id == first.id  # says the same
    second = thumbs.give(message, by=alice, up=False)
    assert second.id != first.id
    assert retractions_in(before).num == 1
    assert [record.up for record in thumbs_in(exported(project, "thumbs"))] == [False]
    first.refresh_from_db()
    set_retracted(first, retracted=False, by=erin)  # would be a second one on the same message
    assert list(Thumb.objects.that_count()) == [second]


def test_only_what_a_policy_answered_takes_a_thumb(project: Project, alice: User) -> None:
    chat = make_chat(project=project, author=alice)
    question, answer = chat.messages.order_by("position")
    answer.authorship = "edited"
    for refused in (question, answer):
        with pytest.raises(WritingError, match="Only what a policy answered"):
            thumbs.give(refused, by=alice, up=True)
    assert not Thumb.objects.exists()


def test_a_better_answer_is_a_demonstration_that_waits_for_a_reviewer_once(message: Message, alice: User) -> None:
    thumb = thumbs.give(message, by=alice, up=False, better="Paris, on the Seine.")
    demonstration = thumb.better
    assert demonstration is not None
    assert (demonstration.state, demonstration.kind, demonstration.author) == ("submitted", "demonstration", alice)
    said = [(one.role, one.content, one.authorship) for one in demonstration.messages.order_by("position")]
    assert said == [("user", "Question 0?", "typed"), ("assistant", "Paris, on the Seine.", "typed")]
    assert demonstration in Dialogue.objects.awaiting_review_by(make_user(role="reviewer"))
    again = thumbs.give(message, by=alice, up=False, better="Paris.")
    assert again.better_id == demonstration.id
    assert Dialogue.objects.exclude(kind="chat").count() == 1
    assert demonstration.messages.order_by("-position")[0].content == "Paris."
    thumbs.give(message, by=alice, up=False, reasons=["style"])  # without words it stays
    assert Thumb.objects.get(id=thumb.id).better_id == demonstration.id


def test_a_better_answer_that_was_decided_on_is_not_changed_here(message: Message, alice: User, rita: User) -> None:
    thumb = thumbs.give(message, by=alice, up=False, better="Paris.")
    assert thumb.better is not None
    review.accept(Dialogue.objects.get(id=thumb.better.id), by=rita)
    with pytest.raises(WritingError, match="has decided"):
        thumbs.give(message, by=alice, up=False, better="Lyon.")
    assert thumb.better.messages.order_by("-position")[0].content == "Paris."
    export = exported(message.dialogue.project, "demonstrations")
    assert export.num_records == 1
    with pytest.raises(WritingError, match="word for word"):
        thumbs.give(answer_of(alice, message.dialogue.project), by=alice, up=False, better=" Rome. ")


def test_a_better_answer_taken_from_the_answer_says_so(project: Project, alice: User) -> None:
    message = answer_of(alice, project, "The capital of France is Rome, as everybody knows.")
    run = make_run(
        project=project, requested_by=alice, dialogue=message.dialogue, purpose=SamplingRun.Purpose.CHAT, state="done"
    )
    Completion.objects.create(run=run, index=0, content=message.content, policy=project.policy)
    better = thumbs.give(
        message, by=alice, up=False, better="The capital of France is Paris, as everybody knows."
    ).better
    assert better is not None
    assert better.messages.order_by("-position")[0].authorship == "edited"


def test_a_withdrawal_of_a_persons_thumbs_covers_those_in_chats_and_puts_back_what_can_count(
    message: Message, alice: User
) -> None:
    project, adam = message.dialogue.project, make_user(username="adam")
    thumbs.give(message, by=alice, up=True)
    other = thumbs.give(answer_of(alice, project, "Lyon."), by=alice, up=False)
    withdrawal = batches.begin(
        project, by=adam, person=alice, outside_person="", kinds=["thumbs"], since=None, reason="fraud", text=""
    )
    assert not Thumb.objects.that_count().exists()
    again = thumbs.give(message, by=alice, up=False)
    withdrawal.refresh_from_db()
    batches.undo(withdrawal, by=adam, reason="It was another.")
    assert set(Thumb.objects.that_count()) == {again, other}


@pytest.mark.parametrize("may_train", [True, False])
def test_a_thumb_down_is_compared_where_the_project_says_so_and_its_giver_agrees(
    message: Message, alice: User, may_train: bool
) -> None:
    project = message.dialogue.project
    project.compares_thumbs_down = True
    project.save()
    thumbs.give(message, by=alice, up=False, may_train=may_train)
    assert thumbs_down.compare_thumbs_down(project) == int(may_train)


def test_thumbs_of_visitors_leave_only_with_consent_and_when_asked_for(project: Project) -> None:
    visitor = make_user(role="visitor")
    for may_train, text in ((True, "Rome."), (False, "Lyon.")):
        thumbs.give(answer_of(visitor, project, text), by=visitor, up=True, may_train=may_train)
    assert exported(project, "thumbs").num_records == 0
    assert thumbs.forbid_training(visitor) == 1
    assert not Thumb.objects.to_learn_from().exists()


def test_a_thumb_is_given_on_the_page_with_why_and_taken_back(message: Message, alice: User) -> None:
    project = message.dialogue.project
    address = reverse("thumb_message", args=(project.slug, message.dialogue_id, message.id))
    chat = reverse("chat_dialogue", args=(project.slug, message.dialogue_id))
    page = page_of(as_user(alice), chat)
    assert (address in page, "Why, or a better answer" in page) == (True, False)  # nothing is asked before
    given = htmx_post(as_user(alice), address, {"thumb": "down"}).content.decode()
    assert "Why, or a better answer" in given
    assert 'aria-pressed="true"' in given
    answer = htmx_post(
        as_user(alice), address, {"thumb": "down", "why": "1", "reasons": ["style", "other"], "better": "Paris."}
    )
    assert "Saved." in answer.content.decode()
    thumb = Thumb.objects.get()
    assert (thumb.reasons, thumb.better is not None) == (["style", "other"], True)
    refused = htmx_post(as_user(alice), address, {"thumb": "down", "why": "1", "better": "Rome."})
    assert (refused.status_code, "word for word" in refused.content.decode()) == (422, True)
    assert htmx_post(as_user(alice), address, {"thumb": "sideways"}).status_code == 422
    assert as_user(alice).post(address, {"thumb": "none"}).headers["Location"] == f"{chat}#message-{message.id}"
    assert not Thumb.objects.that_count().exists()


def test_a_message_that_is_sampled_anew_leaves_its_thumb(message: Message, alice: User) -> None:
    thumb = thumbs.give(message, by=alice, up=False)
    message.delete()
    thumb.refresh_from_db()
    assert (thumb.message_id, thumb.content) == (None, "Rome.")
    assert isinstance(thumb.id, uuid.UUID)
    (record,) = thumbs_in(exported(thumb.project, "thumbs"))
    assert record.completion.content == "Rome."
