"""Erasing: planted strings in every place, one of them while an answer is sampled, and then none is found anywhere."""

import time
import uuid
from typing import Any

import pytest
import redis
from django.conf import settings
from django.urls import reverse

from labeling import exports
from labeling.exports.retractions import num_erased
from labeling.models import (
    AuditEvent,
    CaughtMail,
    Comparison,
    Completion,
    Dialogue,
    DoorLink,
    Erasure,
    Filter,
    Lease,
    Message,
    Preview,
    Prompt,
    PromptVector,
    Ranking,
    Report,
    SamplingRun,
    Screening,
    User,
    VisitorPrompt,
    Withheld,
)
from labeling.preview import chatting, erasure, taking_in
from records.lines import read_json_lines
from records.manifest import verify_directory
from records.names import stream_key
from tests.labeling.factories import make_dialogue, make_prompt, make_user
from tests.labeling.planted import NAMES, found_in_broker, found_in_database, none_planted, planted
from tests.labeling.preview.material import chat, choice, make_pair, make_visitor
from tests.labeling.signed_in import as_user

EMAIL = "planted-email@example.org"
__all__ = ["none_planted"]  # used by every test here


@pytest.fixture
def preview() -> Preview:
    return make_pair(messages_per_ten_minutes=10_000, messages_per_day=10_000, runs_at_once=12)


@pytest.fixture
def vera(preview: Preview) -> User:
    user = make_visitor(preview, email=EMAIL, training=True)
    User.objects.filter(pk=user.pk).update(display_name=planted(), preferences={"note": planted()}, topics=[planted()])
    return User.objects.get(pk=user.pk)


def plant_everywhere(preview: Preview, vera: User, broker: redis.Redis) -> Dialogue:
    """Words of a visitor in each place that holds any; returns the chat whose answer is under way."""
    project, alice = preview.project, make_user(username="alice", projects=[preview.project])
    plain = chat(preview, vera, *(planted() for _ in range(5)))
    Dialogue.objects.filter(pk=plain.pk).update(
        composer={"content": planted()}, topic=planted(), source=planted(), review_comment=planted()
    )
    message = plain.messages.get(position=1)
    Message.objects.filter(pk=message.pk).update(reasoning=planted(), before={"content": planted()})
    run = plain.sampling_runs.order_by("created_at")[0]
    SamplingRun.objects.filter(pk=run.pk).update(error=planted())
    Completion.objects.filter(run=run).update(content=planted(), outside_policy=planted())
    seen = Screening.objects.create(
        project=project, filter=Filter.objects.bundled(), run=run, message=message, side="said", text_sha256="0" * 64,
        verdict="block", reason=planted(), probabilities={planted(): 0.5},
    )  # fmt: skip
    of_completion = Screening.objects.create(
        project=project, filter=Filter.objects.bundled(), completion=run.completions.get(), side="answered",
        text_sha256="0" * 64, verdict="block",
    )  # fmt: skip
    Withheld.objects.create(screening=of_completion, content=planted())
    for about in ({"message": message}, {"completion": run.completions.get()}, {"screening": seen}):
        Report.objects.create(project=project, reporter=vera, content=planted(), note=planted(), reason="r", **about)
    Report.objects.create(project=project, reporter=vera, content=planted(), reason=planted())
    chosen = choice(preview, vera, planted()).dialogue
    ranking = Ranking.objects.get(comparison__dialogue=chosen)
    Ranking.objects.filter(pk=ranking.pk).update(note=planted())
    Comparison.objects.filter(pk=ranking.comparison_id).update(topic=planted())
    taking_in.take_in(preview, by=make_user(username="adam"))
    prompt = Prompt.objects.filter(visitors__dialogue=plain).get()
    PromptVector.objects.create(prompt=prompt, project=project, vector=[1.0] + [0.0] * 383)
    _work_of_trainers(preview, prompt, alice)
    DoorLink.objects.create(preview=preview, email=EMAIL, address_hash="x")
    CaughtMail.objects.create(to=EMAIL, subject="Your way in", body=planted())
    waiting = chatting.begin(preview, content=planted(), with_two=True, by=vera)
    for run in waiting.sampling_runs.all():
        run.refresh_from_db()
        broker.xadd(stream_key(str(run.pk), run.attempt), {"index": 0, "text": planted()})
    return waiting


