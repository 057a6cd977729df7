"""Denoisers whose phase is known in advance, for Latin squares in symbols: they test the rule.

Each maps states (B, C, 1, n, n) and a noise level to clean estimates of the same shape, as a
network does. The exact posterior (`posterior.ExactDenoiser`) is one more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..models.schedule import Schedule
from .one_pass import Estimate
from .posterior import ExactDenoiser

LEAST_WEIGHT = 0.5  # of a value, from which a cell may count as set
CERTAIN = 3.5  # and it has to exceed so many standard deviations of the noise
UNLIKELY = 3.0  # standard deviations of a squared distance


@dataclass(frozen=True)
class SigmaAlone:
    """Returns the truth with a probability that depends on the noise level alone, else a wrong
    answer. It ignores the state. *Blur*: one pass at the lowest level is as good as all steps.

    Attributes:
        truth, wrong: (B, C, F, H, W).
        chance: of the truth, as a function of sigma.
        random: drawn from in every pass.
    """

    truth: Tensor
    wrong: Tensor
    chance: Callable[[float], float]
    random: torch.Generator

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        right = torch.rand(len(x), generator=self.random) < self.chance(sigma)
        return torch.where(right.view(-1, 1, 1, 1, 1), self.truth, self.wrong)


@dataclass(frozen=True)
class RoundAPass:
    """Reads the clues and the cells that are certainly set in the state (`read`), fills one round
    of naked and hidden singles, and shows the mean of all values in the other cells. *Chain* on
    boards of three rounds or more, with K = rounds; one refinement on boards of two.

    Attributes:
        clues: (B, n, n) int, -1 in open cells.
    """

    clues: Tensor

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return latents_of(self.board(x, sigma), x.shape[1])

    def board(self, x: Tensor, sigma: float) -> Tensor:
        """What is known after the pass, (B, n, n)."""
        board = with_values(self.clues, read(x, sigma, self.clues.shape[-1]))
        return torch.where(board < 0, singles(board), board)


@dataclass(frozen=True)
class CellAPass(RoundAPass):
    """The same, but where no single follows it settles one cell: of those with fewest candidates
    the first, with the candidate that the state shows most strongly. *Chain* where several answers
    are valid: the noise breaks the ties, but one after another.
    """

    def board(self, x: Tensor, sigma: float) -> Tensor:
        before = with_values(self.clues, read(x, sigma, self.clues.shape[-1]))
        after = torch.where(before < 0, singles(before), before)
        free = candidates(after).flatten(1, 2)  # (B, n n, values)
        count = free.sum(-1)
        stuck = (after == before).flatten(1).all(1) & (count > 0).any(1)
        cell = torch.where(count > 0, count, free.shape[-1] + 1).argmin(1)  # (B,)
        rows = torch.arange(len(x))
        shown = x[:, : free.shape[-1], 0].flatten(2).mT  # (B, n n, values)
        value = torch.where(free, shown, -torch.inf)[rows, cell].argmax(-1)
        settled = after.flatten(1).clone()
        settled[rows[stuck], cell[stuck]] = value[stuck]
        return settled.view_as(after)


@dataclass(frozen=True)
class BrittlePosterior:
    """The exact posterior, but lost on states that no answer explains: there it shows nothing, as
    a network may far from its training states. *Blur* as well, which B cannot see: the noised blend
    is such a state (see `phases`).

    Attributes:
        atoms: of each run, (K, C, F, H, W).
        blank: (B, C, F, H, W), its estimate where it is lost.
    """

    atoms: Sequence[Tensor]
    blank: Tensor

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        estimates, size = ExactDenoiser(self.atoms)(x, sigma), x[0].numel()
        off = [  # squared distances over sigma^2: chi-squared with `size` degrees of freedom
            ((row - (1 - sigma) * atoms) / sigma).pow(2).flatten(1).sum(1).min()
            for row, atoms in zip(x, self.atoms, strict=True)
        ]
        lost = torch.stack(off) > size + UNLIKELY * (2 * size) ** 0.5
        return torch.where(lost.view(-1, 1, 1, 1, 1), self.blank, estimates)


class InTheLoop:
    """A known denoiser in the place of a model in `sampling.denoise`."""

    prediction, layers = "sample", 0

    def __init__(self, estimate: Estimate):
        self.estimate = estimate

    def predict(self, x: Tensor, timestep: Tensor, condition, schedule: Schedule, **_) -> Tensor:
        timesteps, sigmas = _levels(schedule)
        return self.estimate(x, float(sigmas[(timesteps - timestep).abs().argmin()]))

    def clean_estimate(self, output: Tensor, x: Tensor, sigma: float, condition) -> Tensor:
        return output

    def hold(self, x: Tensor, condition) -> Tensor:
        return x


@lru_cache(maxsize=8)
def _levels(schedule: Schedule) -> tuple[Tensor, Tensor]:
    scheduler = schedule.scheduler("sample")
    return scheduler.timesteps, scheduler.sigmas


# Boards (B, n, n): values, -1 in empty cells.


def latents_of(board: Tensor, channels: int) -> Tensor:
    """The latents of boards, (B, C, 1, n, n): 1 for the value, -1 for the others; in empty cells
    the mean over the n values."""
    order, channel = board.shape[-1], torch.arange(channels).view(-1, 1, 1)
    empty = torch.where(channel < order, (2.0 - order) / order, -1.0)
    full = torch.where(board[:, None] == channel, 1.0, -1.0)  # (B, C, n, n)
    return torch.where((board < 0)[:, None], empty, full)[:, :, None]


def read(x: Tensor, sigma: float, order: int) -> Tensor:
    """The boards that states (B, C, 1, n, n) certainly show.

    The weight of a value is the least-squares w in x / (1 - sigma) = mean + w (value - mean): 0 in
    an empty cell and 1 in a set one, with standard deviation sigma / (1 - sigma) / |value - mean|.
    """
    if sigma >= 1.0:
        return torch.full((len(x), order, order), -1)
    shown = x[:, :order, 0] / (1.0 - sigma) - (2.0 - order) / order  # (B, n, n, n), less the mean
    square = 4.0 * (order - 1) / order  # |value - mean|^2: 2 at the value, less 2 / n everywhere
    weight = (2.0 * shown - 2.0 / order * shown.sum(1, keepdim=True)) / square
    strongest, value = weight.max(1)
    deviation = sigma / (1.0 - sigma) / square**0.5
    return torch.where(strongest >= max(LEAST_WEIGHT, CERTAIN * deviation), value, -1)


def with_values(board: Tensor, values: Tensor) -> Tensor:
    """Boards with more values in empty cells, without those that repeat in a row or column."""
    filled = torch.where(board < 0, values, board)
    shown = one_hot(filled)
    twice = (shown.sum(1, keepdim=True) > 1) | (shown.sum(2, keepdim=True) > 1)
    return torch.where((board < 0) & (twice & shown).any(-1), -1, filled)


def singles(board: Tensor) -> Tensor:
    """The values that follow in one round: one candidate in a cell, or one cell for a value in a
    row or column."""
    free = candidates(board)
    alone = [free.sum(axis, keepdim=True) == 1 for axis in (1, 2, 3)]
    only = free & (alone[0] | alone[1] | alone[2])
    return torch.where(only.any(-1), only.int().argmax(-1), -1)


def candidates(board: Tensor) -> Tensor:
    """(B, n, n, values) bool: values that neither row nor column of an empty cell holds."""
    shown = one_hot(board)
    return ~(shown.any(1, keepdim=True) | shown.any(2, keepdim=True)) & (board < 0)[..., None]


def one_hot(board: Tensor) -> Tensor:
    """(B, n, n, values) bool; nothing in an empty cell."""
    return board[..., None] == torch.arange(board.shape[-1])
