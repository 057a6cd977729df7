"""Is it the path, or only the number of passes? The same number of evaluations spent otherwise:
fresh noise at every step, equal noise at one level, another grid, a restart; and clues that arrive
late. (Passes at one level under fresh noise are the I_k of the phase diagram.)"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ...bench import samples
from ...experiments.base import UNREAD
from ...experiments.parameters import checked
from ...measures.answers import given
from ...measures.batches import SymbolBatch
from ...measures.one_pass import (
    CHOSEN,
    COARSE,
    Runs,
    best_levels,
    middle_of_best,
    passes,
    renoised,
)
from ...measures.traces import flags
from ...models.schedule import Schedule
from ...puzzles.base import Sample
from ...puzzles.splits import Split
from ...sampling.denoise import Trajectory, denoise
from ...sampling.interventions.base import generator
from ...sampling.samplers import sampler_of
from ...sampling.state import State
from . import networks as stored
from .experiment import APART, Count, NetworkExperiment, batch_of, puzzle_of, tick
from .networks import Subject

WAYS = ("path", "stochastic", "equal noise", "tuned path", "restart", "late clues")


@dataclass(frozen=True)
class WayRun:
    """What determines one row: how S evaluations are spent on several samples.

    Attributes:
        way: one of `WAYS`. `path`: the usual S steps. `stochastic`: the same with fresh noise at
            every step. `equal noise`: step 0, then S - 1 passes at one noise level, each on the
            last estimate under the same noise. `tuned path`: the usual steps, with the best shift
            of the grid. `restart`: for every later step s one pass at its noise level on the
            estimate of step 0. `late clues`: from a step on, half of the open cells of one valid
            answer are clues.
        network, weights, cell, suite_seed, split, steps: see `runs.PhaseRun`.
        count: samples from the start of the list.
        validation: samples on which the noise level, and the shift (from `shifts`), are chosen.
        late: steps at which the clues arrive.
    """

    way: str
    network: str
    weights: str
    cell: str
    count: int
    steps: int
    suite_seed: int
    validation: int
    shifts: tuple[float, ...]
    late: tuple[int, ...]
    split: Split = "test"

    @property
    def base(self) -> tuple:
        """What runs have in common that start from the same path."""
        return (*(getattr(self, name) for name in vars(self) if name != "way"),)


class PathOrPasses(NetworkExperiment[WayRun]):
    """The experiment."""

    name = "7_path_or_passes"
    run_type = WayRun

    @checked
    def plan(
        self,
        networks: str,
        names: list[str],
        cells: list[str],
        samples_per_cell: int,
        validation: int,
        steps: int,
        shifts: list[float],
        late: list[int],
        suite_seed: int,
        split: Split = "test",
    ) -> list[WayRun]:
        """All runs. Clues arrive late on Latin squares only: a relay has none.

        Args:
            networks: folder of the networks, `names`.
            shifts: tried besides that of the schedule.
            late: steps at which the clues arrive.
        """
        self.folder = networks
        fixed = steps, suite_seed, validation, tuple(shifts), tuple(late), split
        return [
            WayRun(way, network.name, self.weights(network), cell, samples_per_cell, *fixed)
            for network in stored.listed(networks, names)
            for cell in samples.cells(cells)
            if network.puzzle == puzzle_of(cell)
            for way in WAYS
            if way != "late clues" or network.puzzle == "latin"
        ]

    def run_of(self, identity: dict) -> WayRun:
        """The run that an identity describes."""
        lists = {name: tuple(identity[name]) for name in ("shifts", "late")}
        return super().run_of(identity | lists)

    def evaluations(self, runs: list[WayRun]) -> int:
        """How many evaluations `results` makes, at most, for runs of equal base."""
        run, ways = runs[0], {run.way for run in runs}
        more, searched = run.steps - 1, min(run.steps, CHOSEN[-1]) - 1
        each = {
            "path": 0,  # all ways need it
            "stochastic": run.steps * run.count,
            "equal noise": more * run.count + (1 + len(COARSE) * searched) * run.validation,
            "tuned path": run.steps * (run.count + (1 + len(run.shifts)) * run.validation),
            "restart": more * run.count,
            "late clues": sum(run.steps - s for s in run.late) * run.count,
        }
        return run.steps * run.count + sum(each[way] for way in ways)

    def results(self, runs: list[WayRun], count: Count = None) -> Iterator[tuple[WayRun, dict]]:
        """Yields the result of every run: `valid_at`, a text for each evaluation (step 0 first) of
        `path`, `stochastic`, `tuned path` and the passes, for each step of `restart`, for each step
        of `late` and for no clues at all of `late clues`; `chosen`, the noise level of the passes
        or the shift."""
        work = _Work(self, runs[0], count)
        for run in runs:
            chosen, valid = {
                "path": work.along_path,
                "stochastic": work.stochastic,
                "equal noise": work.equal_noise,
                "tuned path": work.tuned,
                "restart": work.restart,
                "late clues": work.late_clues,
            }[run.way]()
            measured = {
                "chosen": chosen,
                "sigmas": work.path.sigmas,
                "valid_at": [flags(each) for each in valid],
                "clusters": [str(i) for i in work.clusters],
            }
            yield run, UNREAD | measured


class _Work:
    """The measurements of one network on one cell; they start from the same path."""

    def __init__(self, experiment: PathOrPasses, run: WayRun, count: Count):
        self.experiment, self.run, self.count = experiment, run, count
        self.schedule = experiment.in_steps(run.steps)
        self.subject: Subject = experiment.subject(run.network)
        self.batch = batch_of(run.cell, 0, run.count, run.suite_seed, run.split)
        self.others = batch_of(run.cell, APART, run.validation, run.suite_seed, "validation")
        self.path = self._generated(self.batch, self.schedule)
        numbers: dict[str, int] = {}
        self.clusters = [numbers.setdefault(c, len(numbers)) for c in self.batch.clusters]

    def along_path(self) -> tuple[None, np.ndarray]:
        """(S, n)."""
        return None, self.batch.along(self.path)

    def stochastic(self) -> tuple[None, np.ndarray]:
        """(S, n)."""
        schedule = replace(self.schedule, sampler="stochastic")
        return None, self.batch.along(self._generated(self.batch, schedule))

    def equal_noise(self) -> tuple[float, np.ndarray]:
        """The level, chosen as that of I_S, and (S, n)."""
        start = self._generated(self.others, replace(self.schedule, steps=1))
        validation, ours = self._started(self.others, start), self._started(self.batch, self.path)
        level = best_levels(validation, COARSE, self.run.steps, fresh=False)[-1]
        later = passes(ours, ours.first, level, self.run.steps - 1, fresh=False)
        return level, np.array([ours.valid(ours.first), *later])

    def tuned(self) -> tuple[float, np.ndarray]:
        """The shift that is best on validation samples, and (S, n)."""
        shifts = (*self.run.shifts, self.schedule.shift)
        tried = [replace(self.schedule, shift=shift) for shift in shifts]
        shares = [
            self.others.valid(self._generated(self.others, schedule).x0_hats[-1]).mean()
            for schedule in tried
        ]
        best = middle_of_best(np.array(shares))
        return shifts[best], self.batch.along(self._generated(self.batch, tried[best]))

    def restart(self) -> tuple[None, np.ndarray]:
        """(S, n): at each step the validity of one pass on the estimate of step 0."""
        runs = self._started(self.batch, self.path)
        found = [runs.valid(runs.first)]
        for sigma in self.path.sigmas[1:-1]:
            found.append(runs.valid(runs.estimate(renoised(runs.first, sigma, runs.names), sigma)))
        return None, np.array(found)

    def late_clues(self) -> tuple[None, np.ndarray]:
        """(late + 1, n): validity at the end if the clues arrive at these steps, or never. Only an
        answer that agrees with the clues counts."""
        shown = SymbolBatch([revealed(s) for s in self.batch.samples], self.batch.seeds)
        found = [shown.valid(self._continued(shown, s).x0_hats[-1]) for s in self.run.late]
        return None, np.array([*found, shown.valid(self.path.x0_hats[-1])])

    @torch.inference_mode()
    def _continued(self, shown: SymbolBatch, step: int) -> Trajectory:
        model = self.subject.model
        sampler = sampler_of(self.schedule, model.prediction)
        state = State(step, self.path.latents[step], sampler)
        tick(self.count, self.run.count * (self.run.steps - step))
        return denoise(model, shown.condition, self.schedule, state)

    def _started(self, batch: SymbolBatch, trajectory: Trajectory) -> Runs:
        return self.experiment.started(batch, self.subject, trajectory, self.count)

    def _generated(self, batch: SymbolBatch, schedule: Schedule) -> Trajectory:
        tick(self.count, len(batch.samples) * schedule.steps)
        return self.subject.generate(batch, schedule)


def revealed(sample: Sample) -> Sample:
    """A Latin square with half of its open cells (rounded up) filled in as clues, according to one
    of its valid answers at random; which cells and which answer depends on the sample alone."""
    lots = generator("revealed", sample.key)
    answers = sample.solutions.answers
    answer = answers[int(torch.randint(len(answers), (), generator=lots))]
    clues = given(sample).copy()
    (opened,) = np.nonzero(clues < 0)
    chosen = opened[torch.randperm(len(opened), generator=lots)[: (len(opened) + 1) // 2].numpy()]
    clues[chosen] = np.array(answer)[chosen]
    board = clues.reshape(np.shape(sample.state["clues"])).tolist()
    return replace(sample, state=sample.state | {"clues": board}, canonical=["latin", board])
