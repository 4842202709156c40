"""Files for the tests of imports: what other projects write, in small, and where the real ones are."""

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

REAL = Path(os.environ.get("PARLEY_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))


def real_file(name: str) -> Path:
    """A real data set beside the checkout; the test is skipped where it is absent."""
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"{path} is absent; PARLEY_TEST_DATA may say where the real data sets are")
    return path


def write_lines(path: Path, values: Iterable[Any]) -> Path:
    """Each value as a line: text as it is, anything else as JSON."""
    lines = [value if isinstance(value, str) else json.dumps(value) for value in values]
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def ranking_record(number: int = 0, *, num_completions: int = 4, **fields: Any) -> dict[str, Any]:
    """A ranking in the records format, best first."""
    ids = [f"k-{number}-{index}" for index in range(num_completions)]
    return {
        "id": f"r-{number}",
        "comparison_id": f"c-{number}",
        "messages": [user(f"Question {number}?")],
        "completions": [{"id": name, "content": f"Answer {name}."} for name in ids],
        "tiers": [[name] for name in ids],
        **fields,
    }


def oasst_message(name: str, role: str, *replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"message_id": name, "text": f"text of {name}", "role": role, "replies": list(replies), **fields}


def oasst_tree(*replies: dict[str, Any]) -> dict[str, Any]:
    return {"message_tree_id": "root", "prompt": oasst_message("root", "prompter", *replies)}


def hh_pair(chosen: str = "Yes.", rejected: str = "No.", before: str = "\n\nHuman: May I?") -> dict[str, str]:
    return {"chosen": f"{before}\n\nAssistant: {chosen}", "rejected": f"{before}\n\nAssistant: {rejected}"}


def open_webui_feedback(rating: Any = -1, **data: Any) -> dict[str, Any]:
    """Open WebUI's feedback on the second of two answers to the second question of a chat."""
    messages: dict[str, dict[str, Any]] = {
        "u1": {"parentId": None, "childrenIds": ["a1"], **user("Q")},
        "a1": {"parentId": "u1", "childrenIds": ["u2"], "model": "m", "done": True, **assistant("A")},
        "u2": {"parentId": "a1", "childrenIds": ["a2", "a3"], "files": [], "models": ["m"], **user("R")},
        "a2": {"parentId": "u2", "childrenIds": [], "model": "n", **assistant("Another.")},
        "a3": {"parentId": "u2", "childrenIds": [], "model": "m", "annotation": {"rating": -1}, **assistant("B")},
    }
    history = {"messages": {name: {"id": name, **one} for name, one in messages.items()}, "currentId": "a2"}
    chat = {"id": "", "title": "T", "models": ["m"], "params": {}, "files": [], "messages": [], "history": history}
    return {
        "id": "f-1",
        "user_id": "u-1",
        "version": 0,
        "type": "rating",
        "data": {
            "rating": rating,
            "model_id": "m",
            "sibling_model_ids": ["n"],
            "reason": "not_helpful",
            "comment": "It says B.",
            **data,
        },
        "meta": {"model_id": "m", "message_id": "a3", "message_index": 4, "chat_id": "c", "arena": False},
        "snapshot": {"chat": {"id": "c", "user_id": "u-1", "title": "T", "chat": chat, "meta": {}, "folder_id": None}},
        "created_at": 1767225600,
        "updated_at": 1767225601,
    }
