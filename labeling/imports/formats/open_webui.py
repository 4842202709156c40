"""Open WebUI's export of feedback: {"type": "rating", "data", "meta", "snapshot"}, with the chat as it stood.

The chat is a tree of messages by id; the judged one is "meta.message_id", and its parents are what it answers. What the
answer went by besides (documents, files, tools) is not in the text, so such chats are refused.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.dates import moment_of, moment_of_seconds
from labeling.imports.formats import Format, has_keys
from labeling.imports.formats.chat import after_system
from labeling.imports.formats.keys import Keys, keys, require_harmless, says_nothing, thumb_of, unread_keys
from labeling.imports.formats.kto import policy_of, reason_in, thumb_on
from labeling.imports.formats.ranking_tiers import trainer_name
from labeling.imports.messages import FormatError, json_type_of, merge_consecutive, optional_text, role_of, text_of
from labeling.imports.reader import Entry
from records import Message, Thumb

_LONGEST_ID = 200
_MARKUP = re.compile(r'<details\s+type="(reasoning|tool_calls|code_interpreter)"')

_CHAT = keys("history params system files", passed_over="title models messages tags")
KEYS = keys(
    "type user_id",
    passed_over="user version",
    inside={
        "data": keys("rating reason comment model_id", passed_over="sibling_model_ids"),
        "meta": keys("message_id", passed_over="model_id message_index chat_id arena base_models"),
        "snapshot": keys(
            inside={
                "chat": keys(
                    passed_over="user_id title share_id archived pinned meta folder_id", inside={"chat": _CHAT}
                )
            }
        ),
    },
)
_MESSAGE: Keys = keys(
    "role content parentId",
    passed_over="childrenIds models model modelName modelIdx selectedModelId done annotation feedbackId tags usage "
    "info followUps lastSentence userContext statusHistory status arena favorite merged",
)
_LOST = {
    "sources": "the documents that the answer went by",
    "citations": "the documents that the answer went by",
    "originalContent": "what the model said before somebody edited it",
    "error": "that the answer broke off",
    "files": "what was shown with it",
}


def thumbs(entry: Entry) -> Iterator[Thumb]:
    row = entry.value
    if row.get("type") != "rating":
        raise FormatError(f'"type" must be "rating", not {str(row.get("type"))[:40]!r}')
    judged = _object(row, "data")
    up = thumb_of(judged.get("rating"), "data.rating")
    if up is None:
        return
    yield thumb_on(
        _said_in(_object(_object(_object(row, "snapshot"), "chat"), "chat"), _object(row, "meta").get("message_id")),
        up=up,
        policy=policy_of(judged.get("model_id"), "data.model_id"),
        reason=reason_in(judged),
        id=_id_of(row.get("id")),
        trainer=trainer_name(row.get("user_id")),
        given_at=_moment(row),
    )


def _said_in(chat: dict[str, Any], judged: Any) -> tuple[Message, ...]:
    """The chat from its beginning to the judged message, a system message first."""
    if not says_nothing(chat.get("files")):
        require_harmless("files", where="chat.")
    params = chat["params"] if isinstance(chat.get("params"), dict) else {}
    content = optional_text(params.get("system") or chat.get("system"), "params.system")
    system = (Message(role="system", content=content),) if content else ()
    messages = _object(_object(chat, "history"), "messages")
    spoken = [_message(messages[identifier], "a message of the chat") for identifier in path_to(judged, messages)]
    return after_system(system, merge_consecutive(spoken))


def path_to(judged: Any, messages: dict[str, Any]) -> list[str]:
    """The ids from the first message to this one. Raises FormatError where the chain is broken or a circle."""
    way: dict[str, None] = {}
    identifier = judged
    while identifier is not None:
        if not isinstance(identifier, str) or not isinstance(messages.get(identifier), dict):
            raise FormatError(f'"history.messages" has no message {str(identifier)[:60]!r}, which the others follow')
        if identifier in way:
            raise FormatError('"history.messages" goes round in a circle')
        way[identifier] = None
        identifier = messages[identifier].get("parentId")
    if not way:
        raise FormatError('"meta.message_id" is missing, so nothing says which message was judged')
    return list(reversed(way))


def _message(value: dict[str, Any], name: str) -> Message:
    require_whole(value, name)
    for _unread in unread_keys(value, _MESSAGE, where="messages[]."):
        pass  # raises where one of them changes what was said
    role, content = role_of(value.get("role"), "role"), text_of(value.get("content"), "content")
    if role == "assistant" and (found := _MARKUP.search(content)):
        raise FormatError(f'"content" has {found[1]} written into it as markup; only what was said can be kept')
    return Message(role=role, content=content)


def require_whole(message: dict[str, Any], name: str) -> None:
    """Raise FormatError where a message went by more than its text, or is not what the model said."""
    for key, what in _LOST.items():
        if not says_nothing(message.get(key)):
            raise FormatError(f'"{key}" of {name} would be lost, and with it {what}; leave the row out')


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    if not isinstance(inner, dict):
        raise FormatError(f'"{name}" must be an object, not {json_type_of(inner)}')
    return inner


def _id_of(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_ID:
        raise FormatError(f'"id" must be text of at most {_LONGEST_ID} characters')
    return value


def _moment(row: dict[str, Any]) -> str | None:
    """When the thumb was last changed: seconds since 1970."""
    seconds = row.get("updated_at", row.get("created_at"))
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise FormatError(f'"updated_at" must be seconds since 1970, not {json_type_of(seconds)}')
    return moment_of(moment_of_seconds(seconds, "updated_at"), "updated_at").isoformat()


FORMAT = Format(
    name="open-webui",
    label="Open WebUI's feedback",
    recognises=lambda entry: has_keys(entry.value, "data", "meta", "snapshot"),
    keys=KEYS,
    thumbs=thumbs,
)
