"""Conversations that chat products export: the branch on the screen, its reasoning apart, nothing that is no text."""

from typing import Any

import pytest

from labeling.imports.detection import FORMATS
from labeling.imports.importer import read_records
from labeling.imports.reader import Entry, Refusal
from tests.labeling.imports.files import assistant, user


def webui(**chat: Any) -> dict[str, Any]:
    """A chat with two answers to its question, of which the second was kept."""
    messages = {
        "q": {**user("Q"), "id": "q", "parentId": None, "childrenIds": ["a", "b"], "models": ["m"]},
        "a": {**assistant("A"), "id": "a", "parentId": "q", "childrenIds": [], "model": "m", "done": True},
        "b": {**assistant("B"), "id": "b", "parentId": "q", "childrenIds": [], "model": "m", "done": True},
    }
    history = {"messages": messages, "currentId": "b"}
    return {
        "id": "c",
        "user_id": "u",
        "title": "T",
        "chat": {"title": "T", "models": ["m"], "history": history, **chat},
    }


def chat_ui(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"_id": "c", "title": "T", "model": "m", "messages": list(messages), **fields}


def said(who: str, content: str, *ancestors: str, **fields: Any) -> dict[str, Any]:
    return {"from": who, "id": content, "content": content, "ancestors": list(ancestors), "children": [], **fields}


def read(row: dict[str, Any]) -> tuple[str, Any]:
    known = next(known for known in FORMATS if known.dialogues and known.recognises(Entry(1, row)))
    (found,) = read_records(iter([Entry(1, row)]), known, "dialogues")
    return known.name, found.reason if isinstance(found, Refusal) else found


def spoken(row: dict[str, Any]) -> list[tuple[str, str]]:
    _, found = read(row)
    return [(message.role, message.content) for message in found.records[0].messages]


def test_open_webui_gives_the_branch_that_was_on_the_screen() -> None:
    name, found = read(webui())
    assert (name, found.unread) == ("open-webui", ())
    assert spoken(webui()) == [("user", "Q"), ("assistant", "B")]
    assert spoken(webui(system="S"))[0] == ("system", "S")


def test_reasoning_that_is_written_into_an_answer_is_kept_apart() -> None:
    row = webui()
    folded = '<details type="reasoning" done="true">\n<summary>Thought a while</summary>\n> Hm.\n> So.\n</details>'
    row["chat"]["history"]["messages"]["b"]["content"] = f"{folded}\nB"
    answer = read(row)[1].records[0].messages[-1]
    assert (answer.content, answer.reasoning) == ("B", "Hm.\nSo.")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parentId": "b"}, "goes round in a circle"),
        ({"parentId": "nobody"}, "has no message 'nobody'"),
        ({"content": '<details type="tool_calls">x</details>B'}, "has tool_calls written into it"),
        ({"files": [{"name": "x"}]}, '"files" of a message would be lost'),
        ({"sources": [{"document": ["x"]}]}, "the documents that the answer went by"),
        ({"annotation": {"rating": -1}}, "speaks against the answer"),
    ],
)
def test_an_open_webui_chat_that_cannot_be_kept_is_refused(change: dict[str, Any], reason: str) -> None:
    row = webui()
    row["chat"]["history"]["messages"]["b"] |= change
    assert reason in read(row)[1]


def test_chat_ui_gives_the_last_branch_with_its_system_message() -> None:
    messages = [
        said("system", ""),
        said("user", "Q", ""),
        said("assistant", "A", "", "Q"),
        said("user", "R", "", "Q", "A"),
        said("assistant", "B", "", "Q", reasoning="Hm."),
    ]
    row = chat_ui(*messages, preprompt="S")
    assert read(row)[0] == "chat-ui"
    assert spoken(row) == [("system", "S"), ("user", "Q"), ("assistant", "B")]
    assert read(row)[1].records[0].messages[-1].reasoning == "Hm."


def test_a_system_message_beside_a_branch_that_has_another_is_not_lost() -> None:
    said_twice = chat_ui(said("system", "S"), said("user", "Q", "S"), said("assistant", "A", "S", "Q"), preprompt="S")
    assert spoken(said_twice) == [("system", "S"), ("user", "Q"), ("assistant", "A")]
    assert "two system messages" in read({**said_twice, "preprompt": "T"})[1]


def test_chat_ui_without_branches_is_a_list() -> None:
    row = chat_ui({"from": "user", "content": "Q"}, {"from": "assistant", "content": "A", "score": 1})
    assert spoken(row) == [("user", "Q"), ("assistant", "A")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (chat_ui(said("user", "Q"), said("assistant", "A", "Q", score=-1)), "speaks against the answer"),
        (chat_ui(said("user", "Q"), said("assistant", "A", "lost")), "names a message that is not there"),
        (chat_ui(said("user", "Q", files=["f"]), said("assistant", "A", "Q")), '"messages[].files" would be lost'),
    ],
)
def test_a_chat_ui_conversation_that_cannot_be_kept_is_refused(row: dict[str, Any], reason: str) -> None:
    assert reason in read(row)[1]
