"""Merges: k generations advance in lock-step, and at chosen steps share what they compute.

The paper merges "latents" of three seeds and gives no equation, so every reading has a name here:
hidden states of chosen layers (`MergeLayers`), clean estimates or velocities (`MergeEstimates`),
latents themselves (`MergeLatents`). At a step that is merged, the generations take the sampler's
step towards the clean estimates that the merge gives them; at all others each advances alone.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from ..agreement import disagreements, medoid, weights
from ..sites import Site, SiteVisit
from .base import Source


class _Merge:
    """What all merges have: `steps` at which they act, and `company`, the generations that join."""

    steps: tuple[int, ...]

    @property
    def named_steps(self) -> tuple[int, ...]:
        return self.steps

    def at(self, step: int, frames: int) -> None:
        """Nothing: a merge acts on several generations, not on one."""
        return None


@dataclass(frozen=True)
class MergeLayers(_Merge):
    """Merges hidden states (k, N, D) of the k generations, with mean over k, after blocks `layers`.

    Attributes:
        variant: `lock_step`, the mean of the states as they are, merged in earlier layers already:
            equals merging at the first of the layers alone; `stored`, the mean of the states of
            passes without a merge: equals merging at the last alone (paper trap 3); `delta`, the
            state before the block plus the mean update; `soft`, a step of length `amount` towards
            the mean.
    """

    acts: ClassVar[str] = "within"

    layers: tuple[int, ...]
    steps: tuple[int, ...]
    variant: Literal["lock_step", "stored", "delta", "soft"] = "lock_step"
    amount: float = 0.5
    company: tuple[Source, ...] = ()

    def evaluations(self, k: int) -> int:
        return 2 * k if self.variant == "stored" else k

    @property
    def named_layers(self) -> tuple[int, ...]:
        return self.layers

    def change(self, means: dict[Site, Tensor]) -> SiteVisit:
        """The visitor of a batch of all generations.

        Args:
            means: of the states of a pass without a merge, by site; for `stored` only.
        """
        last: list[Tensor] = []  # the input of the next block

        def visit(site: Site, hidden: Tensor) -> Tensor:
            before = last.pop() if last else hidden
            here = site.layer in self.layers
            new = self._merged(before, hidden, means.get(site)) if here else hidden
            last.append(new)
            return new

        return visit

    def _merged(self, before: Tensor, hidden: Tensor, stored: Tensor | None) -> Tensor:
        """The merged state after a block, (k, N, D), from its input and its output."""
        if self.variant == "delta":
            return before + (hidden - before).mean(0, keepdim=True)
        if self.variant == "soft":
            return hidden + self.amount * (hidden.mean(0, keepdim=True) - hidden)
        mean = hidden.mean(0, keepdim=True) if stored is None else stored
        return mean.repeat(len(hidden), 1, 1)


@dataclass(frozen=True)
class MergeEstimates(_Merge):
    """Merges clean estimates: all generations go on towards one of them.

    Attributes:
        what: `x0_hat`, the mean clean estimate; `weighted`, the mean with weights by agreement;
            `medoid`, the one estimate that agrees best with the others; `velocity`, the mean
            velocity, which mixes the noises of the generations into every estimate (paper trap 5).
    """

    acts: ClassVar[str] = "after"

    steps: tuple[int, ...]
    what: Literal["x0_hat", "weighted", "medoid", "velocity"] = "x0_hat"
    company: tuple[Source, ...] = ()

    def evaluations(self, k: int) -> int:
        return k

    def combine(self, own: Sequence[Tensor], latents: Sequence[Tensor]) -> list[Tensor]:
        """The clean estimate that each generation goes towards, from the k clean estimates and the
        k `x_s`; all (1, C, F, H, W).

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
class MergeLatents(_Merge):
    """Replaces all k latents by their mean before a step; from there on the generations are one.

    The mean has 1/k of the noise's variance, less than the step expects (paper trap 5). With
    `rescale`, the mean's noise is made as long as the generations' own. Under Euler that noise is
    exactly `x_s - (1 - sigma_s) x0_hat`, with the clean estimate of the step before.
    """

    acts: ClassVar[str] = "before"

    steps: tuple[int, ...]
    rescale: bool = True
    company: tuple[Source, ...] = ()

    def evaluations(self, k: int) -> int:
        return 1

    def merged(
        self, latents: Sequence[Tensor], x0_hats: Sequence[Tensor | None], sigma: float
    ) -> Tensor:
        """The latents (1, C, F, H, W) that take the place of all k of them.

        Args:
            x0_hats: the clean estimates of the step before, None before step 0.
            sigma: noise level of this step.
        """
        if not self.rescale:
            return mean(latents)
        clean = [
            torch.zeros_like(x) if x0_hat is None else (1.0 - sigma) * x0_hat
            for x, x0_hat in zip(latents, x0_hats, strict=True)
        ]
        noises = [x - part for x, part in zip(latents, clean, strict=True)]
        length = sum(float(noise.norm()) for noise in noises) / len(noises)
        return mean(clean) + mean(noises) * (length / float(mean(noises).norm()))


Merge = MergeLayers | MergeEstimates | MergeLatents


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean of equal shapes."""
    return sum(tensors) / len(tensors)
