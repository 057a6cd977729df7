"""The same grid on networks without pictures, where hundreds of samples take a second."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ...bench import samples
from ...experiments.base import UNREAD, Experiment
from ...experiments.parameters import checked
from ...measures.batches import SymbolBatch
from ...measures.intervals import cluster_numbers
from ...measures.traces import flags
from ...puzzles.splits import Split


@dataclass(frozen=True)
class SymbolRun:
    """What determines one row, which is about all samples of a cell.

    Attributes:
        cell, suite_seed, split: name the samples; the seed of each one's noise is its index.
        samples: how many.
        steps: of the schedule.
    """

    cell: str
    samples: int
    suite_seed: int
    steps: int
    split: Split = "test"

    @property
    def base(self) -> "SymbolRun":
        """Nothing is shared: every run has a grid of its own."""
        return self


class SymbolBudget(Experiment[SymbolRun]):
    """Validity of the decided answers of a symbol network by number of steps (Euler).

    Ties between beliefs are broken at random, as in all measurements of symbol networks.
    """

    run_type = SymbolRun

    @checked
    def plan(
        self,
        cells: list[str],
        samples_per_cell: int,
        steps: list[int],
        suite_seed: int,
        split: Split = "test",
    ) -> list[SymbolRun]:
        """All runs: every cell with every number of steps."""
        return [
            SymbolRun(cell, samples_per_cell, suite_seed, count, split)
            for cell in samples.cells(cells)
            for count in steps
        ]

    def in_batches(self, batch: int) -> Self:
        """Itself: the samples of a row are a batch already."""
        return self

    def evaluations(self, runs: list[SymbolRun]) -> int:
        """Forward passes, each of all samples of a run."""
        return sum(run.steps for run in runs)

    def results(
        self, runs: list[SymbolRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[SymbolRun, dict]]:
        """See `Experiment`: `valid_each`, as text, a character for each sample; their `share`; and
        `clusters`, the number of each sample's canonical state."""
        for run in runs:
            drawn = samples.draw(run.cell, run.samples, run.suite_seed, run.split)
            batch = SymbolBatch(drawn, range(run.samples))
            grid = replace(self.schedule, name=f"euler/{run.steps}", steps=run.steps)
            valid = batch.valid(batch.generate(self.model, grid).x0_hats[-1])
            for _ in range(run.steps if count else 0):
                count()
            found = {"valid_each": flags(valid), "share": float(np.mean(valid))}
            numbers = cluster_numbers(batch.clusters, len(drawn)).tolist()
            yield run, UNREAD | found | {"clusters": numbers}


class ShallowBudget(SymbolBudget):
    """The network of few blocks."""

    name = "6_symbol_budget_shallow"


class DeepBudget(SymbolBudget):
    """The network of many blocks."""

    name = "6_symbol_budget_deep"
