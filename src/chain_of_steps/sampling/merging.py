"""Merging: k generations advance in lock-step, and at chosen steps share what they compute.

The paper merges "latents" of three seeds and gives no equation, so every reading has a name here: hidden states of
chosen layers (`MergeLayers`), clean estimates or velocities (`MergeEstimates`), latents themselves (`MergeLatents`).
At a step that is merged, the generations take the sampler's step towards the clean estimates that the merge gives
them; at all others each is advanced by itself, bitwise as alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ..models.schedule import Schedule
from ..models.video_model import Condition, VideoModel
from .agreement import disagreements, medoid, weights
from .denoise import State, advance
from .sites import Site, edit


@dataclass(frozen=True)
class MergeLayers:
    """Merges hidden states (k, N, D) of the k generations, with mean over k, after the blocks `layers`.

    Attributes:
        variant: `lock_step`, the mean of the states as they are, merged in earlier layers already: equals merging at
            the first of the layers alone; `stored`, the mean of the states of passes without a merge: equals merging
            at the last alone (paper trap 3); `delta`, the state before the block plus the mean update; `soft`, a step
            of length `amount` towards the mean.
    """

    layers: tuple[int, ...]
    steps: tuple[int, ...]
    variant: Literal["lock_step", "stored", "delta", "soft"] = "lock_step"
    amount: float = 0.5

    def __post_init__(self):
        _check(self.variant, ("lock_step", "stored", "delta", "soft"))

    def evaluations(self, k: int) -> int:
        return 2 * k if self.variant == "stored" else k

    def estimates(
        self,
        model: VideoModel,
        conditions: Sequence[Condition],
        schedule: Schedule,
        states: Sequence[State],
    ) -> list[Tensor]:
        """The clean estimates of one merged step, from one batch of all generations."""
        if not all(0 <= layer < model.layers for layer in self.layers):
            raise ValueError(f"{self} names a layer outside of 0 to {model.layers - 1}")
        means: dict[Site, Tensor] = {}

        def keep(site: Site, hidden: Tensor) -> None:
            means[site] = hidden.mean(0, keepdim=True)

        if self.variant == "stored":
            with edit(model, keep):
                _batch(model, conditions, schedule, states)
        with edit(model, self._change(means)):
            return _batch(model, conditions, schedule, states)

    def _change(self, means: dict[Site, Tensor]) -> Callable[[Site, Tensor], Tensor | None]:
        last: list[Tensor] = []  # what went into the block

        def change(site: Site, hidden: Tensor) -> Tensor | None:
            before = last.pop() if last else hidden
            new = (
                self._merged(before, hidden, means.get(site))
                if site.layer in self.layers
                else hidden
            )
            last.append(new)
            return new

        return change

    def _merged(self, before: Tensor, hidden: Tensor, stored: Tensor | None) -> Tensor:
        """What a block hands on, (k, N, D), from what went into it and what came out."""
        if self.variant == "delta":
            return before + (hidden - before).mean(0, keepdim=True)
        if self.variant == "soft":
            return hidden + self.amount * (hidden.mean(0, keepdim=True) - hidden)
        mean = hidden.mean(0, keepdim=True) if stored is None else stored
        return mean.repeat(len(hidden), 1, 1)


@dataclass(frozen=True)
class MergeEstimates:
    """Merges what the network says of the clean clip: all generations go on towards one estimate.

    Attributes:
        what: `x0_hat`, the mean clean estimate; `weighted`, the mean with weights by agreement; `medoid`, the one
            estimate that agrees best with the others; `velocity`, the mean velocity, which mixes the noises of the
            generations into every estimate (paper trap 5).
    """

    steps: tuple[int, ...]
    what: Literal["x0_hat", "weighted", "medoid", "velocity"] = "x0_hat"

    def __post_init__(self):
        _check(self.what, ("x0_hat", "weighted", "medoid", "velocity"))

    def evaluations(self, k: int) -> int:
        return k

    def estimates(
        self,
        model: VideoModel,
        conditions: Sequence[Condition],
        schedule: Schedule,
        states: Sequence[State],
    ) -> list[Tensor]:
        """The clean estimates of one merged step."""
        own = [
            estimate(model, c, schedule, state) for c, state in zip(conditions, states, strict=True)
        ]
        return self.combine(own, [state.latents for state in states])

    def combine(self, own: Sequence[Tensor], latents: Sequence[Tensor]) -> list[Tensor]:
        """What each generation goes towards, from the k clean estimates and the k `x_s`, all (1, C, F, H, W).

        With the mean velocity, `x_i - sigma mean(v)` is `x_i - mean(x) + mean(x0_hat)`.
        """
        if self.what == "medoid":
            merged = own[medoid(own)]
        elif self.what == "weighted":
            merged = sum(
                w * x0_hat for w, x0_hat in zip(weights(disagreements(own)), own, strict=True)
            )
        else:
            merged = mean(own)
        if self.what == "velocity":
            return [x - mean(latents) + merged for x in latents]
        return [merged] * len(own)


@dataclass(frozen=True)
class MergeLatents:
    """Replaces all k latents by their mean before a step; from there on the generations are one.

    The mean has 1/k of the noise's variance, less than the step expects (paper trap 5). With `rescale`, the mean's
    noise is made as long as the generations' own: `x_s - (1 - sigma_s) x0_hat`, with the clean estimate of the step
    before, is exactly that under Euler.
    """

    steps: tuple[int, ...]
    rescale: bool = True

    def evaluations(self, k: int) -> int:
        return 1

    def estimates(
        self,
        model: VideoModel,
        conditions: Sequence[Condition],
        schedule: Schedule,
        states: Sequence[State],
    ) -> list[Tensor]:
        """The clean estimate of the one generation that is left, k times; changes the states' latents."""
        merged = self.merged(states)
        for state in states:
            state.latents = merged
        return [estimate(model, conditions[0], schedule, states[0])] * len(states)

    def merged(self, states: Sequence[State]) -> Tensor:
        """The latents (1, C, F, H, W) that take the place of all."""
        if not self.rescale:
            return mean([state.latents for state in states])
        sigma = float(states[0].scheduler.sigmas[states[0].step])
        clean = [
            torch.zeros_like(s.latents) if s.x0_hat is None else (1.0 - sigma) * s.x0_hat
            for s in states
        ]
        noises = [state.latents - part for state, part in zip(states, clean, strict=True)]
        length = sum(float(noise.norm()) for noise in noises) / len(noises)
        return mean(clean) + mean(noises) * (length / float(mean(noises).norm()))


