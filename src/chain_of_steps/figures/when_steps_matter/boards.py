"""Boards to look at: what one generation shows in every cell at every step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...experiments.parameters import checked
from ...measures import traces
from ...puzzles.splits import Split
from ...sampling.denoise import generate
from . import networks as stored
from .experiment import Count, NetworkExperiment, batch_of, puzzle_of


@dataclass(frozen=True)
class BoardRun:
    """What determines one row: the generation of sample `index` from the noise of seed `index`.

    Attributes:
        network, weights, cell, suite_seed, split, steps: see `runs.PhaseRun`.
    """

    network: str
    weights: str
    cell: str
    index: int
    steps: int
    suite_seed: int
    split: Split = "test"

    @property
    def base(self) -> "BoardRun":
        """Nothing is shared."""
        return self


class Boards(NetworkExperiment[BoardRun]):
    """The experiment: the first sample of a few cells, solved or not."""

    name = "7_boards"
    run_type = BoardRun
    digits: ClassVar = {"beliefs": 2}

    @checked
    def plan(
        self,
        networks: str,
        names: list[str],
        cells: list[str],
        index: int,
        steps: int,
        suite_seed: int,
        split: Split = "test",
    ) -> list[BoardRun]:
        """All runs: every network on sample `index` of every cell."""
        self.folder = networks
        return [
            BoardRun(network.name, self.weights(network), cell, index, steps, suite_seed, split)
            for network in stored.listed(networks, names)
            for cell in cells
            if network.puzzle == puzzle_of(cell)
        ]

    def evaluations(self, runs: list[BoardRun]) -> int:
        """One a step."""
        return sum(run.steps for run in runs)

    def results(self, runs: list[BoardRun], count: Count = None) -> Iterator[tuple[BoardRun, dict]]:
        """Yields the result of every run: `traces.outcome`; the `beliefs` (S, P, V), with the
        noise levels `sigmas`; `valid_at`, as text; and the `clues` of the board."""
        watch = (lambda *_: count()) if count else None
        for run in runs:
            batch = batch_of(run.cell, run.index, 1, run.suite_seed, run.split)
            (sample,), model = batch.samples, self.subject(run.network).model
            condition, schedule = model.prepare_sample(sample), self.in_steps(run.steps)
            trajectory = generate(model, condition, schedule, run.index, watch=watch)
            beliefs = traces.beliefs_along(model, sample, trajectory.x0_hats)
            shown = {
                "sigmas": trajectory.sigmas,
                "beliefs": beliefs.astype(float).tolist(),
                "valid_at": traces.flags(np.ravel(batch.along(trajectory))),
                "clues": sample.state["clues"],
            }
            yield run, traces.outcome(model, sample, trajectory.x0_hats[-1]) | shown
