"""Vectors of texts: near for the same meaning, whole for long texts, the same in any company."""

from collections.abc import Iterator

import pytest
import torch

from language.embedding import Embedder, load_embedder


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    return load_embedder()


def test_what_means_the_same_is_near_and_what_does_not_is_far(embedder: Embedder) -> None:
    one, same, other = embedder.vectors(
        ["The capital of France is Paris.", "Paris is the capital of France.", "I like cheese."]
    )
    assert one @ same > 0.95
    assert one @ other < 0.3


def test_vectors_have_unit_length_even_of_nothing(embedder: Embedder) -> None:
    lengths = embedder.vectors(["", "A word.", "word " * 700]).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones(3))


def test_a_text_has_the_same_vector_in_any_company(embedder: Embedder) -> None:
    texts = [f"This is sentence number {number}" + " and more" * number for number in range(20)]
    together = embedder.vectors(texts)
    torch.testing.assert_close(together[3], embedder.vectors(texts[3:4])[0], atol=1e-5, rtol=0)


def test_the_end_of_a_long_text_counts(embedder: Embedder) -> None:
    beginning = "The history of the city begins with the river. " * 30  # more than one window
    one, other = embedder.vectors([beginning, beginning + "Whales are mammals that live in the sea. " * 60])
    assert one @ other < 0.95
