"""The runs of the phase diagram: networks x kinds of samples x numbers of steps, and their one-pass
controls."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ...bench import samples
from ...experiments.base import UNREAD
from ...experiments.parameters import checked
from ...measures.one_pass import GRID, MOST_PASSES
from ...puzzles.splits import Split
from . import networks as stored
from .boards import Boards
from .experiment import Count, NetworkExperiment, batch_of, puzzle_of, tick
from .networks import EXACT, Subject
from .path_or_passes import PathOrPasses
from .readings import CONTROLS, Levels, choose, controls, reading

APART = 10_000  # validation samples of the controls have indices, and seeds, from here on


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


class PhaseDiagram(NetworkExperiment[PhaseRun]):
    """The experiment: every network on every kind of samples, with several numbers of steps."""

    name = "7_phase_diagram"
    run_type = PhaseRun

    @checked
    def plan(
        self,
        networks: str,
        names: list[str],
        cells: list[str],
        samples_per_cell: int,
        chunk: int,
        validation: int,
        steps: list[int],
        more_steps: dict[int, list[int]],
        earlier_cells: list[str],
        earlier_samples: int,
        earlier_steps: list[int],
        suite_seed: int,
        split: Split = "test",
    ) -> list[PhaseRun]:
        """All runs.

        Args:
            networks: their folder.
            names: of the networks; if empty, all of the folder and `exact`.
            chunk: samples of a row.
            validation: samples on which the noise levels of the controls are chosen.
            more_steps: numbers of steps for networks of so many blocks alone.
            earlier_cells, earlier_samples, earlier_steps: the same for weights stored during
                training.
        """
        self.folder = networks
        usual = samples.cells(cells), samples_per_cell, steps
        early = samples.cells(earlier_cells), earlier_samples, earlier_steps
        runs = []
        for network in stored.listed(networks, names):
            which, count, numbers = early if network.kind == "earlier" else usual
            if network.kind == "twin":
                numbers = [1]
            elif network.kind == "plain":
                numbers = [*numbers, *more_steps.get(network.layers, [])]
            drawn = 0 if network.kind == "twin" else validation
            fixed = (suite_seed, drawn, split)
            runs += [
                PhaseRun(network.name, weights, cell, i, min(chunk, count - i), s, *fixed)
                for weights in [self.weights(network)]
                for cell in which
                if network.puzzle in ("any", puzzle_of(cell))
                for i in range(0, count, chunk)
                for s in dict.fromkeys(numbers)
            ]
        return runs

    def evaluations(self, runs: list[PhaseRun]) -> int:
        """How many evaluations of networks `results` makes, at most, for runs of equal base."""
        if runs[0].network == EXACT:
            return 0
        total = sum(run.count * run.steps for run in runs)
        if validation := runs[0].validation:
            passes = MOST_PASSES - 1  # the first of them is F
            total += validation * (1 + len(GRID) * (len(CONTROLS) + passes))
            tested = sum({run.first: run.count for run in runs}.values())
            total += tested * (len(CONTROLS) + sum(range(1, MOST_PASSES)))
        return total

    def results(self, runs: list[PhaseRun], count: Count = None) -> Iterator[tuple[PhaseRun, dict]]:
        """Yields the result of every run: `readings.reading`, and unless it has no validation
        samples `readings.controls`."""
        count = None if runs[0].network == EXACT else count
        subject = self.subject(runs[0].network)
        levels = self._levels(runs[0], subject, count) if runs[0].validation else None
        for group in _by_samples(runs):
            first, measured = group[0], {}
            batch = batch_of(first.cell, first.first, first.count, first.suite_seed, first.split)
            for run in group:
                trajectory = subject.generate(batch, self.in_steps(run.steps))
                tick(count, run.count * run.steps)
                if levels and not measured:  # the estimates of step 0 are those of any S
                    started = self.started(batch, subject, trajectory, count)
                    measured = controls(started, levels)
                posterior = bool(levels) and run.network != EXACT
                yield run, UNREAD | reading(batch, trajectory, posterior) | measured

    def _levels(self, run: PhaseRun, subject: Subject, count: Count) -> Levels:
        """The noise levels of the controls, from validation samples."""
        batch = batch_of(run.cell, APART, run.validation, run.suite_seed, "validation")
        trajectory = subject.generate(batch, self.in_steps(1))
        tick(count, run.validation)
        return choose(self.started(batch, subject, trajectory, count))


def _by_samples(runs: list[PhaseRun]) -> list[list[PhaseRun]]:
    found = defaultdict(list)
    for run in runs:
        found[run.first, run.count].append(run)
    return list(found.values())


EXPERIMENTS = {"diagram": PhaseDiagram, "passes": PathOrPasses, "boards": Boards}
