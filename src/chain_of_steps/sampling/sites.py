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

from ..models.video_model import Place, VideoModel

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
        names = {
            f"{s.step}.{s.expert}.{int(s.guided)}.{s.layer}": state.contiguous()
            for s, state in self.items()
        }
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
    model: VideoModel,
    wanted: Callable[[Site], bool],
    tokens: Tensor | None = None,
    budget: int = BUDGET,
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
    if not -1 <= layer < model.layers:
        raise ValueError(f"there is no layer {layer}; expected -1 to {model.layers - 1}")
    if model.family.stream is not None or len(model.family.stacks) > 1:
        # What is denoised beside the video needs the blocks before too: they run, then the states take their place.
        with edit(
            model,
            lambda site, hidden: (
                states[site.guided][None].to(hidden) if site.layer == layer else None
            ),
        ):
            yield
        return
    (stack,) = model.family.stacks
    whole = [getattr(expert, stack) for expert in model.transformers]
    for expert, blocks in zip(model.transformers, whole, strict=True):
        setattr(expert, stack, nn.ModuleList([_Inject(model, states), *blocks[layer + 1 :]]))
    try:
        yield
    finally:
        for expert, blocks in zip(model.transformers, whole, strict=True):
            setattr(expert, stack, blocks)


class _Inject(nn.Module):
    """Stands in for the first blocks and puts out a stored state."""

    def __init__(self, model: VideoModel, states: dict[bool, Tensor]):
        super().__init__()
        self.place, self.states = model.place, states

    def forward(self, hidden: Tensor, *_) -> Tensor:
        (guided,) = self.place.passes
        return self.states[guided][None].to(hidden)


@contextmanager
def _hooked(model: VideoModel, visit: Callable[[Site, Tensor], Tensor | None]) -> Iterator[None]:
    """Calls `visit` with every site that is passed and its state (1, N, D); what it returns, if anything, goes on."""
    _refuse_caches(model)
    stream, handles = model.family.stream, []
    for expert, transformer in enumerate(model.transformers):
        blocks = model.family.blocks(transformer)
        for layer, block in enumerate(blocks):

            def after(module, arguments, output, expert=expert, layer=layer):
                if stream is None:
                    return _shown(model.place, visit, expert, layer, output)
                changed = _shown(model.place, visit, expert, layer, output[stream])
                return (
                    None if changed is None else (*output[:stream], changed, *output[stream + 1 :])
                )

            handles.append(block.register_forward_hook(after))

        def before(module, arguments, named, expert=expert):
            hidden = arguments[0] if arguments else named["hidden_states"]
            changed = _shown(model.place, visit, expert, -1, hidden)
            if changed is None:
                return None
            return (
                ((changed, *arguments[1:]), named)
                if arguments
                else ((), named | {"hidden_states": changed})
            )

        handles.append(blocks[0].register_forward_pre_hook(before, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _shown(place: Place, visit: Callable, expert: int, layer: int, hidden: Tensor) -> Tensor | None:
    """Shows `visit` the states of each pass that a batch (passes, N, D) holds; the changed batch, or None."""
    parts = hidden.chunk(len(place.passes))
    changed = [
        visit(Site(place.step, expert, guided, layer), part)
        for guided, part in zip(place.passes, parts, strict=True)
    ]
    if all(new is None for new in changed):
        return None
    whole = [part if new is None else new for part, new in zip(parts, changed, strict=True)]
    return whole[0] if len(whole) == 1 else torch.cat(whole)


def _refuse_caches(model: VideoModel) -> None:
    if any(getattr(expert, "is_cache_enabled", False) for expert in model.transformers):
        raise RuntimeError(
            "a diffusers cache is on: blocks are skipped and their states would lie; disable it first"
        )


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