def _work_of_trainers(preview: Preview, prompt: Prompt, alice: User) -> None:
    """A dialogue and a ranked comparison that begin with a visitor's words."""
    project = preview.project
    turns = [("user", prompt.messages[0]["content"], "imported"), ("assistant", planted(), "typed")]
    begun = make_dialogue(project=project, author=alice, prompt=prompt, turns=turns, state="accepted")
    make_dialogue(project=project, author=alice, turns=turns[:1], branched_from=begun)
    comparison = Comparison.objects.create(
        project=project, prompt=prompt, messages=prompt.messages, prompt_sha256="0" * 64, state="done", open_slots=0
    )
    completion = Completion.objects.create(comparison=comparison, content=planted(), policy=project.policy)
    Completion.objects.create(comparison=comparison, content=planted(), index=1, policy=project.policy)
    lease = Lease.objects.create(
        comparison=comparison, trainer=alice, shown_order=[], state="submitted", expires_at="2030-01-01T00:00Z",
        draft={"note": planted()},
    )  # fmt: skip
    ids = [str(one) for one in comparison.completions.order_by("index").values_list("pk", flat=True)]
    ranking = Ranking.objects.create(
        comparison=comparison, trainer=alice, lease=lease, submission_key=uuid.uuid4(), tiers=[[one] for one in ids],
        shown_order=ids, note=planted(),
    )  # fmt: skip
    ranking.ratings.create(completion=completion, note=planted())


@pytest.mark.django_db(transaction=True)
def test_of_forty_planted_strings_none_is_left_in_the_database_or_the_broker(
    preview: Preview, vera: User, broker: redis.Redis
) -> None:
    waiting = plant_everywhere(preview, vera, broker)
    late = list(waiting.sampling_runs.all())
    assert len(NAMES) >= 40
    assert set(NAMES) <= {one for ones in found_in_database().values() for one in ones} | set(found_in_broker(broker))
    assert len(found_in_broker(broker)) >= 3  # two streams, and requests that wait
    gone = as_user(vera).post(reverse("delete_mine", args=(preview.slug,)))
    assert gone["Location"] == reverse("preview_page", args=(preview.slug,))
    assert [run for run in late if _is_taken(run)] == []  # what comes late finds no run
    broker.xadd(stream_key(str(late[0].pk), late[0].attempt), {"index": 0, "text": planted()})
    erasure.sweep()
    assert (found_in_database(EMAIL), found_in_broker(broker)) == ({}, [])
    stub = User.objects.get(pk=vera.pk)
    assert (stub.is_active, stub.email, str(stub)[:7]) == (False, "", "erased-")
    assert AuditEvent.objects.filter(by=stub, verb="erase account").exists()
    assert as_user(stub).get(reverse("visit", args=(preview.slug,))).status_code == 302


def _is_taken(run: SamplingRun) -> bool:
    """Whether the result of a run that is gone is taken nevertheless."""
    from labeling.dialogues.answers import record_completions
    from records import Completion as CompletionRecord
    from records import SampleResult

    said = CompletionRecord(id="0", content=planted(), policy="p", finish_reason="stop", num_tokens=5)
    return record_completions(SampleResult(run_id=str(run.pk), attempt=run.attempt, completions=(said,)))


