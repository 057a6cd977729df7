"""The family table: all that sets one kind of image-to-video model of diffusers apart from another, a row for each.

Outside of a row every model speaks the same language: latents (B, C, F, H, W), tokens in the order (f h w), a hidden
state (B, N, D) after every block. Packed latents are packed on the way into the network and unpacked on the way out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DiffusionPipeline, WanImageToVideoPipeline
from PIL import Image
from torch import Tensor, nn

from .conditions import Condition

Streams = tuple[Tensor, ...]  # the video's, and in some families what is denoised beside it
Passes = tuple[bool, ...]  # which a forward pass holds, in the order of its batch: True with the prompt, False without


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
        words: what a condition holds of the prompt, from (pipe, prompt, given frame, tokens, device).
        given: what it holds of the given frame, and the latents' shape, from (pipe, given frame, frames, device).
        ask: one forward pass: (expert, streams, timestep, condition, passes, dtype) -> what it predicts for each
            stream, the passes along the batch.
        guide: how passes become one prediction: `two_passes` or `one_batched_pass`.
        beside: the initial latents of a second stream, from (pipe, condition, generator); None if there is none.
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
    words: Callable[..., dict[str, Any]]
    given: Callable[..., dict[str, Any]]
    ask: Callable[..., Streams]
    guide: Callable[[Callable[[Passes], Streams], float], Streams]
    beside: Callable[[Any, Condition, torch.Generator], Tensor] | None = None

    def blocks(self, expert: Any) -> list[nn.Module]:
        """The blocks of a transformer, in the order in which they run."""
        return [block for stack in self.stacks for block in getattr(expert, stack)]


# How guidance is made.


def two_passes(ask: Callable[[Passes], Streams], guidance: float) -> Streams:
    """One forward pass with the prompt, then one without: `u + g (c - u)`."""
    guided = ask((True,))
    if guidance <= 1.0:
        return guided
    unguided = ask((False,))
    return tuple(u + guidance * (c - u) for u, c in zip(unguided, guided, strict=True))


# Wan: 2.1, 2.2 with two experts, and 2.2 5B, which sees the given frame in its place at time 0.


def _wan_scales(pipe: Any) -> tuple[int, int]:
    return pipe.vae.config.scale_factor_temporal, pipe.vae_scale_factor_spatial * pipe.transformer.config.patch_size[1]


def _wan_statistics(vae: Any) -> tuple[Tensor, Tensor]:
    return torch.tensor(vae.config.latents_mean), torch.tensor(vae.config.latents_std)


def _wan_words(pipe: Any, prompt: str, picture: Image.Image, tokens: int, device: torch.device) -> dict[str, Any]:
    states, negative = pipe.encode_prompt(prompt, negative_prompt="", max_sequence_length=tokens, device=device)
    dtype, seen = pipe.transformer.dtype, None
    if pipe.transformer.config.image_dim is not None:
        seen = pipe.encode_image(picture, device).to(dtype)
    return {"prompt": states.to(dtype), "negative": negative.to(dtype), "image_tokens": seen}


def _wan_given(pipe: Any, picture: Image.Image, frames: int, device: torch.device) -> dict[str, Any]:
    width, height = picture.size
    pixels = pipe.video_processor.preprocess(picture, height=height, width=width)
    pixels, channels = pixels.to(device, dtype=torch.float32), pipe.vae.config.z_dim
    unused = torch.Generator("cpu").manual_seed(0)  # the noise that comes with it is not ours
    latents, image, *free = pipe.prepare_latents(
        pixels, 1, channels, height, width, frames, torch.float32, device, unused
    )
    return {"image": image, "shape": tuple(latents.shape), "free": free[0] if free else None}


def _wan_ask(
    expert: Any, streams: Streams, timestep: Tensor, condition: Condition, passes: Passes, dtype: torch.dtype
) -> Streams:
    (x,), (guided,) = streams, passes
    if condition.free is None:
        x = torch.cat([x, condition.image], dim=1)  # (B, 2 C + mask, F, H, W)
        times = timestep.expand(x.shape[0])
    else:
        _, p, q = expert.config.patch_size
        times = condition.free[0, 0, :, ::p, ::q].to(x.device) * timestep
        times = times.flatten().expand(x.shape[0], -1)  # (B, N)
    text = condition.prompt if guided else condition.negative
    with expert.cache_context("cond" if guided else "uncond"):
        return expert(x.to(dtype), times.to(x.device), text, condition.image_tokens, return_dict=False)[:1]


WAN = Family(
    pipeline=WanImageToVideoPipeline,
    named=("WanImageToVideoPipeline", "WanPipeline"),  # the 5B model is published as the latter
    stacks=("blocks",),
    stream=None,
    weights=("text_encoder", "vae", "transformer", "transformer_2"),
    encoders=("text_encoder", "image_encoder"),
    frames=4,
    side=16,
    text=512,
    prediction="flow_prediction",
    scales=_wan_scales,
    statistics=_wan_statistics,
    words=_wan_words,
    given=_wan_given,
    ask=_wan_ask,
    guide=two_passes,
)

FAMILIES = (WAN,)


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
