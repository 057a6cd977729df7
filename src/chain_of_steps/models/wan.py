"""The interface to Wan: 2.1, 2.2 with two experts, and 2.2 5B with its given frame at time 0."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .conditions import Condition


def scales(pipe: Any) -> tuple[int, int]:
    """Pixel frames per latent frame, and pixels per side of a token."""
    return (
        pipe.vae.config.scale_factor_temporal,
        pipe.vae_scale_factor_spatial * pipe.transformer.config.patch_size[1],
    )


def statistics(vae: Any) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of the latents."""
    return torch.tensor(vae.config.latents_mean), torch.tensor(vae.config.latents_std)


def encode_prompt(
    pipe: Any, prompt: str, picture: Image.Image, tokens: int, device: torch.device
) -> dict[str, Any]:
    """Text states of the prompt and of the empty prompt; image tokens if there is an encoder."""
    states, negative = pipe.encode_prompt(
        prompt, negative_prompt="", max_sequence_length=tokens, device=device
    )
    dtype, seen = pipe.transformer.dtype, None
    if pipe.transformer.config.image_dim is not None:
        seen = pipe.encode_image(picture, device).to(dtype)
    return {"prompt": states.to(dtype), "negative": negative.to(dtype), "image_tokens": seen}


def encode_image(
    pipe: Any, picture: Image.Image, frames: int, device: torch.device
) -> dict[str, Any]:
    """The given frame as the network's input, and the shape of the latents."""
    width, height = picture.size
    pixels = pipe.video_processor.preprocess(picture, height=height, width=width)
    pixels, channels = pixels.to(device, dtype=torch.float32), pipe.vae.config.z_dim
    unused = torch.Generator("cpu").manual_seed(0)  # its noise is discarded
    latents, image, *free = pipe.prepare_latents(
        pixels, 1, channels, height, width, frames, torch.float32, device, unused
    )
    return {"image": image, "shape": tuple(latents.shape), "free": free[0] if free else None}


def blank_image(pipe: Any, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """The replacement of a given frame that is dropped: mask 0, and the latents of a grey clip.

    Args:
        shape: (1, C, F, H, W) of the latents.
    """
    side, (every, _) = pipe.vae_scale_factor_spatial, scales(pipe)
    height, width = shape[3] * side, shape[4] * side
    grey = torch.zeros(1, 3, height, width, device=device)
    unused = torch.Generator("cpu").manual_seed(0)
    frames = (shape[2] - 1) * every + 1
    _, image = pipe.prepare_latents(
        grey, 1, shape[1], height, width, frames, torch.float32, device, unused
    )
    image[:, : image.shape[1] - shape[1]] = 0.0  # the mask comes first
    return image


def forward(
    expert: Any,
    streams: tuple[Tensor, ...],
    timestep: Tensor,
    condition: Condition,
    passes: tuple[bool, ...],
    dtype: torch.dtype,
) -> tuple[Tensor, ...]:
    """One forward pass, with or without the prompt; velocity or clean estimate (B, C, F, H, W)."""
    (x,), (guided,) = streams, passes
    if condition.free is None:
        x = torch.cat([x, condition.image], dim=1)  # (B, 2 C + mask, F, H, W)
        times = timestep.expand(x.shape[0])
    else:
        _, p, q = expert.config.patch_size
        free = condition.free[:, 0, :, ::p, ::q].flatten(1).to(x.device)  # (1 or B, N)
        times = (free * timestep.view(-1, 1)).expand(x.shape[0], -1)  # (B, N)
    text = condition.prompt if guided else condition.negative
    with expert.cache_context("cond" if guided else "uncond"):
        return expert(
            x.to(dtype), times.to(x.device), text, condition.image_tokens, return_dict=False
        )[:1]
