"""Open-Assistant: conversation trees, and the same as flat lists of messages.

A tree is {"message_tree_id", "prompt": message}, a message {"message_id", "text", "role": "prompter" or "assistant",
"replies": [message], "rank"}. Among the answers to a message, rank 0 is the best. Messages that were deleted or failed
review are dropped with everything below them.
"""

from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Entries, Format, has_keys
from labeling.imports.formats.keys import keys
from labeling.imports.messages import FormatError, json_type_of, list_of, role_of, text_of
from labeling.imports.reader import Entry, Refusal
from records import Completion, Demonstration, Message, Prompt, Ranking

_MOST_MESSAGES = 10_000  # of one tree
_DEEPEST = 500

Node = dict[str, Any]
Path = tuple[Message, ...]

_MESSAGE = keys(
    "message_id text role rank deleted review_result synthetic model_name message_tree_id replies",
    passed_over="parent_id user_id created_date review_count tree_state detoxify labels emojis events",
)
_TREE = keys("message_tree_id", passed_over="tree_state", inside={"prompt": _MESSAGE})


def rankings(entry: Entry) -> Iterator[Ranking]:
    """One ranking for every message with two or more ranked answers; its prompt is the path from the root."""
    for node, path in _walk(_root(entry.value)):
        ranked = [reply for reply in _replies(node) if reply.get("rank") is not None]
        if len(ranked) >= 2 and path[-1].role == "user":
            yield _ranking(node, path, ranked)


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """Every path from the root to a last answer along the best-ranked answers. An unanswered root is a prompt."""
    root = _root(entry.value)
    num_found = 0
    for node, path in _walk(root, best_only=True):
        if path[-1].role == "assistant" and not any(_best(reply) for reply in _replies(node)):
            num_found += 1
            yield Demonstration(id=_identifier(node), messages=path)
    if not num_found:
        yield Prompt(id=_identifier(root), messages=(_message(root),))


def gather(entries: Entries) -> Entries:
    """Trees from flat messages. The file must list a tree's messages together, parents before their replies."""
    lines: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Refusal) or not has_keys(entry.value, "message_id", "message_tree_id", "text", "role"):
            yield entry
            continue
        if lines and lines[0].value["message_tree_id"] != entry.value["message_tree_id"]:
            yield from _tree_of(lines)
            lines = []
        if len(lines) < _MOST_MESSAGES:
            lines.append(entry)
        else:
            yield Refusal(entry.line, f"its tree has more than {_MOST_MESSAGES:,} messages")
    yield from _tree_of(lines)


def _tree_of(lines: list[Entry]) -> Entries:
    nodes: dict[Any, Node] = {}
    root = None
    for entry in lines:
        node = {**entry.value, "replies": []}
        identifier, parent = node["message_id"], node.get("parent_id")
        if not isinstance(identifier, str) or identifier in nodes:
            yield Refusal(entry.line, f'"message_id" {_shown_id(identifier)} is used twice in its tree, or is not text')
        elif parent is None and root is None:
            root = nodes[identifier] = node
        elif isinstance(parent, str) and parent in nodes:
            nodes[identifier] = node
            nodes[parent]["replies"].append(node)
        else:
            yield Refusal(entry.line, f"its parent {_shown_id(parent)} does not stand before it; sort the file by tree")
    if root is not None:
        tree = {"message_tree_id": lines[0].value["message_tree_id"], "prompt": root}
        yield Entry(lines[0].line, tree, size=sum(entry.size for entry in lines))


def _root(value: Any) -> Node:
    root = value.get("prompt") if isinstance(value, dict) else None
    if not isinstance(root, dict):
        raise FormatError(f'"prompt" must be an object, not {json_type_of(root)}')
    if _is_dropped(root):
        raise FormatError("its first message was deleted or failed review")
    return root


def _walk(root: Node, *, best_only: bool = False) -> Iterator[tuple[Node, Path]]:
    """Every message, parents first, with the messages from the root down to it."""
    seen: set[str] = set()
    waiting: list[tuple[Node, Path]] = [(root, (_message(root),))]
    while waiting:
        node, path = waiting.pop()
        identifier = _identifier(node)
        if identifier in seen:
            raise FormatError(f'"message_id" {identifier} is used twice')
        seen.add(identifier)
        if len(path) > _DEEPEST or len(seen) > _MOST_MESSAGES:
            raise FormatError(f"has more than {_MOST_MESSAGES:,} messages, or is deeper than {_DEEPEST}")
        yield node, path
        replies = _best(node) if best_only else _replies(node)
        for reply in reversed(replies):
            message = _message(reply)
            if message.role == path[-1].role:
                raise FormatError(f"{_identifier(reply)}: user and assistant do not take turns")
            waiting.append((reply, (*path, message)))


def _replies(node: Node) -> list[Node]:
    replies = list_of(node.get("replies") or [], "replies")
    if not all(isinstance(reply, dict) for reply in replies):
        raise FormatError('"replies" must hold objects')
    return [reply for reply in replies if not _is_dropped(reply)]


def _best(node: Node) -> list[Node]:
    """The replies on the best path: the best of ranked answers, all of unranked ones."""
    replies = _replies(node)
    ranked = [reply for reply in replies if reply.get("rank") is not None and reply.get("role") == "assistant"]
    return [min(ranked, key=_rank)] if ranked else replies


def _is_dropped(node: Node) -> bool:
    return node.get("deleted") is True or node.get("review_result") is False


def _message(node: Node) -> Message:
    return Message(
        role=role_of(node.get("role"), "role"), content=text_of(node.get("text"), "text"), policy=_policy(node)
    )


def _identifier(node: Node) -> str:
    return text_of(node.get("message_id"), "message_id")


def _shown_id(identifier: Any) -> str:
    """An id for an error message: a value that is no text may be too large or too deep to show."""
    return repr(identifier[:80]) if isinstance(identifier, str) else json_type_of(identifier)


def _policy(node: Node) -> str | None:
    return str(node["model_name"]) if node.get("synthetic") and node.get("model_name") else None


def _rank(node: Node) -> int:
    rank = node.get("rank")
    if isinstance(rank, bool) or not isinstance(rank, int | float) or rank < 0 or rank != int(rank):
        raise FormatError(f'"rank" must be 0, 1, 2 …, not {rank!r}')
    return int(rank)


def _ranking(node: Node, path: Path, ranked: list[Node]) -> Ranking:
    completions = [
        Completion(id=_identifier(reply), content=_message(reply).content, policy=_policy(reply)) for reply in ranked
    ]
    tiers: dict[int, list[str]] = {}
    for reply in ranked:
        tiers.setdefault(_rank(reply), []).append(_identifier(reply))
    return Ranking(
        id=_identifier(node),
        comparison_id=_identifier(node),
        messages=path,
        completions=tuple(completions),
        tiers=tuple(tuple(tiers[rank]) for rank in sorted(tiers)),
    )


TREES = Format(
    name="oasst",
    label="Open-Assistant trees",
    recognises=lambda entry: has_keys(entry.value, "prompt", "message_tree_id"),
    keys=_TREE,
    dialogues=dialogues,
    rankings=rankings,
)
MESSAGES = Format(
    name="oasst-messages",
    label="Open-Assistant messages",
    recognises=lambda entry: has_keys(entry.value, "message_id", "message_tree_id", "text", "role"),
    keys=_TREE,
    dialogues=dialogues,
    rankings=rankings,
    gather=gather,
)
