"""What an intervention is to the loop: an action at some steps, and the donors that it needs."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ...common.hashing import digest
from ..sites import Site, SiteVisit


class Source(NamedTuple):
    """A clean generation that others are compared with, patched from or merged with.

    Attributes:
        seed: added to the seed of the generation that names it.
        condition: name of its condition: `own`, or another that the caller supplies.
    """

    seed: int = 0
    condition: str = "own"


Donors = Mapping[Source, Mapping[Site, Tensor]]  # hidden states (N, D) of this step


class Action:
    """What happens at one step. Equal actions on equal states give equal results, so that runs may
    share them: subclasses are frozen dataclasses. By default nothing happens.
    """

    @property
    def donors(self) -> tuple[Source, ...]:
        """The generations whose hidden states of this step it needs."""
        return ()

    def wants(self, site: Site) -> bool:
        """Whether it needs its donors' states at a site of this step."""
        return False

    @property
    def changed_frames(self) -> tuple[int, ...]:
        """Latent frames whose latents it changes: its dose (paper, figure 3c)."""
        return ()

    def latents(
        self, step: int, x: Tensor, x0_hat: Tensor | None, sigma: float, first: Tensor | None = None
    ) -> Tensor:
        """The latents that the step begins from, (1, C, F, H, W): `x` itself, or others.

        Args:
            x: `x_s`, the same shape.
            x0_hat: the clean estimate of the step before; None before step 0, which is pure noise.
            sigma: noise level of this step.
            first: the clean estimate of step 0; None before that.
        """
        return x

    def condition(self, model: Any, condition: Any) -> Any:
        """The condition that the network is given at this step."""
        return condition

    def visitor(self, donors: Donors) -> SiteVisit | None:
        """Sees and may replace the hidden states of this step."""
        return None


class Intervention(Protocol):
    """A change to a run, as plain data: a frozen pydantic dataclass."""

    @property
    def named_steps(self) -> Iterable[int]:
        """The steps that it names; none if it is about all."""

    def at(self, step: int, frames: int) -> Action | None:
        """What it does at a step to latents of so many frames, or None.

        Raises:
            ValueError: if it names a frame that the latents do not have.
        """


def generator(*purpose: str | int) -> torch.Generator:
    """A separate CPU generator for every purpose, and none of them that of initial noise, whose
    seed is used as it is.

    A CPU generator keeps 32 bits of its seed, so large offsets would collide: the seed is a hash.
    """
    return torch.Generator("cpu").manual_seed(int(digest(purpose)[:8], 16))
