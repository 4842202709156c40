"""Whether a text is a model's: which of the completions that its author was shown it was taken or edited from.

Knows texts only; labeling.dialogues.authorship says who was shown what.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

BLOCK = 24  # characters; fewer in a row, two people have in common by chance
FEWEST = 40  # characters in blocks, or of a short suggestion, from which on a likeness is no chance
FEWEST_NAMED = 4  # characters in a row that are left of a short suggestion
MOST_READ = 400_000  # characters of completions that are looked through for one text, at 2 µs each; also of prompts
MOST_ALIKE = 300_000  # characters of completions whose edit distance to a text is computed, at 1 µs each


@dataclass(frozen=True, kw_only=True)
class Offered:
    """A completion that the author of a text was shown."""

    content: str
    prompt: str = ""  # what it answers; words that stand there are not the completion's own
    here: bool = True  # whether it was shown for the place of the text, not elsewhere in the dialogue


def find_origin(text: str, offered: Sequence[Offered], *, named: int | None = None) -> int | None:
    """The index of the completion that `text` was taken or edited from; None if the words are its author's own.

    `offered` begins with the newest; `named` is the one that the browser says the text began as. However many blanks
    stand between two words, they count as one. The origin is

    1. a completion that equals the text; one that was shown elsewhere only if it has FEWEST characters;
    2. else, if at least half of the text's characters, and FEWEST, lie in blocks that some completions have as well
       (a block: BLOCK characters in a row or more), the completion with most of them;
    3. else a completion of which at least half of the characters, and FEWEST, lie in such blocks, or of which at most
       a fifth was changed, however evenly;
    4. else the named completion, if a block of it is left, or of a short one half, or if at most half was changed.

    Words of a completion's prompt do not count as its own in a block: both texts may quote them.
    """
    first = [] if named is None else [named]
    order = [*first, *(index for index in range(len(offered)) if index != named)]
    equal = _find_equal(text, [(index, offered[index]) for index in order], named)
    if equal is not None:
        return equal
    plain = _plain(text)
    found = list(_compare(plain, offered, order))
    half = max(FEWEST, (len(plain) + 1) // 2)
    everywhere = set().union(*(one.places for one in found if one.num_kept >= BLOCK))
    likely = found if _num_covered(everywhere) >= half else [one for one in found if one.is_edited]
    best = max(likely, key=lambda one: one.num_kept, default=None)
    if best is not None and best.num_kept:
        return best.index
    return named if named is not None and _is_left(plain, offered[named], found[0] if found else None) else None


def nearly_same(before: str, after: str) -> bool:
    """Whether `after` is `before` with at most a fifth of its characters changed.

    Texts written independently differ in about three quarters of their characters. Short texts can be alike by
    chance, so they are never nearly the same. The computation stops as soon as more has changed: two texts of
    100,000 characters take 0.1 s at most.
    """
    most = len(before) // 5
    return len(before) >= FEWEST and Levenshtein.distance(before, after, score_cutoff=most) <= most


@dataclass(frozen=True, kw_only=True)
class _Likeness:
    """What a text has of one completion that its prompt has not."""

    index: int
    places: Set[int]  # where the blocks begin in the text
    num_kept: int  # characters of the text in them
    is_edited: bool  # by what there is of this completion alone
    is_quotation: bool  # half of the text stands in the prompt as well: its likeness as a whole says nothing


def _find_equal(text: str, ordered: Sequence[tuple[int, Offered]], named: int | None) -> int | None:
    plain = _plain(text)
    equal = [
        (index, one.content)
        for index, one in ordered
        if (one.here or index == named or len(plain) >= FEWEST) and _plain(one.content) == plain
    ]
    exactly = (index for index, content in equal if content == text)
    return next(exactly, equal[0][0] if equal else None)


def _compare(plain: str, offered: Sequence[Offered], order: Sequence[int]) -> Iterator[_Likeness]:
    """The likeness of a text to each completion, until MOST_READ characters are read."""
    starts: dict[str, list[int]] = {}
    for place, block in _blocks(plain):
        starts.setdefault(block, []).append(place)
    prompts = _Prompts(starts.keys())
    num_read = 0
    for index in order:
        content = _plain(offered[index].content)
        num_read += len(content)
        if num_read > MOST_READ:
            return
        shared = {block: place for place, block in _blocks(content) if block in starts}
        quoted = prompts.blocks_in(offered[index].prompt) & shared.keys() if shared else frozenset()
        num_own = _num_covered(shared.values()) - _num_covered(shared[block] for block in quoted)
        places = _places(shared.keys() - quoted, starts)
        num_quoted = _num_covered(_places(quoted, starts))
        num_kept = _num_covered(_places(shared.keys(), starts)) - num_quoted
        is_edited = num_own >= max(FEWEST, (len(content) + 1) // 2)
        is_quotation = num_quoted * 2 >= len(plain) > 0
        if not is_edited and not is_quotation and num_read <= MOST_ALIKE and nearly_same(content, plain):
            is_edited, num_kept = True, max(num_kept, len(plain) // 2)
        yield _Likeness(index=index, places=places, num_kept=num_kept, is_edited=is_edited, is_quotation=is_quotation)


class _Prompts:
    """Which blocks of a text stand in a prompt. Completions share prompts, so each is read once."""

    def __init__(self, wanted: Set[str]) -> None:
        self._wanted = wanted
        self._known: dict[str, frozenset[str]] = {}
        self._num_read = 0

    def blocks_in(self, prompt: str) -> frozenset[str]:
        if prompt not in self._known:
            self._num_read += len(prompt)
            read = _plain(prompt) if self._num_read <= MOST_READ else ""
            self._known[prompt] = frozenset(block for _, block in _blocks(read) if block in self._wanted)
        return self._known[prompt]


def _is_left(plain: str, named: Offered, likeness: _Likeness | None) -> bool:
    if likeness is not None and (likeness.num_kept >= BLOCK or likeness.is_quotation):
        return likeness.num_kept >= BLOCK
    content = _plain(named.content)
    if len(content) < 2 * BLOCK:
        width = max(FEWEST_NAMED, (len(content) + 1) // 2)
        if any(content[place : place + width] in plain for place in range(len(content) - width + 1)):
            return True
    most = max(len(content), len(plain)) // 2
    return Levenshtein.distance(content, plain, score_cutoff=most) <= most


def _plain(text: str) -> str:
    return " ".join(text.split())


def _blocks(plain: str) -> Iterator[tuple[int, str]]:
    """Every BLOCK characters in a row, with the place where they begin."""
    return ((place, plain[place : place + BLOCK]) for place in range(len(plain) - BLOCK + 1))


def _places(blocks: Iterable[str], starts: Mapping[str, Sequence[int]]) -> Set[int]:
    return {place for block in blocks for place in starts[block]}


def _num_covered(places: Iterable[int]) -> int:
    """How many characters lie in blocks that begin at these places."""
    covered, end = 0, 0
    for place in sorted(places):
        covered += place + BLOCK - max(place, end)
        end = place + BLOCK
    return covered