Merge = MergeLayers | MergeEstimates | MergeLatents


def together(
    model: VideoModel,
    conditions: Sequence[Condition],
    schedule: Schedule,
    states: Sequence[State],
    merge: Merge,
    until: int,
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
            for state, x0_hat in zip(
                states, merge.estimates(model, conditions, schedule, states), strict=True
            ):
                take(model, state, x0_hat)
        else:
            made += len(states)
            for state, condition in zip(states, conditions, strict=True):
                advance(model, condition, schedule, state)
    return made


def estimate(model: VideoModel, condition: Condition, schedule: Schedule, state: State) -> Tensor:
    """The clean estimate (1, C, F, H, W) where a generation stands; it does not move."""
    return _batch(model, [condition], schedule, [state])[0]


def take(model: VideoModel, state: State, x0_hat: Tensor) -> None:
    """Takes one step in place towards a given clean estimate (1, C, F, H, W) in the place of the network's."""
    x, scheduler = state.latents, state.scheduler
    t, sigma = scheduler.timesteps[state.step], float(scheduler.sigmas[state.step])
    output = x0_hat if model.prediction == "sample" else (x - x0_hat) / sigma
    state.latents = scheduler.step(output, t, x, return_dict=False)[0]
    state.x0_hat, state.step = x0_hat, state.step + 1


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean of equal shapes."""
    return sum(tensors) / len(tensors)


def _batch(
    model: VideoModel, conditions: Sequence[Condition], schedule: Schedule, states: Sequence[State]
) -> list[Tensor]:
    """The clean estimates of all generations, from one forward pass."""
    s, scheduler = states[0].step, states[0].scheduler
    x = torch.cat([state.latents for state in states])  # (k, C, F, H, W)
    model.place.step = s
    condition = _joined(conditions)
    output = model.predict(x, scheduler.timesteps[s], condition, schedule)
    return list(model.clean_estimate(output, x, float(scheduler.sigmas[s]), condition).split(1))


def _joined(conditions: Sequence[Condition]) -> Condition:
    """Several conditions as one batch."""
    parts = {
        name: [getattr(c, name) for c in conditions]
        for name in ("prompt", "negative", "image", "image_tokens")
    }
    joined = {
        name: None if tensors[0] is None else torch.cat(tensors) for name, tensors in parts.items()
    }
    return replace(conditions[0], **joined, shape=(len(conditions), *conditions[0].shape[1:]))


def _check(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ValueError(f"unknown variant {name!r}; expected one of {', '.join(known)}")
