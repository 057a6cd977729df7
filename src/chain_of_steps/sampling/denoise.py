"""The denoising loop, and the trajectory it leaves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..models.conditions import Condition
from ..models.hooks import FromLayer
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .interventions import Action, Intervention, actions_at, check
from .interventions.base import Donors
from .sites import SiteVisit
from .state import State, begin
from .steps import Move, take

# Raise this when a change to models, schedule or loop may change results: stored rows of other
# versions are not used.
EXPERIMENT_VERSION = 1


@dataclass
class Trajectory:
    """One generation: what was recorded at each step from `first` on.

    Attributes:
        sigmas: the S + 1 noise levels of the schedule.
        first: the first step that was run.
        latents: `x_s` at each step that was run, as the network saw it, then what the last one
            left; (1, C, F, H, W).
        x0_hats: the clean estimate at each step that was run; the last equals the final latents.
        states: the states before these steps, to restart from, by step; empty unless kept.
        watched: what `watch` returned at each step that was run.
        cells, energy: the dose of all interventions together; see `State`.
        audio: the audio stream, as the last step left it, (1, T, D); None if nothing was.
    """

    sigmas: list[float]
    first: int = 0
    latents: list[Tensor] = field(default_factory=list)
    x0_hats: list[Tensor] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)
    watched: list[Any] = field(default_factory=list)
    cells: int = 0
    energy: float = 0.0
    audio: Tensor | None = None


Watch = Callable[[int, Tensor, Tensor], Any]


def denoise(
    model: VideoModel,
    condition: Condition,
    schedule: Schedule,
    state: State,
    interventions: Sequence[Intervention] = (),
    until: int | None = None,
    keep_states: bool = False,
    watch: Watch | None = None,
    reset_history: bool = False,
    visit: SiteVisit | None = None,
) -> Trajectory:
    """Runs the denoising loop from a state (Euler or multistep; paper eq. 1 and 2).

        for every step s:
            v = v_theta(x_s, sigma_s, c)
            x0_hat = x_s - sigma_s v
            x_{s+1} = sampler(x_s, v)

    A network that predicts the clean estimate itself is handled by its scheduler; the equations are
    the same.

    The state given is not changed, so that it can be used again.

    Args:
        interventions: changes made before their steps, in this order.
        until: stop before this step; by default run to the end.
        keep_states: remember a copy of the state before every step, to restart from.
        watch: called after every step with (s, x_s, x0_hat); what it returns is kept.
        reset_history, visit: see `advance`.

    Raises:
        ValueError: for an intervention at a step or in a frame that does not exist.
    """
    check(interventions, schedule.steps, condition.shape[2], model.layers)
    state = state.copy()
    trajectory = Trajectory([float(sigma) for sigma in state.sampler.sigmas], state.step)
    for s in range(state.step, len(state.sampler.timesteps) if until is None else until):
        if keep_states:
            trajectory.states[s] = state.copy()
        actions = actions_at(interventions, s, condition.shape[2])
        x, x0_hat = advance(model, condition, schedule, state, actions, reset_history, visit)
        trajectory.latents.append(x)
        trajectory.x0_hats.append(x0_hat)
        if watch is not None:
            trajectory.watched.append(watch(s, x, x0_hat))
    trajectory.latents.append(state.latents)
    trajectory.cells, trajectory.energy = state.cells, state.energy
    trajectory.audio = None if state.audio is None else state.audio.latents
    return trajectory


def advance(
    model: VideoModel,
    condition: Condition,
    schedule: Schedule,
    state: State,
    actions: Sequence[Action] = (),
    reset_history: bool = False,
    visit: SiteVisit | None = None,
    start: FromLayer | None = None,
    donors: Donors | None = None,
) -> tuple[Tensor, Tensor]:
    """Takes one step in place; returns `x_s` as the network saw it and `x0_hat`, (1, C, F, H, W).

    Args:
        actions: what interventions do at this step.
        reset_history: let a multistep sampler forget its history where latents are changed, instead
            of refusing the change.
        visit: sees and may replace the hidden states of this step, after the actions.
        start: begins the forward pass after a block, from stored states.
        donors: hidden states of other generations at this step, for actions that patch them in.

    Raises:
        ValueError: for changed latents under a sampler that rebuilds them from its history, a
            missing donor, or a clean estimate that is not finite.
    """
    move = Move(condition, state, actions, visit, donors, start=start)
    return take(model, schedule, [move], reset_history)[0]


def estimate(model: VideoModel, condition: Condition, schedule: Schedule, state: State) -> Tensor:
    """The clean estimate (1, C, F, H, W) at a state, from one evaluation; the state stays as is."""
    t = state.sampler.timesteps[state.step]
    output = model.predict(state.latents, t, condition, schedule)
    return model.clean_estimate(output, state.latents, state.sigma, condition)


def step_towards(model: VideoModel, condition: Condition, state: State, x0_hat: Tensor) -> None:
    """Takes one step in place towards a given clean estimate (1, C, F, H, W) instead of the
    network's own; nothing is evaluated."""
    x = state.latents
    output = x0_hat if model.prediction == "sample" else (x - x0_hat) / state.sigma
    state.advance(model.hold(state.sampler.step(output, state.step, x), condition), x0_hat)


def generate(
    model: VideoModel, condition: Condition, schedule: Schedule, seed: int, **options: Any
) -> Trajectory:
    """One generation from the noise of a seed; options as for `denoise`."""
    with torch.inference_mode():
        return denoise(
            model, condition, schedule, begin(model, condition, schedule, seed), **options
        )
