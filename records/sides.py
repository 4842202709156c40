"""Which side of a split something is on, drawn from a text of its own and from nothing else.

Exports and training programs draw alike: who or what is held out in one is never taught in another, whatever
else there is and when.
"""

import hashlib
import unicodedata

# Characters: prompts that agree in so many from the start are taken for one (InstructGPT, App. A.2).
BEGINNING = 200


def drawn(key: str) -> int:
    """A number below 2⁶⁴ that the text decides, all equally likely."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])


def trainer_key(trainer: str) -> str:
    """The text that decides for a trainer, by pseudonym."""
    return f"trainer: {trainer}"


def normal_form(text: str) -> str:
    """Case, spacing and Unicode forms of one letter make no difference."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
