"""Reads and replaces hidden states of a transformer during a forward pass, by torch hooks.

The hooks exist for one forward pass and act only in the thread that runs it, so that several
generations can share one model concurrently.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# (expert, guided, layer, hidden (B, N, D)) -> the state's replacement, or None to keep it. Layer -1
# is the input of the first block; tokens are in the order (f h w).
Visit = Callable[[int, bool, int, Tensor], Tensor | None]


@dataclass(frozen=True)
class FromLayer:
    """A forward pass starts after block `layer`, from states (N, D) by pass (True: guided)."""

    layer: int
    states: dict[bool, Tensor]


@contextmanager
def visited(
    blocks: list[nn.Module], stream: int | None, expert: int, passes: tuple[bool, ...], visit: Visit
) -> Iterator[None]:
    """Calls `visit` with the state after every block, within a context.

    Args:
        blocks: of the transformer that runs, in order.
        stream: index of the video state in a block's output; None if the block returns that state
            alone.
        expert: index of the transformer.
        passes: the passes in the batch, see `families`.
    """

    thread = threading.get_ident()

    def shown(layer: int, hidden: Tensor) -> Tensor | None:
        if threading.get_ident() != thread:
            return None
        parts = hidden.chunk(len(passes))
        pairs = list(zip(passes, parts, strict=True))
        changed = [visit(expert, guided, layer, part) for guided, part in pairs]
        if all(new is None for new in changed):
            return None
        whole = [part if new is None else new for part, new in zip(parts, changed, strict=True)]
        return whole[0] if len(whole) == 1 else torch.cat(whole)

    def after(layer: int) -> Callable:
        def hook(module: nn.Module, arguments: tuple, output: Any) -> Any:
            if stream is None:
                return shown(layer, output)
            changed = shown(layer, output[stream])
            if changed is None:
                return None
            return (*output[:stream], changed, *output[stream + 1 :])

        return hook

    def before(module: nn.Module, arguments: tuple, named: dict) -> tuple | None:
        hidden = arguments[0] if arguments else named["hidden_states"]
        changed = shown(-1, hidden)
        if changed is None:
            return None
        if arguments:
            return (changed, *arguments[1:]), named
        return (), named | {"hidden_states": changed}

    handles = [block.register_forward_hook(after(i)) for i, block in enumerate(blocks)]
    handles.append(blocks[0].register_forward_pre_hook(before, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def skipped(
    expert: nn.Module, stack: str, layer: int, passes: tuple[bool, ...], states: dict[bool, Tensor]
) -> Iterator[None]:
    """Starts one forward pass after block `layer`, from stored states (N, D) by pass: bitwise equal
    to running the earlier blocks.

    Args:
        stack: attribute of the transformer that holds its blocks.
    """
    whole = getattr(expert, stack)
    (guided,) = passes
    setattr(expert, stack, nn.ModuleList([_Inject(states[guided]), *whole[layer + 1 :]]))
    try:
        yield
    finally:
        setattr(expert, stack, whole)


class _Inject(nn.Module):
    """Replaces the first blocks and returns a stored state."""

    def __init__(self, state: Tensor):
        super().__init__()
        self.state = state

    def forward(self, hidden: Tensor, *_) -> Tensor:
        return self.state[None].to(hidden)
