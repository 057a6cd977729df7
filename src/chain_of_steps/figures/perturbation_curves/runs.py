"""Figure 3 of the paper, measured: noise at a step against noise in a frame, at equal doses and
correct levels."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch

from ...bench import tasklist
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...experiments.trees import Count, Read, TreeExperiment
from ...measures.presence import cka, tokens
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.first.base import Sample
from ...sampling.denoise import Trajectory, generate
from ...sampling.interventions import (
    NoiseAtCells,
    NoiseAtFrame,
    NoiseAtStep,
    from_record,
    record,
)
from ...sampling.prefix_tree import Branch, Tree, grow_all
from ...sampling.sites import Captured
from ..showcase import ShownCase, decode_all, kept_clips
from .designs import NoiseRun, ablations, with_noise


class Seen(NamedTuple):
    """What is recorded at a step: tokens (N, D) after a middle block, and evidence (K,) in the
    last frame."""

    tokens: torch.Tensor
    evidence: np.ndarray


class Perturbation(TreeExperiment[NoiseRun]):
    """The experiment: noise put into generations, compared with the clean one.

    Args:
        model, schedule: what generates.
        layer: block whose tokens are compared; by default the middle one.
    """

    name = "2_perturbation_curves"
    digits: ClassVar = {"energy": 3}
    run_type = NoiseRun
    showcases = ("showcase",)

    def __init__(self, model: VideoModel, schedule: Schedule, layer: int | None = None):
        super().__init__(model, schedule)
        self.layer = model.layers // 2 if layer is None else layer
        self.header |= {"layer": self.layer}

    @checked
    def plan(
        self,
        tasks: str | list[str],
        samples_per_task: int,
        ablations_per_task: int,
        maps_per_task: int,
        map_tasks: list[str],
        step_stride: int,
        frame_stride: int,
        suite_seed: int,
    ) -> list[NoiseRun]:
        """All runs of the experiment.

        Every sample: clean, noise at every `step_stride`-th step, noise in every `frame_stride`-th
        frame, as the paper does it (replace). The first `ablations_per_task`: the other modes,
        equal doses, and all steps compared with the clean run step by step. The first
        `maps_per_task` of `map_tasks`: noise in single cells, and level-correct noise at every
        `step_stride`-th step, which shows when the answer is decided.

        Args:
            tasks: their names, or a split of the mini suite.
        """
        frames, steps = self.model.latent_frames, self.schedule.steps
        coarse, columns = (
            range(0, steps, step_stride),
            sorted({*range(0, frames, frame_stride), frames - 1}),
        )
        runs = []
        for task in tasklist.task_names(tasks):
            for i in range(samples_per_task):
                base, deep = NoiseRun(task, i, suite_seed, seed=i), i < ablations_per_task
                every = range(steps) if deep else coarse
                runs.append(with_noise(base, "clean", maps=deep))
                runs += [with_noise(base, "step", NoiseAtStep(s, seed=i), maps=deep) for s in every]
                runs += [with_noise(base, "frame", NoiseAtFrame(f, seed=i)) for f in columns]
                if deep:
                    runs += ablations(base, coarse, columns, frames, steps)
                if task in map_tasks and i < maps_per_task:
                    cells = [(s, f) for s in coarse for f in range(frames)]
                    runs += [
                        with_noise(base, "cell", NoiseAtCells((cell,), seed=i)) for cell in cells
                    ]
                    fresh = [NoiseAtStep(s, mode="level-correct", seed=i) for s in coarse]
                    runs += [with_noise(base, "decision", noise) for noise in fresh]
        return runs

    def record(self, run: NoiseRun) -> dict:
        """A run as plain JSON data."""
        return super().record(run) | {"interventions": [record(i) for i in run.interventions]}

    def run_of(self, identity: dict) -> NoiseRun:
        """The run that an identity describes."""
        interventions = tuple(from_record(data) for data in identity["interventions"])
        return super().run_of(identity | {"interventions": interventions})

    def branches(self, runs: list[NoiseRun]) -> list[Branch]:
        """The tree of runs that share a base; branch 0 is the clean run, which every result is
        compared with."""
        return [Branch(), *(Branch(run.interventions, run.until) for run in runs)]

    def evaluations(self, runs: list[NoiseRun]) -> int:
        """How many model evaluations `results` makes for runs that share a base."""
        return super().evaluations(runs) + self.schedule.steps * _needs_unrelated(runs)

    def tree(self, runs: list[NoiseRun], count: Count = None) -> tuple[Tree, Read]:
        """See `TreeExperiment`.

        Fields of a result: `score` and `answer` (candidate index, -1 for none) of the decoded end;
        `cells` and `energy`, the dose; with maps `from`, the first step that is changed, and from
        there on `x`, `x0_hat`, `tokens`: dissimilarity 1 - CKA to the clean run (a clean run: to
        that of an unrelated sample), and `evidence`: the mean absolute change of the candidates'
        evidence in the last frame.
        """
        sample, maps = self._sample(runs[0]), runs[0].maps
        unrelated = self._unrelated(runs[0], sample, count) if _needs_unrelated(runs) else None
        clean: list[Trajectory] = []

        def read(index: int, trajectory: Trajectory) -> Iterator[tuple[NoiseRun, dict]]:
            if index == 0:
                clean.append(trajectory)
                return
            run = runs[index - 1]
            other = clean[0] if run.interventions else unrelated
            yield run, self._read(sample, trajectory) | (_maps(trajectory, other) if maps else {})

        return self._tree(runs[0], self.branches(runs), sample if maps else None), read

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """The first maze that the clean run solves (else the first sample), clean and under four
        kinds of noise."""
        clean = [row for row in rows if row["run"]["design"] == "clean"]
        solved = [
            row for row in clean if row["run"]["task"] == "maze" and row["result"]["score"] == 1.0
        ]
        first = self.run_of((solved or clean)[0]["run"])
        steps, frames = self.schedule.steps, self.model.latent_frames
        noises = {
            "clean": (),
            "early step,\nreplace": (NoiseAtStep(steps // 4),),
            "late step,\nreplace": (NoiseAtStep(3 * steps // 4),),
            "late step,\nlevel-correct": (NoiseAtStep(3 * steps // 4, mode="level-correct"),),
            "one frame,\nreplace": (NoiseAtFrame(frames // 2),),
        }
        return [
            self._case(label, with_noise(first, "showcase", *noise), results)
            for label, noise in noises.items()
        ]

    def _case(self, label: str, run: NoiseRun, results: str | Path) -> ShownCase:
        def make() -> np.ndarray:
            condition = self.model.prepare_sample(self._sample(run))
            trajectory = generate(
                self.model, condition, self.schedule, run.seed, interventions=run.interventions
            )
            return decode_all(self.model, trajectory)

        key = key_of(self.identity(run))
        return ShownCase(
            label, self._sample(run), kept_clips(results, key, self.schedule.steps, make)
        )

    def _sample(self, run: NoiseRun) -> Sample:
        return tasklist.draw_one(run.task, run.index, run.suite_seed, run.partition)

    def _tree(self, run: NoiseRun, branches: list[Branch], watched: Sample | None) -> Tree:
        """The tree of a sample; its trajectories carry tokens, and evidence for the candidates of
        `watched`, if given."""
        condition = self.model.prepare_sample(self._sample(run))
        if watched is None:
            return Tree(condition, run.seed, branches)
        captured = Captured(lambda site: site.layer == self.layer and site.guided)

        def watch(s: int, x: torch.Tensor, x0_hat: torch.Tensor) -> Seen:
            (state,) = captured.take().values()
            return Seen(state, watched.evidence(self.model.decode(x0_hat)[-1]))

        return Tree(condition, run.seed, branches, watch, captured)

    def _read(self, sample: Sample, trajectory: Trajectory) -> dict:
        video = self.model.decode(trajectory.x0_hats[-1])
        return sample.outcome(video) | {"cells": trajectory.cells, "energy": trajectory.energy}

    def _unrelated(self, run: NoiseRun, sample: Sample, count: Count) -> Trajectory:
        """The clean run of another sample of the same task, with another seed."""
        unrelated = replace(run, index=run.index + 1000, seed=run.seed + 1000, interventions=())
        tree = self._tree(unrelated, [Branch()], sample)
        ((_, _, trajectory),) = grow_all(self.model, self.schedule, [tree], count=count)
        return trajectory


def _needs_unrelated(runs: list[NoiseRun]) -> bool:
    return any(run.maps and not run.interventions for run in runs)


def _maps(ours: Trajectory, other: Trajectory) -> dict:
    """How far a run is from another at every step from the first at which they differ."""
    different = [s for s, x in enumerate(ours.latents) if x is not other.latents[s]]
    steps = range(different[0] if different else 0, len(ours.x0_hats))
    pairs = {
        "x": [(tokens(ours.latents[s]), tokens(other.latents[s])) for s in steps],
        "x0_hat": [(tokens(ours.x0_hats[s]), tokens(other.x0_hats[s])) for s in steps],
        "tokens": [(ours.watched[s].tokens, other.watched[s].tokens) for s in steps],
    }
    maps = {name: [1.0 - cka(a, b) for a, b in values] for name, values in pairs.items()}
    change = [np.abs(ours.watched[s].evidence - other.watched[s].evidence).mean() for s in steps]
    return {"from": steps[0], "evidence": change} | maps


EXPERIMENTS = Perturbation
