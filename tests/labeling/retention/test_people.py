"""Erasing a person who works here: planted strings in every place, and then none is found anywhere."""

import io
import uuid
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError
from django.urls import reverse

from labeling import exports
from labeling.dialogues import suggestions
from labeling.exports.retractions import num_erased
from labeling.models import (
    Adjudication,
    ApiAnswer,
    ApiToken,
    Appeal,
    AuditEvent,
    Case,
    Comment,
    Comparison,
    Completion,
    Dialogue,
    Filter,
    Lease,
    Message,
    PersonErasure,
    Project,
    Promotion,
    Ranking,
    Report,
    ReturnedRanking,
    Screening,
    Session,
    SignInFailures,
    Snippet,
    Thumb,
    User,
    Withdrawal,
)
from labeling.preview import erasure
from labeling.retention import people
from records.lines import read_json_lines
from records.names import stream_key
from tests.labeling.factories import make_chat, make_comparison, make_dialogue, make_user
from tests.labeling.planted import NAMES, found_in_broker, found_in_database, none_planted, planted
from tests.labeling.signed_in import as_user

__all__ = ["none_planted"]  # used by every test here
LATER = "2030-01-01T00:00Z"


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", role="admin", projects=[project])


@pytest.fixture
def sly(project: Project) -> User:
    """A reviewer, who writes, chats, ranks, reviews, adjudicates, reports and appeals."""
    preferences = {"note": planted()}
    values = {"display_name": planted(), "email": f"{planted()}@example.org", "topics": [planted()]}
    return make_user(
        username=planted(), role="reviewer", projects=[project], proven_email=values["email"],
        preferences=preferences, **values,
    )  # fmt: skip


def rank(comparison: Comparison, trainer: User, **fields: Any) -> Ranking:
    ids = [str(one) for one in comparison.completions.order_by("index").values_list("pk", flat=True)]
    lease = Lease.objects.create(
        comparison=comparison, trainer=trainer, shown_order=ids, state="submitted", expires_at=LATER
    )
    return Ranking.objects.create(
        comparison=comparison, trainer=trainer, lease=lease, submission_key=uuid.uuid4(), tiers=[[one] for one in ids],
        shown_order=ids, **fields,
    )  # fmt: skip


def plant_texts(project: Project, sly: User, bob: User) -> None:
    """Dialogues, what was sampled for them, and what others made of them."""
    turns = [("user", planted(), "typed"), ("assistant", planted(), "typed")]
    for state in Dialogue.State.values:
        said = make_dialogue(project=project, author=sly, turns=turns, state=state, composer={"content": planted()})
        turns = [("user", planted(), "typed"), ("assistant", planted(), "typed")]
    said.sampling_runs.create(
        project=project, purpose="suggestion", policy=project.policy, messages=[{"role": "user", "content": planted()}],
        num_completions=1, sampling={}, state="done", error=planted(),
    ).completions.create(content=planted())  # fmt: skip
    chat = make_chat(project=project, author=sly)
    chat.messages.filter(position=0).update(content=planted())
    answer = chat.messages.get(position=1)
    asked = make_comparison(
        project=project, dialogue=chat, message=answer, messages=[{"role": "user", "content": planted()}]
    )
    ranking = rank(asked, bob, note=planted())
    # Bob's better answer begins with what the other asked, and joins a copy of the comparison.
    bobs = [("user", planted(), "imported"), ("assistant", "better", "typed")]
    make_dialogue(project=project, author=bob, turns=bobs, lease=ranking.lease, branched_from=chat, state="accepted")
    # And theirs joins a comparison that Bob has asked for and ranked.
    of_bob = make_comparison(project=project, num_completions=1)
    written = make_dialogue(project=project, author=sly, turns=turns, state="accepted")
    joined = make_comparison(project=project, num_completions=1, family=of_bob)
    for message in (written.messages.get(position=1), None):
        Completion.objects.create(comparison=joined, index=5, content=planted(), author=sly, message=message)
    rank(joined, bob)


