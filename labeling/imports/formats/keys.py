"""What a format makes of the keys of a row: kept, passed over, or refused because leaving it out would change the row.

A key that is none of these is counted, and named in the preview and the report: nothing goes unsaid.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from labeling.imports.messages import FormatError, json_type_of

_LONGEST_KEY = 60  # characters shown of a key's name
_MOST_LISTED = 200  # objects of one list that are looked into: messages of a dialogue, answers of a row


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names, numbers and times that say where a row comes from, and nothing of what was said or who judged.
ALWAYS_PASSED_OVER = words(
    "id _id uuid idx index row_id prompt_id hash sha256 md5 dataset subset config license url language lang locale "
    "created_at updated_at timestamp date num_tokens token_count length"
)


@dataclass(frozen=True)
class Keys:
    """`inside` has the keys of the objects that stand under a kept key, alone or in a list; `each` those of all objects
    in an object whose keys are names: messages by their ids.
    """

    kept: frozenset[str] = frozenset()
    passed_over: frozenset[str] = frozenset()
    inside: Mapping[str, "Keys"] = field(default_factory=dict)
    each: "Keys | None" = None
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", self.kept | self.passed_over | ALWAYS_PASSED_OVER)


def keys(kept: str = "", *, passed_over: str = "", inside: Mapping[str, Keys] | None = None) -> Keys:
    """Keys from words. Those with keys inside are kept."""
    more = inside or {}
    return Keys(words(kept) | more.keys(), words(passed_over), more)


@dataclass(frozen=True)
class Change:
    """What a row loses with certain keys, and what to do about it."""

    lost: str
    instead: str


_CHANGES = {
    Change(
        "what the answer goes by", "write it into the prompt, or leave the row out"
    ): "system systemprompt systemmessage developer persona history context input instruction instructions question "
    "query prompt conversation conversations messages document documents passage passages dialogue",
    Change(
        "what is seen or heard", "only text can be kept; leave the row out"
    ): "image images imageurl imageurls imagepath imagepaths video videos audio audios files attachments",
    Change(
        "what the answer could call", "only text can be kept; leave the row out"
    ): "tools functions toolcalls functioncall toolchoice functiondefinitions availabletools",
    Change(
        "the reasoning before the answer", "only messages of a dialogue keep it, as reasoning_content"
    ): "reasoning reasoningcontent reasoningtext thinking thoughts chainofthought cot scratchpad",
    Change(
        "an answer", "several answers need a score, a rank or a choice among them"
    ): "response responses answer answers completion completions output outputs chosen rejected chosenresponse "
    "rejectedresponse responsea responseb response0 response1 answera answerb",
    Change(
        "what was judged", "rows of this shape are not known with such a judgement; leave it out if it says nothing"
    ): "winner preference preferred betterresponseid saferresponseid ranks ranking rankings votes tie tied",
    Change(
        "that the row should not count", "leave out such rows, and then the key"
    ): "ignore ignored skip skipped masked deleted isdeleted",
    Change(
        "how much the row counts", "all rows count alike; leave out those that should not count, and then the key"
    ): "weight weights sampleweight lossweight lossmask train trainable",
}
CHANGES: dict[str, Change] = {name: change for change, names in _CHANGES.items() for name in names.split()}
_COUNT_FULLY = words("weight sampleweight lossweight train trainable")  # where they are 1 or true
_NOTHING = frozenset(("", "[]", "{}", "null", "none", "nan", "n/a", "-"))  # as tables of texts write it


def unread_keys(row: Any, declared: Keys, *, where: str = "") -> Iterator[tuple[str, Any]]:
    """The keys that the format neither keeps nor passes over, each with its value: "metadata", "messages[].name".

    Raises:
        FormatError: a key whose loss would change what the row says, with a value, which the format does not keep.
    """
    if not isinstance(row, dict):
        return
    if declared.each is not None:
        for one in row.values():
            yield from unread_keys(one, declared.each, where=f"{where}*.")
        return
    for key in row:
        if key not in declared.known and not says_nothing(row[key]):
            if not (row[key] in (1, "1") and _plain(key) in _COUNT_FULLY):
                require_harmless(key, where=where)
            yield f"{where}{key[:_LONGEST_KEY]}", row[key]
    for key, inside in declared.inside.items():
        held = row.get(key)
        if isinstance(held, dict):
            yield from unread_keys(held, inside, where=f"{where}{key}.")
        elif isinstance(held, list):
            for one in held[:_MOST_LISTED]:
                yield from unread_keys(one, inside, where=f"{where}{key}[].")


def require_harmless(key: str, *, where: str = "") -> None:
    """Raise FormatError where the loss of this key would change what the row says."""
    if change := _change_of(key):
        raise FormatError(f'"{where}{key}" would be lost, and with it {change.lost}; {change.instead}')


def says_nothing(value: Any) -> bool:
    """Whether a value is none, blank or empty, so that leaving it out loses nothing."""
    if isinstance(value, str):
        return not value or value.isspace() or (len(value) < 8 and value.strip().lower() in _NOTHING)
    return value is None or value is False or (isinstance(value, list | dict) and not value)


@lru_cache(maxsize=4096)
def _change_of(key: str) -> Change | None:
    if len(key) > _LONGEST_KEY:
        return None
    return CHANGES.get(_plain(key))


def _plain(key: str) -> str:
    return "".join(filter(str.isalnum, key.lower()))


# Values that are a thumb, and the keys they stand under. What neither says up nor down is refused, never guessed.
LABEL_KEYS = ("label", "kto_tag")  # a yes or no: true, false, 1, 0
RATING_KEYS = ("rating", "feedback", "thumb", "thumbs")  # 1 or -1, true or false, or a word
THUMB_KEYS = (*LABEL_KEYS, *RATING_KEYS)

_LONGEST_WORD = 40
_SKIN_TONES = "🏻🏼🏽🏾🏿"
_UP = words("thumbsup thumbup up like liked upvote upvoted positive good desirable 1 +1 👍")
_DOWN = words("thumbsdown thumbdown down dislike disliked downvote downvoted negative bad undesirable -1 👎")


def thumb_in(row: dict[str, Any]) -> bool | None:
    """Whether the row has a thumb up or down; None where its keys are there and hold nothing. Raises FormatError."""
    found = {key: thumb_of(row[key], key) for key in THUMB_KEYS if key in row}
    given = {key: up for key, up in found.items() if up is not None}
    if len(set(given.values())) > 1:
        names = " and ".join(f'"{key}"' for key in given)
        raise FormatError(f"{names} contradict each other; leave one")
    return next(iter(given.values()), None)


def thumb_of(value: Any, name: str) -> bool | None:
    """True for a thumb up, False for a thumb down, None where a rating was not given. Raises FormatError."""
    is_label = name in LABEL_KEYS
    if isinstance(value, bool):
        return value
    if not is_label and (value is None or value == ""):
        return None
    if isinstance(value, int | float) and value in ((0, 1) if is_label else (-1, 1)):
        return value == 1
    if isinstance(value, str) and not is_label and len(value) <= _LONGEST_WORD:
        whole = value.strip().lower()
        for word in (
            whole,
            whole.rstrip(_SKIN_TONES),
            "".join(filter(str.isalpha, whole)),
        ):  # "-1", "👍🏽", "thumbs_up"
            if word in _UP | _DOWN:
                return word in _UP
    wanted = "true or false, or 1 or 0" if is_label else "1 or -1, or a word such as thumbs_up"
    raise FormatError(f'"{name}" is {_shown(value)}; a thumb there is {wanted}')


def _shown(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return json_type_of(value)
    return repr(value[:_LONGEST_WORD]) if isinstance(value, str) else str(value)[:_LONGEST_WORD]
