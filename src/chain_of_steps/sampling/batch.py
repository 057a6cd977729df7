"""Several generations in one forward pass, where a merge acts on the hidden states of all."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import State, visit_at
from .interventions import MergeLayers
from .sites import Site, SiteVisit, in_turn


def merged_layers(
    model: VideoModel,
    conditions: Sequence[Condition],
    schedule: Schedule,
    states: Sequence[State],
    merge: MergeLayers,
    visit: SiteVisit | None = None,
) -> list[Tensor]:
    """The clean estimates (1, C, F, H, W) of k generations whose hidden states are merged.

    Args:
        visit: sees the hidden states (k, N, D) of all generations, after the merge.

    Raises:
        ValueError: if the merge names a layer that the model does not have.
    """
    if not all(0 <= layer < model.layers for layer in merge.layers):
        raise ValueError(f"{merge} names a layer outside of 0 to {model.layers - 1}")
    means: dict[Site, Tensor] = {}

    def keep(site: Site, hidden: Tensor) -> None:
        means[site] = hidden.mean(0, keepdim=True)

    if merge.variant == "stored":
        estimates(model, conditions, schedule, states, keep)
    return estimates(model, conditions, schedule, states, in_turn(merge.change(means), visit))


def estimates(
    model: VideoModel,
    conditions: Sequence[Condition],
    schedule: Schedule,
    states: Sequence[State],
    visit: SiteVisit | None = None,
) -> list[Tensor]:
    """The clean estimates (1, C, F, H, W) of k generations at one step, from one forward pass."""
    s, scheduler = states[0].step, states[0].scheduler
    x = torch.cat([state.latents for state in states])  # (k, C, F, H, W)
    condition, hook = joined(conditions), visit_at(s, visit)
    output = model.predict(x, scheduler.timesteps[s], condition, schedule, hook)
    return list(model.clean_estimate(output, x, float(scheduler.sigmas[s]), condition).split(1))


def joined(conditions: Sequence[Condition]) -> Condition:
    """Several conditions as one batch."""
    parts = {
        name: [getattr(c, name) for c in conditions]
        for name in ("prompt", "negative", "image", "image_tokens")
    }
    tensors = {name: None if each[0] is None else torch.cat(each) for name, each in parts.items()}
    return replace(conditions[0], **tensors, shape=(len(conditions), *conditions[0].shape[1:]))
