"""Drawing jurors by lot: balanced, without conflicts, and the same again from the same seed. Knows no row.

A lot is a hash of the seed and of the names it is about, so that neither the order of rows in a table nor an entry that
was withdrawn moves anybody else's.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

JURORS_AN_ENTRY = 3


def seed_of(*names: str) -> int:
    """The seed of a challenge, from the names of its project and of itself: 31 bits, as all the platform's."""
    return _hash("challenge", *names) >> 33


def lot(seed: int, *names: str) -> int:
    """The lot of one thing in one draw: whoever has the lowest is drawn."""
    return _hash(str(seed), *names)


def draw(
    entries: Iterable[str],
    jurors: Collection[str],
    *,
    seed: int,
    conflicts: Collection[tuple[str, str]] = (),
    already: Mapping[str, Collection[str]] | None = None,
    wanted: Mapping[str, int] | None = None,
) -> list[tuple[str, str]]:
    """The (entry, juror) pairs that are missing until each entry has as many jurors as it wants, three unless said.

    Entries come in the order of their lots. Each takes whoever has the fewest entries so far, by lot among equals, and
    never somebody with a conflict or who is drawn for it `already`. An entry that too few may judge gets those few.
    """
    already, wanted = already or {}, wanted or {}
    load = Counter(dict.fromkeys(jurors, 0))
    load.update(juror for drawn in already.values() for juror in drawn if juror in load)
    barred = set(conflicts)
    found: list[tuple[str, str]] = []
    for entry in sorted(entries, key=lambda one: lot(seed, "entry", one)):
        drawn = already.get(entry, ())
        free = [juror for juror in jurors if juror not in drawn and (entry, juror) not in barred]
        free.sort(key=lambda juror: (load[juror], lot(seed, "juror", entry, juror)))
        chosen = free[: max(0, wanted.get(entry, JURORS_AN_ENTRY) - len(drawn))]
        load.update(chosen)
        found += [(entry, juror) for juror in chosen]
    return found


def _hash(*names: str) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(names).encode()).digest()[:8])
