"""The same samples and noise with fewer or more steps, other samplers, longer clips, a student."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from ...bench import samples
from ...experiments.parameters import checked
from ...experiments.trees import Count
from ...models.conditions import Condition
from ...puzzles.base import Sample
from ...puzzles.splits import Split
from ...sampling.denoise import generate
from ..sample_runs import SampleBranches, SampleRun
from ..showcase import ShownCase, kept_clips
from .symbol_runs import DeepBudget, ShallowBudget

EULER = "euler"


@dataclass(frozen=True)
class BudgetRun(SampleRun):
    """A clean generation on a grid of its own.

    Attributes:
        sampler, steps: of its schedule; shift and guidance are those of the experiment's.
        frames: pixel frames of the clip; None means the model's own number.
    """

    sampler: str = EULER
    steps: int = 50
    frames: int | None = None

    @property
    def way(self) -> tuple:
        """What is compared between runs of one sample and seed."""
        return self.sampler, self.steps, self.frames

    @property
    def base(self) -> tuple:
        """See `SampleRun`: runs on different grids share nothing."""
        return (*super().base, *self.way)


class Budget(SampleBranches):
    """Runs that each bring their own sampler, number of steps and length of the clip."""

    run_type = BudgetRun

    def on_grid(self, run: BudgetRun) -> Self:
        """The same experiment, with the schedule of a run."""
        other = copy.copy(self)
        name = f"{run.sampler}/{run.steps}"
        other.schedule = replace(self.schedule, name=name, sampler=run.sampler, steps=run.steps)
        return other

    def evaluations(self, runs: list[BudgetRun]) -> int:
        """See `Experiment`."""
        return runs[0].steps

    def results_of(
        self, groups: Sequence[list[BudgetRun]], count: Count = None
    ) -> Iterator[tuple[BudgetRun, dict]]:
        """See `Experiment`; neighbouring groups of one grid and shape advance together."""
        for _, alike in itertools.groupby(groups, key=lambda runs: runs[0].way):
            alike = list(alike)
            yield from super(Budget, self.on_grid(alike[0][0])).results_of(alike, count)

    def condition(self, run: BudgetRun, sample: Sample) -> Condition:
        """See `SampleBranches`."""
        return self.model.prepare_sample(sample, frames=run.frames)

    def clip(self, run: BudgetRun) -> np.ndarray:
        """What a run ends with, (P, H, W, 3), uint8."""
        condition = self.condition(run, self.sample(run))
        made = generate(self.model, condition, self.on_grid(run).schedule, run.seed)
        return self.model.decode(made.x0_hats[-1])


class StepBudget(Budget):
    """The grid: every sample with every number of steps (Euler), and some cells in other ways."""

    name = "6_step_budget"
    showcases = ("squares",)

    @checked
    def plan(
        self,
        cells: str | list[str],
        samples_per_cell: int,
        samples_of: dict[str, int],
        steps: list[int],
        traced: list[int],
        ways: dict[str, list[str]],
        suite_seed: int,
        split: Split = "test",
    ) -> list[BudgetRun]:
        """All runs; the seed of the noise is the sample's index.

        Args:
            cells, samples_per_cell, samples_of: see `samples.numbered`.
            steps: numbers of steps with the Euler sampler.
            traced: those of which the clean estimate of every step is read.
            ways: by sampler and number of steps (`euler/100`), the cells that are run so too.
        """
        tried: dict[str, list[tuple[str, int]]] = {
            cell: [(EULER, count) for count in steps] for cell in samples.cells(cells)
        }
        for way, where in ways.items():
            for cell in where:
                tried.setdefault(cell, []).append(_way(way))
        counts = samples.numbered(list(tried), samples_per_cell, samples_of)
        return [
            BudgetRun(
                *(cell, index, suite_seed, index),
                traced=sampler == EULER and count in traced,
                split=split,
                sampler=sampler,
                steps=count,
            )
            for cell, n in counts.items()
            for sampler, count in dict.fromkeys(tried[cell])
            for index in range(n)
        ]

    def squares(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """The first Latin square of each of the cells with fewest and with most clues: what every
        number of steps ends with, valid or not. Of each number of steps one clip."""
        euler = [r for r in rows if r["run"]["sampler"] == EULER and r["run"]["index"] == 0]
        clues = {r["run"]["cell"]: samples.knobs_of(r["run"]["cell"]).get("clues") for r in euler}
        known = sorted((n, cell) for cell, n in clues.items() if n is not None)
        chosen = dict.fromkeys(cell for _, cell in (known[:1] + known[-1:]))
        return [self._shown([r for r in euler if r["run"]["cell"] == c], results) for c in chosen]

    def _shown(self, rows: list[dict], results: str | Path) -> ShownCase:
        rows = sorted(rows, key=lambda row: row["run"]["steps"])
        runs = [self.run_of(row["run"]) for row in rows]
        clips = [
            kept_clips(results, row["key"], 1, lambda run=run: self.clip(run)[None])
            for row, run in zip(rows, runs, strict=True)
        ]
        clues = samples.knobs_of(runs[0].cell)["clues"]
        return ShownCase(f"{clues} clues", self.sample(runs[0]), np.concatenate(clips))


class Frames(Budget):
    """The schedule's own steps, in clips of several lengths."""

    name = "6_frames"

    @checked
    def plan(
        self,
        cells: str | list[str],
        samples_per_cell: int,
        samples_of: dict[str, int],
        frames: list[int],
        suite_seed: int,
        split: Split = "test",
    ) -> list[BudgetRun]:
        """All runs.

        Args:
            cells, samples_per_cell, samples_of: see `samples.numbered`.
            frames: numbers of pixel frames, 4 k + 1.
        """
        own = {"sampler": self.schedule.sampler, "steps": self.schedule.steps, "split": split}
        return [
            BudgetRun(cell, index, suite_seed, index, frames=length, **own)
            for cell, n in samples.numbered(cells, samples_per_cell, samples_of).items()
            for length in frames
            for index in range(n)
        ]


class Student(SampleBranches):
    """A model on its own schedule, on the samples and seeds of the grid."""

    name = "6_student"

    @checked
    def plan(
        self,
        cells: str | list[str],
        samples_per_cell: int,
        samples_of: dict[str, int],
        suite_seed: int,
        split: Split = "test",
    ) -> list[SampleRun]:
        """All runs; see `samples.numbered`."""
        return [
            SampleRun(cell, index, suite_seed, index, split=split)
            for cell, n in samples.numbered(cells, samples_per_cell, samples_of).items()
            for index in range(n)
        ]


class FewSteps(Student):
    """The control of the student: the model itself, on the student's noise levels."""

    name = "6_few_steps"


def _way(text: str) -> tuple[str, int]:
    sampler, slash, steps = text.partition("/")
    if not (slash and steps.isdecimal() and int(steps)):
        raise ValueError(f"way {text!r} is no sampler with a number of steps; write euler/100")
    return sampler, int(steps)


EXPERIMENTS = {
    "grid": StepBudget,
    "frames": Frames,
    "student": Student,
    "few": FewSteps,
    "shallow": ShallowBudget,
    "deep": DeepBudget,
}
