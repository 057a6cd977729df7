"""Several generations in lock-step: the naive way to merge, and what a merged step is made of."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import State, advance, visit_at
from .interventions.merge import Merge
from .sites import Site, SiteVisit, in_turn


def together(
    model: VideoModel,
    conditions: Sequence[Condition],
    schedule: Schedule,
    states: Sequence[State],
    merge: Merge,
    until: int,
    visit: SiteVisit | None = None,
) -> int:
    """Advances k generations in place, all from the same step to `until`; returns how many evaluations that took.

    Raises:
        ValueError: under a sampler that goes back to what came before the merge.
    """
    if schedule.sampler != "euler":
        raise ValueError(
            f"merging needs an Euler preset; {schedule.sampler} rebuilds latents from its history"
        )
    made = 0
    while states[0].step < until:
        if states[0].step in merge.steps:
            made += merge.evaluations(len(states))
            towards = merged_estimates(model, conditions, schedule, states, merge, visit)
            for state, x0_hat in zip(states, towards, strict=True):
                take(model, state, x0_hat)
        else:
            made += len(states)
            for state, condition in zip(states, conditions, strict=True):
                advance(model, condition, schedule, state, visit=visit)
    return made


def estimate(
    model: VideoModel,
    condition: Condition,
    schedule: Schedule,
    state: State,
    visit: SiteVisit | None = None,
) -> Tensor:
    """The clean estimate (1, C, F, H, W) where a generation stands; it does not move."""
    return batch(model, [condition], schedule, [state], visit)[0]


def take(model: VideoModel, state: State, x0_hat: Tensor) -> None:
    """Takes one step in place towards a given clean estimate (1, C, F, H, W) in the place of the network's."""
    x, scheduler = state.latents, state.scheduler
    t, sigma = scheduler.timesteps[state.step], float(scheduler.sigmas[state.step])
    output = x0_hat if model.prediction == "sample" else (x - x0_hat) / sigma
    state.latents = scheduler.step(output, t, x, return_dict=False)[0]
    state.x0_hat, state.step = x0_hat, state.step + 1


def batch(
    model: VideoModel,
    conditions: Sequence[Condition],
    schedule: Schedule,
    states: Sequence[State],
    visit: SiteVisit | None = None,
) -> list[Tensor]:
    """The clean estimates of all generations, from one forward pass."""
    s, scheduler = states[0].step, states[0].scheduler
    x = torch.cat([state.latents for state in states])  # (k, C, F, H, W)
    condition, seen = joined(conditions), visit_at(s, visit)
    output = model.predict(x, scheduler.timesteps[s], condition, schedule, seen)
    return list(model.clean_estimate(output, x, float(scheduler.sigmas[s]), condition).split(1))


def joined(conditions: Sequence[Condition]) -> Condition:
    """Several conditions as one batch."""
    parts = {
        name: [getattr(c, name) for c in conditions]
        for name in ("prompt", "negative", "image", "image_tokens")
    }
    joined = {
        name: None if tensors[0] is None else torch.cat(tensors) for name, tensors in parts.items()
    }
    return replace(conditions[0], **joined, shape=(len(conditions), *conditions[0].shape[1:]))


def merged_estimates(
    model: VideoModel,
    conditions: Sequence[Condition],
    schedule: Schedule,
    states: Sequence[State],
    merge: Merge,
    visit: SiteVisit | None = None,
) -> list[Tensor]:
    """The clean estimates (1, C, F, H, W) that one merged step gives each of k generations.

    `MergeLatents` changes the latents of the states.
    """
    if merge.acts == "within":
        return layered(model, conditions, schedule, states, merge, visit)
    if merge.acts == "before":
        sigma = float(states[0].scheduler.sigmas[states[0].step])
        latents = merge.merged([s.latents for s in states], [s.x0_hat for s in states], sigma)
        for state in states:
            state.latents = latents
        one = estimate(model, conditions[0], schedule, states[0], visit)
        return [one] * len(states)
    own = [
        estimate(model, condition, schedule, state, visit)
        for condition, state in zip(conditions, states, strict=True)
    ]
    return merge.combine(own, [state.latents for state in states])


def layered(
    model: VideoModel,
    conditions: Sequence[Condition],
    schedule: Schedule,
    states: Sequence[State],
    merge: Merge,
    visit: SiteVisit | None = None,
) -> list[Tensor]:
    """The clean estimates of a merge of hidden states, from one batch of all generations."""
    if not all(0 <= layer < model.layers for layer in merge.layers):
        raise ValueError(f"{merge} names a layer outside of 0 to {model.layers - 1}")
    means: dict[Site, Tensor] = {}

    def keep(site: Site, hidden: Tensor) -> None:
        means[site] = hidden.mean(0, keepdim=True)

    if merge.variant == "stored":
        batch(model, conditions, schedule, states, keep)
    return batch(model, conditions, schedule, states, in_turn(merge.change(means), visit))
