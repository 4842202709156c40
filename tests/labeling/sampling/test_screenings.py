"""What the content filter saw, as rows: recorded once, with the text that it is about; what becomes of the run, its
comparison and its dialogue where it blocked.
"""

from typing import Any

import pytest

from labeling.dialogues import answers, chat, suggestions
from labeling.dialogues.editing import edit_message
from labeling.dialogues.rules import WritingError
from labeling.jobs import dispatch
from labeling.models import (
    Comparison,
    Completion,
    Dialogue,
    Filter,
    FilterRules,
    Message,
    Project,
    SamplingRun,
    Screening,
    User,
    Webhook,
    Withheld,
)
from labeling.sampling import comparisons, runs, screenings
from labeling.sampling.failures import retry_comparison
from labeling.tasks import record_completions
from labeling.webhooks import deliveries
from records import encode
from records.screening import FilterRule
from tests.labeling.factories import make_chat, make_dialogue, make_user
from tests.labeling.sampling.sampling_runs import State, sent_run, waiting_comparison
from tests.labeling.sampling.screened import WITHHELD, blocked_result, screened_result

pytestmark = pytest.mark.django_db


def chat_run(project: Project, alice: User, **fields: Any) -> SamplingRun:
    dialogue = make_dialogue(
        project=project, author=alice, kind=Dialogue.Kind.CHAT, turns=[("user", "Hello?", Message.Authorship.TYPED)]
    )
    values = {"purpose": "chat", "dialogue": dialogue, "position": 1, "requested_by": alice, **fields}
    return sent_run(project, messages=[{"role": "user", "content": "Hello?"}], **values)


def rules(project: Project, version: int, *, is_on: bool = True, **fields: Any) -> FilterRules:
    rule = FilterRule(category="S", side="said", warn_at=0.4, **fields)
    return FilterRules.objects.create(project=project, version=version, is_on=is_on, rules=[encode(rule)])


def test_a_request_names_the_filter_in_force_and_the_rules_of_its_project(project: Project, alice: User) -> None:
    run = sent_run(project, requested_by=alice)
    screen = dispatch.request_of(run).screen
    assert screen is not None
    assert (screen.filter, screen.filter_path, screen.rules_version, screen.rules) == ("bundled", "", 0, ())
    assert not screen.needs_filter
    rules(project, 1)
    screen = dispatch.request_of(run).screen
    assert screen is not None
    assert (screen.rules_version, [rule.warn_at for rule in screen.rules]) == (1, [0.4])
    rules(project, 2, is_on=False)
    assert dispatch.request_of(run).screen is None


def test_a_visitor_is_answered_only_where_the_filter_sees_it(project: Project) -> None:
    visitor = make_user(username="vera", role=User.Role.VISITOR)
    screen = dispatch.request_of(sent_run(project, requested_by=visitor)).screen
    assert screen is not None
    assert screen.needs_filter


def test_a_run_keeps_the_rules_that_it_was_sent_with(project: Project, alice: User) -> None:
    rules(project, 1)
    run = runs.request_completions(
        project, purpose="chat", messages=[{"role": "user", "content": "Hi"}], num_completions=1, by=alice
    )
    runs.send_waiting()
    rules(project, 2)
    run.refresh_from_db()
    answers.record_completions(screened_result(run, ("Hello.", "pass")))
    assert set(Screening.objects.values_list("rules_version", flat=True)) == {1}
    assert {one.rules_version for one in [dispatch.request_of(run).screen] if one} == {1}


def test_a_screening_stands_with_the_text_that_it_is_about(project: Project, alice: User) -> None:
    run = chat_run(project, alice)
    assert answers.record_completions(screened_result(run, ("Hello, Alice.", "warn")))
    assert not answers.record_completions(screened_result(run, ("Hello, Alice.", "warn")))
    assert not answers.record_completions(screened_result(run, ("Other", "warn"), attempt=9))
    said, answered = Screening.objects.order_by("-side")
    assert run.dialogue is not None
    assert (said.message, said.verdict, said.acted) == (run.dialogue.messages.get(position=0), "pass", False)
    assert (answered.completion, answered.verdict, answered.category) == (run.completions.get(), "warn", "S")
    assert (answered.filter.name, answered.run, answered.attempt, answered.acted) == ("bundled", run, 1, True)
    assert (answered.probabilities, answered.milliseconds, answered.end) == ({"S": 0.9}, 3.5, 13)


