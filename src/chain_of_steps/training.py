"""Fits the mini model: first the video codec, then text encoder and transformer together on its latents.

One resumable command. What happens at a step depends on the step alone: the clips, the noise and the learning rate;
the clock only stops it. Clips are drawn afresh for ever, from the training partition, each used about four times.
After an interruption the optimizer's moments are built up again, under a short warm-up.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.attention_dispatch import attention_backend
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .clips import Clip, Ring, clip
from .mini import Recipe, build_codec, build_text_encoder, build_tokenizer, build_transformer

Say = Callable[[str], None]

REUSE = 4  # how often a clip is used before it leaves the ring

CODEC_STEPS = 2600

BATCH = 32
LENGTHS, LENGTH_SHARES = (9, 13, 17), (0.30, 0.60, 0.10)  # pixel frames: 5, 7 and 9 latent frames
PROMPT_DROPOUT = 0.1
NOISE_SHIFT = 3.0  # noise levels in training: sigma = shift u / (1 + (shift - 1) u), u uniform


@dataclass
class Progress:
    """Where a fit stands: steps done, the step at which this process took it up, and the averaged weights."""

    step: int
    average: dict[str, Tensor]
    began: int = field(init=False)

    def __post_init__(self):
        self.began = self.step

    @classmethod
    def load(cls, file: Path, module: nn.Module) -> "Progress":
        """Takes up a fit where `file` left it, or begins one."""
        if not file.exists():
            return cls(0, {name: p.detach().clone() for name, p in module.named_parameters()})
        tensors = load_file(file)
        step = int(tensors.pop("step"))
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(tensors[f"weights/{name}"])
        return cls(step, {name: tensors[f"average/{name}"] for name, _ in module.named_parameters()})

    def save(self, file: Path, module: nn.Module) -> None:
        """Writes weights, averaged weights and step, atomically."""
        tensors = {f"average/{name}": value for name, value in self.average.items()}
        tensors |= {f"weights/{name}": p.detach() for name, p in module.named_parameters()}
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        save_file(tensors | {"step": torch.tensor(self.step)}, partial)
        os.replace(partial, file)

    @torch.no_grad()
    def advance(self, module: nn.Module) -> None:
        """Counts a step. The average reaches back over about the last tenth of all steps."""
        self.step += 1
        weights = [p.detach() for p in module.parameters()]
        torch._foreach_lerp_(list(self.average.values()), weights, min(1.0, 10.0 / (self.step + 10)))

    @torch.no_grad()
    def average_into(self, module: nn.Module) -> None:
        """Replaces the weights by their average."""
        for name, parameter in module.named_parameters():
            parameter.copy_(self.average[name])


def codec_phase(step: int) -> tuple[int, int]:
    """Pixel frames and batch size of the codec's training at a step: short windows first, they are cheap."""
    if step < 0.65 * CODEC_STEPS:
        return 5, 24
    return (9, 12) if step < 0.88 * CODEC_STEPS else (13, 10)


def fit_codec(codec: AutoencoderKLWan, file: Path, deadline: float, say: Say) -> bool:
    """Fits the codec to windows of clips; True when done, False when the deadline came first.

    Minimises L1 + the mean over cells of the RMS difference, in units of [-1, 1]; a little noise on the latents
    makes the decoder forgive the transformer's errors. Leaves the averaged weights in `codec`.
    """
    progress = Progress.load(file, codec)
    optimizer = torch.optim.AdamW(codec.parameters(), lr=1.0, betas=(0.9, 0.99), weight_decay=0.0)
    ring = Ring(1024, lambda start, stop: [clip(i, 13, seed=1).frames for i in range(start, stop)])
    while progress.step < CODEC_STEPS and time.time() < deadline:
        step = progress.step
        frames, batch = codec_phase(step)
        rng = np.random.default_rng([2, step])
        ring.advance(1024 + step * 24 // REUSE)
        first = int(rng.integers(0, 13 - frames + 1))
        pixels = to_pixels(np.stack(ring.pick(rng, batch))[:, first : first + frames])
        with torch.autocast("cpu", torch.bfloat16):
            latents = codec.encode(pixels).latent_dist.mode().float()
            noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(step))
            decoded = codec.decode(latents + 0.05 * noise).sample.float()
        difference = decoded - pixels
        cells = difference.pow(2).view(batch, 3, frames, 6, 8, 6, 8).mean((1, 4, 6))  # (B, F, 6, 6)
        loss = difference.abs().mean() + (cells + 1e-5).sqrt().mean() + 1e-3 * latents.pow(2).mean()
        fall = min(1.0, max(0.02, 2.0 * (1.0 - step / CODEC_STEPS)))
        _descend(loss, codec, [optimizer], [4e-3 * fall * _warm_up(progress)], 0.5)
        progress.advance(codec)
        if progress.step % 50 == 0:
            say(f"codec: step {progress.step} of {CODEC_STEPS}, loss {loss.item():.4f}")
            progress.save(file, codec)
    progress.save(file, codec)
    progress.average_into(codec)
    return progress.step == CODEC_STEPS


def to_pixels(clips: np.ndarray) -> Tensor:
    """(B, F, H, W, 3) uint8 to (B, 3, F, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


def _warm_up(progress: Progress, steps: int = 100) -> float:
    return min(1.0, (progress.step - progress.began + 1) / steps)


def _descend(loss: Tensor, module: nn.Module, optimizers: list, rates: list[float], clip_norm: float) -> None:
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), clip_norm)
    for optimizer, rate in zip(optimizers, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    module.zero_grad(set_to_none=True)
