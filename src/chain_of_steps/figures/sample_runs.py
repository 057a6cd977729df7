"""Generations of samples, clean or with interventions, read by the parts of their answers.

Most experiments of the notebooks are these runs with other interventions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..bench import samples
from ..experiments.trees import Count, Read, TreeExperiment
from ..measures import decisions, traces
from ..measures.linear_probes import shaken
from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles.base import Sample
from ..puzzles.splits import Split
from ..sampling.denoise import Trajectory, estimate
from ..sampling.interventions import Intervention, from_record, record
from ..sampling.layout import Branch
from ..sampling.prefix_tree import Tree
from ..sampling.state import begin

FLOOR_SAMPLES, FLOOR_SEED = 8, 97  # validation samples on which an untrained network is read


@dataclass(frozen=True)
class SampleRun:
    """What determines one row, apart from model and schedule.

    Attributes:
        cell, index, suite_seed, split: name the sample, see `samples.draw_one`.
        seed: of the noise that the generation starts from.
        design: which comparison the run belongs to.
        interventions: the changes to the generation.
        until: the answer is read on the clean estimate before this step; None means the final one.
        traced: read the clean estimate of every step.
    """

    cell: str
    index: int
    suite_seed: int
    seed: int
    design: str = "clean"
    interventions: tuple[Intervention, ...] = ()
    until: int | None = None
    traced: bool = False
    split: Split = "test"

    @property
    def base(self) -> tuple:
        """What runs must have in common to be grown together."""
        return self.cell, self.index, self.suite_seed, self.split, self.seed


class SampleBranches(TreeExperiment[SampleRun]):
    """An experiment whose runs are branches of one generation of a sample.

    Every result has `traces.outcome`, under `sample` `traces.facts`, for a traced run
    `traces.trace`, and whatever a subclass adds (`more`).
    """

    run_type = SampleRun

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self._floors: dict[str, float] = {}  # a plain dict, so that it can be sent to a Ray worker

    def record(self, run: SampleRun) -> dict:
        """A run as plain JSON data."""
        return super().record(run) | {"interventions": [record(i) for i in run.interventions]}

    def run_of(self, identity: dict) -> SampleRun:
        """The run that an identity describes."""
        interventions = tuple(from_record(data) for data in identity["interventions"])
        return super().run_of(identity | {"interventions": interventions})

    def sample(self, run: SampleRun) -> Sample:
        """The sample of a run."""
        return samples.draw_one(run.cell, run.index, run.suite_seed, run.split)

    def branches(self, runs: list[SampleRun]) -> list[Branch]:
        """See `TreeExperiment`: one branch for each run."""
        return [Branch(run.interventions, run.until) for run in runs]

    def tree(self, runs: list[SampleRun], count: Count = None) -> tuple[Tree, Read]:
        """See `TreeExperiment`."""
        sample = self.sample(runs[0])

        def read(index: int, trajectory: Trajectory) -> Iterator[tuple[SampleRun, dict]]:
            yield runs[index], self.read(runs[index], sample, trajectory)

        condition = self.condition(runs[0], sample)
        return Tree(condition, runs[0].seed, self.branches(runs)), read

    def condition(self, run: SampleRun, sample: Sample) -> Condition:
        """What a run's generation is conditioned on."""
        return self.model.prepare_sample(sample)

    def read(self, run: SampleRun, sample: Sample, trajectory: Trajectory) -> dict:
        """The result of a run."""
        result = traces.outcome(self.model, sample, trajectory.x0_hats[-1])
        result |= {"sample": traces.facts(sample)}
        if run.traced:
            beliefs = traces.beliefs_along(self.model, sample, trajectory.x0_hats)
            result |= traces.trace(sample, beliefs, self.floor(run.cell))
        return result | self.more(run, sample, trajectory)

    def more(self, run: SampleRun, sample: Sample, trajectory: Trajectory) -> dict:
        """What else is measured of a run; nothing here."""
        return {}

    def floor(self, cell: str) -> float:
        """The tie floor of a cell: `decisions.HELD`, the same for all cells, or more if the median
        margin of an untrained network's estimates at step 0 is more. Up to such a margin a part
        holds no value."""
        if cell not in self._floors:
            drawn = samples.draw(cell, FLOOR_SAMPLES, FLOOR_SEED, "validation")
            self._floors[cell] = self._margin(drawn)
        return self._floors[cell]

    def control_evaluations(self, runs: Sequence[SampleRun]) -> int:
        """See `Experiment`: those of the tie floors."""
        return FLOOR_SAMPLES * len({run.cell for run in runs if run.traced})

    @torch.inference_mode()
    def _margin(self, drawn: list[Sample]) -> float:
        margins = []
        with shaken(self.model):
            for seed, sample in enumerate(drawn):
                condition = self.model.prepare_sample(sample)
                state = begin(self.model, condition, self.schedule, seed)
                x0_hat = estimate(self.model, condition, self.schedule, state)
                margins.append(decisions.margins(self.model.beliefs(sample, x0_hat)))
        return max(float(np.median(np.concatenate(margins))), decisions.HELD)
