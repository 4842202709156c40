"""Dialogues as they are written: places, authorship, edits, branches, the composer."""

import uuid
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.dialogues import editing, review
from labeling.dialogues.rules import StaleVersion, WritingError
from labeling.models import AuditEvent, Completion, Dialogue, Message, Project, User
from tests.labeling.factories import QUESTION, make_chat, make_dialogue, make_project, make_prompt, make_run

pytestmark = pytest.mark.django_db


def texts(dialogue: Dialogue) -> list[tuple[int, str, str, str]]:
    return list(dialogue.messages.order_by("position").values_list("position", "role", "content", "authorship"))


def suggestion(dialogue: Dialogue, content: str, *, as_role: str = "assistant", **fields: object) -> Completion:
    run = make_run(project=dialogue.project, dialogue=dialogue, as_role=as_role, **fields)
    return Completion.objects.create(run=run, content=content, policy=run.policy)


def test_a_trainer_writes_both_sides(project: Project, alice: User) -> None:
    dialogue = editing.start_demonstration(project, by=alice)
    editing.add_message(dialogue, role="user", content="Hello?", by=alice, seconds=4)
    editing.add_message(dialogue, role="assistant", content="Hello.", by=alice, seconds=6)
    assert texts(dialogue) == [(0, "user", "Hello?", "typed"), (1, "assistant", "Hello.", "typed")]
    dialogue.refresh_from_db()
    assert (dialogue.version, dialogue.seconds, dialogue.state) == (2, 10, "draft")
    assert dialogue.guideline_version == project.guidelines


def test_a_dialogue_on_a_prompt_begins_with_it(project: Project, alice: User) -> None:
    prompt = make_prompt(project=project, content="Tell me about bats.", topic="animals")
    dialogue = editing.start_demonstration(project, by=alice, prompt=prompt)
    assert texts(dialogue) == [(0, "user", "Tell me about bats.", "imported")]
    assert (dialogue.prompt, dialogue.topic) == (prompt, "animals")


def test_the_control_arm_is_written_without_suggestions(alice: User) -> None:
    offered = Counter(
        editing.start_demonstration(project, by=alice).offers_suggestions
        for project in [make_project(control_share=0.5)]
        for _ in range(60)
    )
    assert min(offered.values()) > 12  # of 60; fewer has a chance of 1 in a million
    assert editing.start_demonstration(make_project(control_share=1.0), by=alice).offers_suggestions is False


@pytest.mark.parametrize(
    ("turns", "role", "content", "complaint"),
    [
        ([], "assistant", "Hello.", "speaks first"),
        ([("user", "Hello?", "typed")], "user", "Anybody?", "take turns"),
        ([], "user", "  \n ", "cannot be empty"),
        ([], "user", "x" * 100_001, "at most"),
        ([], "user", "a\x00b", "NUL"),
        ([], "tool", "Hello?", "not a role"),
        ([("system", "Be brief.", "typed")], "system", "Be kind.", "already"),
    ],
)
def test_it_refuses_nonsense(
    project: Project, alice: User, turns: list[tuple[str, str, str]], role: str, content: str, complaint: str
) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=turns)
    with pytest.raises(WritingError, match=complaint):
        editing.add_message(dialogue, role=role, content=content, by=alice)
    assert len(texts(dialogue)) == len(turns)


