"""The pages of writing, with and without scripts: the list, the pool, the editor, its composer and its suggestions."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import AuditEvent, Completion, Dialogue, Message, PassedPrompt, Project, SamplingRun, User
from tests.labeling.factories import make_chat, make_dialogue, make_project, make_prompt, make_run, make_user
from tests.labeling.signed_in import as_user, htmx_get, htmx_post

pytestmark = pytest.mark.django_db

TURNS = [("user", "Why is the sky blue?", "typed"), ("assistant", "It scatters.", "typed")]


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=[*TURNS, ("user", "And at sunset?", "typed")])


def address(name: str, dialogue: Dialogue, *arguments: Any) -> str:
    return reverse(name, args=(dialogue.project.slug, dialogue.pk, *arguments))


def contents(dialogue: Dialogue) -> list[str]:
    return list(dialogue.messages.order_by("position").values_list("content", flat=True))


def make_suggestions(dialogue: Dialogue, *texts: str, **fields: Any) -> list[Completion]:
    messages = [
        {"role": message.role, "content": message.content} for message in dialogue.messages.order_by("position")
    ]
    run = make_run(
        project=dialogue.project,
        dialogue=dialogue,
        messages=messages,
        position=len(messages),
        requested_by=dialogue.author,
        num_completions=len(texts),
        **{"state": SamplingRun.State.DONE, **fields},
    )
    return [
        Completion.objects.create(run=run, index=index, content=text, policy=run.policy)
        for index, text in enumerate(texts)
    ]


def test_a_dialogue_is_started_from_nothing_or_from_the_pool(client: Client, project: Project, alice: User) -> None:
    prompt = make_prompt(project=project, content="Tell me about bats.", topic="animals")
    assert "Tell me about bats." in client.get(reverse("write", args=("sky",))).content.decode()
    blank = client.post(reverse("start_dialogue", args=("sky",)))
    begun = client.post(reverse("start_dialogue", args=("sky",)), {"prompt": prompt.pk})
    dialogues = Dialogue.objects.filter(author=alice).order_by("created_at")
    assert [answer["Location"] for answer in (blank, begun)] == [address("dialogue", one) for one in dialogues]
    assert [contents(one) for one in dialogues] == [[], ["Tell me about bats."]]


def test_a_prompt_of_another_project_starts_nothing(client: Client) -> None:
    foreign = make_prompt(project=make_project())
    assert client.post(reverse("start_dialogue", args=("sky",)), {"prompt": foreign.pk}).status_code == 422
    assert client.post(reverse("not_my_topic", args=("sky", foreign.pk))).status_code == 404


def test_not_my_topic_brings_the_next_opening_in_its_place(client: Client, project: Project, alice: User) -> None:
    prompts = [make_prompt(project=project, content=f"Question {number}?", topic="animals") for number in range(2)]
    first = htmx_get(client, reverse("write", args=("sky",))).content.decode()
    shown = next(prompt for prompt in prompts if prompt.messages[0]["content"] in first)
    answer = htmx_post(client, reverse("not_my_topic", args=("sky", shown.pk))).content.decode()
    assert shown.messages[0]["content"] not in answer
    assert PassedPrompt.objects.get(trainer=alice).prompt == shown


def test_topics_are_chosen_per_project(client: Client, project: Project, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(topics=["cooking"])  # of another project
    make_prompt(project=project, topic="animals")
    make_prompt(project=project, topic="money")
    client.post(reverse("choose_topics", args=("sky",)), {"topics": ["money"]})
    alice.refresh_from_db()
    assert alice.topics == ["cooking", "money"]
    client.post(reverse("choose_topics", args=("sky",)))
    alice.refresh_from_db()
    assert alice.topics == ["cooking"]
    assert client.post(reverse("choose_topics", args=("sky",)), {"topics": ["nonsense"]}).status_code == 422


def test_a_message_is_added_with_and_without_scripts(client: Client, draft: Dialogue) -> None:
    answer = client.post(address("add_message", draft), {"role": "assistant", "content": "Red goes on."})
    assert answer["Location"] == address("dialogue", draft)
    answer = htmx_post(client, address("add_message", draft), {"role": "user", "content": "Why?", "seconds": "12"})
    assert "Why?" in answer.content.decode()
    assert "parley:dialogue-changed" in answer["HX-Trigger"]
    assert contents(draft)[3:] == ["Red goes on.", "Why?"]
    draft.refresh_from_db()
    assert draft.seconds == 12


def test_line_ends_of_browsers_do_not_make_a_taken_text_an_edited_one(client: Client, draft: Dialogue) -> None:
    (suggestion,) = make_suggestions(draft, "One.\n\nTwo.  ")
    values = {"role": "assistant", "content": "One.\r\n\r\nTwo.  ", "completion": suggestion.pk}
    client.post(address("add_message", draft), values)
    message = draft.messages.get(position=3)
    assert (message.content, message.authorship, message.completion) == ("One.\n\nTwo.  ", "taken", suggestion)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"role": "user", "content": "Twice the user?"}, "take turns"),
        ({"role": "assistant", "content": " \n "}, "required"),
        ({"role": "emperor", "content": "Hm"}, "not one of the available choices"),
        ({"role": "assistant", "content": "x" * 100_001}, "at most 100000"),
        ({"role": "assistant", "content": "a\x00b"}, "NUL character"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused_and_kept_in_the_composer(
    client: Client, draft: Dialogue, values: dict[str, str], problem: str
) -> None:
    answer = client.post(address("add_message", draft), values)
    assert (answer.status_code, problem in answer.content.decode()) == (422, True)
    if values["content"].strip() and "\x00" not in values["content"]:
        assert values["content"] in answer.content.decode()
    answer = htmx_post(client, address("add_message", draft), values)
    assert (answer.status_code, answer["HX-Reswap"]) == (422, "none")
    assert problem in answer["HX-Trigger"]
    assert len(contents(draft)) == 3


def test_the_composer_is_kept_with_the_suggestion_it_began_as(client: Client, draft: Dialogue) -> None:
    (suggestion,) = make_suggestions(draft, "Red goes on.")
    values = {"role": "assistant", "content": "Red goes", "completion": suggestion.pk, "version": draft.version}
    answer = client.post(address("save_composer", draft), values)
    assert answer.json()["version"] == draft.version + 1
    draft.refresh_from_db()
    assert draft.composer == {"role": "assistant", "content": "Red goes", "completion": str(suggestion.pk)}
    assert f'value="{suggestion.pk}"' in client.get(address("dialogue", draft)).content.decode()


def test_a_stale_composer_is_answered_with_the_text_that_is_there(client: Client, draft: Dialogue) -> None:
    for number, status in enumerate((200, 409)):
        answer = client.post(
            address("save_composer", draft), {"role": "assistant", "content": f"text {number}", "version": 0}
        )
        assert answer.status_code == status
    assert answer.json() == {"version": 1, "saved": {"role": "assistant", "content": "text 0"}}
    assert client.post(address("save_composer", draft), {"role": "assistant", "content": "x"}).status_code == 422


def test_an_earlier_message_is_edited_and_the_later_ones_go(client: Client, draft: Dialogue) -> None:
    first = draft.messages.get(position=0)
    form = htmx_get(client, address("edit_message", draft, first.pk)).content.decode()
    assert "The 2 later messages" in form
    assert "Why is the sky blue?" in client.get(address("edit_message", draft, first.pk)).content.decode()
    answer = client.post(address("edit_message", draft, first.pk), {"content": "Why is it blue?", "later": "delete"})
    assert answer.status_code == 302
    assert contents(draft) == ["Why is it blue?"]
    answer = htmx_post(client, address("edit_message", draft, first.pk), {"content": " ", "later": "keep"})
    assert answer.status_code == 422


def test_messages_of_others_and_of_other_dialogues_cannot_be_touched(client: Client, draft: Dialogue) -> None:
    bob = make_user(username="bob", projects=[draft.project])
    his = make_dialogue(project=draft.project, author=bob, turns=TURNS)
    theirs = his.messages.get(position=0)
    for name in ("edit_message", "delete_message", "branch_dialogue", "still_fits"):
        assert client.post(address(name, draft, theirs.pk)).status_code == 404
        assert client.post(address(name, his, theirs.pk)).status_code == 404
    for name in ("dialogue", "suggestions"):
        assert client.get(address(name, his)).status_code == 404
    for name in ("add_message", "save_composer", "submit_dialogue", "undo_submission", "withdraw_dialogue", "suggest"):
        assert client.post(address(name, his)).status_code == 404
    assert contents(his) == [content for _role, content, _how in TURNS]


def test_a_dialogue_is_not_found_under_another_project(client: Client, draft: Dialogue, alice: User) -> None:
    other = make_project(slug="sea")
    other.memberships.create(user=alice)
    assert client.get(reverse("dialogue", args=("sea", draft.pk))).status_code == 404


def test_submitting_takes_the_composers_text_along(client: Client, draft: Dialogue) -> None:
    refused = htmx_post(client, address("submit_dialogue", draft))
    assert "ends with an answer" in refused["HX-Trigger"]
    answer = htmx_post(client, address("submit_dialogue", draft), {"role": "assistant", "content": "Red goes on."})
    assert answer["HX-Redirect"] == address("dialogue", draft)
    draft.refresh_from_db()
    assert (draft.state, contents(draft)[-1]) == ("submitted", "Red goes on.")
    page = client.get(address("dialogue", draft)).content.decode()
    assert "Take it back, until" in page
    client.post(address("undo_submission", draft))
    draft.refresh_from_db()
    assert draft.state == "draft"


def test_a_message_that_was_added_before_a_refused_submission_is_not_lost(client: Client, project: Project) -> None:
    dialogue = make_dialogue(project=project, author=User.objects.get(username="alice"), turns=TURNS)
    answer = client.post(
        address("submit_dialogue", dialogue), {"role": "user", "content": "And at sunset?"}, follow=True
    )
    assert "ends with an answer" in answer.content.decode()
    dialogue.refresh_from_db()
    assert (dialogue.state, contents(dialogue)[-1]) == ("draft", "And at sunset?")


def test_a_deleted_dialogue_is_gone(client: Client, draft: Dialogue) -> None:
    assert client.post(address("withdraw_dialogue", draft))["Location"] == "/p/sky/write/"
    assert client.get(address("dialogue", draft)).status_code == 404
    assert "Why is the sky blue?" not in client.get("/p/sky/write/").content.decode()


def test_suggestions_are_asked_for_once_and_again_on_demand(client: Client, draft: Dialogue) -> None:
    for again, num_runs in (("", 1), ("", 1), ("yes", 2)):
        htmx_post(client, address("suggest", draft), {"again": again})
        assert SamplingRun.objects.filter(dialogue=draft).count() == num_runs
    first, second = SamplingRun.objects.filter(dialogue=draft).order_by("created_at")
    assert (first.state, second.state) == ("cancelled", "waiting")
    assert (second.as_role, second.position, len(second.messages)) == ("assistant", 3, 3)
    assert second.streams


def test_the_page_asks_for_suggestions_by_itself_once_something_is_said(client: Client, draft: Dialogue) -> None:
    assert "load delay" in client.get(address("dialogue", draft)).content.decode()
    empty = make_dialogue(project=draft.project, author=draft.author, turns=[])
    assert "load delay" not in client.get(address("dialogue", empty)).content.decode()
    make_suggestions(draft, "Red goes on.")
    assert "load delay" not in client.get(address("dialogue", draft)).content.decode()


def test_suggestions_for_messages_that_changed_are_not_shown(client: Client, draft: Dialogue) -> None:
    make_suggestions(draft, "Red goes on.")
    assert "Red goes on." in htmx_get(client, address("suggestions", draft)).content.decode()
    Message.objects.filter(dialogue=draft, position=2).update(content="And at night?")
    assert "Red goes on." not in htmx_get(client, address("suggestions", draft)).content.decode()


def test_the_control_arm_shows_none_and_says_why(client: Client, project: Project, alice: User) -> None:
    control = make_dialogue(project=project, author=alice, turns=TURNS, offers_suggestions=False)
    assert "can be measured" in client.get(address("dialogue", control)).content.decode()
    htmx_post(client, address("suggest", control))
    assert not SamplingRun.objects.exists()


def test_a_suggestion_is_taken_without_scripts(client: Client, draft: Dialogue) -> None:
    (suggestion,) = make_suggestions(draft, "Red goes on.")
    assert client.post(address("take_suggestion", draft, suggestion.pk)).status_code == 302
    page = client.get(address("dialogue", draft)).content.decode()
    assert "Red goes on.</textarea>" in page
    foreign = make_suggestions(make_dialogue(project=draft.project, author=draft.author), "Not yours.")[0]
    assert client.post(address("take_suggestion", draft, foreign.pk)).status_code == 404


def test_none_fits_is_noted_once(client: Client, draft: Dialogue) -> None:
    run = make_suggestions(draft, "Red goes on.")[0].run
    assert run is not None
    for _ in range(2):
        answer = htmx_post(client, address("none_fit", draft, run.pk))
    assert "noted: none fits" in answer.content.decode()
    assert AuditEvent.objects.filter(verb="none fits", subject_id=str(run.pk)).count() == 1


def test_suggestions_are_stopped_by_who_asked_for_them_alone(client: Client, draft: Dialogue) -> None:
    run = make_run(project=draft.project, dialogue=draft, state="sent", requested_by=draft.author)
    bob = make_user(username="bob", projects=[draft.project])
    assert as_user(bob).post(address("stop_suggestions", draft, run.pk)).status_code == 404
    assert htmx_post(client, address("stop_suggestions", draft, run.pk)).status_code == 204
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_a_chat_opens_as_a_chat(client: Client, project: Project, alice: User) -> None:
    chat = make_chat(project=project, author=alice)
    assert client.get(address("dialogue", chat))["Location"] == address("chat_dialogue", chat)


def test_engineers_do_not_write(erins_browser: Client) -> None:
    assert erins_browser.get(reverse("write", args=("sky",))).status_code == 403


def test_longer_dialogues_and_lists_cost_no_more_queries(
    client: Client, project: Project, alice: User, django_assert_num_queries: Any
) -> None:
    short = make_dialogue(project=project, author=alice, turns=TURNS)
    with django_assert_num_queries(9):
        client.get(address("dialogue", short))
    long = make_dialogue(project=project, author=alice, turns=TURNS * 10)
    with django_assert_num_queries(9):
        client.get(address("dialogue", long))
    with django_assert_num_queries(11):
        client.get(reverse("write", args=("sky",)))
    for _ in range(6):
        make_dialogue(project=project, author=alice, turns=TURNS)
        make_prompt(project=project)
    with django_assert_num_queries(11):
        client.get(reverse("write", args=("sky",)))
