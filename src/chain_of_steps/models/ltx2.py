"""The interface to LTX-2: packed latents, the given frame at time 0, and an audio stream.

The audio (1, T, D) is denoised with the video, at the same noise levels. The two streams attend to
each other, so the audio is carried along to the last step; it is neither edited nor decoded.
Guidance is plain: the stock pipeline's spatio-temporal, modality-isolation and rescaling terms,
which are on by default, are left out.
"""

from typing import Any

import numpy as np
import torch
from diffusers.pipelines.ltx2.utils import apply_image_conditioning_crf, resolve_default_image_crf
from PIL import Image
from torch import Tensor

from .conditions import Condition

FRAME_RATE = 24.0  # pixel frames per second: the stock pipeline's default, an input of the network


def scales(pipe: Any) -> tuple[int, int]:
    """Pixel frames per latent frame, and pixels per side of a token, which is a latent cell."""
    return pipe.vae_temporal_compression_ratio, pipe.vae_spatial_compression_ratio


def statistics(vae: Any) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of the latents."""
    return vae.latents_mean, vae.latents_std / vae.config.scaling_factor


def encode_prompt(
    pipe: Any, prompt: str, picture: Image.Image, tokens: int, device: torch.device
) -> dict[str, Any]:
    """Text states of prompt and empty prompt, for video and audio, and their masks."""
    texts = pipe.encode_prompt(
        prompt, negative_prompt="", max_sequence_length=tokens, device=device
    )
    states, mask = torch.cat([texts[2], texts[0]]), torch.cat([texts[3], texts[1]])
    parts = pipe.connectors(states, mask, padding_side=pipe.tokenizer.padding_side)
    dtype = pipe.transformer.dtype
    (negative, text), (no_sound, sound), (hidden, seen) = (part.chunk(2) for part in parts)
    more = {
        "sound": sound.to(dtype),
        "sound_negative": no_sound.to(dtype),
        "mask": seen,
        "mask_negative": hidden,
    }
    return {
        "prompt": text.to(dtype),
        "negative": negative.to(dtype),
        "image_tokens": None,
        "more": more,
    }


def encode_image(
    pipe: Any, picture: Image.Image, frames: int, device: torch.device
) -> dict[str, Any]:
    """The given frame's latents, which replace that frame of the noisy ones, and the latents'
    shape."""
    width, height = picture.size
    # The model was trained on given frames that had been through a video codec.
    pixels = apply_image_conditioning_crf(
        np.array(picture), resolve_default_image_crf(pipe.text_encoder)
    )
    pixels = pipe.video_processor.preprocess(Image.fromarray(pixels), height=height, width=width)
    channels, unused = pipe.transformer.config.in_channels, torch.Generator("cpu").manual_seed(0)
    packed, held = pipe.prepare_latents(
        pixels.to(device, pipe.vae.dtype),
        1,
        channels,
        height,
        width,
        frames,
        0.0,
        torch.float32,
        device,
        unused,
    )
    stride, side = pipe.vae_temporal_compression_ratio, pipe.vae_spatial_compression_ratio
    shape = (1, channels, 1 + (frames - 1) // stride, height // side, width // side)
    image = _unpacked(packed, shape)[:, :, :1]
    return {
        "image": image,
        "shape": shape,
        "free": 1 - _unpacked(held[..., None], (1, 1, *shape[2:])),
    }


def forward(
    expert: Any,
    streams: tuple[Tensor, ...],
    timestep: Tensor,
    condition: Condition,
    passes: tuple[bool, ...],
    dtype: torch.dtype,
) -> tuple[Tensor, ...]:
    """One forward pass; velocities of video (B, C, F, H, W) and audio (B, T, D), passes along B."""
    x, sound = streams
    texts = {True: (condition.prompt, condition.more["sound"], condition.more["mask"])}
    texts[False] = (
        condition.negative,
        condition.more["sound_negative"],
        condition.more["mask_negative"],
    )
    text, sound_text, mask = (
        torch.cat(parts) for parts in zip(*(texts[guided] for guided in passes), strict=True)
    )
    free = _packed(condition.free)[..., 0].to(x.device).repeat(len(passes), 1)  # (B, N)
    times = timestep.to(x.device).expand(len(x)).repeat(len(passes))  # (B,)
    with expert.cache_context("cond_uncond"):
        video, heard = expert(
            hidden_states=torch.cat([_packed(x)] * len(passes)).to(dtype),  # (B, N, C)
            audio_hidden_states=torch.cat([sound] * len(passes)).to(dtype),  # (B, T, D)
            encoder_hidden_states=text,
            audio_encoder_hidden_states=sound_text,
            timestep=times[:, None] * free,  # (B, N)
            audio_timestep=times,
            sigma=times,
            encoder_attention_mask=mask,
            audio_encoder_attention_mask=mask,
            **dict(zip(("num_frames", "height", "width"), x.shape[2:], strict=True)),
            fps=FRAME_RATE,
            audio_num_frames=sound.shape[1],
            use_cross_timestep=True,
            return_dict=False,
        )
    return _unpacked(video.float(), x.shape), heard.float()


def audio_noise(pipe: Any, condition: Condition, generator: torch.Generator) -> Tensor:
    """Pure noise (1, T, D), as long as the clip."""
    frames = (condition.shape[2] - 1) * pipe.vae_temporal_compression_ratio + 1
    per_second = (
        pipe.audio_sampling_rate / pipe.audio_hop_length / pipe.audio_vae_temporal_compression_ratio
    )
    config = pipe.audio_vae.config
    shape = (
        *(1, config.latent_channels, round(frames / FRAME_RATE * per_second)),
        config.mel_bins // pipe.audio_vae_mel_compression_ratio,
    )
    return torch.randn(shape, generator=generator).transpose(1, 2).flatten(2)


def _packed(x: Tensor) -> Tensor:
    """(B, C, F, H, W) as tokens (B, N, C) in the order (f h w): a latent cell is a token."""
    return x.flatten(2).transpose(1, 2)


def _unpacked(tokens: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Tokens (B, N, C) as (B, C, F, H, W)."""
    return tokens.transpose(1, 2).unflatten(2, shape[2:])
