"""Labelled texts that a test makes up: a few words give each category away, so that little is enough to learn it."""

import json
from pathlib import Path
from random import Random

from contentfilter.categories import CATEGORIES

SIGNS = {
    "S": "velvet lace", "H": "those people", "V": "broken bottle", "HR": "you fool", "SH": "no way out",
    "S3": "velvet schoolyard", "H2": "those people burn", "V2": "broken bone",
}  # fmt: skip
_ORDINARY = ("garden", "river", "morning", "letter", "window", "coffee", "train", "music", "bread", "winter")


def texts(num: int, *, seed: int = 0) -> list[dict[str, object]]:
    """Rows of which three in four hold the sign of a category; every fifth label is left out."""
    generator = Random(seed)
    rows = []
    for number in range(num):
        words = generator.choices(_ORDINARY, k=8)
        holds = generator.choice([*CATEGORIES, None, None]) if number % 4 else CATEGORIES[number // 4 % 8]
        if holds:
            words.insert(generator.randrange(8), SIGNS[holds])
        labels = {name: int(name == holds) for name in CATEGORIES if name == holds or generator.random() > 0.2}
        rows.append({"prompt": f"{' '.join(words)} {number}", **labels})
    return rows


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
