"""Conversations that chat products export: Open WebUI's chats and chat-ui's. Each is a tree of messages; the branch
that was last on the screen is the dialogue.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.chat import after_system, dialogue_or_prompt, read_messages
from labeling.imports.formats.keys import Keys, keys
from labeling.imports.formats.open_webui import path_to, require_whole
from labeling.imports.formats.verdicts import MESSAGE_KEYS
from labeling.imports.messages import FormatError, list_of, optional_text
from labeling.imports.reader import Entry
from records import Message

_WEBUI_MESSAGE = keys(
    f"role content reasoning reasoning_content parentId childrenIds annotation {MESSAGE_KEYS}",
    passed_over="model modelName modelIdx models timestamp done info usage statusHistory favorite user "
    "lastSentence followUps",
)
_WEBUI = keys(
    "chat",
    passed_over="user_id title folder_id meta pinned archived share_id",
    inside={
        "chat": keys(
            "system messages",
            passed_over="title models params tags files timestamp options",
            inside={"history": keys("currentId", inside={"messages": Keys(each=_WEBUI_MESSAGE)})},
        )
    },
)
_CHAT_UI = keys(
    "preprompt",
    passed_over="title model rootMessageId sessionId userId assistantId userAgent createdAt updatedAt meta",
    inside={
        "messages": keys(
            f"from content reasoning ancestors children score {MESSAGE_KEYS}",
            passed_over="updates interrupted createdAt updatedAt generationId materializedSeq routerMetadata webSearch",
        )
    },
)
# Open WebUI writes reasoning and tools into the answer, as folded HTML.
_REASONING = re.compile(
    r'<details\s+type="reasoning"[^>]*>\s*(?:<summary>.*?</summary>)?\s*(.*?)\s*</details>\s*', re.DOTALL
)
_TOOLS = re.compile(r'<details\s+type="(tool_calls|code_interpreter)"')


def open_webui(entry: Entry) -> Iterator[DialogueOrPrompt]:
    chat = entry.value["chat"]
    history = chat.get("history")
    if not isinstance(history, dict) or not isinstance(history.get("messages"), dict):
        raise FormatError('"chat.history.messages" must be an object')
    messages = history["messages"]
    branch = [messages[identifier] for identifier in path_to(history.get("currentId"), messages)]
    for message in branch:
        require_whole(message, "a message")
    yield from _dialogue(entry.value, list(map(_with_reasoning_apart, branch)), chat.get("system"))


def _with_reasoning_apart(message: dict[str, Any]) -> dict[str, Any]:
    """The message without the reasoning that is written into its answer, which it has beside it then."""
    content = message.get("content")
    if message.get("role") != "assistant" or not isinstance(content, str):
        return message
    if found := _TOOLS.search(content):
        raise FormatError(f'"content" has {found[1]} written into it as markup; only what was said can be kept')
    thoughts = [text.replace("\n> ", "\n").removeprefix("> ") for text in _REASONING.findall(content)]
    if not thoughts:
        return message
    return {**message, "content": _REASONING.sub("", content), "reasoning_content": "\n\n".join(thoughts)}


def chat_ui(entry: Entry) -> Iterator[DialogueOrPrompt]:
    messages = list_of(entry.value["messages"], "messages")
    last = messages[-1]
    ancestors = last.get("ancestors") if isinstance(last, dict) else None
    if isinstance(ancestors, list):
        known = {one["id"]: one for one in messages if has_keys(one, "id") and isinstance(one["id"], str)}
        on_branch = [known.get(name) if isinstance(name, str) else None for name in ancestors]
        if None in on_branch:
            raise FormatError('"ancestors" of the last message names a message that is not there')
        messages = [*on_branch, last]
    branch = [{**one, "role": one.get("from")} if isinstance(one, dict) else one for one in messages]
    if has_keys(branch[0], "role", "content") and branch[0]["role"] == "system" and not branch[0]["content"]:
        branch = branch[1:]  # chat-ui keeps an empty system message at the root
    yield from _dialogue(entry.value, branch, entry.value.get("preprompt"))


def _dialogue(row: Any, branch: list[Any], system: Any) -> Iterator[DialogueOrPrompt]:
    messages = read_messages(branch, "messages") if branch else ()
    if not messages:
        raise FormatError("has no messages")
    content = optional_text(system, "system")
    beside = (Message(role="system", content=content),) if content else ()
    yield dialogue_or_prompt(after_system(beside, messages), row=row)


def _is_webui(entry: Entry) -> bool:
    return has_keys(entry.value, "chat") and has_keys(entry.value["chat"], "history")


def _is_chat_ui(entry: Entry) -> bool:
    messages = entry.value.get("messages") if has_keys(entry.value, "messages") else None
    return isinstance(messages, list) and bool(messages) and has_keys(messages[0], "from", "content")


OPEN_WEBUI = Format(
    name="open-webui", label="Open WebUI's chats", recognises=_is_webui, keys=_WEBUI, dialogues=open_webui
)
CHAT_UI = Format(
    name="chat-ui", label="chat-ui's conversations", recognises=_is_chat_ui, keys=_CHAT_UI, dialogues=chat_ui
)
