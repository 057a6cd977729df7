"""Fits the mini model: its codec in closed form, then text encoder and transformer together.

One resumable command. The clips, the noise and the learning rate of a step depend only on the step;
the clock decides only when to stop. Clips are an endless stream from the training split, each used
a few times. After an interruption the optimizer's moments are built up again, with a short warm-up.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.models.attention_dispatch import attention_backend
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import UMT5EncoderModel

from ..models import cpu
from ..models.schedule import preset
from . import model_card
from .checkpoints import check_fit, load_tensors, save_tensors
from .codec import encode_blank, fit_codec
from .data import BATCH, CODEC_CLIPS, GENERALIST, Examples, World, clip, length_at
from .optimizer import Optimizer
from .progress import Progress, compile_blocks
from .recipe import (
    Recipe,
    build_codec,
    build_text_encoder,
    build_tokenizer,
    build_transformer,
    save_pipeline,
)

Say = Callable[[str], None]

RATES = (2e-2, 3e-3)  # of Muon and AdamW
SAVE_EVERY = 500  # steps
PROMPT_DROPOUT, GIVEN_DROPOUT = 0.1, 0.1
EMPTY_PROMPT = torch.tensor([[1] + [0] * 15])  # token ids of "": end of text, padding
NOISE_SHIFT = 4.0  # training sigma = shift u / (1 + (shift - 1) u), u uniform


class Denoiser(nn.Module):
    """Text encoder and transformer, trained together."""

    def __init__(self, text_encoder: UMT5EncoderModel, transformer: WanTransformer3DModel):
        super().__init__()
        self.text_encoder, self.transformer = text_encoder, transformer

    def forward(
        self, noisy: Tensor, given: Tensor, known: Tensor, sigma: Tensor, words: Tensor
    ) -> Tensor:
        """The clean estimate (B, z, F, h, w).

        Args:
            noisy: latents (B, z, F, h, w) at noise levels `sigma` (B,).
            given: latents of the given frame, (B, z, F, h, w).
            known: whether there is a given frame, (B,) bool; otherwise `given` is that of grey
                frames.
            words: token ids (B, T).
        """
        seen = words > 0
        text = self.text_encoder(words, seen.long()).last_hidden_state
        text = text * seen[..., None]  # padding becomes zeros, as in the pipeline
        mask = torch.zeros_like(noisy[:, :1])
        mask[:, :, 0] = known.view(-1, 1, 1, 1).float()
        inputs = torch.cat([noisy, mask, given], dim=1)
        return self.transformer(inputs, 1000.0 * sigma, text, return_dict=False)[0].float()


@dataclass(frozen=True)
class Batch:
    """The batch of one step: clips, their noise levels, and the conditions."""

    latents: Tensor  # (B, z, F, h, w)
    given: Tensor  # (B, z, F, h, w)
    known: Tensor  # (B,) bool
    words: Tensor  # (B, T)
    sigma: Tensor  # (B,)
    noise: Tensor  # (B, z, F, h, w)

    def loss(self, model: Denoiser) -> Tensor:
        """Mean squared error of the clean estimate: flow matching (paper eq. 1) times sigma^2."""
        level = self.sigma.view(-1, 1, 1, 1, 1)
        noisy = (1.0 - level) * self.latents + level * self.noise
        estimate = model(noisy, self.given, self.known, self.sigma, self.words)
        return (estimate - self.latents).pow(2).mean()


class Batches:
    """The batch of every step: rings of clips of each length, noise, dropped conditions."""

    def __init__(self, codec: AutoencoderKLWan, world: World):
        self.world = world
        self.rings = {frames: Examples(codec, frames, world) for frames in world.lengths}
        self.blank = {frames: encode_blank(codec, frames, world.side) for frames in world.lengths}

    def at(self, step: int) -> Batch:
        rng, generator = np.random.default_rng([3, step]), torch.Generator().manual_seed(step)
        frames, visits = length_at(step, rng, self.world)
        latents, given, words = self.rings[frames].batch(rng, visits, BATCH)
        dropped = torch.rand(BATCH, 1, generator=generator) < PROMPT_DROPOUT
        words = torch.where(dropped, EMPTY_PROMPT, words)
        known = torch.rand(BATCH, generator=generator) >= GIVEN_DROPOUT
        given = torch.where(known.view(-1, 1, 1, 1, 1), given, self.blank[frames])
        u = torch.rand(BATCH, generator=generator)
        sigma = (NOISE_SHIFT * u / (1.0 + (NOISE_SHIFT - 1.0) * u)).clamp_min(0.01)
        noise = torch.randn(latents.shape, generator=generator)
        return Batch(latents, given, known, words, sigma, noise)


def fit_denoiser(
    model: Denoiser,
    batches: Batches,
    file: Path,
    deadline: float,
    say: Say,
    most: float = float("inf"),
) -> Progress:
    """Fits text encoder and transformer until the deadline, or until it has seen `most` clips; then
    sets `model` to the averaged weights."""
    progress = Progress.load(file, model)
    optimizer = Optimizer(model, RATES)
    compile_blocks(model.transformer)
    losses: list[float] = []
    while time.time() < deadline and progress.step * BATCH < most:
        with attention_backend("_native_math"), cpu.mixed_precision():
            loss = batches.at(progress.step).loss(model)
        fall = (1.0 + progress.step / 3000) ** -0.5
        optimizer.descend(loss, fall * progress.warm_up(), clip_norm=1.0)
        progress.advance(model)
        losses.append(loss.item())
        if progress.step % 100 == 0:
            progress.losses.append([progress.step, round(float(np.mean(losses[-100:])), 5)])
            clips = progress.step * BATCH
            say(f"step {progress.step}, {clips} clips, loss {progress.losses[-1][1]}")
        if progress.step % SAVE_EVERY == 0:
            progress.save(file, model)
    progress.save(file, model)
    progress.average_into(model)
    return progress


def train(
    folder: Path,
    work: Path,
    budget: float,
    resume: bool,
    recipe: Recipe,
    say: Say,
    score: Callable[[Path], dict],
    world: World = GENERALIST,
    most: float = float("inf"),
) -> None:
    """Fits the mini model for `budget` seconds and writes it, with its record, to `folder`.

    Args:
        work: folder of the checkpoints between calls.
        resume: continue from the checkpoints or, without any, from the model in `folder`; otherwise
            a new model is trained.
        world: the training data.
        score: computes the scores of the finished model in a folder, for its record; see
            `model_card`.
        most: clips in all, after which the fit ends earlier.

    Raises:
        ValueError: if there is a model or a checkpoint, and `resume` is false.
    """
    began = time.time()
    checkpoint, code = work / "denoiser.safetensors", work / "codec.safetensors"
    _refuse_overwrite(folder, work, checkpoint, resume)
    torch.manual_seed(0)
    codec = build_codec(recipe)
    model = Denoiser(build_text_encoder(recipe, len(build_tokenizer())), build_transformer(recipe))
    if resume and not checkpoint.exists() and (folder / "training.json").exists():
        _take_up(folder, checkpoint, code, model)
    if checkpoint.exists():
        found = load_tensors(code)
        check_fit(code, found, codec.state_dict())
        codec.load_state_dict(found)  # never fitted twice: another machine could find another basis
    else:
        clips = [clip(i, frames_of(world), seed=1, world=world).frames for i in range(CODEC_CLIPS)]
        fit_codec(codec, clips)
        save_tensors(code, codec.state_dict())
    codec.eval().requires_grad_(False)
    progress = fit_denoiser(model, Batches(codec, world), checkpoint, began + budget, say, most)
    save_pipeline(folder, codec, model.text_encoder, model.transformer, preset("mini"))
    session = {
        "from_step": progress.began,
        "to_step": progress.step,
        "clips": progress.step * BATCH,
        "seconds": round(time.time() - began),
        "torch": torch.__version__,
        "shares": world.shares,
        "losses": [[step, loss] for step, loss in progress.losses if step > progress.began],
    }
    clip_of = {"size": world.side, "frames": frames_of(world)}
    model_card.record(folder, asdict(recipe) | clip_of, session, score)
    model_card.write_card(folder)
    model_card.write_example(folder)


def frames_of(world: World) -> int:
    """The clip length at which a model of a world is used: the one that it has seen most."""
    return max(world.lengths, key=world.lengths.get)


def _refuse_overwrite(folder: Path, work: Path, checkpoint: Path, resume: bool) -> None:
    if resume:
        return
    if checkpoint.exists():
        raise ValueError(
            f"{work} holds an earlier training; continue with --resume, or move it away"
        )
    if (folder / "training.json").exists():
        raise ValueError(
            f"{folder} holds a trained model; continue with --resume, or name another --out"
        )


def _take_up(folder: Path, checkpoint: Path, code: Path, model: Denoiser) -> None:
    """Makes checkpoints of a finished model's codec and averaged weights, to continue from them."""
    steps = json.loads((folder / "training.json").read_text(encoding="utf-8"))["sessions"][-1][
        "to_step"
    ]
    transformer = load_file(folder / "transformer/diffusion_pytorch_model.safetensors")
    model.transformer.load_state_dict(transformer)
    text = load_file(folder / "text_encoder/model.safetensors")
    model.text_encoder.load_state_dict(text, strict=False)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    codec = load_file(folder / "vae/diffusion_pytorch_model.safetensors")
    save_tensors(code, {name: tensor.float() for name, tensor in codec.items()})
    Progress(steps, average).save(checkpoint, model)
