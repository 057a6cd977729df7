"""The denoising loop, about thirty lines, and the trajectory that it leaves behind."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .models import Condition, VideoModel
from .schedule import Schedule

# Raise this when a change to models, schedule or loop may change results: stored rows of other versions are not used.
EXPERIMENT_VERSION = 1


@dataclass
class State:
    """Everything that a generation needs to go on from before step `step`.

    Attributes:
        step: index s of the next step; 0 is the noisiest.
        latents: `x_s`, (1, C, F, H, W).
        scheduler: a diffusers scheduler that stands before this step, with its history.
    """

    step: int
    latents: Tensor
    scheduler: Any

    def copy(self) -> "State":
        return State(self.step, self.latents, copy.deepcopy(self.scheduler))


@dataclass
class Trajectory:
    """One generation: what was seen at each step from `first` on.

    Attributes:
        sigmas: the S + 1 noise levels of the schedule.
        first: the first step that was run.
        latents: `x_s` before each step that was run, then what the last one left; each (1, C, F, H, W).
        x0_hats: the clean estimate at each step that was run; the last equals the final latents.
        states: where the generation can be taken up again, by step; empty unless asked for.
    """

    sigmas: list[float]
    first: int = 0
    latents: list[Tensor] = field(default_factory=list)
    x0_hats: list[Tensor] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)


def begin(model: VideoModel, condition: Condition, schedule: Schedule, seed: int) -> State:
    """The state before step 0: pure noise of a seed."""
    return State(0, model.noise(condition, seed), schedule.scheduler(model.prediction))


def denoise(
    model: VideoModel,
    condition: Condition,
    schedule: Schedule,
    state: State,
    until: int | None = None,
    keep_states: bool = False,
    watch: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Trajectory:
    """Runs the denoising loop from a state (Euler or multistep; paper eq. 1 and 2).

        for every step s:   v = v_theta(x_s, sigma_s, c);   x0_hat = x_s - sigma_s v;   x_{s+1} = sampler(x_s, v)

    A network that predicts the clean estimate itself is handled by its scheduler; the equations are the same.

    The state given is not changed, so that it can be used again.

    Args:
        until: stop before this step; by default run to the end.
        keep_states: remember a copy of the state before every step, to restart from.
        watch: called after every step with (s, x_s, x0_hat).
    """
    state = state.copy()
    scheduler = state.scheduler
    sigmas = [float(sigma) for sigma in scheduler.sigmas]
    trajectory = Trajectory(sigmas, state.step, [state.latents])
    for s in range(state.step, len(scheduler.timesteps) if until is None else until):
        if keep_states:
            trajectory.states[s] = State(s, trajectory.latents[-1], copy.deepcopy(scheduler))
        x, t = trajectory.latents[-1], scheduler.timesteps[s]
        output = model.predict(x, t, condition, schedule)
        x0_hat = model.clean_estimate(output, x, sigmas[s])
        trajectory.latents.append(scheduler.step(output, t, x, return_dict=False)[0])
        trajectory.x0_hats.append(x0_hat)
        if watch is not None:
            watch(s, x, x0_hat)
    return trajectory


def generate(model: VideoModel, condition: Condition, schedule: Schedule, seed: int, **options: Any) -> Trajectory:
    """One clean generation from the noise of a seed; options as for `denoise`."""
    with torch.inference_mode():
        return denoise(model, condition, schedule, begin(model, condition, schedule, seed), **options)
