"""Fits the symbol networks of the phase diagram: depths, training seeds, one-pass twins.

All of them see equally many samples, drawn from the same stored boards; they differ only in depth,
width, seed and noise levels. One resumable command goes through the list. Stored weights are
averages over about the last tenth of the steps so far.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import WanTransformer3DModel
from diffusers.models.attention_dispatch import attention_backend
from torch import Tensor

from ..common.files import atomic_folder
from ..models import cpu
from ..models.schedule import preset
from ..models.symbols import (
    GIVEN,
    LATENT,
    STEPS,
    TEXT,
    WIDTH,
    Boards,
    SymbolPipeline,
    boards,
)
from ..puzzles import suite
from . import symbol_card
from .checkpoints import load_tensors, save_tensors
from .optimizer import Optimizer
from .progress import Progress, compile_blocks

HEAD = 32
BATCH = 256
EARLIER = (STEPS // 4, STEPS // 2)  # steps after which the weights of some networks are also kept
SAVE_EVERY = 500
RATES = (1e-2, 2e-3)  # of Muon and AdamW
NOISE_SHIFT = 4.0  # as for the mini model
STORED = 200_000  # boards of each kind
CHUNK = 20_000
ORDERS = {4: 0.4, 5: 0.3, 6: 0.3}  # shares of the orders of a square


@dataclass(frozen=True)
class SymbolRecipe:
    """One network.

    Attributes:
        puzzle: `latin` or `relay`.
        layers: L, number of blocks.
        width: of a block.
        seed: of its weights, batches and noise.
        one_pass: trained at sigma = 1 only.
    """

    puzzle: str
    layers: int
    width: int = WIDTH
    seed: int = 0
    one_pass: bool = False

    @property
    def name(self) -> str:
        wide = "" if self.width == WIDTH else f"w{self.width}"
        return f"{self.puzzle}-L{self.layers}{wide}-{'twin' if self.one_pass else self.seed}"

    @property
    def watched(self) -> bool:
        """Whether its weights are kept at earlier steps too: those of a shallow and a deep one."""
        plain = self.width == WIDTH and not self.one_pass
        return plain and self.seed == 0 and self.layers in (1, 4)


def recipes(puzzles: tuple[str, ...] = ("latin", "relay")) -> list[SymbolRecipe]:
    """Every network, the most informative first; one block of twice the width has the parameters of
    four."""
    depths = (1, 4, 2, 8)
    found = []
    for seed in range(3):
        found += [SymbolRecipe(p, layers, seed=seed) for p in puzzles for layers in depths]
        if seed == 0:
            found += [SymbolRecipe(p, layers, one_pass=True) for p in puzzles for layers in depths]
        found += [SymbolRecipe(p, 1, width=2 * WIDTH, seed=seed) for p in puzzles]
    return found


def build(recipe: SymbolRecipe) -> WanTransformer3DModel:
    """The untrained network: it predicts the clean estimate, initially zero."""
    torch.manual_seed(1000 + recipe.seed)
    network = WanTransformer3DModel(
        patch_size=(1, 1, 1),
        num_attention_heads=recipe.width // HEAD,
        attention_head_dim=HEAD,
        in_channels=LATENT[recipe.puzzle] + GIVEN[recipe.puzzle],
        out_channels=LATENT[recipe.puzzle],
        text_dim=TEXT,  # there is no prompt: one token of zeros
        freq_dim=64,
        ffn_dim=4 * recipe.width,
        num_layers=recipe.layers,
        cross_attn_norm=True,
        rope_max_seq_len=16,
    )
    with torch.no_grad():
        network.proj_out.weight.zero_()
        network.proj_out.bias.zero_()
    return network


def estimate(network: WanTransformer3DModel, noisy: Tensor, board: Tensor, sigma: Tensor) -> Tensor:
    """The clean estimate (B, C, 1, h, w) of latents at noise levels `sigma` (B,)."""
    no_prompt = noisy.new_zeros(len(noisy), 1, TEXT)
    inputs = torch.cat([noisy, board], 1)
    return network(inputs, 1000.0 * sigma, no_prompt, return_dict=False)[0].float()


def stored(puzzle: str, folder: Path, say: Callable[[str], None]) -> list[Boards]:
    """The training boards: one `Boards` for each order of a square, or one of relays. They are made
    once, in pieces that survive an interruption."""
    kinds = [("latin", {"order": n}) for n in ORDERS] if puzzle == "latin" else [("relay", {})]
    return [_stored(name, knobs, folder, say) for name, knobs in kinds]


def _stored(name: str, knobs: dict, folder: Path, say: Callable[[str], None]) -> Boards:
    label = "-".join([name, *map(str, knobs.values())])
    pieces = []
    for piece in range(STORED // CHUNK):
        file = folder / f"{label}-{piece}.safetensors"
        if not file.exists():
            say(f"boards of {label}: {piece * CHUNK} of {STORED}")
            _save(file, _draw(name, knobs, piece))
        pieces.append({name: part.numpy() for name, part in load_tensors(file).items()})
    whole = {key: np.concatenate([p[key] for p in pieces]) for key in pieces[0]}
    return Boards(name, **whole)


def _draw(name: str, knobs: dict, piece: int) -> Boards:
    rng = np.random.default_rng([8, piece, *knobs.values()])
    puzzle, drawn = suite.TASKS[name].puzzle, []
    for i in range(CHUNK):
        more = {"drawn": bool(i % 2)} if name == "relay" else {}
        drawn.append(puzzle.training_sample(rng, **knobs, **more))
    return boards([sample for sample, _ in drawn], [answer for _, answer in drawn])


def _save(file: Path, made: Boards) -> None:
    arrays = {k: v for k, v in vars(made).items() if isinstance(v, np.ndarray)}
    save_tensors(file, {name: torch.from_numpy(array) for name, array in arrays.items()})


def batch(
    stock: list[Boards], recipe: SymbolRecipe, step: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, board, sigma and noise of one step; they depend only on recipe and step."""
    rng = np.random.default_rng([5, recipe.seed, step])
    generator = torch.Generator().manual_seed(1_000_003 * recipe.seed + step)
    kind = rng.choice(len(stock), p=list(ORDERS.values())) if len(stock) > 1 else 0
    whole = stock[kind]
    chosen = rng.integers(len(whole), size=BATCH)
    parts = {k: v[chosen] for k, v in vars(whole).items() if isinstance(v, np.ndarray)}
    picked = Boards(whole.puzzle, **parts)
    latents, board = picked.latents(), picked.board()
    u = torch.rand(BATCH, generator=generator)
    sigma = (NOISE_SHIFT * u / (1.0 + (NOISE_SHIFT - 1.0) * u)).clamp_min(0.01)
    sigma = torch.ones_like(sigma) if recipe.one_pass else sigma
    return latents, board, sigma, torch.randn(latents.shape, generator=generator)


