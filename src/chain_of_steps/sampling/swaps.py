"""SwapLayer: hidden states of one run put into another, in the variants that the paper's wording allows (trap 2).

After the patch embedding a step is a function of (hidden state, text, noise level) alone. So with equal text, putting
in *all* of a donor's state after any block gives the donor's output: only parts of a state, updates, blends or
different prompts can tell layers apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .interventions import generator

Variant = Literal["state", "delta", "blend", "noise"]
VARIANTS: tuple[Variant, ...] = ("state", "delta", "blend", "noise")


@dataclass(frozen=True)
class SwapLayer:
    """What takes the place of the state that block `layer` put out.

    Attributes:
        variant: `state`, the donor's; `delta`, the receiver's state before the block plus the donor's update;
            `blend`, a step of length `amount` towards the donor's; `noise`, a random change of each token, as long as
            the way to the donor's: the null.
        amount: of the blend.
        seed: of the noise.
    """

    layer: int
    variant: Variant = "state"
    amount: float = 0.5
    seed: int = 0

    def __post_init__(self):
        if self.variant not in VARIANTS:
            raise ValueError(
                f"unknown variant {self.variant!r}; expected one of {', '.join(VARIANTS)}"
            )

    def apply(
        self, own: Mapping[int, Tensor], donor: Mapping[int, Tensor], tokens: Tensor | None = None
    ) -> Tensor:
        """The new state (N, D).

        Args:
            own, donor: states (N, D) by layer, -1 for the input of the first block; `delta` needs two of them.
            tokens: (N,) bool, the tokens that are changed; all by default.
        """
        here, k = own[self.layer], self.layer
        if self.variant == "state":
            new = donor[k]
        elif self.variant == "delta":
            new = here + ((donor[k] - donor[k - 1]) - (here - own[k - 1]))
        elif self.variant == "blend":
            new = here + self.amount * (donor[k] - here)
        else:
            direction = torch.randn(here.shape, generator=generator("swap", self.seed, k)).to(here)
            length = (donor[k] - here).norm(dim=1, keepdim=True) / direction.norm(
                dim=1, keepdim=True
            )
            new = here + length * direction
        return new if tokens is None else torch.where(tokens.to(here.device)[:, None], new, here)
