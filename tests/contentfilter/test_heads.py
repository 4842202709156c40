"""Heads and their calibration: what is unknown takes no part, what is learned is found, few examples stay unsure."""

import pytest
import torch

from contentfilter.heads import fit_heads, fit_scaling

NAN = float("nan")


def planted(num: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(num, 4, generator=generator, dtype=torch.float64)
    logits = features @ torch.tensor([[2.0], [0.0], [-1.0], [0.0]], dtype=torch.float64) - 1
    labels = (torch.rand(num, 1, generator=generator, dtype=torch.float64) < logits.sigmoid()).double()
    return features, labels


def ones(num: int) -> torch.Tensor:
    return torch.ones(num, dtype=torch.float64)


def test_planted_weights_are_found_in_sparse_and_dense_alike() -> None:
    features, labels = planted(4000, seed=1)
    dense = fit_heads(features, labels, strength=100.0, weight=ones(4000))
    assert dense.weights[:, 0].tolist() == pytest.approx([2.0, 0.0, -1.0, 0.0], abs=0.2)
    assert dense.bias.item() == pytest.approx(-1.0, abs=0.15)
    sparse = fit_heads(features.to_sparse(), labels, strength=100.0, weight=ones(4000))
    assert torch.allclose(dense.weights, sparse.weights, atol=1e-4)


def test_unknown_labels_and_weightless_texts_take_no_part() -> None:
    features, labels = planted(400, seed=2)
    alone = fit_heads(features[:300], labels[:300], strength=1.0, weight=ones(300))
    unknown = torch.cat([labels[:300], torch.full((100, 1), NAN, dtype=torch.float64)])
    assert torch.allclose(
        alone.weights, fit_heads(features, unknown, strength=1.0, weight=ones(400)).weights, atol=1e-4
    )
    weight = torch.cat([ones(300), torch.zeros(100, dtype=torch.float64)])
    assert torch.allclose(alone.weights, fit_heads(features, labels, strength=1.0, weight=weight).weights, atol=1e-4)


def test_labels_of_one_kind_teach_nothing() -> None:
    features, labels = planted(20, seed=3)
    with pytest.raises(ValueError, match="only labels of one kind"):
        fit_heads(features, torch.zeros_like(labels), strength=1.0, weight=ones(20))


def test_scaling_makes_logits_that_were_too_sure_honest() -> None:
    generator = torch.Generator().manual_seed(4)
    honest = torch.randn(3000, 1, generator=generator, dtype=torch.float64)
    labels = (torch.rand(3000, 1, generator=generator, dtype=torch.float64) < honest.sigmoid()).double()
    scaling = fit_scaling(3 * honest + 1, labels)
    assert scaling.slope.item() == pytest.approx(1 / 3, rel=0.1)
    assert scaling.offset.item() == pytest.approx(-1 / 3, abs=0.1)


def test_a_head_that_is_worse_than_chance_says_nothing() -> None:
    logits = torch.tensor([[2.0], [1.0], [-1.0], [-2.0]], dtype=torch.float64)
    labels = torch.tensor([[0.0], [0.0], [1.0], [NAN]], dtype=torch.float64)
    assert fit_scaling(logits, labels).slope.item() == 0.0
