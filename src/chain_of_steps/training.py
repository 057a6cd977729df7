"""Fits the mini model: the video codec in one go, then text encoder and transformer together on its latents.

One resumable command. What happens at a step depends on the step alone: the clips, the noise and the learning rate;
the clock only stops it. Clips are drawn afresh for ever, from the training partition, each used a few times.
After an interruption the optimizer's moments are built up again, under a short warm-up.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.models.attention_dispatch import attention_backend
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import UMT5EncoderModel

from . import release
from .checkpoints import check_fit, load_tensors, save_tensors
from .clips import LATER_SHARES, clip
from .codec import fit_codec
from .examples import BATCH, LENGTHS, Examples, length_at
from .mini import Recipe, build_codec, build_text_encoder, build_tokenizer, build_transformer, save_pipeline
from .optimizer import Optimizer
from .processor import mixed_precision
from .schedule import preset

Say = Callable[[str], None]

CODEC_CLIPS = 600  # whose cells the codec is fitted to
RATES = (2e-2, 3e-3)  # of Muon and AdamW
SAVE_EVERY = 500  # steps
PROMPT_DROPOUT = 0.1
EMPTY_PROMPT = torch.tensor([[1] + [0] * 15])  # token ids of "": end of text, padding
NOISE_SHIFT = 4.0  # noise levels in training: sigma = shift u / (1 + (shift - 1) u), u uniform


@dataclass
class Progress:
    """Where a fit stands: steps done, the step at which this process took it up, and the averaged weights."""

    step: int
    average: dict[str, Tensor]
    began: int = field(init=False)
    losses: list[list] = field(default_factory=list)  # [step, mean loss of the last hundred]

    def __post_init__(self):
        self.began = self.step

    @classmethod
    def load(cls, file: Path, module: nn.Module) -> "Progress":
        """Takes up a fit where `file` left it, or begins one."""
        if not file.exists():
            return cls(0, {name: p.detach().clone() for name, p in module.named_parameters()})
        tensors = load_tensors(file)
        wanted = {f"average/{name}": p for name, p in module.named_parameters()}
        check_fit(file, tensors, wanted | {"step": torch.tensor(0)})
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(tensors.get(f"weights/{name}", tensors[f"average/{name}"]))
        average = {name: tensors[f"average/{name}"].float() for name, _ in module.named_parameters()}
        return cls(int(tensors["step"]), average)

    def save(self, file: Path, module: nn.Module) -> None:
        """Writes weights, averaged weights and step, atomically."""
        tensors = {f"average/{name}": value for name, value in self.average.items()}
        tensors |= {f"weights/{name}": p.detach() for name, p in module.named_parameters()}
        save_tensors(file, tensors | {"step": torch.tensor(self.step)})

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


class Denoiser(nn.Module):
    """Text encoder and transformer, trained together."""

    def __init__(self, text_encoder: UMT5EncoderModel, transformer: WanTransformer3DModel):
        super().__init__()
        self.text_encoder, self.transformer = text_encoder, transformer

    def forward(self, noisy: Tensor, given: Tensor, sigma: Tensor, words: Tensor) -> Tensor:
        """The clean estimate (B, z, F, 6, 6) at noise levels `sigma` (B,) for token ids `words` (B, T)."""
        seen = words > 0
        text = self.text_encoder(words, seen.long()).last_hidden_state * seen[..., None]  # padding becomes zeros
        mask = torch.zeros_like(noisy[:, :1])
        mask[:, :, 0] = 1.0
        inputs = torch.cat([noisy, mask, given], dim=1)
        return self.transformer(inputs, 1000.0 * sigma, text, return_dict=False)[0].float()


def loss_at(model: Denoiser, latents: Tensor, given: Tensor, words: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of the clean estimate: flow matching (paper eq. 1) weighted by sigma^2."""
    level = sigma.view(-1, 1, 1, 1, 1)
    noisy = (1.0 - level) * latents + level * noise
    return (model(noisy, given, sigma, words) - latents).pow(2).mean()


