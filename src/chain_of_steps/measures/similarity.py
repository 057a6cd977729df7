"""How alike two sets of tokens are: debiased linear CKA.

    CKA(a, b) = HSIC(a, b) / sqrt(HSIC(a, a) HSIC(b, b))

with HSIC of linear kernels by the unbiased estimator of Song et al. (2012), eq. 5. The usual,
biased estimator compares any two sets of few tokens with many features as alike: independent
Gaussians of 100 tokens and 10,368 features have a CKA of .99.

A number means something only between its floor, a null intervention (1 - CKA = 0), and its ceiling,
the same sample with another seed.
"""

import torch
from torch import Tensor

TOKENS = 512  # compared at most, evenly spread: the estimator is unbiased whatever their number


def tokens(latents: Tensor) -> Tensor:
    """Latents (1, C, F, H, W) as tokens (F H W, C), in the order (f h w)."""
    return latents[0].flatten(1).T


def spread(values: Tensor, most: int = TOKENS) -> Tensor:
    """At most so many of N tokens (N, D), evenly spread."""
    return values[:: -(-len(values) // most)]


def dissimilarity(a: Tensor, b: Tensor) -> float:
    """1 - CKA of two sets of tokens: 0 if equal up to rotation, shift and scale, 1 on average if
    independent; NaN if one is constant.

    Args:
        a: (N, D), the tokens of one sample as examples; N > 3.
        b: (N, D'), the same tokens elsewhere.

    Raises:
        ValueError: for sets of different size, or fewer than 4 tokens.
    """
    return 1.0 - cka(a, b)


def cka(a: Tensor, b: Tensor) -> float:
    """Debiased linear CKA; see `dissimilarity`."""
    if len(a) != len(b) or len(a) < 4:
        raise ValueError(f"got {len(a)} and {len(b)} tokens; expected equally many, at least 4")
    ours, theirs = _kernel(a), _kernel(b)
    scale = hsic(ours, ours) * hsic(theirs, theirs)
    return float(hsic(ours, theirs) / scale.sqrt()) if scale > 0 else float("nan")


def _kernel(values: Tensor) -> Tensor:
    """The linear kernel (N, N) of tokens (N, D). A shift cancels; without it there is less
    rounding."""
    values = values.double()
    values = values - values.mean(0)
    return values @ values.T


def hsic(one: Tensor, other: Tensor) -> Tensor:
    """Unbiased HSIC of two kernels K and L, (N, N), N > 3.

        (tr(K L) + 1'K1 1'L1 / ((n - 1)(n - 2)) - 2 / (n - 2) 1'K L1) / (n (n - 3))

    with zeros on both diagonals.
    """
    n = len(one)
    one, other = one - torch.diag(one.diag()), other - torch.diag(other.diag())
    sums = one.sum() * other.sum() / ((n - 1) * (n - 2))
    rows = 2.0 * (one.sum(0) @ other.sum(0)) / (n - 2)
    return ((one * other).sum() + sums - rows) / (n * (n - 3))
