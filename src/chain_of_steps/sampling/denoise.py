"""The denoising loop, about thirty lines, where interventions edit it, and the trajectory that it leaves behind."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from diffusers import UniPCMultistepScheduler
from torch import Tensor

from ..models.schedule import Schedule
from ..models.video_model import Condition, VideoModel
from .interventions import Edit, Intervention, check_cells

# Raise this when a change to models, schedule or loop may change results: stored rows of other versions are not used.
EXPERIMENT_VERSION = 1


@dataclass
class State:
    """Everything that a generation needs to go on from before step `step`.

    Attributes:
        step: index s of the next step; 0 is the noisiest.
        latents: `x_s`, (1, C, F, H, W).
        scheduler: a diffusers scheduler that stands before this step, with its history.
        x0_hat: the clean estimate of the step before, None before step 0.
        cells: how many (step, frame) cells interventions have changed so far.
        energy: the sum of their squared changes, each cell's divided by its number of elements.
        audio: latents (1, T, D) and scheduler of what is denoised in step with the video (LTX-2: sound), else None.
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
    """One generation: what was seen at each step from `first` on.

    Attributes:
        sigmas: the S + 1 noise levels of the schedule.
        first: the first step that was run.
        latents: `x_s` at each step that was run, as the network saw it, then what the last one left; (1, C, F, H, W).
        x0_hats: the clean estimate at each step that was run; the last equals the final latents.
        states: where the generation can be taken up again, by step; empty unless asked for.
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
) -> Trajectory:
    """Runs the denoising loop from a state (Euler or multistep; paper eq. 1 and 2).

        for every step s:   v = v_theta(x_s, sigma_s, c);   x0_hat = x_s - sigma_s v;   x_{s+1} = sampler(x_s, v)

    A network that predicts the clean estimate itself is handled by its scheduler; the equations are the same.

    The state given is not changed, so that it can be used again.

    Args:
        interventions: changes made before their steps, in this order.
        until: stop before this step; by default run to the end.
        keep_states: remember a copy of the state before every step, to restart from.
        watch: called after every step with (s, x_s, x0_hat); what it returns is kept.
        reset_history: see `advance`.

    Raises:
        ValueError: for an intervention at a step or in a frame that there is not.
    """
    check_cells(interventions, schedule.steps, condition.shape[2])
    state = state.copy()
    trajectory = Trajectory([float(sigma) for sigma in state.scheduler.sigmas], state.step)
    for s in range(state.step, len(state.scheduler.timesteps) if until is None else until):
        if keep_states:
            trajectory.states[s] = state.copy()
        edits = edits_at(interventions, s, condition.shape[2])
        x, x0_hat = advance(model, condition, schedule, state, edits, reset_history)
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
    edits: Sequence[Edit] = (),
    reset_history: bool = False,
) -> tuple[Tensor, Tensor]:
    """Takes one step in place; returns `x_s` as the network saw it and `x0_hat`, both (1, C, F, H, W).

    Args:
        edits: changes to the latents before the step.
        reset_history: let a multistep sampler forget its history at every edit, instead of refusing it.

    Raises:
        ValueError: for an edit under a sampler that rebuilds the latents from its history, or a clean estimate that is
            not finite.
    """
    s, scheduler = state.step, state.scheduler
    if edits:
        _edit(state, edits, reset_history)
    x, t = state.latents, scheduler.timesteps[s]
    model.place.step = s
    if state.audio is None:
        output = model.predict(x, t, condition, schedule)
    else:
        output, other = model.predict_both(x, state.audio.latents, t, condition, schedule)
        _step_audio(state.audio, other, t)
    state.x0_hat = model.clean_estimate(output, x, float(scheduler.sigmas[s]), condition)
    if not state.x0_hat.isfinite().all():
        raise ValueError(
            f"the clean estimate at step {s} is not finite (NaN or infinity), so nothing after it would mean anything; "
            f"check the weights, or load the model with another dtype: bfloat16 or float32, not float16"
        )
    state.latents = model.hold(scheduler.step(output, t, x, return_dict=False)[0], condition)
    state.step = s + 1
    return x, state.x0_hat


def _step_audio(audio: State, output: Tensor, t: Tensor) -> None:
    audio.latents = audio.scheduler.step(output, t, audio.latents, return_dict=False)[0]
    audio.step += 1


def edits_at(interventions: Sequence[Intervention], step: int, frames: int) -> tuple[Edit, ...]:
    """What interventions do before a step to latents of `frames` frames, in their order."""
    edits = (intervention.at(step, frames) for intervention in interventions)
    return tuple(edit for edit in edits if edit is not None)


def _edit(state: State, edits: Sequence[Edit], reset_history: bool) -> None:
    scheduler, before = state.scheduler, state.latents
    if _rebuilds_from_history(scheduler):
        if not reset_history:
            raise ValueError(
                "UniPC rebuilds every latent from the ones before, so an edit would be erased within a few steps and "
                "the model would seem to recover (paper trap 1); use an Euler preset, or pass reset_history=True"
            )
        scheduler.last_sample, scheduler.lower_order_nums = None, 0
        scheduler.model_outputs = [None] * len(scheduler.model_outputs)
    for edit in edits:
        state.latents = edit.apply(
            state.step, state.latents, state.x0_hat, float(scheduler.sigmas[state.step])
        )
    state.cells += len({frame for edit in edits for frame in edit.frames})
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
