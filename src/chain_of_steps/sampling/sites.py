"""Sites: hidden states of the transformer, addressed by (step, expert, pass, layer).

The loop passes every state to a visitor, which may replace it; `Captured` is a visitor that keeps
the states that are wanted. Layer -1 is the input of the first block. Tokens are in the order
(f h w).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.hooks import Visit

CAPTURE_BUDGET = 4 << 30  # bytes that the captured states of a visitor may take


@dataclass(frozen=True)
class Site:
    """The address of a hidden state: what a block put out.

    Attributes:
        step: index s of the denoising step.
        expert: 0, or 1 for the second, low-noise transformer.
        guided: True in the pass with the prompt (cond), False in the one without (uncond).
        layer: index of the block, or -1 for the input of the first.
    """

    step: int
    expert: int
    guided: bool
    layer: int


# (site, hidden (B, N, D)) -> what takes the state's place, or None to leave it
SiteVisit = Callable[[Site, Tensor], Tensor | None]


class Captured(dict[Site, Tensor]):
    """Hidden states (N, D) by site, under a budget of bytes. As a visitor it keeps what is wanted.

    Args:
        wanted: which sites to keep; all by default.
        tokens: (N,) bool, the tokens to keep; all by default.
        budget: bytes that the captured states may take together.

    Raises:
        MemoryError: before a state is kept that does not fit the budget.
    """

    def __init__(
        self,
        wanted: Callable[[Site], bool] = lambda site: True,
        tokens: Tensor | None = None,
        budget: int = CAPTURE_BUDGET,
    ):
        super().__init__()
        self.wanted, self.tokens, self.budget = wanted, tokens, budget

    def __call__(self, site: Site, hidden: Tensor) -> None:
        if self.wanted(site):
            chosen = hidden[0] if self.tokens is None else hidden[0][self.tokens]
            self[site] = chosen.detach().clone()  # (N, D)

    def __setitem__(self, site: Site, state: Tensor) -> None:
        if sum(held.nbytes for held in self.values()) + state.nbytes > self.budget:
            raise MemoryError(
                f"hidden states beyond {self.budget / 1e6:.0f} MB at {site}; capture fewer layers, "
                f"steps or tokens, or raise `budget`"
            )
        super().__setitem__(site, state)

    def take(self) -> dict[Site, Tensor]:
        """What was captured since the last call; forgets it."""
        taken = dict(self)
        self.clear()
        return taken


def in_turn(*visits: SiteVisit | None) -> SiteVisit | None:
    """One visitor from several: each sees what those before it left."""
    present = [visit for visit in visits if visit is not None]
    if not present:
        return None

    def visit(site: Site, hidden: Tensor) -> Tensor | None:
        new = None
        for each in present:
            changed = each(site, hidden if new is None else new)
            new = new if changed is None else changed
        return new

    return visit


def at_step(step: int, visit: SiteVisit | None) -> Visit | None:
    """A visitor of sites as the model's, which does not know the step."""
    if visit is None:
        return None
    return lambda expert, guided, layer, hidden: visit(Site(step, expert, guided, layer), hidden)


def region(mask: Tensor, frames: Tensor | list[bool], patch: int) -> Tensor:
    """A pixel mask as a token mask: the tokens whose cell it touches, in the chosen latent frames.

    Args:
        mask: (H, W) bool, in pixels.
        frames: (F,) bool, which latent frames.
        patch: pixels per side of a token.

    Returns:
        (F * H/patch * W/patch,) bool, in the order (f h w).
    """
    height, width = mask.shape
    touched = mask.reshape(height // patch, patch, width // patch, patch).any(3).any(1).flatten()
    return (torch.as_tensor(frames)[:, None] & touched[None]).flatten()
