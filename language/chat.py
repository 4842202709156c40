"""Dialogues to token ids by a model's own chat template, and never by what people typed.

The template is rendered with placeholders in place of the texts, so that it yields only the
scaffold between them; scaffold and texts are then encoded apart, the texts with every control token
spelled out as plain characters. No text can open or close a turn.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from records import Message

Role = Literal["user", "assistant"]

# Encoding with and without control tokens toggles a switch inside the tokenizer, which all threads share.
_ENCODING = threading.Lock()


def end_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends an assistant message: what sampling stops at and SFT teaches to emit."""
    return _closing(tokenizer)[-1]


def render_prompt(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    *,
    as_role: Role = "assistant",
    last_tokens: int | None = None,
) -> list[int]:
    """Ids of `messages` and of the header that opens the answer of `as_role`.

    With `last_tokens`, of the last message's text only its last so many tokens; its header stays.
    """
    roles = (*(message.role for message in messages), as_role)
    pieces = _scaffold(tokenizer, roles)
    ids = list(pieces[0])
    for place, (message, piece) in enumerate(zip(messages, pieces[1:], strict=False), start=1):
        text = encode_text(tokenizer, message.content)
        if last_tokens is not None and place == len(messages):
            text = text[max(0, len(text) - last_tokens) :]
        ids += text
        ids += piece
    return ids


def render_completion(tokenizer: PreTrainedTokenizerBase, content: str) -> list[int]:
    """Ids of an assistant's text and of the end token that closes it."""
    return encode_text(tokenizer, content) + list(_closing(tokenizer))


def render_dialogue(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
    """Ids of a whole dialogue, and for each whether it is a target of SFT.

    A target is a token of an assistant's text or the end token that closes it; headers, other roles and
    what stands between turns are not (method reference §9 B2), nor is an answer that is wholly a policy's:
    a demonstration that was written in its stead or after it teaches what a person wrote. A dialogue that
    ends with an assistant message ends at its end token, so it equals render_prompt + render_completion of
    its last message.
    """
    pieces = _scaffold(tokenizer, tuple(message.role for message in messages))
    ids = list(pieces[0])
    is_target = [False] * len(ids)
    num_closing = len(_closing(tokenizer))
    for message, piece in zip(messages, pieces[1:], strict=True):
        text = encode_text(tokenizer, message.content)
        taught = message.role == "assistant" and message.authorship != "policy"
        ids += text + list(piece)
        is_target += [taught] * len(text)
        is_target += [taught and position < num_closing for position in range(len(piece))]
    if messages and messages[-1].role == "assistant":
        surplus = len(pieces[-1]) - num_closing
        ids, is_target = ids[: len(ids) - surplus], is_target[: len(is_target) - surplus]
    return ids, is_target


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids of a text that a person or a model wrote: control tokens in it become plain characters."""
    with _ENCODING:
        ids = _encode(tokenizer, text, plain=True)
    forbidden = _control_ids(tokenizer).intersection(ids)
    if forbidden:
        token = tokenizer.convert_ids_to_tokens(min(forbidden))
        raise ValueError(f"this tokenizer cannot spell {token!r} as plain text, so people could forge turns; not used")
    return ids


@lru_cache(maxsize=1024)
def _scaffold(tokenizer: PreTrainedTokenizerBase, roles: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """The ids before the first text, between texts, and after the last: len(roles) + 1 pieces."""
    texts = _scaffold_texts(tokenizer, roles)
    with _ENCODING:
        return tuple(tuple(_encode(tokenizer, text, plain=False)) for text in texts)


def _scaffold_texts(tokenizer: PreTrainedTokenizerBase, roles: tuple[str, ...]) -> list[str]:
    if not tokenizer.chat_template:
        raise ValueError("this model's tokenizer has no chat template; use a model that was tuned for dialogue")
    placeholders = [f"\ue000{index}\ue001" for index in range(len(roles))]
    messages = [{"role": role, "content": text} for role, text in zip(roles, placeholders, strict=True)]
    try:
        rest = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False))
    except TemplateError as error:
        raise ValueError(f"this model's chat template refuses the roles {', '.join(roles)}: {error}") from error
    pieces = []
    for index, placeholder in enumerate(placeholders):
        before, found, rest = rest.partition(placeholder)
        if not found or placeholder in rest:
            raise ValueError(f"this model's chat template does not show message {index + 1} ({roles[index]}) once")
        pieces.append(before)
    return [*pieces, rest]


@lru_cache(maxsize=64)
def _closing(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """What the template puts after an assistant's text, up to its first control token."""
    after = _scaffold(tokenizer, ("user", "assistant"))[-1]
    specials = tokenizer.added_tokens_decoder
    for position, index in enumerate(after):
        if index in specials:
            return after[: position + 1]
    raise ValueError("this model's chat template does not close an assistant message by a control token")


@lru_cache(maxsize=64)
def _control_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every control token, and every added token that the template itself uses."""
    used = {index for piece in _scaffold(tokenizer, ("user", "assistant")) for index in piece}
    return frozenset(index for index, token in tokenizer.added_tokens_decoder.items() if token.special or index in used)


def _encode(tokenizer: PreTrainedTokenizerBase, text: str, *, plain: bool) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=plain)["input_ids"])
