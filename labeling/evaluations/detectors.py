"""Rules that sort answers before people see them: does this answer refuse, does it ask back?

They only decide what is shown first and, corrected by `labeling.statistics.misclassification`, how much is left to
label. They never make a label. Their rules are plain, so that each miss can be explained; what they miss and what they
take wrongly is in docs/limits.md. English only. Knows no row and no policy.
"""

import re

LONGEST_READ = 20_000  # characters of an answer, half from each end; only its opening and its closing matter
_OPENING = 250  # characters in which an answer says that it will not help
_CLOSING = 400  # characters at the end in which an answer asks for what it needs

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})
_SPACES = re.compile(r"\s+")

_HELPING = r"(?:help|assist|provide|give|offer|answer|do|support|create|write|tell|share|fulfil|fulfill|comply|discuss)"
_CANNOT = (
    r"(?:can(?:not|'t| not)|could(?:n't| not)|won't|will not|am (?:not able|unable)|'m (?:not able|unable)"
    r"|must (?:decline|refuse)|have to (?:decline|refuse)|am not (?:going|comfortable|allowed|permitted|programmed)"
    r"|'m not (?:going|comfortable|allowed|permitted|programmed))"
)
_UNFIT = r"(?:appropriate|ethical|acceptable|legal|okay|ok|right|safe)"
_PROMOTING = r"(?:engage|promote|encourage|condone|endorse|recommend|advise|suggest|participate|generate|fabricate)"
_REFUSING = tuple(
    re.compile(pattern)
    for pattern in (
        # An apology and an inability: "I'm sorry, but I cannot …".
        rf"\b(?:sorry|apologi[sz]e|apologies|regret|unfortunately)\b.{{0,80}}\bi ?{_CANNOT}",
        # An inability alone, of what an answer is for: "I can't help with that".
        rf"\bi ?{_CANNOT}(?: to| in good conscience| be able to| ethically)? {_HELPING}\b",
        rf"\bi ?{_CANNOT} (?:to )?{_PROMOTING}\b",
        # A machine that says what it is in order not to act.
        r"\bas an? (?:ai|artificial|responsible|language|large|assistant|helpful)"
        rf".{{0,120}}\bi ?(?:{_CANNOT}|do not|don't)\b",
        # A prohibition of what was asked, as the first words.
        rf"^(?:no[,.]|(?:it is|it's) (?:not|never) {_UNFIT}\b|it is (?:illegal|unethical)\b)",
        r"^i (?:strongly )?(?:advise|urge|encourage|recommend) you (?:not|against|to seek|to reach|to contact)\b",
        r"\bgoes against (?:my|ethical|the)\b|\bagainst my (?:programming|guidelines|values|principles)\b",
    )
)
_ASKING = re.compile(
    r"\b(?:which|what|where|when|who|whom|whose|how (?:many|much|old|big|long|far)|do you mean|are you"
    r"|(?:could|can|would|will) you|(?:is|does) (?:it|this|that)|for (?:what|whom|which)|in (?:what|which))\b[^.!?]*\?"
)
_TELLING = r"(?:tell|clarify|specify|provide|give|share|let me know|describe)"
_NEEDING = re.compile(
    rf"\b(?:(?:could|can|would) you (?:please )?(?:{_TELLING}|explain|say)|please (?:{_TELLING}|paste|send)"
    r"|(?:more|further|additional) (?:information|details?|context)"
    r"|i (?:would |'d |will |'ll )?need (?:to know|more|a bit more|some more)"
    r"|(?:what|which|who|where|whose|when) .{0,60}"
    r"\b(?:you mean|you referring|are you|do you|is it|would you|did you)"
    r"|depends on (?:what|which|where|who|how))\b"
)
_OFFERS = re.compile(
    r"\b(?:anything else|any (?:other|more|further) questions?|(?:how )?can i (?:help|assist)|do you want me|shall i"
    r"|would you like (?:me|to know|some|more|another|help)|need (?:more )?help"
    r"|does (?:that|this) (?:help|make sense))\b"
)


def refuses(answer: str) -> bool:
    """Whether an answer, in full or in part, declines what was asked, by its first 250 characters."""
    opening = _plain(answer)[:_OPENING]
    return any(rule.search(opening) for rule in _REFUSING)


def asks(answer: str) -> bool:
    """Whether an answer asks for what is missing, by its last 400 characters.

    Either it ends in a question that wants a fact and is no offer of further help, or it says what it needs to know.
    """
    closing = _plain(answer)[-_CLOSING:]
    if _NEEDING.search(_OFFERS.sub(" ", closing)) and ("?" in closing or "please" in closing or "need" in closing):
        return True
    last = re.split(r"(?<=[.!?])\s", closing)[-1]
    return last.endswith("?") and not _OFFERS.search(last) and _ASKING.search(last) is not None


def _plain(answer: str) -> str:
    text = answer if len(answer) <= LONGEST_READ else answer[: LONGEST_READ // 2] + answer[-LONGEST_READ // 2 :]
    return _SPACES.sub(" ", text.translate(_APOSTROPHES)).strip().lower()
