"""Helpers of the walkthrough: a puzzle as a network sees it, and the pictures of a run with a
verdict under each.

They load, draw and read. What is generated is generated in the notebook: by the functions that the
reader writes there, from `noise` and `network`.
"""

import html
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..bench import samples
from ..measures.batches import SymbolBatch
from ..measures.token_maps import maps_of
from ..models import schedule
from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles import reading
from ..puzzles.base import Sample
from ..sampling.denoise import generate
from ..sampling.samplers import sampler_of
from ..sampling.sites import Captured, Site, SiteVisit
from .player import Player
from .showcase import ShownCase, player_arguments
from .style import WIDTH, mostly_early, picture, style
from .token_maps import energy_maps
from .verdict import Verdict, verdict

SHOWN = 8  # steps in a strip
TRIES = 8  # samples that are tried until the model solves one


class _Network:
    """A model under one condition as a velocity field, on the noise levels of a schedule.

    Attributes:
        sigmas: the S + 1 noise levels, from 1 down to 0.
    """

    model: VideoModel
    schedule: Schedule
    condition: Condition

    @cached_property
    def sigmas(self) -> list[float]:
        return [float(sigma) for sigma in self._sampler.sigmas]

    @cached_property
    def _sampler(self):
        return sampler_of(self.schedule, self.model.prediction)

    def network(self, x: Tensor, sigma: float) -> Tensor:
        """The velocity that the network predicts at a state and its noise level, float32; both
        are (B, C, F, H, W). It puts out a clean estimate; the velocity is that estimate's."""
        x = torch.as_tensor(x).float()
        of_grid = dict(zip(self.sigmas, self._sampler.timesteps, strict=False))
        t = of_grid.get(float(sigma), torch.tensor(1000.0 * sigma))
        output = self.model.predict(x, t, self.condition, self.schedule)
        return (x - self.model.clean_estimate(output, x, sigma, self.condition)) / sigma


@dataclass(frozen=True, eq=False, repr=False)
class Problem(_Network):
    """A sample for a video model to solve, by default from the noise of its own seed."""

    model: VideoModel
    schedule: Schedule
    sample: Sample
    seed: int = 0

    @cached_property
    def condition(self) -> Condition:
        return self.model.prepare_sample(self.sample)

    @property
    def frames(self) -> int:
        """Number of latent frames, the given one among them."""
        return self.condition.shape[2]

    def noise(self, seed: int | None = None) -> Tensor:
        """Pure noise (1, C, F, H, W), where a generation starts."""
        return self.model.noise(self.condition, self.seed if seed is None else seed)

    def with_seed(self, seed: int) -> "Problem":
        """The same sample from other noise."""
        return replace(self, seed=seed)

    def answers(self) -> Tensor:
        """The clips of all valid answers as latents, (K, C, F, H, W)."""
        size = {"size": self.model.size, "frames": self.model.frames}
        drawn = [self.sample.render(answer, **size) for answer in self.sample.solutions.answers]
        return torch.cat([self.model.encode(clip) for clip in drawn])

    def picture(self) -> Tensor:
        """A solved board as pixels in [0, 1], (H, W, 3)."""
        return torch.from_numpy(self.sample.render(size=self.model.size)[-1]) / 255.0

    def shown(self, estimates: Sequence[Tensor], label: str = "", first: int = 0) -> "Run":
        """A run of clean estimates (1, C, F, H, W), one per step from step `first` on."""
        return Run(self, [torch.as_tensor(x).float() for x in estimates], label, first)

    def library_run(self, label: str = "", visit: SiteVisit | None = None) -> "Run":
        """The generation by the library's own loop; `visit` sees and may replace hidden states."""
        run = generate(self.model, self.condition, self.schedule, self.seed, visit=visit)
        return self.shown(run.x0_hats, label)

    def states(self, step: int) -> dict[int, Tensor]:
        """The hidden states (N, D) at one step, by layer; -1 is the input of the first one."""
        held, until = Captured(lambda site: site.step == step), step + 1
        generate(self.model, self.condition, self.schedule, self.seed, until=until, visit=held)
        return {site.layer: state for site, state in held.items()}

    def token_norms(self, step: int) -> Figure:
        """How long the hidden states of all tokens are at one step, by layer and frame."""
        states = self.states(step)
        stacked = torch.stack([states[layer] for layer in sorted(states)])
        stacked = stacked.unflatten(1, (self.frames, -1))[None].float()  # (1, 1 + L, F, h w, D)
        side = self.model.size // self.model.patch
        return energy_maps(maps_of(stacked, side)["norm"], step=0)

    def patched_run(self, step: int, layer: int, state: Tensor, label: str = "") -> "Run":
        """A run whose whole hidden state (N, D) after a layer is replaced, at one step only."""

        def visit(site: Site, hidden: Tensor) -> Tensor | None:
            return state[None] if (site.step, site.layer) == (step, layer) else None

        return self.library_run(label, visit)


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """The clean estimates of one generation, as pictures and with a verdict."""

    problem: Problem
    estimates: list[Tensor]
    label: str = ""
    first: int = 0

    @cached_property
    def clips(self) -> np.ndarray:
        """(S, P, H, W, 3), uint8."""
        return self.problem.model.decode_all(self.estimates)

    def verdict(self, step: int = -1) -> Verdict:
        """What the last frame of a clean estimate answers, by default at the end."""
        return verdict(self.problem.sample, self.clips[step, -1])

    def decided(self) -> np.ndarray:
        """The decided values at every step, (S, parts)."""
        return reading.decide(reading.belief(self.problem.sample, self.clips[:, -1]))

    def __repr__(self) -> str:
        return f"{self.label}: {self.verdict()}"

    def _repr_html_(self) -> str:
        case = ShownCase(self.label, self.problem.sample, self.clips)
        arguments = player_arguments(case, self.problem.sigmas) | {"title": self.label}
        said = html.escape(f"At the end: {self.verdict()}.")
        return Player(**arguments)._repr_html_() + f"<p>{said}</p>"


