"""The family table: all that sets one kind of image-to-video model of diffusers apart from another, a row for each.

Outside of a row every model speaks the same language: latents (B, C, F, H, W), tokens in the order (f h w), a hidden
state (B, N, D) after every block. Packed latents are packed on the way into the network and unpacked on the way out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, LTX2ImageToVideoPipeline, WanImageToVideoPipeline
from torch import Tensor, nn

from . import ltx2, symbols, vae, wan
from .conditions import Condition

Streams = tuple[Tensor, ...]  # the video's, and in some families an audio stream
Passes = tuple[
    bool, ...
]  # which a forward pass holds, in the order of its batch: True with the prompt, False without


@dataclass(frozen=True)
class Family:
    """A row of the table.

    Attributes:
        pipeline: the class of diffusers that is loaded.
        named: what `_class_name` in a model's model_index.json may be.
        stacks: attributes of a transformer that hold its blocks, in the order in which they run.
        stream: index of the video's state in what a block puts out; None where it is all that it puts out.
        weights: components on which results depend, in the order in which the fingerprint reads them.
        encoders: components that are needed once per sample.
        frames, side: clips have `frames` k + 1 pixel frames, and sides that are multiples of `side` pixels.
        text: longest prompt, in tokens.
        prediction: what the network predicts, where the scheduler's configuration does not say.
        scales: of a pipeline: pixel frames per latent frame, and pixels per side of a token.
        statistics: of a codec: mean and standard deviation (C,) of its latents.
        encode_prompt: what a condition holds of the prompt, from (pipe, prompt, given frame, tokens, device).
        encode_image: what it holds of the given frame, and the latents' shape, from (pipe, given frame, frames, device).
        forward: one forward pass: (expert, streams, timestep, condition, passes, dtype) -> what it predicts for each
            stream, the passes along the batch.
        guide: how passes become one prediction: `two_passes` or `one_batched_pass`.
        audio_noise: the initial latents of a second stream, from (pipe, condition, generator); None if
            there is none.
        decode, encode: latents to a clip and back, from (pipe, statistics, latents or clip, device).
        blank_image: what stands for a given frame that is dropped, from (pipe, latents' shape,
            device); None where setting the frame free is enough.
        encode_sample: the condition of a puzzle that is not drawn, from (sample, device); None where
            a prompt and a given frame say it.
        beliefs: of a puzzle's parts, from (sample, latents), where they are not read off a picture.
    """

    pipeline: type[DiffusionPipeline]
    named: tuple[str, ...]
    stacks: tuple[str, ...]
    stream: int | None
    weights: tuple[str, ...]
    encoders: tuple[str, ...]
    frames: int
    side: int
    text: int
    prediction: str
    scales: Callable[[Any], tuple[int, int]]
    statistics: Callable[[Any], tuple[Tensor, Tensor]]
    encode_prompt: Callable[..., dict[str, Any]]
    encode_image: Callable[..., dict[str, Any]]
    forward: Callable[..., Streams]
    guide: Callable[[Callable[[Passes], Streams], float], Streams]
    audio_noise: Callable[[Any, Condition, torch.Generator], Tensor] | None = None
    decode: Callable[..., np.ndarray] = vae.decode
    encode: Callable[..., Tensor] = vae.encode
    blank_image: Callable[..., Tensor] | None = None
    encode_sample: Callable[..., Condition] | None = None
    beliefs: Callable[..., np.ndarray] | None = None

    def blocks(self, expert: Any) -> list[nn.Module]:
        """The blocks of a transformer, in the order in which they run."""
        return [block for stack in self.stacks for block in getattr(expert, stack)]


# How guidance is made.


def two_passes(forward: Callable[[Passes], Streams], guidance: float) -> Streams:
    """One forward pass with the prompt, then one without: `u + g (c - u)`."""
    guided = forward((True,))
    if guidance <= 1.0:
        return guided
    unguided = forward((False,))
    return tuple(u + guidance * (c - u) for u, c in zip(unguided, guided, strict=True))


def one_batched_pass(forward: Callable[[Passes], Streams], guidance: float) -> Streams:
    """Both in one batch, the pass without the prompt first: `c + (g - 1) (c - u)`."""
    if guidance <= 1.0:
        return forward((True,))
    halves = (output.chunk(2) for output in forward((False, True)))
    return tuple(c + (guidance - 1) * (c - u) for u, c in halves)


# The table.

WAN = Family(
    pipeline=WanImageToVideoPipeline,
    named=("WanImageToVideoPipeline", "WanPipeline"),  # the text-to-video class has the same parts
    stacks=("blocks",),
    stream=None,
    weights=("text_encoder", "vae", "transformer", "transformer_2"),
    encoders=("text_encoder", "image_encoder"),
    frames=4,
    side=16,
    text=512,
    prediction="flow_prediction",
    scales=wan.scales,
    statistics=wan.statistics,
    encode_prompt=wan.encode_prompt,
    encode_image=wan.encode_image,
    forward=wan.forward,
    guide=two_passes,
    blank_image=wan.blank_image,
)

LTX2 = Family(
    pipeline=LTX2ImageToVideoPipeline,
    named=(
        "LTX2ImageToVideoPipeline",
        "LTX2Pipeline",
    ),  # the text-to-video class has the same parts
    stacks=("transformer_blocks",),
    stream=0,
    weights=("text_encoder", "connectors", "vae", "transformer"),
    encoders=("text_encoder", "connectors"),
    frames=8,
    side=32,
    text=1024,
    prediction="flow_prediction",
    scales=ltx2.scales,
    statistics=ltx2.statistics,
    encode_prompt=ltx2.encode_prompt,
    encode_image=ltx2.encode_image,
    forward=ltx2.forward,
    guide=one_batched_pass,
    audio_noise=ltx2.audio_noise,
)

SYMBOLS = Family(
    pipeline=symbols.SymbolPipeline,
    named=("SymbolPipeline",),
    stacks=("blocks",),
    stream=None,
    weights=("transformer",),
    encoders=(),
    frames=1,
    side=1,
    text=1,
    prediction="sample",
    scales=symbols.scales,
    statistics=symbols.statistics,
    encode_prompt=symbols.refuse_pictures,
    encode_image=symbols.refuse_pictures,
    forward=wan.forward,
    guide=two_passes,
    decode=symbols.decode,
    encode=symbols.refuse_pictures,
    blank_image=symbols.blank_image,
    encode_sample=symbols.encode_sample,
    beliefs=symbols.read_beliefs,
)

FAMILIES = (WAN, LTX2, SYMBOLS)


class UnknownFamily(ValueError):
    """A kind of model that has no row in the table."""


def named(name: str) -> Family:
    """The family of models whose model_index.json has this `_class_name`.

    Raises:
        UnknownFamily: if there is none.
    """
    for family in FAMILIES:
        if name in family.named:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.named)
    raise UnknownFamily(f"{name} is of no model family that is known here; expected one of {known}")


def of(pipe: DiffusionPipeline) -> Family:
    """The family of a loaded pipeline.

    Raises:
        UnknownFamily: if it is of none.
    """
    return named(type(pipe).__name__)
