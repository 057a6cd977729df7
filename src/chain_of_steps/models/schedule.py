"""Schedules: the noise levels of a generation, with sampler, guidance and expert boundary.

"Step i" is a different sigma in every preset, so results are always stored with their sigmas.
Defaults of diffusers are not used: a preset builds the scheduler that it names.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler


@dataclass(frozen=True)
class Schedule:
    """A sampler with its grid of noise levels.

    Attributes:
        name: of the preset, stored with every result.
        sampler: `euler`; `stochastic`, Euler with fresh noise of the next level at every step; or
            `unipc` (multistep: it rebuilds an edited latent from its history, paper trap 1).
        steps: number of denoising steps S.
        shift: of the grid, `sigma = shift u / (1 + (shift - 1) u)` for u from 1 towards 0.
        guidance: scale g of classifier-free guidance `u + g (c - u)`; 1 means none.
        guidance_2: scale for the second expert; None means the same as `guidance`.
        boundary: the second expert takes over when timestep / 1000 falls below it; None means the
            model's own value.
    """

    name: str
    sampler: Literal["euler", "stochastic", "unipc"]
    steps: int
    shift: float
    guidance: float = 1.0
    guidance_2: float | None = None
    boundary: float | None = None

    def scheduler(self, prediction: str = "flow_prediction") -> Any:
        """A fresh diffusers scheduler on this grid: `.sigmas` (S + 1, the last is 0) and
        `.timesteps` (S).

        Args:
            prediction: the network's output: `flow_prediction` (velocity) or `sample` (clean
                estimate).
        """
        memoryless = self.sampler in ("euler", "stochastic")
        if memoryless and prediction == "sample":
            # UniPC of order 1 without its corrector is Euler on the velocity (x - x0_hat) / sigma.
            scheduler = UniPCMultistepScheduler(
                use_flow_sigmas=True,
                prediction_type="sample",
                flow_shift=self.shift,
                solver_order=1,
                disable_corrector=list(range(self.steps)),
            )
            scheduler.set_timesteps(sigmas=np.linspace(1.0, 0.0, self.steps + 1)[:-1])
        elif memoryless:
            scheduler = FlowMatchEulerDiscreteScheduler(shift=self.shift)
            # The stock grid would be shifted twice; explicit sigmas are shifted once, as in the
            # authors' code.
            scheduler.set_timesteps(sigmas=np.linspace(1.0, 0.0, self.steps + 1)[:-1])
        elif self.sampler == "unipc":
            scheduler = UniPCMultistepScheduler(
                use_flow_sigmas=True, prediction_type=prediction, flow_shift=self.shift
            )
            scheduler.set_timesteps(self.steps)
        else:
            raise ValueError(
                f"unknown sampler {self.sampler!r}; expected euler, stochastic or unipc"
            )
        return scheduler

    @property
    def sigmas(self) -> list[float]:
        """The S + 1 noise levels, from about 1 down to 0."""
        return [float(sigma) for sigma in self.scheduler().sigmas]

    def record(self) -> dict:
        """The schedule as plain JSON data, stored with every result."""
        return {**asdict(self), "sigmas": self.sigmas}


PRESETS = {
    schedule.name: schedule
    for schedule in (
        Schedule("mini", "euler", steps=50, shift=5.0),
        Schedule("stochastic", "stochastic", steps=50, shift=5.0),
        Schedule("student", "euler", steps=4, shift=5.0),
        Schedule("paper", "euler", steps=50, shift=5.0, guidance=5.0, boundary=0.875),
        Schedule(
            "official", "unipc", steps=40, shift=5.0, guidance=3.5, guidance_2=3.5, boundary=0.9
        ),
        Schedule("hub", "unipc", steps=50, shift=3.0, guidance=5.0, boundary=0.9),
    )
}


def preset(name: str) -> Schedule:
    """The preset of that name; `paper/5` is preset `paper` in 5 steps.

    Raises:
        ValueError: if there is none.
    """
    whole, slash, steps = name.partition("/") if isinstance(name, str) else (None, "", "")
    if whole not in PRESETS or (slash and not (steps.isdecimal() and int(steps))):
        raise ValueError(
            f"unknown preset {name!r}; expected one of {', '.join(PRESETS)}, "
            "or one with a number of steps, such as paper/5"
        )
    return replace(PRESETS[whole], name=name, steps=int(steps)) if slash else PRESETS[whole]
