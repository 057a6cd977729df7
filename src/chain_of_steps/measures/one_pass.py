"""Controls of one pass, or of a few at one noise level: B, F, T and I_k.

A pass at noise level sigma on latents z is the clean estimate at the state

    x = (1 - sigma) z + sigma eps,    eps ~ N(0, I)

(paper section 6). The controls differ in z:

- **B** (blur): uninformative about the open parts, so all information is in the noise.
- **F** (first): the run's own clean estimate of step 0, so a second look is all that is added.
- **T** (truth): a valid answer; the ceiling.
- **I_k**: k passes in all. The first is step 0 of the run; the other k - 1 are at one sigma, each
  on the re-noised estimate of the last. So I_1 = A_0 and I_2 = F, and a network that adds one
  round of deduction a pass needs as many passes as there are rounds.

sigma is chosen from a grid on validation runs; outcomes are reported on test runs. That of I_k is
the best one after `CHOSEN` passes: the least of these numbers that is k or more, or the last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..sampling.interventions.base import generator

GRID = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)  # of 50 steps, shift 5, the last is .09
COARSE = GRID[::2]  # of I_k, k > 2, whose search takes many passes
CHOSEN = (2, 4, 8)
MOST_PASSES = 20

Estimate = Callable[[Tensor, float], Tensor]  # states (B, C, F, H, W), sigma -> clean estimates
Valid = Callable[[Tensor], np.ndarray]  # clean estimates (B, C, F, H, W) -> (B,) bool


@dataclass(frozen=True)
class Runs:
    """B runs of one denoiser as one batch, and what its controls start from.

    Attributes:
        names: of each run, e.g. its sample's key and its seed. They seed the noise, so a run gets
            the same noise in any batch.
        estimate: the clean estimates of all runs at one noise level, each under its own condition.
        valid: whether the decided answer of each clean estimate is valid.
        blank: (B, C, F, H, W), uninformative about the open parts (`answers.uninformative`).
        first: (B, C, F, H, W), the clean estimates of step 0.
        truth: (B, C, F, H, W), a valid answer of each.
    """

    names: Sequence[str]
    estimate: Estimate
    valid: Valid
    blank: Tensor
    first: Tensor
    truth: Tensor


@dataclass(frozen=True)
class Control:
    """A control on test runs.

    Attributes:
        sigma: the noise level, chosen on validation runs.
        valid: (B,) bool, validity of the test runs.
    """

    sigma: float
    valid: np.ndarray


def renoised(z: Tensor, sigma: float, names: Sequence[str], number: int = 0) -> Tensor:
    """`(1 - sigma) z + sigma eps`, (B, C, F, H, W).

    Args:
        names: of the runs.
        number: of the noise; at one level, equal numbers give equal noise, whatever z is.
    """
    eps = [
        torch.randn(z.shape[1:], generator=generator("one pass", name, sigma, number))
        for name in names
    ]
    return (1.0 - sigma) * z + sigma * torch.stack(eps).to(z)


def passes(runs: Runs, z: Tensor, sigma: float, count: int = 1, fresh: bool = True) -> np.ndarray:
    """Validity (count, B) after each of `count` passes at one noise level, the first on z.

    Args:
        fresh: new noise in every pass, or else that of the first in all.
    """
    found = []
    for number in range(count):
        z = runs.estimate(renoised(z, sigma, runs.names, number if fresh else 0), sigma)
        found.append(runs.valid(z))
    return np.array(found)


def control(validation: Runs, test: Runs, z: str, grid: Sequence[float] = GRID) -> Control:
    """One pass at the level of the grid that is best on validation runs.

    Args:
        z: which latents of the runs it starts from: `blank` (B), `first` (F) or `truth` (T).
    """
    return at_level(test, z, best_level(validation, z, grid))


def best_level(validation: Runs, z: str, grid: Sequence[float] = GRID) -> float:
    """The level of the grid at which one pass is best on validation runs."""
    shares = [passes(validation, getattr(validation, z), sigma)[0].mean() for sigma in grid]
    return grid[middle_of_best(np.array(shares))]


def at_level(test: Runs, z: str, sigma: float) -> Control:
    """One pass at a level that has been chosen."""
    return Control(sigma, passes(test, getattr(test, z), sigma)[0])


def middle_of_best(shares: np.ndarray) -> int:
    """The index of the largest share, or of the middle one of several: at the edge of a range of
    levels that are all best on validation runs, some test runs fail."""
    best = np.flatnonzero(shares >= shares.max() - 1e-9)
    return int(best[len(best) // 2])


def iterated(
    validation: Runs,
    test: Runs,
    grid: Sequence[float] = GRID,
    most: int = MOST_PASSES,
    fresh: bool = True,
) -> list[Control]:
    """I_1 to I_most at levels chosen on validation runs. The level of I_1 is that of step 0, given
    as 1.

    Args:
        fresh: see `passes`.
    """
    return at_levels(test, best_levels(validation, grid, most, fresh), fresh)


def best_levels(
    validation: Runs,
    grid: Sequence[float] = GRID,
    most: int = MOST_PASSES,
    fresh: bool = True,
) -> list[float]:
    """The levels of I_2 to I_most. No more than the last of `CHOSEN` passes are tried."""
    tried = min(most, CHOSEN[-1])
    shares = np.array(
        [passes(validation, validation.first, s, tried - 1, fresh).mean(1) for s in grid]
    )
    chosen = {k: grid[middle_of_best(shares[:, min(k, tried) - 2])] for k in CHOSEN}
    return [chosen[next((c for c in CHOSEN if c >= k), CHOSEN[-1])] for k in range(2, most + 1)]


def at_levels(test: Runs, levels: Sequence[float], fresh: bool = True) -> list[Control]:
    """I_1, and I_2, I_3, ... at levels that have been chosen."""
    last = {sigma: count for count, sigma in enumerate(levels, 1)}  # passes at each that are used
    curves = {s: passes(test, test.first, s, count, fresh) for s, count in last.items()}
    later = [Control(s, curves[s][k]) for k, s in enumerate(levels)]
    return [Control(1.0, test.valid(test.first)), *later]