def loss_at(network, latents: Tensor, board: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of the clean estimate, as for the mini model."""
    level = sigma.view(-1, 1, 1, 1, 1)
    noisy = (1.0 - level) * latents + level * noise
    return (estimate(network, noisy, board, sigma) - latents).pow(2).mean()


def rate_at(step: int, steps: int = STEPS) -> float:
    """The share of the full learning rates: constant, then falling over the second half."""
    return min(1.0, max(0.02, 2.0 * (1.0 - step / steps)))


def train(
    folder: Path, work: Path, budget: float, say: Callable[[str], None], only: str = ""
) -> None:
    """Fits every network that is not finished, for `budget` seconds in all.

    Args:
        folder: of the networks: `<name>`, with its record, and `<name>@<steps>` of earlier steps.
        work: folder of boards and checkpoints between calls.
        only: networks whose names contain this.
    """
    deadline = time.time() + budget
    left = [r for r in recipes() if only in r.name and not (folder / r.name).exists()]
    for number, recipe in enumerate(left):
        if time.time() >= deadline:
            say(f"{len(left) - number} networks are left; run the same command again to continue")
            return
        fit(recipe, folder, work, deadline, say)
        symbol_card.write(folder)
    if time.time() < deadline:
        say(f"all networks are finished: {folder}")


def fit(
    recipe: SymbolRecipe, folder: Path, work: Path, deadline: float, say: Callable[[str], None]
):
    """Fits one network until it is finished or the deadline has passed."""
    stock = stored(recipe.puzzle, work / "boards", say)
    network, checkpoint = build(recipe), work / f"{recipe.name}.safetensors"
    progress = Progress.load(checkpoint, network)
    optimizer, began, losses = Optimizer(network, RATES), time.time(), []
    compile_blocks(network)
    while progress.step < STEPS and time.time() < deadline:
        with attention_backend("_native_math"), cpu.mixed_precision():
            loss = loss_at(network, *batch(stock, recipe, progress.step))
        optimizer.descend(loss, rate_at(progress.step) * progress.warm_up(), clip_norm=1.0)
        progress.advance(network)
        losses.append(loss.item())
        if progress.step % SAVE_EVERY == 0:
            progress.losses.append([progress.step, round(float(np.mean(losses[-SAVE_EVERY:])), 5)])
            rate = len(losses) * BATCH / (time.time() - began)
            say(
                f"{recipe.name}: step {progress.step}, loss {progress.losses[-1][1]}, "
                f"{rate:.0f} samples/s"
            )
            progress.save(checkpoint, network)
        if progress.step in EARLIER and recipe.watched:
            save(recipe, progress, folder / f"{recipe.name}@{progress.step}")
    progress.save(checkpoint, network)
    if progress.step == STEPS:
        save(recipe, progress, folder / recipe.name)
        checkpoint.unlink()


def save(recipe: SymbolRecipe, progress: Progress, folder: Path) -> None:
    """Writes a network with its averaged weights and its record, atomically."""
    network = build(recipe)
    progress.average_into(network)
    pipe = SymbolPipeline(network.half(), preset("mini").scheduler("sample"), recipe.puzzle)
    clip = {"size": 1, "frames": 1}  # a cell is a token, and there is one frame
    record = {"recipe": asdict(recipe) | clip, "steps": progress.step, "batch": BATCH}
    with atomic_folder(folder) as temporary:
        pipe.save_pretrained(temporary, safe_serialization=True)
        text = json.dumps(record | {"losses": progress.losses})
        (temporary / "training.json").write_text(text + "\n", encoding="utf-8")
