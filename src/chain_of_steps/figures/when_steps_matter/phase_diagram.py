"""The runs of the phase diagram: networks x kinds of samples x numbers of steps, and their one-pass
controls."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from typing_extensions import TypedDict  # pydantic refuses that of typing before Python 3.12

from ...bench import samples
from ...experiments.base import UNREAD
from ...experiments.parameters import checked
from ...measures.batches import SampleBatch
from ...measures.one_pass import CHOSEN, COARSE, MOST_PASSES
from ...puzzles.splits import Split
from . import networks as stored
from .experiment import APART, Count, NetworkExperiment, batch_of, puzzle_of, tick
from .networks import EXACT, Subject
from .readings import CONTROLS, GRIDS, Levels, choose, controls, reading

FEW = 30


@dataclass(frozen=True)
class PhaseRun:
    """What determines one row: generations of several samples as one batch.

    Attributes:
        network: name of its folder, or `exact`.
        weights: fingerprint of the network.
        cell, suite_seed, split: name the list of samples, see `samples.draw_one`.
        first, count: which samples of the list; sample i starts from the noise of seed i.
        steps: S.
        validation: samples on which the noise levels of the controls are chosen; 0: no controls.
            Those of more than one pass are chosen on the first `FEW` of them.
    """

    network: str
    weights: str
    cell: str
    first: int
    count: int
    steps: int
    suite_seed: int
    validation: int
    split: Split = "test"

    @property
    def base(self) -> tuple:
        """What runs have in common that share the noise levels of their controls."""
        return self.network, self.weights, self.cell, self.suite_seed, self.validation, self.split


class Part(TypedDict):
    """A part of the plan.

    Attributes:
        networks: which: `seed 0` and `other seeds` (plain ones), `twin`, `wide`, `earlier` (weights
            stored during training), `exact`.
        cells, samples, steps: what they are measured on; `samples` of each cell.
    """

    networks: list[str]
    cells: list[str]
    samples: int
    steps: list[int]


class PhaseDiagram(NetworkExperiment[PhaseRun]):
    """The experiment: every network on every kind of samples, with several numbers of steps."""

    name = "7_phase_diagram"
    run_type = PhaseRun

    @checked
    def plan(
        self,
        networks: str,
        names: list[str],
        parts: dict[str, Part],
        chunk: int,
        validation: int,
        suite_seed: int,
        split: Split = "test",
    ) -> list[PhaseRun]:
        """All runs. A twin makes one step, and has no controls.

        Args:
            networks: their folder.
            names: of the networks; if empty, all of the folder and `exact`.
            parts: of the plan; what two of them ask for is done once.
            chunk: samples of a row.
            validation: samples on which the noise levels of the controls are chosen.
        """
        self.folder = networks
        runs = []
        for network in stored.listed(networks, names):
            weights, twin = self.weights(network), network.kind == "twin"
            fixed = (suite_seed, 0 if twin else validation, split)
            runs += [
                PhaseRun(network.name, weights, cell, i, min(chunk, count - i), s, *fixed)
                for part in parts.values()
                if network.group in part["networks"]
                for cell in samples.cells(part["cells"])
                if network.puzzle in ("any", puzzle_of(cell))
                for count in [part["samples"]]
                for i in range(0, count, chunk)
                for s in ([1] if twin else part["steps"])
            ]
        return list(dict.fromkeys(runs))

    def evaluations(self, runs: list[PhaseRun]) -> int:
        """How many evaluations of networks `results` makes, at most, for runs of equal base."""
        if runs[0].network == EXACT:
            return 0
        total = sum(run.count * run.steps for run in runs)
        if validation := runs[0].validation:
            searched = sum(map(len, GRIDS.values()))
            later_searched = len(COARSE) * (CHOSEN[-1] - 1)
            tested = sum({run.first: run.count for run in runs}.values())
            later = sum(k - 1 for k in (*CHOSEN[:-1], MOST_PASSES))
            total += validation * (1 + searched) + min(FEW, validation) * (1 + later_searched)
            total += tested * (len(CONTROLS) + later)
        return total

    def results(self, runs: list[PhaseRun], count: Count = None) -> Iterator[tuple[PhaseRun, dict]]:
        """Yields the result of every run: `readings.reading`, and unless it has no validation
        samples `readings.controls`."""
        count = None if runs[0].network == EXACT else count
        subject = self.subject(runs[0].network)
        levels = self._levels(runs[0], subject, count) if runs[0].validation else None
        for group in _by_samples(runs):
            first, measured = group[0], {}
            batch = self.batch_of(first, first.first, first.count, first.split)
            for run in group:
                trajectory = subject.generate(batch, self.in_steps(run.steps))
                tick(count, run.count * run.steps)
                if levels and not measured:  # the estimates of step 0 are those of any S
                    started = self.started(batch, subject, trajectory, count)
                    measured = controls(started, levels)
                posterior = bool(levels) and run.network != EXACT
                yield run, UNREAD | reading(batch, trajectory, posterior) | measured

    def batch_of(self, run: PhaseRun, first: int, count: int, split: Split) -> SampleBatch:
        """Samples of a run's cell, from number `first` on."""
        return batch_of(run.cell, first, count, run.suite_seed, split)

    def _levels(self, run: PhaseRun, subject: Subject, count: Count) -> Levels:
        """The noise levels of the controls, from validation samples."""
        found = []
        for samples_chosen in (run.validation, min(FEW, run.validation)):
            batch = self.batch_of(run, APART, samples_chosen, "validation")
            trajectory = subject.generate(batch, self.in_steps(1))
            tick(count, samples_chosen)
            found.append(self.started(batch, subject, trajectory, count))
        return choose(*found)


def _by_samples(runs: list[PhaseRun]) -> list[list[PhaseRun]]:
    found = defaultdict(list)
    for run in runs:
        found[run.first, run.count].append(run)
    return list(found.values())
