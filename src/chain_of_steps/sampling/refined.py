"""Refinement in part: some parts of a finished answer are made again while the rest is kept.

A finished run is noised again to the level of a step and denoised from there. After every step all
of it but the chosen parts is set back to the finished run under the same noise, so the network
decides these parts again with the others in view. Iterative partial refinement (arXiv 2605.19317)
does this with networks that take a noise level per region and picks the regions at random; here all
of the clip has one level, and the parts are picked by margin or by the puzzle's rules.
"""

from typing import Literal

import numpy as np
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from ..models.symbols import part_cells
from ..models.video_model import VideoModel
from ..puzzles import reading
from ..puzzles.base import Answer, Sample, assignment
from .denoise import advance
from .rollouts import Member, Rollouts
from .samplers import sampler_of
from .state import State


@dataclass(frozen=True)
class Refined:
    """Run 0, some parts of which are then made again, several times.

    Attributes:
        pick: `margin`, the parts of least margin (blind); `violations`, those at fault by the
            puzzle's rules, none if the answer is valid (with checker).
        step: whose noise level the finished run is noised to.
        rounds: how many times, at most.
        share: of the parts, picked by margin.
    """

    pick: Literal["margin", "violations"]
    step: int
    rounds: int
    share: float = 0.5

    def shared(self, steps: int) -> tuple[int, int]:
        """See `arms.Runs.shared`."""
        return 1, steps

    def more(self, steps: int) -> int:
        """See `arms.Runs.more`."""
        return self.rounds * (steps - self.step)

    def finals(self, rollouts: Rollouts) -> list[Tensor]:
        """See `arms.Runs.finals`."""
        latents = rollouts.final(Member(0))
        for number in range(1, self.rounds + 1):
            beliefs = rollouts.model.beliefs(rollouts.sample, latents)
            rng = np.random.default_rng([rollouts.seed, number])
            chosen = self.parts(rollouts.sample, beliefs, rng)
            if not chosen.any():
                break
            parts = regions(rollouts.model, rollouts.sample, latents.shape)
            region = parts[chosen].any(0).to(latents.device)
            latents = remade(rollouts, latents, region, self.step, number)
        return [latents]

    def parts(self, sample: Sample, beliefs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Which parts are made again, (P,) bool.

        Args:
            beliefs: (P, V), of the finished run.
            rng: decides between equal margins.
        """
        if self.pick == "violations":
            return at_fault(sample, assignment(reading.decide(beliefs)))
        ordered = np.sort(np.nan_to_num(beliefs, nan=0.0))
        margins, lots = ordered[:, -1] - ordered[:, -2], rng.random(len(beliefs))
        chosen = np.zeros(len(beliefs), bool)
        chosen[np.lexsort((lots, margins))[: max(1, round(self.share * len(beliefs)))]] = True
        return chosen


def at_fault(sample: Sample, answer: Answer) -> np.ndarray:
    """Which parts of an answer break a rule, (P,) bool: left undecided, the answer would have no
    more violations than now. None if it has no violation."""
    violations = sample.violations(answer)
    without = [sample.violations((*answer[:p], None, *answer[p + 1 :])) for p in range(len(answer))]
    return np.array(without) <= violations


def regions(model: VideoModel, sample: Sample, shape: tuple[int, ...]) -> Tensor:
    """The latent cells that each part is drawn in, (P, 1, 1, F, H, W) bool: those of its own pixels
    in the last frame, in all frames but the given one. In symbols, a part is a cell.

    Args:
        shape: of latents, (1, C, F, H, W).
    """
    frames, height, width = shape[2:]
    if model.family.encode_sample is not None:  # symbols
        cells = nn.functional.one_hot(torch.tensor(part_cells(sample)), height * width).bool()
        return cells.view(-1, 1, 1, 1, height, width)
    readers = reading.part_readers(sample, model.size, 1.0)
    own = torch.zeros(len(readers), model.size**2 * 3)
    for number, reader in enumerate(readers):
        if reader is not None:
            own[number, reader.pixels] = 1.0
    drawn = own.view(-1, model.size, model.size, 3).amax(-1)
    cells = nn.functional.adaptive_max_pool2d(drawn, (height, width)).bool()  # (P, H, W)
    return cells[:, None, None, None] & (torch.arange(frames) > 0).view(1, 1, 1, frames, 1, 1)


def remade(rollouts: Rollouts, latents: Tensor, region: Tensor, step: int, number: int) -> Tensor:
    """Finished latents (1, C, F, H, W) of which a region (1, 1, F, H, W) is made again from a step
    on, with the rest held to them.

    Args:
        number: of the noise.
    """
    schedule, model = rollouts.schedule, rollouts.model
    eps = rollouts.noise(step, number)
    sampler = sampler_of(schedule, model.prediction)
    state = State(step, latents, sampler, x0_hat=latents)
    state.latents = (1.0 - state.sigma) * latents + state.sigma * eps
    while state.step < schedule.steps:
        advance(model, rollouts.condition, schedule, state)
        kept = (1.0 - state.sigma) * latents + state.sigma * eps
        state.latents = torch.where(region, state.latents, kept)
    rollouts.spend(schedule.steps - step)
    return state.latents
