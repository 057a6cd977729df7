"""What the experiments on symbol networks share."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Generic

from torch import Tensor

from ...bench import samples
from ...experiments.base import Experiment, R
from ...measures.batches import SampleBatch, SymbolBatch
from ...measures.one_pass import Runs
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles import suite
from ...puzzles.splits import Split
from ...sampling.denoise import Trajectory
from . import networks
from .networks import EXACT, Network, Subject

APART = 10_000  # validation samples have indices, and seeds, from here on
Count = Callable[[], None] | None


class NetworkExperiment(Experiment[R], Generic[R]):
    """An experiment on all networks of a folder. Its rows name their networks, and are the same
    whatever model it is given; the schedule says the shift, a run the number of steps."""

    speed = 500  # a symbol network of eight blocks, in batches

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.header |= {"model": "symbols", "size": 1, "frames": 1}
        self.folder = ""  # of the networks, set by `plan`

    def in_batches(self, batch: int) -> "NetworkExperiment":
        """Itself: a run is a batch already."""
        return self

    def subject(self, name: str) -> Subject:
        """A network, or the exact posterior."""
        return Subject(None if name == EXACT else networks.load(self.folder, name))

    def weights(self, network: Network) -> str:
        """The fingerprint of a network."""
        if network.kind == EXACT:
            return EXACT
        return networks.load(self.folder, network.name).fingerprint

    def in_steps(self, steps: int) -> Schedule:
        """The schedule with another number of steps."""
        return replace(self.schedule, steps=steps)

    def started(
        self, batch: SampleBatch, subject: Subject, trajectory: Trajectory, count: Count
    ) -> Runs:
        """The runs of a batch as the one-pass controls take them; evaluations are counted."""
        inner = subject.estimate(batch, self.schedule)

        def estimate(x: Tensor, sigma: float) -> Tensor:
            tick(count, len(x))
            return inner(x, sigma)

        return batch.runs(estimate, trajectory.x0_hats[0])


def tick(count: Count, evaluations: int) -> None:
    """Counts evaluations."""
    for _ in range(evaluations if count else 0):
        count()


def puzzle_of(cell: str) -> str:
    """The puzzle of a cell."""
    return suite.find(samples.task_of(cell)).puzzle.name


@lru_cache(maxsize=128)  # the networks take turns on the same samples
def batch_of(
    cell: str, first: int, count: int, suite_seed: int, split: Split = "test"
) -> SymbolBatch:
    """Samples `first` to `first + count - 1` of a cell's list; sample i starts from the noise of
    seed i."""
    indices = range(first, first + count)
    return SymbolBatch([samples.draw_one(cell, i, suite_seed, split) for i in indices], indices)