def plant_words(project: Project, sly: User, bob: User) -> None:
    """Words beside work that is kept, and rows of theirs alone."""
    kept = make_comparison(project=project)
    own = rank(kept, sly, note=planted())
    own.ratings.create(completion=kept.completions.first(), note=planted())
    others = rank(kept, bob, note="Bob's")
    Lease.objects.create(
        comparison=make_comparison(project=project), trainer=sly, shown_order=[], expires_at=LATER,
        draft={"note": planted()}, skip_reason=planted(),
    )  # fmt: skip
    rank(make_comparison(project=project), sly, abstained=planted())
    decided = Adjudication.objects.create(comparison=kept, reviewer=sly, words=planted(), draft={"words": planted()})
    ReturnedRanking.objects.create(adjudication=decided, lease=others.lease, words=planted())
    of_bob = make_dialogue(project=project, author=bob, reviewed_by=sly, review_comment=planted(), state="returned")
    Comment.objects.create(project=project, dialogue=of_bob, author=sly, text=planted())
    message = of_bob.messages.get(position=1)
    Report.objects.create(project=project, reporter=sly, message=message, content="x", note=planted())
    Case.objects.create(project=project, decided_by=sly, why=planted())
    Thumb.objects.create(
        project=project, created_by=sly, message=message, outside_trainer=sly.pseudonym, content="x", up=True,
        messages=[{"role": "user", "content": planted()}], content_sha256="1" * 64, reason=planted(),
    )  # fmt: skip
    for person in ({"person": sly, "why": planted()}, {"person": bob, "decided_by": sly, "reply": planted()}):
        seen = Screening.objects.create(
            project=project, filter=Filter.objects.bundled(), message=message, side="said", text_sha256="0" * 64,
            verdict="warn",
        )  # fmt: skip
        Appeal.objects.create(project=project, screening=seen, **person)
    Promotion.objects.create(project=project, policy=project.policy, by=sly, reason=planted())
    Withdrawal.objects.create(
        project=project, person=bob, kinds=[], reason="other", text=planted(), by=sly, undone_by=sly,
        undone_reason=planted(),
    )  # fmt: skip
    Snippet.objects.create(owner=sly, name="mine", text=planted())
    token = ApiToken.objects.create(owner=sly, name=planted(), prefix="p", sha256="2" * 64)
    ApiAnswer.objects.create(token=token, key=planted(), request_sha256="x", body=planted())
    SignInFailures.objects.create(key=f"name:{sly.username}", window_ends_at=LATER)
    AuditEvent.note("return dialogue", of_bob, by=sly, comment=planted(), copies=[])


@pytest.mark.django_db(transaction=True)
def test_of_fifty_planted_strings_none_is_left_in_the_database_or_the_broker(
    project: Project, sly: User, bob: User, adam: User, broker: redis.Redis
) -> None:
    plant_texts(project, sly, bob)
    plant_words(project, sly, bob)
    asked = make_dialogue(project=project, author=sly, turns=[("user", planted(), "typed")])
    late = suggestions.suggest(asked, again=False, by=sly)
    late.refresh_from_db()
    broker.xadd(stream_key(str(late.pk), late.attempt), {"text": planted()})
    as_user(sly).get(reverse("account"))
    assert len(NAMES) >= 50
    found = {one for ones in found_in_database().values() for one in ones} | set(found_in_broker(broker))
    assert set(NAMES) <= found
    assert len(found_in_broker(broker)) >= 2  # a stream, and a request that waits
    people.erase_person(sly, by=adam)
    assert (found_in_database(), found_in_broker(broker)) == ({}, [])
    stub = User.objects.get(pk=sly.pk)
    assert (stub.is_active, stub.pseudonym, str(stub)[:7]) == (False, sly.pseudonym, "erased-")
    assert not Session.objects.filter(user=stub).exists()
    # What is kept has no name and no words; what others did beside it is as it was.
    assert stub.rankings.count() == 2
    assert set(Ranking.objects.filter(trainer=bob).values_list("note", flat=True)) == {"Bob's"}
    event = AuditEvent.objects.get(verb="erase person")
    assert (event.by, event.subject_id) == (adam, str(stub.pk))
    assert "rankings" in event.detail["counts"]
    assert not [one for one in NAMES if one in str(event.detail)]


