"""What a visitor may ask for, counted in PostgreSQL, also by two requests at once and after deleting."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Dialogue, Preview, SamplingRun, User, VisitorUse
from labeling.preview import chatting, erasure, limits
from labeling.preview.limits import LimitReached
from tests.labeling.overlapping import overlap
from tests.labeling.preview.material import answer, answer_all, chat, make_pair, make_visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def preview() -> Preview:
    return make_pair(messages_per_ten_minutes=3, messages_per_day=5)


@pytest.fixture
def vera(preview: Preview) -> User:
    return make_visitor(preview)


def say(preview: Preview, by: User, *, with_two: bool = False) -> Dialogue:
    return chatting.begin(preview, content="Why?", with_two=with_two, by=by)


def age(**span: float) -> None:
    VisitorUse.objects.update(at=timezone.now() - timedelta(**span))


def test_three_messages_in_ten_minutes_and_five_in_a_day(preview: Preview, vera: User) -> None:
    for _ in range(3):
        chat(preview, vera, "Why?")
    with pytest.raises(LimitReached, match="3 messages in ten minutes"):
        say(preview, vera)
    age(minutes=11)
    for _ in range(2):
        chat(preview, vera, "Why?")
    with pytest.raises(LimitReached, match="5 messages within a day"):
        say(preview, vera)
    age(hours=25)
    assert say(preview, vera)
    assert Dialogue.objects.count() == 6  # what was refused left nothing


def test_deleting_gives_nothing_back(preview: Preview, vera: User) -> None:
    for _ in range(3):
        erasure.erase_dialogue(chat(preview, vera, "Why?"), by=vera)
    with pytest.raises(LimitReached):
        say(preview, vera)


def test_two_answers_at_once_and_no_more(preview: Preview, vera: User) -> None:
    say(preview, vera)
    with pytest.raises(LimitReached, match="still being written"):
        say(preview, vera, with_two=True)
    say(preview, vera)
    with pytest.raises(LimitReached, match="still being written"):
        say(preview, vera)
    for run in SamplingRun.objects.all():
        answer(run)
    assert say(preview, vera)


def test_two_answers_to_one_message_count_as_one_message(preview: Preview, vera: User) -> None:
    for _ in range(3):
        answer_all(say(preview, vera, with_two=True))
    assert VisitorUse.objects.filter(is_message=True).count() == 3
    assert VisitorUse.objects.count() == 6


def test_the_budget_of_a_day_is_of_all_visitors_and_counts_what_was_used(preview: Preview, vera: User) -> None:
    most = preview.project.max_new_tokens
    Preview.objects.update(tokens_per_day=most + 10)
    preview.refresh_from_db()
    dialogue = say(preview, vera)
    walter = make_visitor(preview, email="walter@example.org")
    with pytest.raises(LimitReached, match="full today"):
        say(preview, walter)
    answer(dialogue.sampling_runs.get(), num_tokens=10)
    assert limits.sweep() == 1
    assert limits.tokens_today(preview) == 10
    answer(say(preview, walter).sampling_runs.get(), num_tokens=11)
    limits.sweep()
    with pytest.raises(LimitReached, match="full today"):
        say(preview, vera)
    age(hours=25)
    assert say(preview, vera)


def test_stopping_does_not_make_answers_free(preview: Preview, vera: User) -> None:
    dialogue = say(preview, vera)
    chatting.stop(dialogue, by=vera)
    limits.sweep()
    assert limits.tokens_today(preview) == preview.project.max_new_tokens


@pytest.mark.parametrize("how", ["said", "answered"])
def test_three_blocks_in_an_hour_are_a_pause_of_ten_minutes(preview: Preview, vera: User, how: str) -> None:
    Preview.objects.update(messages_per_ten_minutes=100, messages_per_day=100)
    preview.refresh_from_db()
    for _ in range(3):
        dialogue = say(preview, vera)
        run = dialogue.sampling_runs.get()
        if how == "said":
            SamplingRun.objects.filter(pk=run.pk).update(state="blocked", finished_at=timezone.now())
        else:
            answer(run, "So f")
            run.completions.update(finish_reason="filtered")
        erasure.erase_dialogue(dialogue, by=vera)
    with pytest.raises(LimitReached, match="pause of 10 minutes"):
        say(preview, vera)
    VisitorUse.objects.update(blocked_at=timezone.now() - timedelta(minutes=11))
    assert say(preview, vera)
    assert vera.is_active


def test_a_closed_preview_and_a_closed_account_say_nothing(preview: Preview, vera: User) -> None:
    User.objects.filter(pk=vera.pk).update(is_active=False)
    with pytest.raises(LimitReached, match="account is closed"):
        say(preview, vera)
    User.objects.filter(pk=vera.pk).update(is_active=True)
    preview.is_open = False
    with pytest.raises(LimitReached, match="closed at the moment"):
        say(preview, vera)


def test_old_uses_are_forgotten(preview: Preview, vera: User) -> None:
    chat(preview, vera, "Why?")
    age(days=3)
    limits.sweep()
    assert not VisitorUse.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("who", "sentence"), [("the same", "in ten minutes"), ("another", "full today")])
def test_two_requests_at_once_cannot_pass_a_limit(
    preview: Preview, vera: User, broker: Any, who: str, sentence: str
) -> None:
    """The first has not committed when the second counts: it must wait, and then count the first."""
    if who == "the same":
        for _ in range(2):
            chat(preview, vera, "Why?")
    else:
        Preview.objects.update(tokens_per_day=preview.project.max_new_tokens)
        preview.refresh_from_db()
    second = vera if who == "the same" else make_visitor(preview, email="walter@example.org")
    with pytest.raises(LimitReached, match=sentence):
        overlap(lambda: say(preview, vera), lambda: say(preview, second))


@pytest.mark.django_db(transaction=True)
def test_what_is_said_while_the_account_is_erased_waits_and_is_refused(
    preview: Preview, vera: User, broker: Any
) -> None:
    with pytest.raises(LimitReached, match="account is closed"):
        overlap(lambda: erasure.erase_visitor(vera), lambda: say(preview, vera))
    assert not Dialogue.objects.exists()
