"""Experiments whose runs are branches of trees, many of which may grow together."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic

from ..sampling.denoise import Trajectory
from ..sampling.prefix_tree import Branch, Tree, evaluations, grow_all
from .base import Experiment, R

Count = Callable[[], None] | None
Read = Callable[[int, Trajectory], Iterator[tuple[R, dict]]]  # of a branch, by its index


class TreeExperiment(Experiment[R], Generic[R]):
    """An experiment whose runs of equal base are the branches of one tree."""

    @abstractmethod
    def branches(self, runs: list[R]) -> list[Branch]:
        """The branches of runs that share a base."""

    @abstractmethod
    def tree(self, runs: list[R], count: Count = None) -> tuple[Tree, Read]:
        """The tree of runs that share a base, with `branches`, and what reads its branches, which
        arrive the clean one first: (index, trajectory) to results of runs.

        Args:
            count: called after every evaluation that this takes by itself.
        """

    def evaluations(self, runs: list[R]) -> int:
        """How many model evaluations `results` makes for runs that share a base."""
        frames = self.model.latent_frames
        return evaluations(self.branches(runs), self.schedule.steps, frames)

    def results(self, runs: list[R], count: Count = None) -> Iterator[tuple[R, dict]]:
        """See `Experiment`."""
        return self.results_of([runs], count)

    def results_of(
        self, groups: Sequence[list[R]], count: Count = None
    ) -> Iterator[tuple[R, dict]]:
        """See `Experiment`; the trees of all groups grow together."""
        trees, readers = zip(*(self.tree(runs, count) for runs in groups), strict=True)
        grown = grow_all(self.model, self.schedule, trees, self.batch, count=count)
        for number, index, trajectory in grown:
            yield from readers[number](index, trajectory)
