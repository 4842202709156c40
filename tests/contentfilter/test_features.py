"""What the heads read: invisible tricks change nothing, lengths are bounded, n-grams are what they say."""

import time

import pytest
import torch

from contentfilter.features import LONGEST, NUM_BUCKETS, WORD_BUCKETS, ngrams
from contentfilter.normalisation import normalised


@pytest.mark.parametrize(
    "written",
    [
        "vio\u200blence",
        "vio\u00adlence",
        "\ufeffviolence",
        "ｖｉｏｌｅｎｃｅ",
        "violence\u2060",
        "vio\u202elence",
        "violence \n\t ",
    ],
)
def test_what_looks_the_same_is_the_same(written: str) -> None:
    assert normalised(written) == "violence"
    assert torch.equal(ngrams([written]).to_dense(), ngrams(["violence"]).to_dense())


def test_a_row_has_length_one_and_an_empty_text_none() -> None:
    rows = ngrams(["A broken bottle, a broken promise.", "", "\u200b"]).to_dense()
    assert rows.shape == (3, NUM_BUCKETS)
    assert rows.norm(dim=1).tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_words_are_read_alone_and_in_pairs_in_any_case() -> None:
    words = ngrams(["burn it"]).to_dense()[0, :WORD_BUCKETS]
    assert int((words > 0).sum()) == 3  # burn, it, burn it
    assert torch.equal(words, ngrams(["BURN  It"]).to_dense()[0, :WORD_BUCKETS])


def test_a_text_of_any_length_is_read_in_bounded_time() -> None:
    started = time.process_time()
    long = ngrams(["no way out " * 100_000])
    assert time.process_time() - started < 5
    assert torch.equal(long.to_dense(), ngrams([("no way out " * 100_000)[:LONGEST]]).to_dense())