def test_a_blocked_answer_holds_what_was_shown_and_the_rest_apart(project: Project, alice: User) -> None:
    run = chat_run(project, alice)
    answers.record_completions(screened_result(run, ("It began well.", "block")))
    assert run.dialogue is not None
    assert run.dialogue.messages.get(position=1).content == "It began well."
    held = Withheld.objects.get()
    assert held.content == f" {WITHHELD} 0"
    assert held.screening.completion == run.completions.get()
    # What goes to the policy later is what was shown: no notice, and nothing of what was withheld.
    chat.say(run.dialogue, content="And then?", num_drafts=1, by=alice)
    newest = SamplingRun.objects.order_by("-created_at").first()
    assert newest is not None
    assert [one["content"] for one in newest.messages] == ["Hello?", "It began well.", "And then?"]


def test_what_was_said_and_blocked_ends_the_run_for_good(project: Project, alice: User) -> None:
    run = chat_run(project, alice)
    assert answers.record_completions(blocked_result(run))
    assert not answers.record_completions(blocked_result(run))
    run.refresh_from_db()
    assert (run.state, run.lease_until) == (State.BLOCKED, None)
    assert Screening.objects.get().message is not None
    runs.send_waiting()
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.BLOCKED, 1)


def test_blocked_runs_leave_a_person_s_place_free(project: Project, alice: User) -> None:
    for _ in range(runs.MOST_RUNS_OF_ONE_PERSON):
        answers.record_completions(blocked_result(chat_run(project, alice)))
    assert runs.request_completions(
        project, purpose="chat", messages=[{"role": "user", "content": "Hi"}], num_completions=1, by=alice
    )


def test_a_blocked_message_is_answered_once_it_is_changed(project: Project, alice: User) -> None:
    run = chat_run(project, alice)
    answers.record_completions(blocked_result(run))
    dialogue = run.dialogue
    assert dialogue is not None
    for ask in (
        lambda: chat.ask_for_answers(dialogue, num_drafts=1, by=alice),
        lambda: chat.regenerate(dialogue, num_drafts=1, by=alice),
        lambda: suggestions.suggest(dialogue, again=True, by=alice),
    ):
        with pytest.raises(WritingError, match="blocked"):
            ask()
    message = dialogue.messages.get(position=0)
    assert message.content == "Hello?"
    edit_message(message, content="Good day?", by=alice)
    assert chat.ask_for_answers(dialogue, num_drafts=1, by=alice)


def test_blocked_drafts_and_suggestions_are_not_offered(project: Project, alice: User) -> None:
    run = chat_run(project, alice, num_completions=3)
    answers.record_completions(screened_result(run, ("One.", "pass"), ("Two", "block"), ("Three.", "pass")))
    one, two, three = run.completions.order_by("index")
    assert run.dialogue is not None
    with pytest.raises(WritingError, match="blocked"):
        chat.choose(run.dialogue, two, by=alice)
    with pytest.raises(WritingError, match="blocked"):
        suggestions.take(run.dialogue, two, by=alice)
    chat.choose(run.dialogue, three, by=alice)
    made = Comparison.objects.get()
    assert set(made.completions.all()) == {one, three}


def test_a_blocked_answer_replaces_nothing(project: Project, alice: User) -> None:
    dialogue = make_chat(project=project, author=alice)
    old = dialogue.messages.get(position=1)
    edit_message(dialogue.messages.get(position=0), content="Another question", by=alice)
    run = answers.regenerate_next(dialogue, after=0, by=alice)
    assert run is not None
    SamplingRun.objects.filter(pk=run.pk).update(state=State.SENT, attempt=1)
    run.refresh_from_db()
    answers.record_completions(screened_result(run, ("Half of", "block")))
    run.refresh_from_db()
    again = dialogue.messages.get(position=1)
    assert (again.content, again.needs_second_look) == (old.content, True)
    assert "blocked" in run.error


