"""A restart: the run goes on at a step as if all it had was its first estimate.

    x_s <- (1 - sigma_s) x0_hat_0 + sigma_s eps,    eps ~ N(0, I)

What the steps between 0 and s worked out is gone, while the noise level is the right one. So what a
restarted run answers *at s* is what lower noise alone makes of the first estimate; by the end, the
later steps may have done the work again. Level-correct noise at s is its control: the same noise on
the estimate of step s - 1.
"""

import dataclasses
from collections.abc import Iterable
from typing import Annotated

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from .base import Action, generator


@dataclass(frozen=True)
class Restart:
    """Restarts the run at a step from the clean estimate of step 0.

    Attributes:
        step: from 1 on, since there is no estimate before step 0.
        seed: of the noise; one seed and step give the noise of `NoiseAtStep`.
    """

    step: Annotated[int, Field(ge=1)]
    seed: int = 0

    @property
    def named_steps(self) -> Iterable[int]:
        return (self.step,)

    def at(self, step: int, frames: int) -> "RestartAction | None":
        return RestartAction(frames, self.seed) if step == self.step else None


@dataclasses.dataclass(frozen=True)
class RestartAction(Action):
    """A restart at one step, of latents with so many frames."""

    frames: int
    seed: int

    @property
    def changed_frames(self) -> tuple[int, ...]:
        return tuple(range(self.frames))

    def latents(
        self, step: int, x: Tensor, x0_hat: Tensor | None, sigma: float, first: Tensor | None = None
    ) -> Tensor:
        """See `Action.latents`.

        Raises:
            ValueError: if the state does not know the clean estimate of step 0.
        """
        if first is None:
            raise ValueError(
                f"a restart at step {step} needs the clean estimate of step 0, which this state "
                "does not know; begin the run at step 0"
            )
        eps = torch.randn(x.shape, generator=generator("noise", self.seed, step)).to(x)
        return (1.0 - sigma) * first + sigma * eps
