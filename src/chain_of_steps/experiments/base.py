"""What every experiment has: a model and a schedule, runs, and a result for each of them."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, ClassVar, Generic, Self, TypeVar

from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..sampling.denoise import EXPERIMENT_VERSION
from .store import REQUIRED, as_stored

UNREAD = dict.fromkeys(REQUIRED)  # of a result that is not about one video
R = TypeVar("R")  # the type of its runs, a frozen dataclass


class Experiment(ABC, Generic[R]):
    """An experiment: which runs there are (`plan`), and what is measured of each (`results`).

    Attributes:
        name: of the experiment and of its file of rows.
        run_type: class of its runs. Runs of equal `base` share a past and are computed together.
        digits: of the numbers of a result, by name, where 4 are not wanted.
        showcases: methods (rows, results folder) that keep pictures of chosen runs.
        speed: evaluations per second that even a slow core makes.
        header: what all its rows share: change any of it, and they are computed again.
        batch: how many evaluations may share a forward pass; part of the header if not 1.
    """

    name: ClassVar[str]
    run_type: ClassVar[type]
    digits: ClassVar[Mapping[str, int]] = {}
    showcases: ClassVar[tuple[str, ...]] = ()
    speed: ClassVar[int] = 10
    batch: int = 1

    def __init__(self, model: VideoModel, schedule: Schedule):
        self.model, self.schedule = model, schedule
        self.header: dict[str, Any] = {
            "experiment": self.name,
            "version": EXPERIMENT_VERSION,
            "model": model.fingerprint,
            "size": model.size,
            "frames": model.frames,
            "schedule": schedule.record(),
        }

    @abstractmethod
    def evaluations(self, runs: list[R]) -> int:
        """How many model evaluations `results` makes, at most, for runs of equal base."""

    @abstractmethod
    def results(
        self, runs: list[R], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[R, dict]]:
        """Yields the result of every run as it is finished; all share a base. A result has the
        decided `answer`, whether it is `valid`, and the `score`; and what else was measured.

        Args:
            count: called after every evaluation.
        """

    def results_of(
        self, groups: Sequence[list[R]], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[R, dict]]:
        """`results` of several groups, each of runs that share a base."""
        for group in groups:
            yield from self.results(group, count)

    def in_batches(self, batch: int) -> Self:
        """The same experiment, whose rows are computed with up to `batch` evaluations in a forward
        pass. Their numbers agree with those of a batch of one within rounding only, so they are
        rows of their own."""
        if batch == self.batch:
            return self
        other = copy.copy(self)
        other.batch, other.header = batch, self.header | {"batch": batch}
        return other

    def control_evaluations(self, runs: list[R]) -> int:
        """How many more are made once, for all bases together."""
        return 0

    def identity(self, run: R) -> dict:
        """Everything that determines a row, as plain JSON data."""
        return self.header | self.record(run)

    def record(self, run: R) -> dict:
        """A run as plain JSON data."""
        return asdict(run)

    def run_of(self, identity: dict) -> R:
        """The run that an identity describes."""
        return self.run_type(**{each.name: identity[each.name] for each in fields(self.run_type)})

    def measure(self, identity: dict) -> dict:
        """Computes the result of a single row, as the store would hold it."""
        result = next(result for _, result in self.results([self.run_of(identity)]))
        return as_stored(result, self.digits)
