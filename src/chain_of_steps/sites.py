"""Sites: hidden states of the transformer, addressed by (step, expert, pass, layer), captured and edited by hooks.

The loop says at which step it is, the model which expert and pass it runs, the hook knows its layer. Layer -1 is what
goes into the first block. Tokens are in the order (f h w).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
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
        layer: index of the block, or -1 for the input of the first.
    """

    step: int
    expert: int
    guided: bool
    layer: int


class Captured(dict[Site, Tensor]):
    """Hidden states (N, D) by site, under a budget of bytes."""

    def __init__(self, budget: int = BUDGET):
        super().__init__()
        self.budget = budget

    def __setitem__(self, site: Site, state: Tensor) -> None:
        if sum(held.nbytes for held in self.values()) + state.nbytes > self.budget:
            raise MemoryError(
                f"hidden states beyond {self.budget / 1e6:.0f} MB at {site}; capture fewer layers, steps or tokens, "
                f"or raise `budget`"
            )
        super().__setitem__(site, state)

    def take(self) -> dict[Site, Tensor]:
        """What was captured since the last call; forgets it."""
        taken = dict(self)
        self.clear()
        return taken

    def save(self, file: Path) -> None:
        """Moves the states to disk, as safetensors, and forgets them."""
        names = {f"{s.step}.{s.expert}.{int(s.guided)}.{s.layer}": state.contiguous() for s, state in self.items()}
        save_file(names, file)
        self.clear()

    @classmethod
    def load(cls, file: Path, budget: int = BUDGET) -> "Captured":
        """What `save` wrote."""
        states = cls(budget)
        for name, state in load_file(file).items():
            step, expert, guided, layer = map(int, name.split("."))
            states[Site(step, expert, bool(guided), layer)] = state
        return states


@contextmanager
def capture(
    model: VideoModel, wanted: Callable[[Site], bool], tokens: Tensor | None = None, budget: int = BUDGET
) -> Iterator[Captured]:
    """Captures the hidden states of all wanted sites while the context lasts; the model is left as it was.

    Args:
        wanted: which sites to keep.
        tokens: (N,) bool, the tokens to keep; all by default.
        budget: bytes that the captured states may take together.

    Raises:
        MemoryError: before a state is kept that does not fit the budget.
        RuntimeError: if a cache of diffusers is on, under which blocks are skipped and states would lie.
    """
    captured = Captured(budget)

    def keep(site: Site, state: Tensor) -> None:
        if wanted(site):
            chosen = state[0] if tokens is None else state[0][tokens]
            captured[site] = chosen.detach().clone()  # (N, D)

    with _hooked(model, keep):
        yield captured


@contextmanager
def edit(model: VideoModel, change: Callable[[Site, Tensor], Tensor | None]) -> Iterator[None]:
    """Replaces hidden states while the context lasts: `change` gets a site and its (1, N, D), and returns what takes
    its place, or None to leave it."""
    with _hooked(model, change):
        yield


@contextmanager
def start_at(model: VideoModel, layer: int, states: dict[bool, Tensor]) -> Iterator[None]:
    """Lets forward passes begin after block `layer`, from stored states: bitwise equal to running the blocks before.

    Args:
        layer: of the states; -1 runs every block.
        states: (N, D) by pass: True is the one with the prompt.

    Raises:
        ValueError: for a layer that there is not.
    """
    _refuse_caches(model)
    layers = len(model.transformers[0].blocks)
    if not -1 <= layer < layers:
        raise ValueError(f"there is no layer {layer}; expected -1 to {layers - 1}")
    whole = [expert.blocks for expert in model.transformers]
    for expert, blocks in zip(model.transformers, whole, strict=True):
        expert.blocks = nn.ModuleList([_Inject(model, states), *blocks[layer + 1 :]])
    try:
        yield
    finally:
        for expert, blocks in zip(model.transformers, whole, strict=True):
            expert.blocks = blocks


class _Inject(nn.Module):
    """Stands in for the first blocks and puts out a stored state."""

    def __init__(self, model: VideoModel, states: dict[bool, Tensor]):
        super().__init__()
        self.place, self.states = model.place, states

    def forward(self, hidden: Tensor, *_) -> Tensor:
        return self.states[self.place.guided][None].to(hidden)


@contextmanager
def _hooked(model: VideoModel, visit: Callable[[Site, Tensor], Tensor | None]) -> Iterator[None]:
    """Calls `visit` with every site that is passed and its state (1, N, D); what it returns, if anything, goes on."""
    _refuse_caches(model)
    place, handles = model.place, []
    for expert, transformer in enumerate(model.transformers):
        for layer, block in enumerate(transformer.blocks):

            def after(module, arguments, output, expert=expert, layer=layer):
                return visit(Site(place.step, expert, place.guided, layer), output)

            handles.append(block.register_forward_hook(after))

        def before(module, arguments, expert=expert):
            changed = visit(Site(place.step, expert, place.guided, -1), arguments[0])
            return None if changed is None else (changed, *arguments[1:])

        handles.append(transformer.blocks[0].register_forward_pre_hook(before))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _refuse_caches(model: VideoModel) -> None:
    if any(getattr(expert, "is_cache_enabled", False) for expert in model.transformers):
        raise RuntimeError("a diffusers cache is on: blocks are skipped and their states would lie; disable it first")


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
