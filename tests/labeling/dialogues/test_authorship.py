"""Which completions a message is compared with: what its author was shown, wherever the browser says it is from."""

import pytest

from labeling.dialogues import chat, editing
from labeling.models import Completion, Dialogue, Message, Project, User
from tests.labeling.factories import QUESTION, make_dialogue, make_run

pytestmark = pytest.mark.django_db

SHOWN = "Yellow leaves usually mean too much water. Let the soil dry out."
OTHER = "Move the plant to a brighter place, and feed it less from now on."
SHORT = "Water it less."
OWN = "Mine grew well again once I had stopped looking after it for a fortnight."


@pytest.fixture
def dialogue(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])


def shown(dialogue: Dialogue, content: str = SHOWN, **fields: object) -> Completion:
    run = make_run(project=dialogue.project, dialogue=dialogue, **{"position": 1, **fields})
    return Completion.objects.create(run=run, content=content, policy=run.policy)


def add(dialogue: Dialogue, content: str = SHOWN, **fields: object) -> Message:
    assert dialogue.author is not None
    values = {"role": "assistant", "content": content, "by": dialogue.author, **fields}
    message = editing.add_message(dialogue, **values)  # type: ignore[arg-type]
    message.refresh_from_db()
    return message


def origin_of(message: Message) -> tuple[str, Completion | None]:
    return message.authorship, message.completion


def test_own_words_stay_typed_whatever_the_browser_names(dialogue: Dialogue) -> None:
    message = add(dialogue, OWN, completion=shown(dialogue))
    assert (origin_of(message), message.policy, message.edit_distance) == (("typed", None), None, None)
    assert Completion.objects.get().taken_at is None


def test_two_suggestions_joined_and_one_with_a_preamble_are_edited(dialogue: Dialogue) -> None:
    shown(dialogue)
    longer = shown(dialogue, OTHER)
    message = add(dialogue, f"{SHOWN}\n\n{OTHER}")
    assert origin_of(message) == ("edited", longer)
    assert message.edit_distance == len(SHOWN) + 2
    editing.edit_message(message, content=f"{OWN}\n\n{SHOWN}", by=message.dialogue.author)  # type: ignore[arg-type]
    message.refresh_from_db()
    assert origin_of(message) == ("edited", Completion.objects.get(content=SHOWN))


@pytest.mark.parametrize(("content", "authorship"), [(SHORT, "taken"), (f"{SHORT}\n", "edited"), (OWN, "typed")])
def test_a_short_suggestion_is_told_but_for_its_blanks(dialogue: Dialogue, content: str, authorship: str) -> None:
    shown(dialogue, SHORT)
    assert add(dialogue, content).authorship == authorship


def test_earlier_runs_and_regenerated_answers_count(dialogue: Dialogue) -> None:
    first = shown(dialogue)
    for _ in range(3):
        shown(dialogue, OTHER)
    message = add(dialogue)
    assert origin_of(message) == ("taken", first)
    anew = shown(dialogue, "It is thirsty, or it drowns: put a finger into the soil.", replaces=message)
    editing.edit_message(message, content=anew.content, by=dialogue.author)  # type: ignore[arg-type]
    message.refresh_from_db()
    assert origin_of(message) == ("taken", anew)


@pytest.mark.parametrize("content", [SHOWN, SHORT])
def test_a_system_message_that_came_later_moves_no_suggestion_away(dialogue: Dialogue, content: str) -> None:
    completion = shown(dialogue, content)
    add(dialogue, "Be brief.", role="system")
    assert origin_of(add(dialogue, content)) == ("taken", completion)


def test_long_words_are_the_models_wherever_they_were_shown_and_short_ones_are_not(dialogue: Dialogue) -> None:
    for content in (SHOWN, SHORT):
        shown(dialogue, content, position=3, messages=[{"role": "user", "content": QUESTION}] * 3)
        shown(dialogue, content, as_role="user")
    assert add(dialogue, SHORT).authorship == "typed"
    assert add(dialogue, SHOWN, role="user").authorship == "taken"


def test_what_was_shown_before_a_branch_counts_and_what_another_was_shown_does_not(
    project: Project, dialogue: Dialogue, alice: User, bob: User
) -> None:
    completion = shown(dialogue)
    copy = editing.branch(dialogue.messages.get(), by=alice)
    assert origin_of(add(editing.branch(copy.messages.get(), by=alice))) == ("taken", completion)
    assert add(editing.branch(dialogue.messages.get(), by=bob)).authorship == "typed"
    unrelated = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    shown(unrelated, purpose="comparison")  # nobody sees it while they write
    assert add(unrelated).authorship == "typed"


def test_a_users_turn_that_repeats_a_draft_of_the_policy_is_no_persons(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, kind="chat", turns=[("user", QUESTION, "typed")])
    run = make_run(project=project, dialogue=dialogue, purpose="chat", position=1, num_completions=2)
    chosen, passed = (
        Completion.objects.create(run=run, index=index, content=content, policy=run.policy)
        for index, content in enumerate((SHOWN, OTHER))
    )
    chat.choose(dialogue, chosen, by=alice)
    chat.say(dialogue, content=OTHER, num_drafts=1, by=alice)
    said = dialogue.messages.get(position=2)
    assert origin_of(said) == ("taken", passed)
    for content, authorship in ((f"You said: {SHOWN}", "edited"), (f"{OWN} You said: {SHOWN[:20]}", "typed")):
        editing.edit_message(said, content=content, by=alice)
        said.refresh_from_db()
        assert said.authorship == authorship


def test_what_a_suggestion_quotes_from_a_persons_words_stays_theirs(dialogue: Dialogue) -> None:
    message = add(dialogue, OWN)
    asked = [one.plain for one in dialogue.messages.order_by("position")]
    shown(dialogue, f"You wrote that “{OWN}” Do go on!", position=2, as_role="user", messages=asked)
    editing.edit_message(message, content=OWN.replace("fortnight", "week"), by=dialogue.author)  # type: ignore[arg-type]
    message.refresh_from_db()
    assert origin_of(message) == ("typed", None)


def test_statements_do_not_grow_with_what_was_shown(dialogue: Dialogue, django_assert_max_num_queries: object) -> None:
    for _ in range(30):
        shown(dialogue, OTHER)
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        add(dialogue, OWN)
