"""Activation patching: hidden states of one run put into another, in the variants that the paper's
wording allows (trap 2).

After the patch embedding a step is a function of (hidden state, text, noise level) alone. So with
equal text, patching in *all* of a donor's state after any block gives the donor's output: only
parts of a state, updates, blends or different prompts can tell layers apart.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from ..sites import Site, SiteVisit
from .base import Action, Donors, Source, generator

Variant = Literal["state", "delta", "blend", "noise"]


@dataclass(frozen=True)
class Patch:
    """Patches what block `layer` puts out, at one step or, if held, at every step from there on.

    Attributes:
        step, layer: where.
        donor: the generation whose state is put in.
        tokens: the tokens that are changed; all by default.
        variant: `state`, the donor's; `delta`, the own state before the block plus the donor's
            update; `blend`, a step of length `amount` towards the donor's; `noise`, a random change
            of each token, as long as the way to the donor's: the null.
        amount: of the blend.
        seed: of the noise.
        held: at every later step too.
        unguided: in the pass without the prompt too; by default only in the one with it.
    """

    step: int
    layer: int
    donor: Source = Source(1000)
    tokens: tuple[int, ...] | None = None
    variant: Variant = "state"
    amount: float = 0.5
    seed: int = 0
    held: bool = False
    unguided: bool = False

    @property
    def named_steps(self) -> Iterable[int]:
        return (self.step,)

    @property
    def named_layers(self) -> Iterable[int]:
        return (self.layer,)

    def at(self, step: int, frames: int) -> "PatchAction | None":
        if step == self.step or (self.held and step > self.step):
            return PatchAction(self)
        return None


@dataclasses.dataclass(frozen=True)
class PatchAction(Action):
    """A patch at one step."""

    patch: Patch

    @property
    def donors(self) -> tuple[Source, ...]:
        return (self.patch.donor,)

    def wants(self, site: Site) -> bool:
        if not (site.guided or self.patch.unguided):
            return False
        before = self.patch.variant == "delta"
        return site.layer == self.patch.layer or (before and site.layer == self.patch.layer - 1)

    def visitor(self, donors: Donors) -> SiteVisit:
        patch, states = self.patch, donors[self.patch.donor]
        own: dict[Site, Tensor] = {}  # states (N, D) after the layer and the one before

        def visit(site: Site, hidden: Tensor) -> Tensor | None:
            if not self.wants(site):
                return None
            own[site] = hidden[0]
            if site.layer != patch.layer:
                return None
            return patched(patch, _by_layer(own, site), _by_layer(states, site))[None]

        return visit


def _by_layer(states: Mapping[Site, Tensor], here: Site) -> dict[int, Tensor]:
    """The states of one pass, by layer."""
    return {site.layer: state for site, state in states.items() if site.guided == here.guided}


def patched(patch: Patch, own: Mapping[int, Tensor], donor: Mapping[int, Tensor]) -> Tensor:
    """The new state (N, D).

    Args:
        own, donor: states (N, D) by layer, -1 for the input of the first block; `delta` needs two.
    """
    here, k = own[patch.layer], patch.layer
    if patch.variant == "state":
        new = donor[k]
    elif patch.variant == "delta":
        new = here + ((donor[k] - donor[k - 1]) - (here - own[k - 1]))
    elif patch.variant == "blend":
        new = here + patch.amount * (donor[k] - here)
    else:
        direction = torch.randn(here.shape, generator=generator("swap", patch.seed, k)).to(here)
        way = (donor[k] - here).norm(dim=1, keepdim=True)
        new = here + way / direction.norm(dim=1, keepdim=True) * direction
    if patch.tokens is None:
        return new
    mask = torch.zeros(len(here), dtype=torch.bool)
    mask[list(patch.tokens)] = True
    return torch.where(mask.to(here.device)[:, None], new, here)