@pytest.mark.parametrize(
    ("verdicts", "use", "state"),
    [
        (("pass", "pass", "block"), "work", "open"),
        (("pass", "warn", "pass"), "work", "open"),
        (("pass", "block", "block"), "work", "failed"),
        (("pass", "block"), "evaluation", "failed"),
        (("pass", "pass", "block"), "evaluation", "failed"),
    ],
)
def test_a_comparison_opens_with_what_is_left_of_it(
    project: Project, verdicts: tuple[str, ...], use: str, state: str
) -> None:
    comparison = waiting_comparison(project, use=use)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=len(verdicts))
    answers.record_completions(screened_result(run, *((f"Text {i}.", one) for i, one in enumerate(verdicts))))
    comparison.refresh_from_db()
    run.refresh_from_db()
    assert comparison.state == state
    assert comparison.completions.count() == sum(one != "block" for one in verdicts)
    assert not Completion.objects.filter(comparison=comparison, finish_reason="filtered").exists()
    num = verdicts.count("block")
    assert run.error.startswith(f"The content filter blocked {num} completion" if state == "failed" else "")


def test_a_blocked_prompt_fails_its_comparison_until_a_person_tries_it_again(project: Project, rita: User) -> None:
    comparison = waiting_comparison(project)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=2)
    answers.record_completions(blocked_result(run))
    comparison.refresh_from_db()
    assert comparison.state == Comparison.State.FAILED
    assert retry_comparison(comparison, by=rita)
    run.refresh_from_db()
    comparison.refresh_from_db()
    assert (run.state, comparison.state) == (State.WAITING, Comparison.State.SAMPLING)


def test_an_answer_of_which_the_rest_was_blocked_is_no_original_of_its_comparison(
    project: Project, alice: User
) -> None:
    project.keeps_original, project.num_completions = True, 3
    project.save()
    run = chat_run(project, alice)
    answers.record_completions(screened_result(run, ("It began well.", "block")))
    made = comparisons.make_comparisons(project, num=1, seed=1, by=alice)
    assert [one.completions.count() for one in made] == [0]
    assert made[0].sampling_runs.get().num_completions == 3


def test_what_a_person_stopped_keeps_what_the_filter_said_of_it(project: Project, alice: User) -> None:
    run = chat_run(project, alice)
    runs.cancel(run, by=alice)
    assert answers.record_completions(screened_result(run, ("In the beg", "warn")))
    assert Screening.objects.that_acted().get().completion == run.completions.get()


def test_a_screening_by_an_unknown_filter_or_of_nothing_is_left_out(project: Project, alice: User) -> None:
    run = chat_run(project, alice)
    result = encode(screened_result(run, ("Hello.", "warn")))
    result["screenings"][0]["filter"] = "gone"
    result["screenings"][1]["index"] = 7
    record_completions(result)
    assert run.completions.count() == 1
    assert not Screening.objects.exists()
    assert set(Filter.objects.values_list("name", flat=True)) <= {"bundled"}


def test_a_copy_of_a_text_is_warned_of_like_the_text(project: Project, alice: User) -> None:
    comparison = waiting_comparison(project)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=2)
    answers.record_completions(screened_result(run, ("One.", "warn"), ("Two.", "pass")))
    first = run.completions.get(index=0)
    copy = Completion.objects.create(comparison=waiting_comparison(project), content="One.", copied_from=first)
    found = screenings.of_completions([copy, *run.completions.all()])
    assert {pk: row.verdict for pk, row in found.items()} == {copy.pk: "warn", first.pk: "warn"}


def test_a_block_is_told_outside_without_the_text(project: Project, alice: User, erin: User, listener: Any) -> None:
    deliveries.add_webhook(project, url=listener.url, events=["screening.blocked"], by=erin)
    answers.record_completions(screened_result(chat_run(project, alice), ("Well,", "block")))
    delivery = Webhook.objects.get().deliveries.get()
    assert delivery.event == "screening.blocked"
    assert '"category": "S"' in delivery.body
    assert WITHHELD not in delivery.body