@pytest.mark.django_db
def test_one_dialogue_goes_and_the_others_stay(preview: Preview, vera: User) -> None:
    secret = planted()
    gone, kept = chat(preview, vera, secret), chat(preview, vera, "Kept?")
    assert secret in str(found_in_database())
    other = chat(preview, make_visitor(preview, email="walter@example.org"), "His?")
    as_user(vera).post(reverse("delete_visit", args=(preview.slug, gone.pk)))
    assert set(Dialogue.objects.all()) == {kept, other}
    assert secret not in str(found_in_database())
    assert User.objects.get(pk=vera.pk).is_active


@pytest.mark.django_db
def test_frozen_exports_say_what_is_erased_and_their_readers_skip_it(preview: Preview, vera: User, store: Any) -> None:
    project = preview.project
    make_prompt(project=project, content="Of nobody.")
    choice(preview, vera, "Mine to erase?")
    taking_in.take_in(preview, by=make_user(username="adam"))
    kinds = {"rankings": {"trainer_kinds": ["visitor"]}, "prompts": {}}
    frozen = {
        kind: exports.request_export(project, kind=kind, filters=filters, by=None, notify_worker=False)
        for kind, filters in kinds.items()
    }
    for export in frozen.values():
        assert exports.build(export.id)
        export.refresh_from_db()
    files = {kind: settings.PARLEY_STORE / export.store_path / f"{kind}.jsonl" for kind, export in frozen.items()}
    assert {kind: len(list(read_json_lines(file))) for kind, file in files.items()} == {"rankings": 1, "prompts": 2}
    bytes_before = {kind: file.read_bytes() for kind, file in files.items()}
    erasure.erase_dialogues(Dialogue.objects.all(), by=vera)
    erasure.sweep()
    assert {kind: len(list(read_json_lines(file))) for kind, file in files.items()} == {"rankings": 0, "prompts": 1}
    assert {kind: num_erased(export) for kind, export in frozen.items()} == {"rankings": 1, "prompts": 1}
    assert bytes_before == {kind: file.read_bytes() for kind, file in files.items()}
    for file in files.values():
        verify_directory(file.parent)


@pytest.mark.django_db
def test_an_erasure_ends_only_when_no_export_can_bring_words_back(preview: Preview, vera: User) -> None:
    export = exports.request_export(preview.project, kind="prompts", by=None, notify_worker=False)
    erasure.erase_dialogue(chat(preview, vera), by=vera)
    made = Erasure.objects.get()
    Erasure.objects.update(at=made.at.replace(year=2026) - erasure.STRAYS * 2)
    type(export).objects.update(created_at=made.at - erasure.STRAYS * 3)
    erasure.sweep()
    assert Erasure.objects.get().finished_at is None
    type(export).objects.update(state="failed")
    erasure.sweep()
    assert Erasure.objects.get().finished_at is not None


@pytest.mark.django_db
def test_an_account_whose_erasure_was_cut_off_is_erased_by_the_sweep(
    preview: Preview, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat(preview, vera, planted())
    with monkeypatch.context() as broken:
        broken.setattr(erasure, "_erase_batch", lambda *_args, **_kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            erasure.erase_visitor(vera)
    assert User.objects.get(pk=vera.pk).is_active is False  # nobody comes in, and nothing new begins
    assert Dialogue.objects.exists()
    erasure.sweep()
    assert not Dialogue.objects.exists()
    assert not VisitorPrompt.objects.exists()


@pytest.mark.django_db
def test_five_hundred_dialogues_take_less_than_a_minute(preview: Preview, vera: User) -> None:
    dialogues = Dialogue.objects.bulk_create(
        Dialogue(project=preview.project, author=vera, kind=Dialogue.Kind.VISITOR) for _ in range(500)
    )
    Message.objects.bulk_create(
        Message(dialogue=one, position=place, role=role, content="x", authorship="typed")
        for one in dialogues
        for place, role in enumerate(["user", "assistant"] * 3)
    )
    began = time.monotonic()
    assert erasure.erase_dialogues(Dialogue.objects.all(), by=vera) == 500
    assert time.monotonic() - began < 60
    assert not Message.objects.exists()
