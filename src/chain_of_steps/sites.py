"""Sites: hidden states of the transformer, addressed by (step, expert, pass, layer), captured by forward hooks.

The loop says at which step it is, the model which expert and pass it runs, the hook knows its layer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from .models import VideoModel

BUDGET = 4 << 30  # bytes that captured states may take


@dataclass(frozen=True)
class Site:
    """The address of a hidden state: what a block put out.

    Attributes:
        step: index s of the denoising step.
        expert: 0, or 1 for the second, low-noise transformer.
        guided: True in the pass with the prompt (cond), False in the one without (uncond).
        layer: index of the block.
    """

    step: int
    expert: int
    guided: bool
    layer: int


class Captured(dict[Site, Tensor]):
    """Hidden states (N, D) by site, tokens in order (f h w), under a budget of bytes."""

    def __init__(self, budget: int):
        super().__init__()
        self.budget = budget

    def __setitem__(self, site: Site, state: Tensor) -> None:
        if sum(held.nbytes for held in self.values()) + state.nbytes > self.budget:
            raise MemoryError(
                f"hidden states beyond {self.budget / 1e6:.0f} MB at {site}; capture fewer layers or steps, "
                f"or raise `budget`"
            )
        super().__setitem__(site, state)

    def take(self) -> dict[Site, Tensor]:
        """What was captured since the last call; forgets it."""
        taken = dict(self)
        self.clear()
        return taken


@contextmanager
def capture(model: VideoModel, wanted: Callable[[Site], bool], budget: int = BUDGET) -> Iterator[Captured]:
    """Captures the hidden states of all wanted sites while the context lasts; the model is left as it was.

    Args:
        wanted: which sites to keep.
        budget: bytes that the captured states may take together.

    Raises:
        MemoryError: before a state is kept that does not fit the budget.
    """
    captured = Captured(budget)

    def hook(expert: int, layer: int) -> Callable:
        def keep(module: nn.Module, arguments: tuple, output: Tensor) -> None:
            site = Site(model.step, expert, model.guided, layer)
            if wanted(site):
                captured[site] = output[0].detach().clone()  # (N, D)

        return keep

    handles = [
        block.register_forward_hook(hook(expert, layer))
        for expert, blocks in enumerate(model.blocks)
        for layer, block in enumerate(blocks)
    ]
    try:
        yield captured
    finally:
        for handle in handles:
            handle.remove()
