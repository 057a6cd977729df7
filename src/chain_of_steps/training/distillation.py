"""Distils the mini model to a student that takes four steps: does the chain of steps survive?

Progressive distillation (Salimans & Ho 2022, arXiv 2202.00512, section 3) in one stage of five to
one. Where five Euler steps of the teacher go from x at sigma to x' at sigma', the student learns
the clean estimate that leads there in one step:

    x' = x0_hat + (sigma' / sigma) (x - x0_hat)
    <=>  x0_hat = (x' - (sigma' / sigma) x) / (1 - sigma' / sigma)

The teacher's trajectories are computed once, on samples of the training split, and stored. The text
encoder is kept.
"""

import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_dispatch import attention_backend
from torch import Tensor

from ..models import cpu
from ..models.schedule import preset
from ..models.video_model import VideoModel
from ..puzzles.first.suites import FRAMES
from .checkpoints import load_tensors, save_tensors
from .codec import encode
from .data import BATCH, clip
from .mini import RATES, Denoiser, Say
from .optimizer import Optimizer
from .progress import Progress, compile_blocks
from .recipe import save_pipeline

CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-video
---
# A student of the mini model

It takes four steps where its teacher takes twenty: same layout, codec and text encoder, 48 x 48
pixels, 9 frames. Progressive distillation (Salimans & Ho 2022, arXiv 2202.00512) in one stage of
five to one, from {trajectories} trajectories of the teacher on training samples, {steps} steps of
{batch}. Notebook 6_step_budget measures what is left of the chain of steps. Made by
`chain-of-steps distill`; `training.json` holds its record.
"""
MOST = 10_000  # trajectories
CHUNK = 250  # of them in a file
CLIP_SEED = 2  # of the stream from which they are drawn
SHARE = 0.05  # of the learning rates of training: the student starts from its teacher's weights


def distill(
    teacher: Path, folder: Path, work: Path, trajectories: int, budget: float, say: Say
) -> None:
    """Computes the teacher's trajectories that `work` lacks, fits the student for `budget` seconds
    and writes it to `folder`.

    Called again, it continues where it stopped.

    Raises:
        ValueError: for a number of trajectories below 1 or above `MOST`.
    """
    if not 1 <= trajectories <= MOST:
        raise ValueError(f"{trajectories} trajectories were requested; expected 1 to {MOST}")
    model = VideoModel.load(teacher)
    pipe, work = model.pipe, work / model.fingerprint  # trajectories of two teachers are not mixed
    student = Denoiser(pipe.text_encoder, pipe.transformer)
    compile_blocks(student.transformer)
    files = [work / f"{number:03}.safetensors" for number in range(-(-trajectories // CHUNK))]
    for number, file in enumerate(files):
        if not file.exists():
            began, end = time.monotonic(), (number + 1) * CHUNK
            save_tensors(file, make(model, student, range(number * CHUNK, end)))
            say(f"trajectories: {end} of {trajectories}, {time.monotonic() - began:.0f} s")
    parts = [load_tensors(file) for file in files]
    stored = {name: torch.cat([part[name] for part in parts])[:trajectories] for name in parts[0]}
    progress = fit(student, stored, work / "student.safetensors", time.time() + budget, say)
    save_pipeline(folder, pipe.vae, pipe.text_encoder, student.transformer, preset("student"))
    record = {
        "teacher": model.fingerprint,
        "trajectories": trajectories,
        "steps": progress.step,
        "batch": BATCH,
    }
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(CARD.format(**record), encoding="utf-8")


@torch.no_grad()
def make(
    model: VideoModel, teacher: Denoiser, numbers: range, batch: int = BATCH
) -> dict[str, Tensor]:
    """The teacher's trajectories for clips number `start` to `stop`; see `waypoints`.

    Returns:
        `states` (n, S' + 1, z, F, 6, 6) and `given` (n, z, F, 6, 6), float16; token ids `words`
        (n, T).
    """
    found: dict[str, list[Tensor]] = {"states": [], "given": [], "words": []}
    for first in range(numbers.start, numbers.stop, batch):
        indices = range(first, min(first + batch, numbers.stop))
        clips = [clip(i, FRAMES, seed=CLIP_SEED) for i in indices]
        given = encode(model.pipe.vae, np.stack([c.frames for c in clips]), only_first=True)
        prompts = [c.prompt for c in clips]
        words = model.pipe.tokenizer(prompts, padding="max_length", return_tensors="pt").input_ids
        noise = torch.stack([_noise(i, given.shape[1:]) for i in indices])
        sigmas, levels = preset("mini").sigmas, preset("student").sigmas
        with attention_backend("_native_math"), cpu.mixed_precision():
            states = waypoints(teacher, noise, given, words, sigmas, levels)
        for name, value in (("states", states.half()), ("given", given.half()), ("words", words)):
            found[name].append(value)
    return {name: torch.cat(values) for name, values in found.items()}


def waypoints(
    teacher: Denoiser,
    noise: Tensor,
    given: Tensor,
    words: Tensor,
    sigmas: list[float],
    levels: list[float],
) -> Tensor:
    """The latents of the teacher's Euler steps along `sigmas` at `levels`, (B, S' + 1, z, F, 6, 6).

    Args:
        levels: noise levels of the student, a regular subset of `sigmas`.
    """
    x, every = noise, (len(sigmas) - 1) // (len(levels) - 1)
    kept, known = [x], _all_known(x)
    for step, (sigma, after) in enumerate(pairwise(sigmas), 1):
        x0_hat = teacher(x, given, known, torch.full((len(x),), sigma), words)
        x = x0_hat + (after / sigma) * (x - x0_hat)
        if step % every == 0:
            kept.append(x)
    return torch.stack(kept, 1)


def target(x: Tensor, after: Tensor, sigma: Tensor, sigma_after: Tensor) -> Tensor:
    """The clean estimate (B, z, F, 6, 6) with which one Euler step leads from `x` at `sigma` (B,)
    to `after` at `sigma_after` (B,)."""
    ratio = (sigma_after / sigma).view(-1, 1, 1, 1, 1)
    return (after - ratio * x) / (1.0 - ratio)


def fit(
    student: Denoiser, stored: dict[str, Tensor], file: Path, deadline: float, say: Say
) -> Progress:
    """Fits the student's transformer until the deadline; then sets it to the averaged weights."""
    progress = Progress.load(file, student.transformer)
    student.text_encoder.requires_grad_(False)
    optimizer = Optimizer(student.transformer.train().requires_grad_(True), RATES)
    levels = torch.tensor(preset("student").sigmas)
    losses: list[float] = []
    while time.time() < deadline:
        loss = _loss(student, stored, levels, progress.step)
        rate = SHARE * (1.0 + progress.step / 1000) ** -0.5
        optimizer.descend(loss, rate * progress.warm_up(), clip_norm=1.0)
        progress.advance(student.transformer)
        losses.append(loss.item())
        if progress.step % 100 == 0:
            say(f"student: step {progress.step}, loss {np.mean(losses[-100:]):.5f}")
        if progress.step % 500 == 0:
            progress.save(file, student.transformer)
    progress.save(file, student.transformer)
    progress.average_into(student.transformer)
    return progress


def _loss(student: Denoiser, stored: dict[str, Tensor], levels: Tensor, step: int) -> Tensor:
    """Mean squared error of the clean estimate on one batch, which depends only on the step."""
    generator = torch.Generator().manual_seed(step)
    chosen = torch.randint(len(stored["words"]), (BATCH,), generator=generator)
    leg = torch.randint(len(levels) - 1, (BATCH,), generator=generator)
    x, after = (stored["states"][chosen, leg + end].float() for end in (0, 1))
    wanted = target(x, after, levels[leg], levels[leg + 1])
    given, words = stored["given"][chosen].float(), stored["words"][chosen]
    with attention_backend("_native_math"), cpu.mixed_precision():
        estimate = student(x, given, _all_known(x), levels[leg], words)
    return (estimate - wanted).pow(2).mean()


def _all_known(x: Tensor) -> Tensor:
    """(B,) bool: every clip has a given frame."""
    return torch.ones(len(x), dtype=torch.bool)


def _noise(number: int, shape: torch.Size) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(number))
