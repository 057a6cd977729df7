"""Figure 3 of the paper, measured: noise at a step against noise in a frame, in both modes, at
equal doses, read at the end and at the step itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from ...bench import samples
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...experiments.trees import Count, Read
from ...measures import traces
from ...measures.similarity import dissimilarity, spread, tokens
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.base import Sample
from ...sampling.denoise import Trajectory, generate
from ...sampling.interventions import NoiseAtFrame, NoiseAtStep, Source
from ...sampling.layout import Branch
from ...sampling.prefix_tree import Tree
from ...sampling.sites import Captured
from ..sample_runs import SampleBranches
from ..showcase import ShownCase, decode_all, kept_clips
from .designs import Designs, NoiseRun, level_correct
from .exact import Exact, exact_of


class Perturbation(SampleBranches):
    """The experiment. Its designs:

    - `clean`, traced; `other seed`, the same sample from other initial noise: the ceiling;
    - `step replace` and `step level-correct`: noise at one step, in all frames;
    - `frame replace` and `frame level-correct`: noise in one frame, at all steps;
    - `inner` and `inner-window`, equal doses: the inner frames at one step, and as many consecutive
      steps of one inner frame around it;
    - `restart`: the state is replaced by the noised first estimate and read at that very step;
      `renoise`, its control: the same noise on the newest estimate; `restart end`: read at the end;
    - `null`: noise in no frame, the floor of the maps.

    Results also have the dose: `cells` changed and `energy`; and where all valid answers are
    listed, under `exact`, what the exact posterior makes of the same states: of a clean run
    `valid_at` and `ends` by step, of a restart `valid`, after level-correct noise in all frames
    `end`.
    """

    name = "2_perturbation_curves"
    digits: ClassVar = {"energy": 3, "x0_hat": 3, "tokens": 3}
    run_type = NoiseRun
    showcases = ("showcase",)

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self._exact: dict[str, Exact | None] = {}  # of the last sample, by its key
        self.layer = model.layers // 2  # whose tokens are compared
        self.header |= {"layer": self.layer}

    @checked
    def plan(
        self,
        restarted: dict[str, int],
        cells: dict[str, int],
        controls: dict[str, int],
        deep: dict[str, int],
        maps_per_cell: int,
        step_stride: int,
        frame_stride: int,
        suite_seed: int,
    ) -> list[NoiseRun]:
        """All runs.

        Args:
            restarted: how many samples of each cell get `clean`, `restart` and `renoise`; others
                as many as `cells` and `controls` say.
            cells, controls: how many samples of each cell get all designs but noise in frames,
                equal doses and `restart end`.
            deep: how many of them, by cell, get these too; those at a step at every second one of
                the noised steps.
            maps_per_cell: so many of each are compared with their clean runs at every step.
            step_stride: noise is put in at every so many-th step.
            frame_stride: and in every so many-th latent frame, and the last.

        Raises:
            ValueError: for a stride that leaves no step, or samples that are not planned: more
                of `cells` than of `restarted`, or more of `deep` than of those.
        """
        counts = cells | controls
        samples.cells([*counts, *restarted])
        if fewer := [cell for cell in restarted if restarted[cell] < counts.get(cell, 0)]:
            raise ValueError(f"restarted has fewer samples of {fewer[0]!r} than cells and controls")
        if lacking := [cell for cell in deep if deep[cell] > counts.get(cell, 0)]:
            raise ValueError(f"deep has more samples of {lacking[0]!r} than cells and controls")
        frames, steps = self.model.latent_frames, self.schedule.steps
        if step_stride >= steps:
            raise ValueError(f"step_stride is {step_stride}; expected less than {steps} steps")
        grid = range(step_stride, steps, step_stride)
        columns = sorted({*range(0, frames, frame_stride), frames - 1})
        runs = []
        for cell, count in (counts | restarted).items():
            for i in range(count):
                of = Designs(cell, i, suite_seed)
                runs += of.restarts(grid)
                if i < counts.get(cell, 0):
                    runs += of.at_steps(grid, maps=i < maps_per_cell)
                if i < deep.get(cell, 0):
                    runs += of.in_frames(columns, frames)
                    runs += of.at_some_steps(grid[1::2] or grid, frames, steps)
        return runs

    def branches(self, runs: list[NoiseRun]) -> list[Branch]:
        """See `TreeExperiment`; where runs are compared with the clean one, that comes last."""
        own = [Branch(run.interventions, run.until, Source(run.offset)) for run in runs]
        return [*own, Branch()] if any(run.maps for run in runs) else own

    def tree(self, runs: list[NoiseRun], count: Count = None) -> tuple[Tree, Read]:
        """See `TreeExperiment`. With maps, a result also has `from`, the first step that is
        compared, and from there on `x0_hat` and `tokens`, the dissimilarity to the clean run."""
        sample = self.sample(runs[0])
        clean: list[Trajectory] = []

        def read(index: int, trajectory: Trajectory) -> Iterator[tuple[NoiseRun, dict]]:
            if index == len(runs):
                clean.append(trajectory)
                return
            run = runs[index]
            maps = compared(run, trajectory, clean[0]) if run.maps else {}
            yield run, self.read(run, sample, trajectory) | maps

        condition, branches = self.model.prepare_sample(sample), self.branches(runs)
        if len(branches) == len(runs):
            return Tree(condition, runs[0].seed, branches), read
        captured = Captured(lambda site: site.layer == self.layer and site.guided)

        def watch(step: int, x: torch.Tensor, x0_hat: torch.Tensor) -> tuple[torch.Tensor]:
            (state,) = captured.take().values()
            return (spread(state).clone(),)

        return Tree(condition, runs[0].seed, branches, watch, captured), read

    def more(self, run: NoiseRun, sample: Sample, trajectory: Trajectory) -> dict:
        """The dose, and the exact posterior at the same states."""
        dose = {"cells": trajectory.cells, "energy": trajectory.energy}
        if sample.key not in self._exact:
            sigmas = [float(sigma) for sigma in trajectory.sigmas]
            self._exact = {sample.key: exact_of(self.model, sample, sigmas)}
        exact = self._exact[sample.key]
        found = exact and exact_reading(run, trajectory, exact)
        return dose | {"exact": found} if found else dose

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """The first run of the first cell whose clean answer is valid (else the first of all),
        clean and under four kinds of noise."""
        if self.model.family.beliefs is not None:  # symbols are no pictures
            return []
        clean = [row for row in rows if row["run"]["design"] == "clean"]
        right = [row for row in clean if row["result"]["valid"]]
        first = self.run_of((right or clean)[0]["run"])
        of, steps = Designs(first.cell, first.index, first.suite_seed), self.schedule.steps
        early, late, frame = steps // 5, 4 * steps // 5, self.model.latent_frames // 2
        noises = {
            "no noise": (),
            f"pure noise\nat step {early}": (NoiseAtStep(early, seed=of.index),),
            f"pure noise\nat step {late}": (NoiseAtStep(late, seed=of.index),),
            f"fresh noise\nat step {early}": (level_correct(early, of.index),),
            f"fresh noise\nat step {late}": (level_correct(late, of.index),),
            f"pure noise in\nframe {frame},\nall steps": (NoiseAtFrame(frame, seed=of.index),),
        }
        runs = {label: of.run("showcase", *noise) for label, noise in noises.items()}
        return [self._case(label, run, results) for label, run in runs.items()]

    def _case(self, label: str, run: NoiseRun, results: str | Path) -> ShownCase:
        sample = self.sample(run)

        def make() -> np.ndarray:
            condition = self.model.prepare_sample(sample)
            options = {"interventions": run.interventions}
            return decode_all(
                self.model, generate(self.model, condition, self.schedule, run.seed, **options)
            )

        clips = kept_clips(results, key_of(self.identity(run)), self.schedule.steps, make)
        return ShownCase(label, sample, clips)


def exact_reading(run: NoiseRun, trajectory: Trajectory, exact: Exact) -> dict:
    """What the exact posterior makes of a run's states; nothing for most designs."""
    states = trajectory.latents[:-1]
    if run.design == "clean":
        return {"valid_at": traces.flags(exact.valid(states, 0)), "ends": exact.ends(states, 0)}
    if run.design == "restart":
        return {"valid": exact.valid(states[-1:], len(states) - 1)[0]}
    if run.design in ("step level-correct", "other seed"):
        start = run.interventions[0].step if run.interventions else 0
        return {"end": exact.ends([states[start]], start)[0]}
    return {}


def compared(run: NoiseRun, ours: Trajectory, clean: Trajectory) -> dict:
    """How far a run is from the clean one, from the first step that it changes on."""
    named = [step for each in run.interventions for step in each.named_steps]
    start = min(named, default=0)
    maps: dict[str, list[float]] = {"x0_hat": [], "tokens": []}
    for s in range(start, len(ours.x0_hats)):
        estimates = [spread(tokens(each.x0_hats[s])) for each in (ours, clean)]
        maps["x0_hat"].append(dissimilarity(*estimates))
        maps["tokens"].append(dissimilarity(ours.watched[s][0], clean.watched[s][0]))
    return {"from": start} | maps


EXPERIMENTS = {"noise": Perturbation}