@pytest.mark.django_db
def test_frozen_exports_say_what_is_erased_and_what_is_kept_stays_in_new_ones(
    project: Project, sly: User, bob: User, adam: User, store: Any
) -> None:
    make_dialogue(project=project, author=sly, state="accepted")
    make_dialogue(project=project, author=bob, state="accepted")
    plain, noted = (make_comparison(project=project) for _ in range(2))
    rank(plain, sly)
    rank(noted, sly, note="mine")
    rank(noted, bob)
    frozen = {
        kind: exports.request_export(project, kind=kind, by=None, notify_worker=False)
        for kind in ("rankings", "demonstrations")
    }
    for export in frozen.values():
        assert exports.build(export.id)
        export.refresh_from_db()
    files = {kind: store / export.store_path / f"{kind}.jsonl" for kind, export in frozen.items()}
    before = {kind: file.read_bytes() for kind, file in files.items()}
    people.erase_person(sly, by=adam)
    erasure.sweep()
    assert {kind: num_erased(export) for kind, export in frozen.items()} == {"rankings": 1, "demonstrations": 1}
    assert {kind: len(list(read_json_lines(file))) for kind, file in files.items()} == {
        "rankings": 2,
        "demonstrations": 1,
    }
    assert before == {kind: file.read_bytes() for kind, file in files.items()}
    again = exports.request_export(project, kind="rankings", by=None, notify_worker=False)
    assert exports.build(again.id)
    again.refresh_from_db()
    assert again.num_records == 3  # the ranking without its note is one again


@pytest.mark.django_db
def test_an_admin_sees_what_will_happen_and_confirms_by_the_name(sly: User, adam: User, project: Project) -> None:
    make_dialogue(project=project, author=sly)
    browser, url = as_user(adam), reverse("erase_person", args=(sly.pk,))
    shown = browser.get(url).content.decode()
    assert "Dialogues, drafts and chats of theirs, with the answers in them: <b>1</b>" in shown
    assert browser.post(url, {"name": "somebody"}).status_code == 422
    assert Dialogue.objects.exists()
    assert browser.post(url, {"name": sly.username})["Location"] == url
    assert not Dialogue.objects.exists()
    assert "Erased on" in browser.get(url).content.decode()
    assert browser.post(reverse("open_account", args=(sly.pk,))).status_code == 422  # there is nobody to come back
    assert browser.post(url, {"name": User.objects.get(pk=sly.pk).username}).status_code == 422


@pytest.mark.django_db
def test_only_an_admin_who_has_lately_proven_it_erases_and_never_themselves(
    sly: User, adam: User, erin: User, settings: Any
) -> None:
    url = reverse("erase_person", args=(sly.pk,))
    for other in (sly, erin):
        assert as_user(other).post(url, {"name": sly.username}).status_code == 403
    own = reverse("erase_person", args=(adam.pk,))
    assert "another admin does it" in as_user(adam).post(own, {"name": "adam"}).content.decode()
    settings.CONFIRM_MINUTES = 1
    browser = as_user(adam)
    session = browser.session
    session["proven_at"] = 0
    session.save()
    assert browser.post(url, {"name": sly.username})["Location"].startswith(reverse("confirm"))
    assert not PersonErasure.objects.exists()


@pytest.mark.django_db
def test_an_erasure_that_was_cut_off_is_gone_on_with(
    project: Project, sly: User, adam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dialogue(project=project, author=sly)
    monkeypatch.setattr(people, "PATIENCE", -1.0)
    made = people.erase_person(sly, by=adam)
    assert Dialogue.objects.exists()
    assert not User.objects.get(pk=sly.pk).is_active
    monkeypatch.undo()
    people.sweep()
    assert not Dialogue.objects.exists()
    made.refresh_from_db()
    assert made.finished_at is None  # a request that was under way may still write
    PersonErasure.objects.update(at=made.at - erasure.STRAYS * 2)
    make_dialogue(project=project, author=sly)
    people.sweep()
    assert not Dialogue.objects.exists()
    made.refresh_from_db()
    assert made.finished_at is not None


@pytest.mark.django_db
def test_the_command_says_first_and_does_it_with_yes(sly: User, project: Project) -> None:
    Message.objects.filter(dialogue=make_dialogue(project=project, author=sly)).update(content=planted())
    said = io.StringIO()
    call_command("erase_person", sly.username, stdout=said)
    assert "1 dialogues, drafts and chats" in said.getvalue()
    assert Dialogue.objects.exists()
    call_command("erase_person", sly.username, "--yes", stdout=said)
    assert not Dialogue.objects.exists()
    with pytest.raises(CommandError, match="Nobody here is called"):
        call_command("erase_person", "nobody")
