"""The hashes by which two lists of messages, over their roles and contents only, or two texts count as the same."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from records import Message

_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def fingerprint(messages: Iterable[Message | Mapping[str, Any]]) -> str:
    """SHA-256, in hex, of the messages' roles and contents. Authorship and policy do not change it."""
    pairs = [
        (message.role, message.content) if isinstance(message, Message) else (message["role"], message["content"])
        for message in messages
    ]
    return hashlib.sha256(_json(pairs).encode()).hexdigest()


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
