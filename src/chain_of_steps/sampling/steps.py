"""One step of many generations at once: what interventions do, one forward pass, the sampler.

Every generation has a state, a condition and interventions of its own, and may stand at a step of
its own; all share the network in charge. A batch of one gives the bits that the generation gives
alone. In a larger batch, matrix products may be summed in another order: numbers agree within
rounding.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..models.conditions import Condition
from ..models.hooks import FromLayer, Visit
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .interventions import Action
from .interventions.base import Donors
from .samplers import step_all
from .sites import Captured, Site, SiteVisit, in_turn
from .state import State


@dataclass
class Move:
    """One generation in a step that many take together.

    Attributes:
        state: changed in place.
        actions: what interventions do at this step.
        visit: sees and may replace the hidden states of this step, after the actions.
        donors: hidden states of other generations at this step, for actions that patch them in.
        captured: where `visit` keeps hidden states that others want.
        start: begins the forward pass after a block, from stored states; of a batch of one.
    """

    condition: Condition
    state: State
    actions: Sequence[Action] = ()
    visit: SiteVisit | None = None
    donors: Donors | None = None
    captured: Captured | None = None
    start: FromLayer | None = None


def take(
    model: VideoModel, schedule: Schedule, moves: Sequence[Move], reset_history: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """Takes one step of every generation in place; returns of each `x_s` as the network saw it and
    `x0_hat`, (1, C, F, H, W).

    Args:
        reset_history: let a multistep sampler forget its history where latents are changed, instead
            of refusing the change.

    Raises:
        ValueError: for changed latents under a sampler that rebuilds them from its history, a
            missing donor, or a clean estimate that is not finite.
    """
    states, steps = [move.state for move in moves], [move.state.step for move in moves]
    for move in moves:
        _change_latents(model, move, reset_history)
    x = _stacked([state.latents for state in states])  # (B, C, F, H, W)
    shown = joined([_shown(model, move) for move in moves])
    output = _predict(model, schedule, moves, x, shown)
    sigma = _each([state.sampler.sigmas[s] for state, s in zip(states, steps, strict=True)], x)
    x0_hat = model.clean_estimate(output, x, sigma, shown)
    _check_finite(x0_hat, steps)
    after = step_all([state.sampler for state in states], output, steps, x)
    after = model.hold(after, shown)
    count = len(moves)
    for state, latents, estimate in zip(
        states, _apart(after, count), _apart(x0_hat, count), strict=True
    ):
        state.advance(latents, estimate)
    return list(zip(_apart(x, count), _apart(x0_hat, count), strict=True))


def _shown(model: VideoModel, move: Move) -> Condition:
    """What the network gets to see of the condition at this step."""
    shown = move.condition
    for action in move.actions:
        shown = action.condition(model, shown)
    return shown


def _predict(
    model: VideoModel, schedule: Schedule, moves: Sequence[Move], x: Tensor, shown: Condition
) -> Tensor:
    """The network's output (B, C, F, H, W); an audio stream takes its step too."""
    states = [move.state for move in moves]
    t = _timesteps(states)
    hooks = {"visit": _visit(moves), "start": moves[0].start}
    if states[0].audio is None:
        return model.predict(x, t, shown, schedule, **hooks)
    audio = _stacked([state.audio.latents for state in states])
    output, sound = model.predict_both(x, audio, t, shown, schedule, **hooks)
    for state, each in zip(states, _apart(sound, len(states)), strict=True):
        step, latents = state.audio.step, state.audio.latents
        state.audio.latents = state.audio.sampler.step(each, step, latents)
        state.audio.step += 1
    return output


def _timesteps(states: Sequence[State]) -> Tensor:
    """The timestep of all as a scalar, or (B,) of each where they differ."""
    each = [state.sampler.timesteps[state.step] for state in states]
    return each[0] if len({state.step for state in states}) == 1 else torch.stack(each)


def _visit(moves: Sequence[Move]) -> Visit | None:
    """One visitor for the batch: each generation's own sees that generation's states (1, N, D)."""
    visits = [in_turn(*(_visitor(a, move) for a in move.actions), move.visit) for move in moves]
    if all(visit is None for visit in visits):
        return None
    steps = [move.state.step for move in moves]

    def visit(expert: int, guided: bool, layer: int, hidden: Tensor) -> Tensor | None:
        changed = {}
        for i, (step, own) in enumerate(zip(steps, visits, strict=True)):
            part = hidden[i : i + 1]
            new = None if own is None else own(Site(step, expert, guided, layer), part)
            if new is not None:
                changed[i] = new
        if not changed:
            return None
        return torch.cat([changed.get(i, part) for i, part in enumerate(hidden.split(1))])

    return visit


def _visitor(action: Action, move: Move) -> SiteVisit | None:
    if missing := [source for source in action.donors if source not in (move.donors or {})]:
        raise ValueError(f"{action} needs the generation {missing[0]}; run it with grow")
    return action.visitor(move.donors or {})


def _change_latents(model: VideoModel, move: Move, reset_history: bool) -> None:
    state, before = move.state, move.state.latents
    sampler, sigma, x = state.sampler, state.sigma, state.latents
    for action in move.actions:
        x = action.latents(state.step, x, state.x0_hat, sigma, state.first)
    if x is before:
        return
    if sampler.has_memory:
        if not reset_history:
            raise ValueError(
                "UniPC rebuilds every latent from the ones before, so an edit would be erased "
                "within a few steps and the model would seem to recover (paper trap 1); use an "
                "Euler preset, or pass reset_history=True"
            )
        sampler.forget()
    state.latents = model.hold(x, move.condition)
    state.cells += len({frame for action in move.actions for frame in action.changed_frames})
    cell = state.latents[:, :, 0].numel()
    state.energy += float((state.latents - before).double().pow(2).sum()) / cell


def _check_finite(x0_hat: Tensor, steps: Sequence[int]) -> None:
    if x0_hat.isfinite().all():
        return
    bad = next(s for s, each in zip(steps, x0_hat, strict=True) if not each.isfinite().all())
    raise ValueError(
        f"the clean estimate at step {bad} is not finite (NaN or infinity), so nothing after it "
        f"would mean anything; check the weights, or load the model with another dtype: "
        f"bfloat16 or float32, not float16"
    )


def joined(conditions: Sequence[Condition]) -> Condition:
    """Several conditions as one batch; the same ones are stacked once, not at every step."""
    if len(conditions) == 1:
        return conditions[0]
    stacked, batch = _last[0]
    if len(stacked) == len(conditions) and all(map(operator.is_, stacked, conditions)):
        return batch
    first = conditions[0]
    whole = {each.name: getattr(first, each.name) for each in fields(first)}
    for name, value in whole.items():
        if isinstance(value, Tensor):
            whole[name] = torch.cat([getattr(c, name) for c in conditions])
    whole["more"] = {name: torch.cat([c.more[name] for c in conditions]) for name in first.more}
    batch = replace(first, **whole | {"shape": (len(conditions), *first.shape[1:])})
    _last[0] = (list(conditions), batch)
    return batch


_last: list[tuple] = [((), None)]  # the conditions that were stacked last, and their stack


def _apart(batch: Tensor, count: int) -> Sequence[Tensor]:
    """What belongs to each generation; one generation may be a batch in itself."""
    return (batch,) if count == 1 else batch.split(1)


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tuple(tensors))


def _each(values: Sequence[Tensor], x: Tensor) -> float | Tensor:
    """The one value of all, or each generation's in the shape in which it multiplies latents."""
    if len(values) == 1:
        return float(values[0])
    return torch.stack(tuple(values)).to(x.device).view(-1, 1, 1, 1, 1)
