"""What people are told of the content filter: in a chat, beside what is written, on a board. A notice is no text."""

import pytest
from django.test import Client
from django.urls import reverse

from labeling.dialogues import answers
from labeling.models import Comparison, Dialogue, FilterRules, Lease, Message, Project, SamplingRun, User
from labeling.rankings.assignment import claim
from labeling.sampling.streaming import _state_of
from tests.labeling.factories import make_dialogue
from tests.labeling.sampling.sampling_runs import sent_run, waiting_comparison
from tests.labeling.sampling.screened import WITHHELD, blocked_result, saw, screened_result

pytestmark = pytest.mark.django_db

NOTICE = "The filter blocked"
FOLD = "verdict folds"
IMITATION = "The filter blocked this message as sexual. [Appeal](/appeal/) <details class='verdict folds'>"


@pytest.fixture
def client(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def asked(
    project: Project, alice: User, *, kind: str = Dialogue.Kind.CHAT, said: str = "Hello?", num: int = 1
) -> SamplingRun:
    dialogue = make_dialogue(project=project, author=alice, kind=kind, turns=[("user", said, Message.Authorship.TYPED)])
    is_chat = kind == Dialogue.Kind.CHAT
    return sent_run(
        project,
        purpose="chat" if is_chat else "suggestion",
        dialogue=dialogue,
        position=1,
        requested_by=alice,
        num_completions=num,
        messages=[{"role": "user", "content": said}],
    )


def page(client: Client, run: SamplingRun, name: str = "chat_dialogue", **headers: str) -> str:
    assert run.dialogue is not None
    response = client.get(reverse(name, args=(run.project.slug, run.dialogue.pk)), headers=headers)
    assert response.status_code == 200
    return str(response.content.decode())


def test_a_warned_answer_is_folded_behind_its_notice(client: Client, project: Project, alice: User) -> None:
    run = asked(project, alice)
    answers.record_completions(screened_result(run, ("A long night.", "warn")))
    html = page(client, run)
    assert html.count(FOLD) == 1
    assert "The filter marked this as sexual." in html
    assert html.index(FOLD) < html.index("A long night.")


def test_a_block_says_what_by_which_rules_and_that_nobody_decided_it(
    client: Client, project: Project, alice: User
) -> None:
    FilterRules.objects.create(project=project, version=3, rules=[{"category": "S", "side": "said", "warn_at": 0.5}])
    run = asked(project, alice)
    SamplingRun.objects.filter(pk=run.pk).update(rules_version=3)
    answers.record_completions(screened_result(run, ("It began well.", "block")))
    html = page(client, run)
    assert f"{NOTICE} this answer as sexual" in html
    assert "Decided automatically" in html
    assert "by version 3 of this project’s rules" in html
    assert "It began well." in html
    assert WITHHELD not in html


def test_a_blocked_message_stays_with_its_notice_and_nobody_is_asked(
    client: Client, project: Project, alice: User
) -> None:
    run = asked(project, alice, said="Something rude")
    answers.record_completions(blocked_result(run))
    html = page(client, run)
    assert "Something rude" in html
    assert f"{NOTICE} this message as sexual" in html
    assert "by the filter’s own thresholds" in html
    assert reverse("regenerate", args=(project.slug, run.dialogue_id)) not in html
    assert _state_of(SamplingRun.objects.get(pk=run.pk)).is_under_way is False


def test_a_block_before_the_first_word_is_told_where_the_answer_would_stand(
    client: Client, project: Project, alice: User
) -> None:
    run = asked(project, alice)
    answers.record_completions(screened_result(run, ("", "block")))
    assert f"{NOTICE} this answer" in page(client, run)


@pytest.mark.parametrize("purpose", ["chat", "suggestion"])
def test_what_was_blocked_is_not_offered(client: Client, project: Project, alice: User, purpose: str) -> None:
    kind = Dialogue.Kind.CHAT if purpose == "chat" else Dialogue.Kind.DEMONSTRATION
    run = asked(project, alice, kind=kind, num=3)
    answers.record_completions(screened_result(run, ("One.", "pass"), ("Two", "block"), ("Three.", "warn")))
    name = "chat_dialogue" if purpose == "chat" else "suggestions"
    html = page(client, run, name, **{"HX-Request": "true"})
    one, two, three = run.completions.order_by("index")
    take = "choose_answer" if purpose == "chat" else "take_suggestion"
    offered = [reverse(take, args=(project.slug, run.dialogue_id, c.pk)) in html for c in (one, two, three)]
    assert offered == [True, False, True]
    assert (html.count(NOTICE), html.count(FOLD)) == (1, 1)


def test_a_text_that_imitates_a_notice_stays_a_text(client: Client, project: Project, alice: User) -> None:
    run = asked(project, alice)
    answers.record_completions(screened_result(run, (IMITATION, "pass")))
    html = page(client, run)
    assert 'class="verdict' not in html
    assert "<details class='verdict folds'>" not in html


def test_what_was_not_judged_bears_a_small_mark(client: Client, project: Project, alice: User) -> None:
    run = asked(project, alice)
    result = screened_result(run, ("Bonjour.", "pass"))
    unjudged = saw("answered", "not judged", "Bonjour.", index=0, category=None, acted=False, reason="not English")
    answers.record_completions(
        type(result)(
            run_id=result.run_id, attempt=result.attempt, completions=result.completions, screenings=(unjudged,)
        )
    )
    html = page(client, run)
    assert "not judged" in html
    assert "not English" in html


def test_a_board_shows_what_is_left_with_its_warnings(client: Client, project: Project, alice: User) -> None:
    comparison = waiting_comparison(project, round=project.current_round, rankings_wanted=1)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=3)
    answers.record_completions(screened_result(run, ("One.", "pass"), ("Two", "block"), ("Three.", "warn")))
    held = claim(project, by=alice)
    assert isinstance(held, Lease)
    html = client.get(reverse("lease", args=(project.slug, held.pk))).content.decode()
    assert Comparison.objects.get().state == Comparison.State.OPEN
    assert (html.count('data-letter="A"'), html.count('data-letter="C"')) == (1, 0)
    assert (html.count(FOLD), html.count(NOTICE)) == (1, 0)
    assert WITHHELD not in html
