"""The denoising loop, about thirty lines; where interventions edit it; the trajectory it leaves."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from diffusers import UniPCMultistepScheduler
from torch import Tensor

from ..models.hooks import Visit
from ..models.schedule import Schedule
from ..models.video_model import Condition, FromLayer, VideoModel
from .interventions import Action, Intervention, actions_at, check
from .interventions.base import Donors
from .sites import Site, SiteVisit, in_turn

# Raise this when a change to models, schedule or loop may change results: stored rows of other
# versions are not used.
EXPERIMENT_VERSION = 1


@dataclass
class State:
    """Everything that a generation needs to continue at step `step`.

    Attributes:
        step: index s of the next step; 0 is the noisiest.
        latents: `x_s`, (1, C, F, H, W).
        scheduler: a diffusers scheduler at this step, with its history.
        x0_hat: the clean estimate of the step before, None before step 0.
        cells: how many (step, frame) cells interventions have changed so far.
        energy: the sum of their squared changes, each cell's divided by its number of elements.
        audio: latents (1, T, D) and scheduler of what is denoised in step with the video (LTX-2:
            sound), else None.
    """

    step: int
    latents: Tensor
    scheduler: Any
    x0_hat: Tensor | None = None
    cells: int = 0
    energy: float = 0.0
    audio: "State | None" = None

    def copy(self) -> "State":
        audio = None if self.audio is None else self.audio.copy()
        return replace(self, scheduler=copy.deepcopy(self.scheduler), audio=audio)


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


def begin(model: VideoModel, condition: Condition, schedule: Schedule, seed: int) -> State:
    """The state before step 0: pure noise of a seed."""
    state = State(0, model.noise(condition, seed), schedule.scheduler(model.prediction))
    audio = model.audio_noise(condition, seed)
    if audio is not None:
        state.audio = State(0, audio, schedule.scheduler(model.prediction))
    return state


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
    trajectory = Trajectory([float(sigma) for sigma in state.scheduler.sigmas], state.step)
    for s in range(state.step, len(state.scheduler.timesteps) if until is None else until):
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
    s, scheduler = state.step, state.scheduler
    if any(action.changed_frames for action in actions):
        _change_latents(state, actions, reset_history)
    shown = condition  # what the network gets to see of it at this step
    for action in actions:
        shown = action.condition(model, shown)
    x, t = state.latents, scheduler.timesteps[s]
    visits = in_turn(*(_visitor(action, donors) for action in actions), visit)
    hooks = {"visit": visit_at(s, visits), "start": start}
    if state.audio is None:
        output = model.predict(x, t, shown, schedule, **hooks)
    else:
        output, other = model.predict_both(x, state.audio.latents, t, shown, schedule, **hooks)
        _step_audio(state.audio, other, t)
    state.x0_hat = model.clean_estimate(output, x, float(scheduler.sigmas[s]), shown)
    if not state.x0_hat.isfinite().all():
        raise ValueError(
            f"the clean estimate at step {s} is not finite (NaN or infinity), so nothing after it "
            f"would mean anything; check the weights, or load the model with another dtype: "
            f"bfloat16 or float32, not float16"
        )
    state.latents = model.hold(scheduler.step(output, t, x, return_dict=False)[0], shown)
    state.step = s + 1
    return x, state.x0_hat


def estimate(model: VideoModel, condition: Condition, schedule: Schedule, state: State) -> Tensor:
    """The clean estimate (1, C, F, H, W) at a state, from one evaluation; the state stays as is."""
    x, sigma = state.latents, float(state.scheduler.sigmas[state.step])
    output = model.predict(x, state.scheduler.timesteps[state.step], condition, schedule)
    return model.clean_estimate(output, x, sigma, condition)


def step_towards(model: VideoModel, state: State, x0_hat: Tensor) -> None:
    """Takes one step in place towards a given clean estimate (1, C, F, H, W) instead of the
    network's own; nothing is evaluated."""
    x, scheduler = state.latents, state.scheduler
    t, sigma = scheduler.timesteps[state.step], float(scheduler.sigmas[state.step])
    output = x0_hat if model.prediction == "sample" else (x - x0_hat) / sigma
    state.latents = scheduler.step(output, t, x, return_dict=False)[0]
    state.x0_hat, state.step = x0_hat, state.step + 1


def _visitor(action: Action, donors: Donors | None) -> SiteVisit | None:
    if missing := [source for source in action.donors if source not in (donors or {})]:
        raise ValueError(f"{action} needs the generation {missing[0]}; run it with grow")
    return action.visitor(donors or {})


def visit_at(step: int, visit: SiteVisit | None) -> Visit | None:
    """A visitor of sites as the model's, which does not know the step."""
    if visit is None:
        return None
    return lambda expert, guided, layer, hidden: visit(Site(step, expert, guided, layer), hidden)


def _step_audio(audio: State, output: Tensor, t: Tensor) -> None:
    audio.latents = audio.scheduler.step(output, t, audio.latents, return_dict=False)[0]
    audio.step += 1


def _change_latents(state: State, actions: Sequence[Action], reset_history: bool) -> None:
    scheduler, before = state.scheduler, state.latents
    if _rebuilds_from_history(scheduler):
        if not reset_history:
            raise ValueError(
                "UniPC rebuilds every latent from the ones before, so an edit would be erased "
                "within a few steps and the model would seem to recover (paper trap 1); use an "
                "Euler preset, or pass reset_history=True"
            )
        scheduler.last_sample, scheduler.lower_order_nums = None, 0
        scheduler.model_outputs = [None] * len(scheduler.model_outputs)
    sigma = float(scheduler.sigmas[state.step])
    for action in actions:
        state.latents = action.latents(state.step, state.latents, state.x0_hat, sigma)
    state.cells += len({frame for action in actions for frame in action.changed_frames})
    cell = state.latents[:, :, 0].numel()
    state.energy += float((state.latents - before).double().pow(2).sum()) / cell


def _rebuilds_from_history(scheduler: Any) -> bool:
    """Whether a sampler uses more than the latents and the prediction of the step itself."""
    order = getattr(scheduler.config, "solver_order", 1)
    steps = len(scheduler.timesteps)
    corrects = (
        isinstance(scheduler, UniPCMultistepScheduler) and len(scheduler.disable_corrector) < steps
    )
    return order > 1 or corrects


def generate(
    model: VideoModel, condition: Condition, schedule: Schedule, seed: int, **options: Any
) -> Trajectory:
    """One clean generation from the noise of a seed; options as for `denoise`."""
    with torch.inference_mode():
        return denoise(
            model, condition, schedule, begin(model, condition, schedule, seed), **options
        )
