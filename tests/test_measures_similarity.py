"""Debiased linear CKA against sums written out by hand, and where the biased one misleads."""

import itertools
import math

import pytest
import torch

from chain_of_steps.measures.similarity import cka, dissimilarity, hsic, spread, tokens


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_quadruples(k, other) -> float:
    """Unbiased HSIC as the mean over all quadruples of distinct tokens (Song et al., eq. 4)."""
    quadruples = list(itertools.permutations(range(len(k)), 4))
    total = sum(
        k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q]) for i, j, q, r in quadruples
    )
    return float(total) / len(quadruples)


def test_hsic_is_the_mean_over_distinct_quadruples():
    a, b = noise(0, 6, 3), noise(1, 6, 2)
    k, other = a @ a.T, b @ b.T
    assert float(hsic(k, other)) == pytest.approx(by_quadruples(k, other), rel=1e-9)
    assert float(hsic(k, k)) == pytest.approx(by_quadruples(k, k), rel=1e-9)


def test_four_tokens_worked_out_by_hand():
    """Two pairs: tokens of a pair are alike in `a`, and one of each pair is alike in `b`. The
    kernels are 1 within a set and -1 between; off the diagonal only. tr(K K) is 12, tr(K L) is -4,
    every row sums to -1, the whole to -4. So HSIC(a, a) = (12 + 16/6 - 4) / 4 = 8/3,
    HSIC(a, b) = (-4 + 16/6 - 4) / 4 = -4/3, and CKA is -1/2."""
    a = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    b = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    assert float(hsic(a @ a.T, a @ a.T)) == pytest.approx(8 / 3)
    assert float(hsic(a @ a.T, b @ b.T)) == pytest.approx(-4 / 3)
    assert cka(a, b) == pytest.approx(-0.5)
    assert dissimilarity(a, b) == pytest.approx(1.5)


def test_rotation_shift_and_scale_make_no_difference():
    a = noise(0, 40, 8)
    rotation = torch.linalg.qr(noise(2, 8, 8)).Q
    assert dissimilarity(a, 3.0 * a @ rotation + 5.0) == pytest.approx(0.0, abs=1e-9)
    assert dissimilarity(a, a.clone()) == pytest.approx(0.0, abs=1e-12)


def test_independent_gaussians_are_alike_only_to_the_biased_estimator():
    a, b = noise(0, 100, 10_368), noise(1, 100, 10_368)
    centred = [values - values.mean(0) for values in (a, b)]
    k, other = (values @ values.T for values in centred)
    biased = float((k * other).sum() / (k.norm() * other.norm()))
    assert biased > 0.98
    assert dissimilarity(a, b) == pytest.approx(1.0, abs=0.05)


def test_on_average_independent_tokens_have_a_dissimilarity_of_1():
    values = [dissimilarity(noise(2 * i, 12, 5), noise(2 * i + 1, 12, 5)) for i in range(400)]
    assert sum(values) / len(values) == pytest.approx(1.0, abs=0.05)


def test_constant_tokens_have_no_similarity_and_unequal_numbers_are_refused():
    assert math.isnan(dissimilarity(torch.ones(5, 2), noise(0, 5, 2)))
    with pytest.raises(ValueError, match="got 5 and 6 tokens"):
        cka(noise(0, 5, 2), noise(1, 6, 2))
    with pytest.raises(ValueError, match="at least 4"):
        cka(noise(0, 3, 2), noise(1, 3, 2))


def test_tokens_are_in_the_order_frame_row_column():
    latents = torch.arange(2 * 3 * 2 * 2).reshape(1, 2, 3, 2, 2).float()
    found = tokens(latents)
    assert found.shape == (12, 2)
    assert torch.equal(found[5], latents[0, :, 1, 0, 1])


def test_tokens_are_spread_evenly_and_at_most_so_many():
    values = torch.arange(10.0)[:, None]
    assert spread(values, 4)[:, 0].tolist() == [0.0, 3.0, 6.0, 9.0]
    assert spread(values, 10).equal(values) and len(spread(torch.zeros(5000, 1))) <= 512
