"""Keys that mark an answer as bad (a thumb down, a reward of 0), so that it must not be learnt from.

A demonstration is learnt from, so such a row is refused and the key named; some can come in as thumbs (keys.thumb_in).
Readers whose rows become demonstrations check here; formats whose ratings order several answers (rated, argilla) read
them instead.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from labeling.imports.formats.keys import THUMB_KEYS
from labeling.imports.messages import FormatError, json_type_of

Rule = Callable[[Any], bool]  # whether this value marks the answer as bad

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
    """Zero and below is the bad end of every common scale; above it, a row does not say how good a number is."""
    if isinstance(value, list):
        return any(_is_against(one) for one in value if not isinstance(one, list))
    if isinstance(value, bool | int | float):
        return value <= 0
    return isinstance(value, str) and (_is_word(value, _BAD) or _is_number_against(value))


def _is_denied(value: Any) -> bool:
    """For adjectives that may also hold a text or a position: "correct": 0 is the first option."""
    return value is False


def _is_label_against(value: Any) -> bool:
    """KTO's labels are booleans. Numbers and most words under this key are classes of something else."""
    return value is False or (isinstance(value, str) and _is_word(value, _DOWN))


def _is_present(value: Any) -> bool:
    """For keys that are present only where the answer is bad: a refusal's text, the thumbs that went down."""
    if isinstance(value, str):
        return _compact(value) not in _NOTHING
    return bool(value)


def _is_true(value: Any) -> bool:
    """For adjectives of a bad answer: a text under such a key may be another, worse answer."""
    return value is True


def _is_container(_value: Any) -> bool:
    """For keys that contain verdicts and are none themselves."""
    return False


# Keys without case, spaces, hyphens and underscores; _PREFIXED ones also as "user_rating" and the like.
_PREFIXES = ("", "user", "human", "answer", "response", "completion", "output", "assistant", "overall")
_PREFIXED: dict[Rule, str] = {
    _is_against: "rating score feedback thumb thumbs vote verdict reward stars quality helpfulness correctness",
    _is_label_against: "label",
}
_UNPREFIXED: dict[Rule, str] = {
    _is_against: "ktotag ktolabel weight lossweight sampleweight isgood isaccepted isapproved iscorrect ishelpful "
    "issafe ischosen ispreferred isdesirable isacceptable",
    _is_denied: "accepted approved correct helpful safe chosen preferred desirable acceptable liked upvoted thumbsup "
    "thumbup",
    _is_label_against: "status state",
    _is_present: "thumbsdown thumbdown downvoted disliked refusal refused rejected isbad isrefusal isrejected iswrong "
    "isincorrect isharmful isunsafe isundesirable isdiscarded isnegative",
    _is_true: "bad wrong incorrect harmful unsafe undesirable discarded dislike",
    _is_container: "kto metadata meta annotation annotations",
}
_TABLE: dict[str, Rule] = {
    **{f"{prefix}{name}": rule for rule, names in _PREFIXED.items() for name in names.split() for prefix in _PREFIXES},
    **{name: rule for rule, names in _UNPREFIXED.items() for name in names.split()},
}
_NO_RULES: dict[str, Rule] = {}
_INSIDE_VERDICTS: dict[str, Rule] = dict.fromkeys(
    ("value", "type", "sentiment"), _is_against
)  # keys inside a verdict that is an object
# Keys of a message only: whether its loss counts. In a row they may be figures of a training run.
_MESSAGE_ONLY: dict[str, Rule] = dict.fromkeys(("train", "training", "trainable", "learn", "loss"), _is_against)

# Of a message, as words for keys.py: all that is read here.
MESSAGE_KEYS = f"weight refusal {' '.join(_MESSAGE_ONLY)}"


def require_learnable(row: Any, *, label_is_verdict: bool = False) -> None:
    """Raise FormatError where the row says that its answer must not be learnt.

    `label_is_verdict` is for rows of KTO, where a label of 0 is false and no class.
    """
    if label_is_verdict and "label" in row and _is_against(row["label"]):
        raise _refusal("label", row["label"])
    for key, value in _found_in(row):
        raise _refusal(key, value, may_be_thumb="chosen" not in row)


def require_learnable_message(message: dict[str, Any], name: str) -> None:
    """The same for one answer in a dialogue: OpenAI's "weight": 0 and "refusal", and similar keys."""
    for key, value in _found_in(message, _MESSAGE_ONLY):
        raise _refusal(f"{name}.{key}", value)


def _found_in(row: dict[str, Any], more: dict[str, Rule] = _NO_RULES, *, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The keys that mark the answer as bad, with their values; inside nested objects too."""
    for key, value in row.items():
        rule = (_rule_of(key) or more.get(_compact(key))) if len(key) <= _LONGEST_KEY else None
        if rule is None or (key == "rejected" and "chosen" in row):
            continue
        if rule(value):
            yield key, value
            continue
        further = _INSIDE_VERDICTS if rule is _is_against else _NO_RULES
        for inside in value if isinstance(value, list) else (value,):
            if isinstance(inside, dict) and depth < _DEEPEST:
                yield from ((f"{key}.{name}", one) for name, one in _found_in(inside, further, depth=depth + 1))


@lru_cache(maxsize=4096)
def _rule_of(key: str) -> Rule | None:
    return _TABLE.get(_compact(key))


def _refusal(key: str, value: Any, *, may_be_thumb: bool = True) -> FormatError:
    shown = repr(value[:60]) if isinstance(value, str) else str(value).lower()
    shown = json_type_of(value) if isinstance(value, dict | list) else shown
    instead = "write the refusal as its text" if "refus" in key.lower() else "set it against a better one, as a pair"
    if may_be_thumb and key in THUMB_KEYS:
        instead = f"import it as thumbs, or {instead}"
    return FormatError(f'"{key}" is {shown}, which speaks against the answer; leave it out, or {instead}')


def _is_word(value: str, words: frozenset[str]) -> bool:
    return len(value) <= _LONGEST_KEY and (_compact(value) in words or value.strip().startswith("👎"))


def _is_number_against(value: str) -> bool:
    try:
        return len(value) <= _LONGEST_KEY and float(value) <= 0
    except ValueError:
        return False


def _compact(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "").replace(" ", "")