def test_a_system_message_goes_to_the_start_and_leaves_alone(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    system = editing.add_message(dialogue, role="system", content="Be brief.", by=alice)
    assert [(position, role) for position, role, *_ in texts(dialogue)] == [
        (0, "system"),
        (1, "user"),
        (2, "assistant"),
    ]
    assert dialogue.messages.filter(needs_second_look=True).count() == 2
    editing.delete_from(system, by=alice)
    assert [(position, role) for position, role, *_ in texts(dialogue)] == [(0, "user"), (1, "assistant")]


def test_in_a_chat_only_the_policy_answers(project: Project, alice: User) -> None:
    dialogue = editing.start_chat(project, by=alice)
    editing.add_message(dialogue, role="user", content="Hello?", by=alice)
    with pytest.raises(WritingError, match="the policy answers"):
        editing.add_message(dialogue, role="assistant", content="Hello.", by=alice)


def test_only_its_author_changes_a_dialogue_and_only_while_it_is_open(project: Project, alice: User, bob: User) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    message = dialogue.messages.get(position=1)
    for attempt in (
        lambda: editing.add_message(dialogue, role="user", content="Hi.", by=bob),
        lambda: editing.edit_message(message, content="Hi.", by=bob),
        lambda: editing.delete_from(message, by=bob),
        lambda: editing.save_composer(dialogue, role="user", content="Hi.", version=0, by=bob),
        lambda: review.submit_dialogue(dialogue, by=bob),
    ):
        with pytest.raises(WritingError, match="Only its author"):
            attempt()
    review.submit_dialogue(dialogue, by=alice)
    with pytest.raises(WritingError, match="handed in"):
        editing.edit_message(message, content="Hi.", by=alice)


@pytest.mark.parametrize(
    ("content", "authorship", "distance"),
    [("Paris is the capital.", "taken", 0), ("Paris is its capital.", "edited", 3)],
)
def test_a_suggestion_is_taken_or_edited_and_the_distance_is_kept(
    project: Project, alice: User, content: str, authorship: str, distance: int
) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    completion = suggestion(dialogue, "Paris is the capital.")
    message = editing.add_message(dialogue, role="assistant", content=content, by=alice, completion=completion)
    message.refresh_from_db()
    assert (message.authorship, message.edit_distance, message.completion) == (authorship, distance, completion)
    assert message.policy == project.policy
    completion.refresh_from_db()
    assert completion.taken_at is not None


SHOWN = "Yellow leaves usually mean too much water.\nLet the soil dry out."


@pytest.mark.parametrize(
    ("content", "authorship", "distance"),
    [
        (SHOWN, "taken", 0),
        (SHOWN.replace("usually", "often"), "edited", 7),
        ("The soil is wet for too long. Let it dry out, and it will get better soon.", "typed", None),
    ],
)
def test_the_text_of_a_suggestion_that_was_shown_is_never_signed_typed(
    project: Project, alice: User, content: str, authorship: str, distance: int | None
) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    completion = suggestion(dialogue, SHOWN.replace("\n", "\r\n"), position=1)
    message = editing.add_message(dialogue, role="assistant", content=content, by=alice)
    message.refresh_from_db()
    assert (message.authorship, message.edit_distance) == (authorship, distance)
    assert message.completion == (None if authorship == "typed" else completion)
    completion.refresh_from_db()
    assert (completion.taken_at is None) == (authorship == "typed")


def test_a_text_that_is_another_suggestion_than_the_one_named_is_that_one(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    named, other = (suggestion(dialogue, content, position=1) for content in ("Lyon.", "Paris."))
    message = editing.add_message(dialogue, role="assistant", content="Paris.", by=alice, completion=named)
    assert (message.authorship, message.completion) == ("taken", other)
    named.refresh_from_db()
    assert named.taken_at is None


def test_a_typed_message_edited_into_a_suggestion_is_taken(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    completion = suggestion(dialogue, SHOWN, position=1)
    message = editing.add_message(dialogue, role="assistant", content="Mine.", by=alice)
    editing.edit_message(message, content=SHOWN, by=alice)
    message.refresh_from_db()
    assert (message.authorship, message.completion, message.policy) == ("taken", completion, project.policy)


def test_a_suggestion_for_another_dialogue_or_side_is_refused(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    other = make_dialogue(project=project, author=alice)
    for completion in (suggestion(other, "Paris."), suggestion(dialogue, "Paris.", as_role="user")):
        with pytest.raises(WritingError, match="another place"):
            editing.add_message(dialogue, role="assistant", content="Paris.", by=alice, completion=completion)


def test_authorship_follows_every_edit(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    completion = suggestion(dialogue, "Paris.")
    message = editing.add_message(dialogue, role="assistant", content="Paris.", by=alice, completion=completion)
    for content, authorship, distance in (
        ("Paris!", "edited", 1),
        ("Paris, yes!", "edited", 6),
        ("Paris.", "taken", 0),
    ):
        editing.edit_message(message, content=content, by=alice)
        message.refresh_from_db()
        assert (message.authorship, message.edit_distance) == (authorship, distance)


def test_a_policys_answer_that_a_person_corrects_is_edited(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, kind="chat", turns=[("user", QUESTION, "typed")])
    message = editing.add_policy_message(dialogue, suggestion(dialogue, "Lyon is the capital.", position=1))
    assert (message.authorship, message.edit_distance) == ("policy", None)
    editing.edit_message(message, content="Paris is the capital.", by=alice)
    message.refresh_from_db()
    assert (message.authorship, message.edit_distance) == ("edited", 5)


def test_an_answer_that_a_person_writes_anew_is_typed(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, kind="chat", turns=[("user", QUESTION, "typed")])
    message = editing.add_policy_message(dialogue, suggestion(dialogue, "Lyon.", position=1))
    editing.edit_message(message, content="Paris, since Hugh Capet.", by=alice)
    message.refresh_from_db()
    assert (message.authorship, message.edit_distance) == ("typed", None)
    assert (message.completion, message.policy) == (None, None)


def test_typed_stays_typed_and_imported_becomes_edited(project: Project, alice: User) -> None:
    dialogue = make_dialogue(
        project=project, author=alice, turns=[("user", "Hello?", "imported"), ("assistant", "Hello.", "typed")]
    )
    for message in dialogue.messages.all():
        editing.edit_message(message, content="Changed.", by=alice)
    assert [authorship for *_, authorship in texts(dialogue)] == ["edited", "typed"]


@pytest.mark.parametrize(("later", "left", "marked"), [("keep", 4, 0), ("mark", 4, 2), ("delete", 2, 0)])
def test_what_comes_after_an_edit_is_kept_marked_or_deleted(
    project: Project, alice: User, later: str, left: int, marked: int
) -> None:
    dialogue = make_chat(project=project, author=alice, num_turns=2)
    editing.edit_message(dialogue.messages.get(position=1), content="Other.", by=alice, later=later)  # type: ignore[arg-type]
    assert dialogue.messages.count() == left
    assert dialogue.messages.filter(needs_second_look=True).count() == marked


def test_a_second_look_that_changes_nothing_takes_the_mark_away(project: Project, alice: User) -> None:
    dialogue = make_chat(project=project, author=alice, num_turns=2)
    editing.edit_message(dialogue.messages.get(position=0), content="Other?", by=alice, later="mark")
    marked = dialogue.messages.get(position=1)
    editing.edit_message(marked, content=marked.content, by=alice)
    assert dialogue.messages.filter(needs_second_look=True).count() == 2
    marked.refresh_from_db()
    assert (marked.needs_second_look, marked.authorship) == (False, "policy")


def test_deleting_takes_all_that_comes_after(project: Project, alice: User) -> None:
    dialogue = make_chat(project=project, author=alice, num_turns=3)
    message = dialogue.messages.get(position=2)
    editing.delete_from(message, by=alice)
    assert [position for position, *_ in texts(dialogue)] == [0, 1]
    assert AuditEvent.objects.get(verb="delete messages").detail == {"position": 2, "role": "user"}
    with pytest.raises(WritingError, match="deleted in another tab"):
        editing.edit_message(message, content="Hi.", by=alice)


def test_a_branch_copies_what_came_before_with_its_authorship(project: Project, alice: User, bob: User) -> None:
    dialogue = make_chat(project=project, author=alice, num_turns=3)
    copy = editing.branch(dialogue.messages.get(position=3), by=bob)
    assert texts(copy) == texts(dialogue)[:4]
    assert (copy.author, copy.state, copy.branched_from, copy.branched_at) == (bob, "draft", dialogue, 3)
    assert copy.messages.get(position=1).policy == project.policy
    assert len(texts(dialogue)) == 6
    assert not set(copy.messages.values_list("id")) & set(dialogue.messages.values_list("id"))
    event = AuditEvent.objects.get(verb="branch dialogue", by=bob, subject_id=str(copy.id))
    assert event.detail == {"origin": str(dialogue.id), "position": 3}


def test_a_branch_stays_in_its_origins_arm_and_took_no_time_yet(project: Project, alice: User) -> None:
    dialogue = make_chat(project=project, author=alice, offers_suggestions=False)
    dialogue.messages.update(seconds=30.0)
    copy = editing.branch(dialogue.messages.get(position=1), by=alice)
    assert not copy.offers_suggestions
    assert set(copy.messages.values_list("seconds", flat=True)) == {0.0}


def test_a_policys_answer_stands_word_for_word_and_once(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, kind="chat", turns=[("user", QUESTION, "typed")])
    completion = suggestion(dialogue, " Paris. ", position=1)
    message = editing.add_policy_message(dialogue, completion)
    assert editing.add_policy_message(dialogue, completion) == message
    assert texts(dialogue)[1:] == [(1, "assistant", " Paris. ", "policy")]
    assert message.policy == project.policy


def test_a_policys_answer_that_nobody_waits_for_any_more_is_refused(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice, kind="chat", turns=[("user", QUESTION, "typed")])
    late = suggestion(dialogue, "Paris.", position=3)
    other = suggestion(make_chat(project=project), "Paris.")
    for completion, complaint in ((late, "moved on"), (other, "not sampled for"), (suggestion(dialogue, " "), "empty")):
        with pytest.raises(WritingError, match=complaint):
            editing.add_policy_message(dialogue, completion)


def test_the_composer_is_kept_and_emptied_by_the_message(project: Project, alice: User) -> None:
    dialogue = editing.start_demonstration(project, by=alice)
    assert editing.save_composer(dialogue, role="user", content="Hel", version=0, by=alice) == 1
    assert editing.save_composer(dialogue, role="user", content="Hello?", version=1, by=alice) == 2
    dialogue.refresh_from_db()
    assert dialogue.composer == {"role": "user", "content": "Hello?"}
    editing.add_message(dialogue, role="user", content="Hello?", by=alice)
    dialogue.refresh_from_db()
    assert (dialogue.composer, dialogue.version) == ({}, 3)


def test_two_tabs_never_overwrite_each_other(project: Project, alice: User) -> None:
    tab, other_tab = editing.start_demonstration(project, by=alice), Dialogue.objects.get()
    editing.save_composer(tab, role="user", content="In this tab.", version=0, by=alice)
    with pytest.raises(StaleVersion) as stale:
        editing.save_composer(other_tab, role="user", content="In the other.", version=0, by=alice)
    assert stale.value.version == 1
    assert stale.value.saved["content"] == "In this tab."
    assert stale.value.yours["content"] == "In the other."
    newer = editing.save_composer(other_tab, role="user", content="Both.", version=stale.value.version, by=alice)
    assert newer == 2


def test_statements_do_not_grow_with_the_dialogue(project: Project, alice: User) -> None:
    counts = []
    for num_turns in (1, 25):
        dialogue = make_chat(project=project, author=alice, num_turns=num_turns)
        with CaptureQueriesContext(connection) as statements:
            message = editing.add_message(dialogue, role="user", content="And?", by=alice)
            editing.edit_message(message, content="And then?", by=alice)
            editing.branch(message, by=alice)
            editing.delete_from(dialogue.messages.get(position=0), by=alice)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_message_that_is_gone_is_no_bug(project: Project, alice: User) -> None:
    dialogue = make_chat(project=project, author=alice)
    ghost = Message(id=uuid.uuid4(), dialogue=dialogue, position=0, role="user", content="Boo.")
    with pytest.raises(WritingError):
        editing.edit_message(ghost, content="Boo!", by=alice)
