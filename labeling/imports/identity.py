"""Ids and hashes of imported things, made from their content, so that the same thing is imported once."""

import hashlib
import uuid
from typing import Any

import orjson

from records import Completion, Ranking


def comparison_id(project_id: uuid.UUID, ranking: Ranking, completions: list[Completion]) -> uuid.UUID:
    """The same id for every ranking of the same completions of the same prompt in a project."""
    content = [(message.role, message.content) for message in ranking.messages]
    return _uuid_of(project_id, "comparison", content, [_content(completion) for completion in completions])


def completion_id(comparison: uuid.UUID, index: int) -> str:
    return _uuid5(comparison, f"completion {index}")


def submission_key(comparison: uuid.UUID, ranking: Ranking, places: dict[str, int]) -> uuid.UUID:
    """The same key for the same judgement by the same trainer; `places` are the completions' indexes in the comparison.

    In a file without ids, two lines with equal content are one judgement.
    """
    tiers = [sorted(places[identifier] for identifier in tier) for tier in ranking.tiers]
    content = (tiers, ranking.unacceptable_from, ranking.abstained, ranking.trainer, ranking.ranked_at)
    return _uuid_of(comparison, "ranking", ranking.id if ranking.comparison_id else "", *content)


def is_uuid(text: str) -> bool:
    """Whether a file's id may be one of ours."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def in_neutral_order(completions: tuple[Completion, ...]) -> list[Completion]:
    """The completions ordered by the hash of their content, so that the stored order does not reveal their rank."""
    return sorted(completions, key=lambda completion: hashlib.sha256(repr(_content(completion)).encode()).digest())


def _uuid5(namespace: uuid.UUID, name: str) -> str:
    """The text of uuid.uuid5 without building a UUID object, since there is one call per completion."""
    digest = bytearray(hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x50, digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _content(completion: Completion) -> tuple[str, str | None]:
    return completion.content, completion.policy


def _uuid_of(namespace: uuid.UUID, *parts: Any) -> uuid.UUID:
    return uuid.uuid5(namespace, orjson.dumps(parts).decode())