def fit_denoiser(model: Denoiser, codec: AutoencoderKLWan, file: Path, deadline: float, say: Say) -> Progress:
    """Fits text encoder and transformer until the deadline; leaves the averaged weights in `model`."""
    progress = Progress.load(file, model)
    optimizer = Optimizer(model, RATES)
    rings = {frames: Examples(codec, frames) for frames in LENGTHS}
    if shutil.which("g++") or shutil.which("clang++"):  # what torch compiles with; without one it is slower
        model.transformer.compile_repeated_blocks()  # fuses the many small operations of a block
    losses: list[float] = []
    while time.time() < deadline:
        loss = _loss_of_step(model, rings, progress.step)
        fall = (1.0 + progress.step / 3000) ** -0.5
        optimizer.descend(loss, fall * warm_up(progress), clip_norm=1.0)
        progress.advance(model)
        losses.append(loss.item())
        if progress.step % 100 == 0:
            progress.losses.append([progress.step, round(float(np.mean(losses[-100:])), 5)])
            say(f"transformer: step {progress.step}, {progress.step * BATCH} clips, loss {progress.losses[-1][1]}")
        if progress.step % SAVE_EVERY == 0:
            progress.save(file, model)
    progress.save(file, model)
    progress.average_into(model)
    return progress


def _loss_of_step(model: Denoiser, rings: dict[int, Examples], step: int) -> Tensor:
    rng, generator = np.random.default_rng([3, step]), torch.Generator().manual_seed(step)
    frames, visits = length_at(step, rng)
    latents, given, words = rings[frames].batch(rng, visits, BATCH)
    words = torch.where(torch.rand(BATCH, 1, generator=generator) < PROMPT_DROPOUT, EMPTY_PROMPT, words)
    u = torch.rand(BATCH, generator=generator)
    sigma = (NOISE_SHIFT * u / (1.0 + (NOISE_SHIFT - 1.0) * u)).clamp_min(0.01)
    noise = torch.randn(latents.shape, generator=generator)
    with attention_backend("_native_math"), mixed_precision():
        return loss_at(model, latents, given, words, sigma, noise)


def warm_up(progress: Progress, steps: int = 100) -> float:
    """The share of the learning rate, while a process that took up a fit builds up the optimizer's moments again."""
    return min(1.0, (progress.step - progress.began + 1) / steps)


def train(folder: Path, work: Path, budget: float, resume: bool, recipe: Recipe, say: Say) -> None:
    """Fits the mini model for `budget` seconds and writes it, with its record, to `folder`.

    Args:
        work: where checkpoints lie between calls.
        resume: go on from the checkpoints or, where there are none, from the model in `folder`; without it, begin anew.
    """
    began = time.time()
    checkpoint, code = work / "denoiser.safetensors", work / "codec.safetensors"
    if not resume and checkpoint.exists():
        raise ValueError(f"{work} holds an earlier training; go on with --resume, or move it away to begin anew")
    if not resume and (folder / "training.json").exists():
        raise ValueError(f"{folder} holds a trained model; go on with --resume, or name another folder with --out")
    torch.manual_seed(0)
    codec = build_codec(recipe)
    model = Denoiser(build_text_encoder(recipe, len(build_tokenizer())), build_transformer(recipe))
    if resume and not checkpoint.exists() and (folder / "training.json").exists():
        _take_up(folder, checkpoint, code, model)
    if checkpoint.exists():
        found = load_tensors(code)
        check_fit(code, found, codec.state_dict())
        codec.load_state_dict(found)  # never fitted twice: another machine may find another basis
    else:
        fit_codec(codec, [clip(i, 9, seed=1).frames for i in range(CODEC_CLIPS)])
        save_tensors(code, codec.state_dict())
    codec.eval().requires_grad_(False)
    progress = fit_denoiser(model, codec, checkpoint, began + budget, say)
    save_pipeline(folder, codec, model.text_encoder, model.transformer, preset("mini"))
    session = {
        "from_step": progress.began,
        "to_step": progress.step,
        "clips": progress.step * BATCH,
        "seconds": round(time.time() - began),
        "torch": torch.__version__,
        "shares": LATER_SHARES,
        "losses": progress.losses,
    }
    release.record(folder, asdict(recipe), session)
    release.write_card(folder)
    release.write_example(folder)


def _take_up(folder: Path, checkpoint: Path, code: Path, model: Denoiser) -> None:
    """Makes checkpoints of a finished model's codec and averaged weights, to go on from them."""
    steps = json.loads((folder / "training.json").read_text())["sessions"][-1]["to_step"]
    model.transformer.load_state_dict(load_file(folder / "transformer/diffusion_pytorch_model.safetensors"))
    model.text_encoder.load_state_dict(load_file(folder / "text_encoder/model.safetensors"), strict=False)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    save_tensors(code, {n: t.float() for n, t in load_file(folder / "vae/diffusion_pytorch_model.safetensors").items()})
    Progress(steps, average).save(checkpoint, model)
