"""Values that are a thumb, and the keys they stand under. What neither says up nor down is refused, never guessed."""

from typing import Any

from labeling.imports.formats.keys import words
from labeling.imports.messages import FormatError, json_type_of

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
