"""Several generations in one forward pass, where a merge acts on the hidden states of all."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .interventions import MergeLayers
from .sites import Site, SiteVisit, at_step, in_turn
from .state import State
from .steps import joined


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
    s, first = states[0].step, states[0]
    x = torch.cat([state.latents for state in states])  # (k, C, F, H, W)
    condition, hook = joined(conditions), at_step(s, visit)
    output = model.predict(x, first.sampler.timesteps[s], condition, schedule, hook)
    return list(model.clean_estimate(output, x, first.sigma, condition).split(1))
