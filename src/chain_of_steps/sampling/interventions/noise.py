"""Noise put into chosen (step, frame) cells of a generation, just before a step.

The paper's two experiments are `NoiseAtStep` (all frames of one step) and `NoiseAtFrame` (one frame
at all steps). It replaces `x_s` by N(0, I). Late in the run the model expects less noise than that,
so a drop there may be plain damage to the picture; the mode `level-correct` therefore puts in fresh
noise of just the level that belongs there.
"""

import dataclasses
from collections.abc import Iterable
from typing import Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from .base import Action, generator

Mode = Literal["replace", "additive", "level-correct"]
MODES: tuple[Mode, ...] = ("replace", "additive", "level-correct")


@dataclasses.dataclass(frozen=True)
class Edit(Action):
    """Noise in some frames before one step.

    Attributes:
        frames: latent frames that are changed, in order.
        mode, amplitude, seed: see `Noise`.
    """

    frames: tuple[int, ...]
    mode: Mode
    amplitude: float
    seed: int

    @property
    def changed_frames(self) -> tuple[int, ...]:
        return self.frames

    def latents(
        self, step: int, x: Tensor, x0_hat: Tensor | None, sigma: float, first: Tensor | None = None
    ) -> Tensor:
        """See `Action.latents`."""
        frames = list(self.frames)
        eps = torch.randn(x.shape, generator=generator("noise", self.seed, step)).to(x)[
            :, :, frames
        ]
        if self.mode == "replace":
            new = eps
        elif self.mode == "additive":
            new = x[:, :, frames] + self.amplitude * eps
        elif x0_hat is None:
            new = sigma * eps
        else:
            new = (1.0 - sigma) * x0_hat[:, :, frames] + sigma * eps
        changed = x.clone()
        changed[:, :, frames] = new
        return changed


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise in some (step, frame) cells of a trajectory.

    The noise of a cell depends on `seed`, step and frame alone: one cell gets the same noise in
    every intervention.

    Attributes:
        mode: `replace`: `x_s <- eps` (the paper's wording); `additive`:
            `x_s <- x_s + amplitude eps`; `level-correct`:
            `x_s <- (1 - sigma_s) x0_hat + sigma_s eps` with the clean estimate of the step before,
            an Euler step that keeps the estimate and forgets the noise it came from.
        amplitude: of the additive mode.
        seed: of the noise.
    """

    mode: Mode = "replace"
    amplitude: float = 1.0
    seed: int = 0

    @property
    def named_steps(self) -> Iterable[int]:
        """The steps that it names; none if it is about all."""
        raise NotImplementedError

    def frames_at(self, step: int, frames: int) -> Iterable[int]:
        """The latent frames, out of `frames`, that are changed before a step."""
        raise NotImplementedError

    def at(self, step: int, frames: int) -> Edit | None:
        """What it does before a step, or None.

        Raises:
            ValueError: if it names a frame that the latents do not have.
        """
        chosen = tuple(sorted(set(self.frames_at(step, frames))))
        if not chosen:
            return None
        if not 0 <= chosen[0] <= chosen[-1] < frames:
            raise ValueError(f"{self} names a frame outside of 0 to {frames - 1}")
        return Edit(
            chosen, self.mode, self.amplitude if self.mode == "additive" else 1.0, self.seed
        )


@dataclass(frozen=True)
class NoiseAtStep(Noise):
    """Noise at one step, in all frames or those given (paper, figure 3a left)."""

    step: int
    frames: tuple[int, ...] | None = None

    @property
    def named_steps(self) -> Iterable[int]:
        return (self.step,)

    def frames_at(self, step: int, frames: int) -> Iterable[int]:
        if step != self.step:
            return ()
        return range(frames) if self.frames is None else self.frames


@dataclass(frozen=True)
class NoiseAtFrame(Noise):
    """Noise in one latent frame, at all steps or those given (paper, figure 3a right)."""

    frame: int
    steps: tuple[int, ...] | None = None

    @property
    def named_steps(self) -> Iterable[int]:
        return self.steps or ()

    def frames_at(self, step: int, frames: int) -> Iterable[int]:
        return (self.frame,) if self.steps is None or step in self.steps else ()


@dataclass(frozen=True)
class NoiseAtCells(Noise):
    """Noise in any set of (step, frame) cells."""

    cells: tuple[tuple[int, int], ...]

    @property
    def named_steps(self) -> Iterable[int]:
        return (step for step, _ in self.cells)

    def frames_at(self, step: int, frames: int) -> Iterable[int]:
        return (f for s, f in self.cells if s == step)
