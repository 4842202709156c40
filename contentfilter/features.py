"""What the heads read of a text: its MiniLM vector, and its hashed n-grams of words and characters."""

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from contentfilter.normalisation import normalised
from language.embedding import Embedder

WORD_BUCKETS, CHARACTER_BUCKETS = 2**15, 2**16
WIDTH = 384  # of MiniLM's vectors
NUM_BUCKETS = WORD_BUCKETS + CHARACTER_BUCKETS
LONGEST = 20_000  # characters that are read of one text; no message that people send is longer in earnest
_WORD = re.compile(r"\w+|[^\w\s]")
_CHARACTERS = (3, 4, 5)


def vectors(texts: Sequence[str], embedder: Embedder) -> Float[Tensor, "texts width"]:
    """The unit vectors of MiniLM, in float64."""
    if not texts:
        return torch.zeros(0, WIDTH, dtype=torch.float64)
    return embedder.vectors([normalised(text)[:LONGEST] for text in texts]).double()


def ngrams(texts: Sequence[str]) -> Tensor:
    """A sparse matrix [texts, buckets]: 1 + log(count) of each hashed n-gram, every row of length 1, in float64.

    Words one and two in a row, and three to five characters within words; lower case. Hashes are CRC-32, which are the
    same everywhere. A text without any has a row of zeros.
    """
    rows, columns, values = [], [], []
    for row, text in enumerate(texts):
        weights = {bucket: 1 + math.log(count) for bucket, count in Counter(_buckets(text)).items()}
        length = math.sqrt(math.fsum(weight**2 for weight in weights.values()))
        for bucket in sorted(weights):
            rows.append(row)
            columns.append(bucket)
            values.append(weights[bucket] / length)
    indices = torch.tensor([rows, columns], dtype=torch.int64).reshape(2, -1)
    found = torch.sparse_coo_tensor(
        indices, torch.tensor(values, dtype=torch.float64), (len(texts), NUM_BUCKETS), check_invariants=False
    )
    return found.coalesce()


def _buckets(text: str) -> Iterator[int]:
    words = _WORD.findall(normalised(text)[:LONGEST].lower())
    for word in words:
        yield _hashed(f"w{word}", WORD_BUCKETS)
    for first, second in pairwise(words):
        yield _hashed(f"w{first} {second}", WORD_BUCKETS)
    for word in words:
        padded = f" {word} "
        for length in _CHARACTERS:
            for start in range(len(padded) - length + 1):
                yield WORD_BUCKETS + _hashed(padded[start : start + length], CHARACTER_BUCKETS)


def _hashed(text: str, buckets: int) -> int:
    return zlib.crc32(text.encode()) % buckets
