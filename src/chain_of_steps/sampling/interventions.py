"""Interventions: changes made to a trajectory just before a step. Here: noise in chosen (step, frame) cells.

The paper's two experiments are `NoiseAtStep` (all frames of one step) and `NoiseAtFrame` (one frame at all steps).
It replaces `x_s` by N(0, I). Late in the run the model expects less noise than that, so a drop there may be plain
damage to the picture; the mode `level-correct` therefore puts in fresh noise of just the level that belongs there.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import torch
from torch import Tensor

from ..common.hashing import digest

Mode = Literal["replace", "additive", "level-correct"]
MODES: tuple[Mode, ...] = ("replace", "additive", "level-correct")


@dataclass(frozen=True)
class Edit:
    """What happens to the latents before one step; equal edits of equal latents give equal latents.

    Attributes:
        frames: latent frames that are changed, in order.
        mode, amplitude, seed: see `Noise`.
    """

    frames: tuple[int, ...]
    mode: Mode
    amplitude: float
    seed: int

    def apply(self, step: int, x: Tensor, x0_hat: Tensor | None, sigma: float) -> Tensor:
        """Changed latents (1, C, F, H, W).

        Args:
            x: `x_s`, (1, C, F, H, W).
            x0_hat: the clean estimate of the step before, the same shape; None before step 0, which is noise alone.
            sigma: noise level of this step.
        """
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

    The noise of a cell depends on `seed`, step and frame alone: one cell gets the same noise in every intervention.

    Attributes:
        mode: `replace`: `x_s <- eps` (the paper's wording); `additive`: `x_s <- x_s + amplitude eps`;
            `level-correct`: `x_s <- (1 - sigma_s) x0_hat + sigma_s eps` with the clean estimate of the step before: an
            Euler step that keeps the estimate and forgets the noise it came from.
        amplitude: of the additive mode.
        seed: of the noise.
    """

    mode: Mode = "replace"
    amplitude: float = 1.0
    seed: int = 0

    def __post_init__(self):
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}; expected one of {', '.join(MODES)}")

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


def check_cells(interventions: Iterable["Intervention"], steps: int, frames: int) -> None:
    """Refuses steps and frames that a generation does not have.

    Raises:
        ValueError: that names the intervention.
    """
    for intervention in interventions:
        if outside := [step for step in intervention.named_steps if not 0 <= step < steps]:
            raise ValueError(f"{intervention} names step {outside[0]}; expected 0 to {steps - 1}")
        for step in range(steps):
            intervention.at(step, frames)


def generator(*purpose: str | int) -> torch.Generator:
    """A CPU generator of its own for every purpose, also apart from those of initial noise, which are seeded plainly.

    A CPU generator keeps 32 bits of its seed, so large offsets would collide: the seed is a hash.
    """
    return torch.Generator("cpu").manual_seed(int(digest(purpose)[:8], 16))


Intervention = NoiseAtStep | NoiseAtFrame | NoiseAtCells
KINDS = {kind.__name__: kind for kind in (NoiseAtStep, NoiseAtFrame, NoiseAtCells)}


def record(intervention: Intervention) -> dict[str, Any]:
    """Plain JSON data that determines an intervention."""
    return {"kind": type(intervention).__name__, **asdict(intervention)}


def from_record(data: dict[str, Any]) -> Intervention:
    """The intervention that `record` wrote down."""
    kind = KINDS[data["kind"]]
    return kind(**{field.name: _as_tuples(data[field.name]) for field in fields(kind)})


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