@dataclass(frozen=True, eq=False, repr=False)
class Group(_Network):
    """Many boards of symbols at once, for a symbol network."""

    model: VideoModel
    schedule: Schedule
    batch: SymbolBatch

    @property
    def condition(self) -> Condition:
        return self.batch.condition

    def noise(self, apart: int = 0) -> Tensor:
        """Pure noise (B, C, 1, h, w); another one for every number `apart`."""
        seeds = [seed + apart * len(self.batch.seeds) for seed in self.batch.seeds]
        return replace(self.batch, seeds=seeds).noise()

    def blank(self) -> Tensor:
        """Clean boards (B, C, 1, h, w) that say nothing about the open cells."""
        return self.batch.blank()

    def share_valid(self, estimates: Tensor) -> float:
        """The share of boards whose decided answer is valid."""
        return float(self.batch.valid(torch.as_tensor(estimates).float()).mean())


class Lesson:
    """The model of the walkthrough and the puzzles that it is given.

    Args:
        model: folder of the video model.
        networks: folder of the symbol networks.
        preset: its noise levels.
        suite_seed: of the lists of samples.
    """

    def __init__(self, model: str, networks: str, preset: str = "mini", suite_seed: int = 1):
        self.model, self.networks = VideoModel.load(model), networks
        self.preset, self.suite_seed = preset, suite_seed

    def problem(self, cell: str, number: int = 0, steps: int | None = None) -> Problem:
        """Sample `number` of a cell's test list, with that seed, to be solved in so many steps."""
        sample = samples.draw_one(cell, number, self.suite_seed)
        return Problem(self.model, self._grid(steps), sample, number)

    def first_solved(self, cell: str, label: str = "", steps: int | None = None) -> Run:
        """A run of the library on the first sample of a list that the model solves and draws
        clearly; on the last that was tried if there is none."""
        runs = self._runs(cell, label, steps)
        return next(run for run, solved, last in runs if solved or last)

    def first_failed(self, cell: str, label: str = "", steps: int | None = None) -> Run:
        """The same on the first sample that it answers wrongly."""
        runs = self._runs(cell, label, steps)
        return next(run for run, _, last in runs if last or not run.verdict().valid)

    def _runs(self, cell: str, label: str, steps: int | None) -> Iterator[tuple[Run, bool, bool]]:
        """Runs, whether each is solved and drawn, and whether it is the last that is tried."""
        for number in range(TRIES):
            run = self.problem(cell, number, steps).library_run(label)
            found = run.verdict()
            yield run, found.valid and found.drawn, number == TRIES - 1

    def group(self, network: str, cell: str, count: int, steps: int) -> Group:
        """The first `count` samples of a cell for a symbol network; sample i has seed i."""
        model = VideoModel.load(Path(self.networks) / network)
        drawn = samples.draw(cell, count, self.suite_seed)
        return Group(model, self._grid(steps), SymbolBatch(drawn, range(count)))

    def _grid(self, steps: int | None) -> Schedule:
        whole = schedule.preset(self.preset)
        return whole if steps is None else replace(whole, steps=steps)


def strip(*runs: Run, count: int = SHOWN) -> Figure:
    """One row per run: the given frame, then the last frame of the clean estimate at some steps,
    and the verdict below."""
    columns = count + 1
    with style():
        figure, axes = plt.subplots(
            len(runs), columns, figsize=(WIDTH, len(runs) * 1.7), squeeze=False
        )
        for row, run in zip(axes, runs, strict=True):
            sigmas = run.problem.sigmas[run.first :]
            picture(row[0], run.clips[-1, 0])
            row[0].set_title("given")
            row[0].set_ylabel(textwrap.fill(run.label, 12), rotation=0, ha="right", va="center")
            steps = mostly_early(len(run.clips), count)
            for axis, s in zip(row[1:], steps, strict=False):
                picture(axis, run.clips[s, -1])
                axis.set_title(f"step {run.first + s}\n$\\sigma$ {sigmas[s]:.2f}", fontsize=8)
            for axis in row[1 + len(steps) :]:
                axis.axis("off")
            said = row[0].text(0, -0.1, str(run.verdict()), transform=row[0].transAxes, va="top")
            said.set_in_layout(False)  # it is as wide as the row, and should not widen a column
        figure.tight_layout(pad=0.3, h_pad=1.6, rect=(0, 0.13 / len(runs), 1, 1))
    return figure


def row(pictures: Sequence[np.ndarray | Tensor], titles: Sequence[str]) -> Figure:
    """Pictures (H, W, 3) side by side."""
    with style():
        figure, axes = plt.subplots(1, len(pictures), figsize=(WIDTH, WIDTH / len(pictures)))
        for axis, pixels, title in zip(axes, pictures, titles, strict=True):
            picture(axis, pixels)
            axis.set_title(title)
        figure.tight_layout(pad=0.3)
    return figure


def shares(measured: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Shares by cell, as a table."""
    return pd.DataFrame(measured).T.round(2)
