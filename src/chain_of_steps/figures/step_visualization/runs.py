"""Figures 1, 2, 4 and 5 of the paper, measured: what the clean estimate decides at every step of a
clean generation; and how much room step 0 leaves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ...bench import samples
from ...experiments.parameters import checked
from ...experiments.trees import Count, Read
from ...measures import decisions, traces
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.base import Sample
from ...sampling.denoise import Trajectory
from ...sampling.interventions import Source
from ...sampling.layout import Branch
from ...sampling.prefix_tree import Tree
from ..sample_runs import SampleBranches, SampleRun
from . import nulls, pictures, pruning, seen

OTHERS = 10_000  # added to the seed of a run: the first seed of its calibrated null
NEXT = 20  # samples among which the other board of `pruning.by_chance` is found


@dataclass(frozen=True)
class VisualizationRun(SampleRun):
    """A clean generation, and what it is compared with.

    Attributes:
        most_answers: the exact null is computed if so many answers are valid, or fewer.
        null_seeds: of the calibrated null; 0 leaves it out.
        by_frame: every latent frame is read, not only the last.
    """

    most_answers: int = 0
    null_seeds: int = 0
    by_frame: bool = False


class StepVisualization(SampleBranches):
    """Clean generations, read at every step.

    Runs of design `clean` are counted. Those of design `picture` are only looked at: their cells
    mix strata.
    """

    name = "1_step_visualization"
    run_type = VisualizationRun
    digits: ClassVar = {"present_at": 2}
    showcases = ("pictures",)

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self._atoms: dict[str, Tensor] = {}  # of the last sample: a cell may hold one board only

    @checked
    def plan(
        self,
        cells: str | list[str],
        samples_per_cell: int,
        samples_of: dict[str, int],
        most_answers: int,
        frame_cells: list[str],
        null_cells: list[str],
        null_per_cell: int,
        null_seeds: int,
        picture_cells: list[str],
        picture_samples: int,
        suite_seed: int,
    ) -> list[VisualizationRun]:
        """All runs.

        Args:
            cells, samples_per_cell, samples_of: see `samples.numbered`.
            most_answers: see `VisualizationRun`.
            frame_cells: those of `cells` that are read by frame.
            null_cells: those of `cells` whose first `null_per_cell` samples get a calibrated null,
                each from `null_seeds` seeds.
            picture_cells: `picture_samples` are generated of each, and one is shown.
        """
        runs = []
        for cell, count in samples.numbered(cells, samples_per_cell, samples_of).items():
            for i in range(count):
                run = VisualizationRun(
                    cell,
                    i,
                    suite_seed,
                    seed=i,
                    traced=True,
                    most_answers=most_answers,
                    null_seeds=null_seeds if cell in null_cells and i < null_per_cell else 0,
                    by_frame=cell in frame_cells,
                )
                runs.append(run)
        return runs + [
            VisualizationRun(cell, i, suite_seed, seed=i, design="picture")
            for cell in samples.cells(picture_cells)
            for i in range(picture_samples)
        ]

    def branches(self, runs: list[VisualizationRun]) -> list[Branch]:
        """See `TreeExperiment`: each run, then the other seeds of its calibrated null."""
        found = []
        for run in runs:
            others = [Branch(source=Source(OTHERS + i)) for i in range(run.null_seeds)]
            found += [*super().branches([run]), *others]
        return found

    def tree(self, runs: list[VisualizationRun], count: Count = None) -> tuple[Tree, Read]:
        """See `TreeExperiment`. A run's result is ready when its last branch is."""
        sample = self.sample(runs[0])
        owners = [run for run in runs for _ in range(1 + run.null_seeds)]  # of each branch
        own: dict[VisualizationRun, Trajectory] = {}
        finals: dict[VisualizationRun, dict[int, Tensor]] = {run: {} for run in runs}

        def read(index: int, trajectory: Trajectory) -> Iterator[tuple[VisualizationRun, dict]]:
            run = owners[index]
            if index == owners.index(run):
                own[run] = trajectory
            else:
                finals[run][index] = trajectory.latents[-1]
            if run in own and len(finals[run]) == run.null_seeds:
                others = [latents for _, latents in sorted(finals.pop(run).items())]
                yield run, self.read_with(run, sample, own.pop(run), others)

        condition = self.condition(runs[0], sample)
        return Tree(condition, runs[0].seed, self.branches(runs)), read

    def read(self, run: VisualizationRun, sample: Sample, trajectory: Trajectory) -> dict:
        """See `SampleBranches`. A traced run has, of its parts, the `reference` answer that says
        which decisions are right, what they hold `firm`, `part_rounds` and `part_candidates`;
        perhaps `decided_by_frame` and the trace of the `exact` null."""
        result = traces.outcome(self.model, sample, trajectory.x0_hats[-1])
        result |= {"sample": traces.facts(sample)}
        if not run.traced:
            return result
        found = seen.seen(self.model, sample, trajectory.x0_hats)
        result |= seen.trace(sample, found, self.floor(run.cell), self.readings(run, sample))
        firm = decisions.held(found.beliefs, decisions.FIRM)
        result["firm"] = [traces.encoded(answer) for answer in firm]
        reference = decisions.reference_answer(sample, traces.decoded(result["decided"]))
        result["reference"] = traces.encoded(reference)
        result["part_rounds"] = decisions.part_rounds(sample).tolist()
        result["part_candidates"] = decisions.part_candidates(sample).tolist()
        if run.by_frame:
            result["decided_by_frame"] = seen.by_frame(self.model, sample, found)
        if nulls.listed(sample, run.most_answers):
            result["exact"] = self._null(run, sample, trajectory, self._solutions(sample))
        return result

    def read_with(
        self, run: VisualizationRun, sample: Sample, own: Trajectory, finals: list[Tensor]
    ) -> dict:
        """The result of a run; given the final latents of other seeds, also the trace of the
        `calibrated` null, and what these seeds answer."""
        result = self.read(run, sample, own)
        if not finals:
            return result
        ends = [traces.outcome(self.model, sample, latents) for latents in finals]
        seeds = {"answers": [e["answer"] for e in ends], "valid": [e["valid"] for e in ends]}
        null = self._null(run, sample, own, torch.cat(finals), calibrated=True)
        return result | {"calibrated": null, "other_seeds": seeds}

    def _null(
        self,
        run: VisualizationRun,
        sample: Sample,
        trajectory: Trajectory,
        atoms: Tensor,
        calibrated: bool = False,
    ) -> dict:
        """The trace of a posterior mean at the run's own states."""
        means, which = nulls.means(trajectory, atoms, calibrated)
        found = seen.seen(self.model, sample, means).at(which)
        readings = self.readings(run, sample)
        return seen.trace(sample, found, self.floor(run.cell), readings, nulls.lots(sample))

    def readings(self, run: VisualizationRun, sample: Sample) -> dict[str, pruning.Reading]:
        """As what the run's estimates are read, see `pruning`; the other boards are the next
        samples of the cell."""
        following = range(run.index + 1, run.index + 1 + NEXT)
        others = (samples.draw_one(run.cell, i, run.suite_seed, run.split) for i in following)
        return pruning.readings(sample, others)

    def _solutions(self, sample: Sample) -> Tensor:
        if sample.key not in self._atoms:
            self._atoms = {sample.key: nulls.atoms(self.model, sample)}
        return self._atoms[sample.key]

    def pictures(self, rows: list[dict], results: str | Path) -> pictures.Pictures:
        """The runs that are shown, see `pictures`."""
        return pictures.chosen(self, rows, results)


class Room(SampleBranches):
    """What step 0 already decides: validation samples, read on the clean estimate of step 0."""

    name = "1_room"

    @checked
    def plan(self, cells: str | list[str], room_samples: int, suite_seed: int) -> list[SampleRun]:
        """The first samples of the validation split, of each cell."""
        return [
            SampleRun(cell, i, suite_seed, seed=i, design="room", until=1, split="validation")
            for cell in samples.cells(cells)
            for i in range(room_samples)
        ]


EXPERIMENTS = {"steps": StepVisualization, "room": Room}
