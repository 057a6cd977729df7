"""The family table: one row for each kind of image-to-video model in diffusers.

A row holds everything that is specific to that kind. Outside of the table all models have the same
interface: latents (B, C, F, H, W), tokens in the order (f h w), a hidden state (B, N, D) after
every block. Packed latents are packed on the way into the network and unpacked on the way out.
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

Streams = tuple[Tensor, ...]  # of video, and in some families of audio
Passes = tuple[
    bool, ...
]  # of a forward pass, in the order of its batch: True with the prompt, False without


@dataclass(frozen=True)
class Family:
    """A row of the table.

    Attributes:
        pipeline: the diffusers class to load.
        named: possible values of `_class_name` in a model's model_index.json.
        stacks: attributes of a transformer that hold its blocks, in the order in which they run.
        stream: index of the video state in a block's output; None if the block returns that state
            alone.
        weights: components that determine results, in the order in which the fingerprint reads
            them.
        encoders: components that are needed once per sample.
        frames, side: clips have `frames` k + 1 pixel frames, and sides that are multiples of `side`
            pixels.
        text: longest prompt, in tokens.
        prediction: what the network predicts, if the scheduler's configuration does not say.
        scales: of a pipeline: pixel frames per latent frame, and pixels per side of a token.
        statistics: of a codec: mean and standard deviation (C,) of its latents.
        encode_prompt: the prompt's part of a condition, from (pipe, prompt, given frame, tokens,
            device).
        encode_image: the given frame's part of a condition, and the latents' shape, from (pipe,
            given frame, frames, device).
        forward: one forward pass: (expert, streams, timestep, condition, passes, dtype) -> one
            prediction per stream, with the passes along the batch.
        guide: how passes are combined into one prediction: `two_passes` or `one_batched_pass`.
        audio_noise: the initial latents of a second stream, from (pipe, condition, generator); None
            if there is none.
        decode, encode: latents to a clip and back, from (pipe, statistics, latents or clip,
            device).
        blank_image: the replacement of a given frame that is dropped, from (pipe, latents' shape,
            device); None if marking the frame as free is enough.
        encode_sample: the condition of a puzzle without pictures, from (sample, device); None if
            prompt and given frame are the condition.
        beliefs: in a puzzle's parts, from (sample, latents), if they are not read from a picture.
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


# Classifier-free guidance.


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
    """A kind of model without a row in the table."""


def named(name: str) -> Family:
    """The family of models whose model_index.json has this `_class_name`.

    Raises:
        UnknownFamily: if there is none.
    """
    for family in FAMILIES:
        if name in family.named:
            return family
    known = ", ".join(name for family in FAMILIES for name in family.named)
    raise UnknownFamily(f"{name} belongs to no known model family; expected one of {known}")


def of(pipe: DiffusionPipeline) -> Family:
    """The family of a loaded pipeline.

    Raises:
        UnknownFamily: if there is none.
    """
    return named(type(pipe).__name__)
