"""Latents to pixels and back, through the video autoencoder of a pipeline."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

Statistics = Callable[[Any], tuple[Tensor, Tensor]]  # of a codec: mean and standard deviation (C,)


def decode(pipe: Any, statistics: Statistics, latents: Tensor, device: torch.device) -> np.ndarray:
    """Decodes (B, C, F, H, W) latents to clips (B, pixel frames, H, W, 3), uint8."""
    vae, (mean, std) = pipe.vae, _per_channel(statistics(pipe.vae))
    latents = (latents * std.to(latents) + mean.to(latents)).to(device, vae.dtype)
    video = vae.decode(latents, return_dict=False)[0]  # (B, 3, F', H', W')
    video = (video.float().permute(0, 2, 3, 4, 1) * 127.5 + 127.5).round().clamp(0, 255)
    return video.to(torch.uint8).cpu().numpy()


def encode(pipe: Any, statistics: Statistics, clip: np.ndarray, device: torch.device) -> Tensor:
    """Encodes a clip (pixel frames, H, W, 3), uint8, to latents (1, C, F, H, W), noise-free."""
    vae, (mean, std) = pipe.vae, _per_channel(statistics(pipe.vae))
    pixels = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].to(device, vae.dtype) / 127.5 - 1.0
    return (vae.encode(pixels).latent_dist.mode() - mean.to(device)) / std.to(device)


def _per_channel(parts: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    return tuple(part.view(1, -1, 1, 1, 1) for part in parts)
