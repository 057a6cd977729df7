"""Samplers: from `x_s` and the network's output to `x_{s+1}`.

An Euler sampler has no memory, so that many generations, each at a step of its own, take a step in
one operation; its numbers are bitwise those of the diffusers scheduler that `Schedule.scheduler`
builds. Any other sampler is a scheduler of diffusers itself.
"""

import copy
import functools
from collections.abc import Sequence
from typing import Any, Self

import torch
from diffusers import UniPCMultistepScheduler
from torch import Tensor

from ..models.schedule import Schedule
from .interventions.base import generator


class Sampler:
    """What the loop needs of a sampler; by default it has no memory.

    Attributes:
        sigmas: (S + 1,) noise levels, the last is 0.
        timesteps: (S,), as the network receives them.
        has_memory: whether a step depends on more than the latents and the prediction of the step
            itself.
    """

    sigmas: Tensor
    timesteps: Tensor
    has_memory = False

    def step(self, output: Tensor, step: int, x: Tensor) -> Tensor:
        """`x_{s+1}` from the network's output at `x_s`; all (1, C, F, H, W)."""
        raise NotImplementedError

    def copy(self) -> Self:
        """A sampler that goes on independently of this one."""
        return self

    def forget(self) -> None:
        """Drops what is remembered of earlier steps."""


class Euler(Sampler):
    """`x_{s+1} = x_s + (sigma_{s+1} - sigma_s) v`; of a clean estimate, which is the same,
    `(sigma_{s+1} / sigma_s) x_s + (1 - sigma_{s+1} / sigma_s) x0_hat`."""

    def __init__(self, schedule: Schedule, prediction: str):
        scheduler = schedule.scheduler(prediction)
        self.sigmas, self.timesteps = scheduler.sigmas, scheduler.timesteps
        self.of_estimate = prediction == "sample"
        now, then = self.sigmas[:-1], self.sigmas[1:]
        if self.of_estimate:  # as UniPC of order 1 computes it (bh2)
            levels = [torch.log(1 - sigma) - torch.log(sigma) for sigma in (now, then)]
            self.factors = then / now, (1 - then) * torch.expm1(levels[0] - levels[1])
        else:
            self.factors = torch.ones_like(now), then - now

    def step(self, output: Tensor, step: int | Tensor, x: Tensor) -> Tensor:
        """See `Sampler`; many at once: (B, C, F, H, W), and `step` (B,)."""
        keep, gain = (_wide(table, step, x) for table in self._on(x.device))
        if self.of_estimate:
            return keep * x - gain * output
        return (x.float() + gain * output).to(output.dtype)

    @functools.lru_cache(maxsize=4)  # noqa: B019  (samplers are few and live as long as the process)
    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return tuple(table.to(device) for table in self.factors)


class Stochastic(Sampler):
    """Keeps the clean estimate and draws fresh noise of the next level at every step,
    `x_{s+1} = (1 - sigma_{s+1}) x0_hat + sigma_{s+1} eps_s`.

    Args:
        seed: of the generation; the noise of a step depends on seed and step alone.
    """

    def __init__(self, euler: Euler, seed: int):
        self.sigmas, self.timesteps = euler.sigmas, euler.timesteps
        self.of_estimate, self.seed = euler.of_estimate, seed

    def step(self, output: Tensor, step: int, x: Tensor) -> Tensor:
        now, then = (float(sigma) for sigma in self.sigmas[step : step + 2])
        x0_hat = output if self.of_estimate else x - now * output
        eps = torch.randn(x.shape, generator=generator("stochastic", self.seed, step))
        return (1.0 - then) * x0_hat + then * eps.to(x)


class Wrapped(Sampler):
    """A scheduler of diffusers, with its history if it keeps one (UniPC)."""

    def __init__(self, scheduler: Any):
        self.scheduler = scheduler
        self.sigmas, self.timesteps = scheduler.sigmas, scheduler.timesteps
        corrects = isinstance(scheduler, UniPCMultistepScheduler) and (
            len(scheduler.disable_corrector) < len(self.timesteps)
        )
        self.has_memory = getattr(scheduler.config, "solver_order", 1) > 1 or corrects

    def step(self, output: Tensor, step: int, x: Tensor) -> Tensor:
        return self.scheduler.step(output, self.timesteps[step], x, return_dict=False)[0]

    def copy(self) -> "Wrapped":
        return Wrapped(copy.deepcopy(self.scheduler))

    def forget(self) -> None:
        self.scheduler.last_sample, self.scheduler.lower_order_nums = None, 0
        self.scheduler.model_outputs = [None] * len(self.scheduler.model_outputs)


def sampler_of(schedule: Schedule, prediction: str, seed: int = 0) -> Sampler:
    """The sampler of one generation.

    Args:
        prediction: the network's output, see `Schedule.scheduler`.
        seed: of the noise that a stochastic sampler draws.
    """
    if schedule.sampler == "stochastic":
        return Stochastic(_euler(schedule, prediction), seed)
    if schedule.sampler == "euler":
        return _euler(schedule, prediction)
    return Wrapped(schedule.scheduler(prediction))


_euler = functools.lru_cache(maxsize=64)(Euler)


def step_all(samplers: Sequence[Sampler], outputs: Tensor, steps: Sequence[int], x: Tensor):
    """One step of B generations, each by its own sampler and from its own step, (B, C, F, H, W)."""
    first = samplers[0]
    if len(samplers) == 1:
        return first.step(outputs, steps[0], x)
    if isinstance(first, Euler) and all(sampler is first for sampler in samplers):
        return first.step(outputs, torch.tensor(steps), x)
    each = zip(samplers, outputs.split(1), steps, x.split(1), strict=True)
    return torch.cat([sampler.step(*rest) for sampler, *rest in each])


def _wide(table: Tensor, step: int | Tensor, x: Tensor) -> Tensor:
    """The values of a step, or of (B,) steps, shaped to multiply latents (B, C, F, H, W)."""
    if isinstance(step, int):
        return table[step]
    return table[step.to(x.device)].view(-1, 1, 1, 1, 1)
