"""Keys that turn a row's meaning round: a verdict against its answer, which then is nothing to learn from.

No record holds a verdict on one answer, so such a row is refused and the key named. Readers whose rows become
demonstrations ask here; where ratings order several answers (rated, argilla) they are read, and nobody asks.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from labeling.imports.messages import FormatError, kind_of

Rule = Callable[[Any], bool]  # whether this value speaks against the answer

_LONGEST_KEY = 40
_DEEPEST = 3
_DOWN = frozenset(
    {"thumbsdown", "thumbdown", "dislike", "disliked", "downvote", "downvoted", "undesirable", "rejected"}
)
_BAD = _DOWN | frozenset(
    {"false", "no", "down", "bad", "poor", "negative", "reject", "unacceptable", "unhelpful", "wrong", "incorrect"}
    | {"fail", "failed", "harmful", "unsafe", "discarded"}
)
_NOTHING = frozenset({"", "false", "no", "none", "null", "0"})


def _is_against(value: Any) -> bool:
    """On every scale people use, zero and below is the bad end; how good a number above it is, no row says."""
    if isinstance(value, list):
        return any(_is_against(one) for one in value if not isinstance(one, list))
    if isinstance(value, bool | int | float):
        return value <= 0
    return isinstance(value, str) and (_is_word(value, _BAD) or _is_number_against(value))


def _is_denied(value: Any) -> bool:
    """Of adjectives, which may also name a text or the place of one: "correct": 0 is the first option."""
    return value is False


def _is_label_against(value: Any) -> bool:
    """KTO's labels are true and false. Numbers and most words under this key are classes of something else."""
    return value is False or (isinstance(value, str) and _is_word(value, _DOWN))


def _is_said(value: Any) -> bool:
    """Of what is there only where it speaks against the answer: a refusal's text, the thumbs that went down."""
    if isinstance(value, str):
        return _compact(value) not in _NOTHING
    return bool(value)


def _is_true(value: Any) -> bool:
    """Of adjectives against the answer: as a text they may name another, worse one."""
    return value is True


def _is_never(_value: Any) -> bool:
    """Of what holds verdicts and is none."""
    return False


# Keys without case, spaces, hyphens and underscores; those with an owner also as "user_rating" and the like.
_OWNERS = ("", "user", "human", "answer", "response", "completion", "output", "assistant", "overall")
_OWNED: dict[Rule, str] = {
    _is_against: "rating score feedback thumb thumbs vote verdict reward stars quality helpfulness correctness",
    _is_label_against: "label",
}
_PLAIN: dict[Rule, str] = {
    _is_against: "ktotag ktolabel weight lossweight sampleweight isgood isaccepted isapproved iscorrect ishelpful "
    "issafe ischosen ispreferred isdesirable isacceptable",
    _is_denied: "accepted approved correct helpful safe chosen preferred desirable acceptable liked upvoted thumbsup "
    "thumbup",
    _is_label_against: "status state",
    _is_said: "thumbsdown thumbdown downvoted disliked refusal refused rejected isbad isrefusal isrejected iswrong "
    "isincorrect isharmful isunsafe isundesirable isdiscarded isnegative",
    _is_true: "bad wrong incorrect harmful unsafe undesirable discarded dislike",
    _is_never: "kto metadata meta annotation annotations",
}
_TABLE: dict[str, Rule] = {
    **{f"{owner}{name}": rule for rule, names in _OWNED.items() for name in names.split() for owner in _OWNERS},
    **{name: rule for rule, names in _PLAIN.items() for name in names.split()},
}
_NO_MORE: dict[str, Rule] = {}
_OF_VERDICTS: dict[str, Rule] = dict.fromkeys(
    ("value", "type", "sentiment"), _is_against
)  # inside of a verdict that is an object
# Of a message alone: whether its loss counts. In a row these may be figures of a training run.
_OF_MESSAGES: dict[str, Rule] = dict.fromkeys(("train", "training", "trainable", "learn", "loss"), _is_against)


def require_learnable(row: Any, *, label_is_verdict: bool = False) -> None:
    """Raise FormatError where the row says that its answer is not to be learned.

    `label_is_verdict` is for rows that are KTO's own, where a label of 0 is false and no class.
    """
    if label_is_verdict and "label" in row and _is_against(row["label"]):
        raise _refusal("label", row["label"])
    for key, value in _found_in(row):
        raise _refusal(key, value)


def require_learnable_message(message: dict[str, Any], name: str) -> None:
    """The same of one answer in a dialogue: OpenAI's "weight": 0 and "refusal", and their kin."""
    for key, value in _found_in(message, _OF_MESSAGES):
        raise _refusal(f"{name}.{key}", value)


def _found_in(row: dict[str, Any], more: dict[str, Rule] = _NO_MORE, *, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The keys that speak against the answer, with their values; inside objects too."""
    for key, value in row.items():
        rule = (_rule_of(key) or more.get(_compact(key))) if len(key) <= _LONGEST_KEY else None
        if rule is None or (key == "rejected" and "chosen" in row):
            continue
        if rule(value):
            yield key, value
            continue
        further = _OF_VERDICTS if rule is _is_against else _NO_MORE
        for inside in value if isinstance(value, list) else (value,):
            if isinstance(inside, dict) and depth < _DEEPEST:
                yield from ((f"{key}.{name}", one) for name, one in _found_in(inside, further, depth=depth + 1))


@lru_cache(maxsize=4096)
def _rule_of(key: str) -> Rule | None:
    return _TABLE.get(_compact(key))


def _refusal(key: str, value: Any) -> FormatError:
    shown = repr(value[:60]) if isinstance(value, str) else str(value).lower()
    shown = kind_of(value) if isinstance(value, dict | list) else shown
    instead = "write the refusal as its text" if "refus" in key.lower() else "set it against a better one, as a pair"
    return FormatError(
        f'"{key}" is {shown}, which speaks against the answer, and nothing holds a verdict on one answer alone; '
        f"leave it out, or {instead}"
    )


def _is_word(value: str, words: frozenset[str]) -> bool:
    return len(value) <= _LONGEST_KEY and (_compact(value) in words or value.strip().startswith("👎"))


def _is_number_against(value: str) -> bool:
    try:
        return len(value) <= _LONGEST_KEY and float(value) <= 0
    except ValueError:
        return False


def _compact(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "").replace(" ", "")
