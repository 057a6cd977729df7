"""Perception before action: from which step on can the named thing be read, and from which the
run's answer?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...bench import tasklist
from ...experiments.base import UNREAD, Experiment
from ...experiments.parameters import checked
from ...measures.linear_probes import features, look, needs_random, pick, shaken, share
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.canvas import CELLS
from ...puzzles.first.base import Sample
from ...puzzles.first.maze import ROOM
from ...puzzles.first.reading import own_pixels

MODULES = ("mark_object", "maze")
WHATS = ("named", "answer")
FLOORS = ("x0_hat", "input", "shuffled", "random network")


@dataclass(frozen=True)
class OnsetRun:
    """What determines one row, apart from model and schedule: one source, probed at every step.

    Attributes:
        task, samples, suite_seed, partition: the samples that are probed; noise seeds are their
            indices.
        what: `named`, the thing that the prompt names, among its rivals; `answer`, the candidate
            that this run will show in the end, among all candidates.
        source: a layer's number as text, or a floor, see `linear_probes`.
    """

    task: str
    samples: int
    suite_seed: int
    what: str
    source: str
    partition: str = "test"

    @property
    def base(self) -> tuple:
        """Runs of equal base probe the same generations."""
        return self.task, self.samples, self.suite_seed, self.partition


class Onsets(Experiment[OnsetRun]):
    """The experiment: at every step, which of several places in the last latent frame is the right
    one?

    A place is read as the mean of its tokens. It needs no threshold, and the same reader serves
    perception and action: read off the clean estimate, `answer` is the onset of the action by an
    instrument as fine as that for perception.

    Args:
        model, schedule: what generates.
    """

    name = "3_onsets"
    run_type = OnsetRun

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.middle = model.layers // 2

    @checked
    def plan(self, tasks: list[str], samples: int, suite_seed: int) -> list[OnsetRun]:
        """All runs: both questions at every step, for the middle layer (fixed beforehand) and for
        the floors."""
        return [
            OnsetRun(task, samples, suite_seed, what, source)
            for task in tasklist.task_names(tasks)
            for what in WHATS
            for source in (str(self.middle), *FLOORS)
        ]

    def evaluations(self, runs: list[OnsetRun]) -> int:
        """How many model evaluations `results` makes: with the trained network and, for one floor,
        a random one."""
        return (1 + needs_random(runs)) * runs[0].samples * self.schedule.steps

    def results(
        self, runs: list[OnsetRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[OnsetRun, dict]]:
        """Yields the result of every probe; all share a base.

        Field `picked`, by step and sample: 1 where the right place was picked by a probe that
        never saw the sample, 0 where not, None where the run ends without an answer or there were
        too few samples.
        """
        run, steps = runs[0], range(self.schedule.steps)
        samples = [
            tasklist.draw_one(run.task, i, run.suite_seed, run.partition)
            for i in range(run.samples)
        ]
        layers = (-1, self.middle)
        watch = partial(look, self.model, self.schedule, steps=steps, layers=layers, count=count)
        seen = [watch(sample, i) for i, sample in enumerate(samples)]
        with shaken(self.model):
            blind = (
                [watch(sample, i) for i, sample in enumerate(samples)]
                if needs_random(runs)
                else seen
            )
        answers = [
            s.answer_index(self.model.decode(one["final"])[-1])
            for s, one in zip(samples, seen, strict=True)
        ]
        weights = {
            what: [self._weights(masks(sample, what, self.model.size)) for sample in samples]
            for what in WHATS
        }
        for r in runs:
            right = [
                0 if r.what == "named" else -1 if answer is None else answer for answer in answers
            ]
            rng, picked = np.random.default_rng(0), []
            if r.source == "shuffled":
                right = [
                    int(rng.integers(len(w))) if i >= 0 else -1
                    for i, w in zip(right, weights[r.what], strict=True)
                ]
            for step in steps:
                place = (step, r.source, self.middle, self.middle)
                states = [
                    features(one, other, *place) for one, other in zip(seen, blind, strict=True)
                ]
                parts = [
                    w @ state for w, state in zip(weights[r.what], states, strict=True)
                ]  # (K, D) each
                picked.append(pick(parts, right))
            yield r, UNREAD | {"picked": picked}

    def _weights(self, places: list[np.ndarray]) -> np.ndarray:
        return np.stack([share(mask, self.model.patch) for mask in places])  # (K, h w)


def masks(sample: Sample, what: str, size: int) -> list[np.ndarray]:
    """The places to choose from, pixel masks (size, size); the named thing's comes first.

    `answer`: each candidate's own pixels in the final frame. `named`: of all things on the board;
    in a maze of the rooms in which its paths end, of which the goal is the named one. (Walls would
    need a threshold of accuracy.)

    Raises:
        ValueError: for a task whose prompt names nothing that has a place.
    """
    if sample.module not in MODULES:
        raise ValueError(f"{sample.task} names no place; expected a task of {' or '.join(MODULES)}")
    own = [own.mask for own in own_pixels(sample, size, 1.0)]
    if what == "answer":
        return own
    if sample.module == "mark_object":
        return [
            mask
            for mask, candidate in zip(own, sample.candidates, strict=True)
            if candidate.kind != "illegal"
        ]
    ends = dict.fromkeys(tuple(candidate.answer[-1]) for candidate in sample.candidates)
    return [_room(sample.state, end, size) for end in ends]


def _room(state: dict, room: tuple[int, int], size: int) -> np.ndarray:
    """The pixels of a maze's room."""
    at = (np.arange(size) + 0.5) * CELLS / size / ROOM  # in rooms
    columns, rows = (
        np.floor(at - corner) == place for corner, place in zip(state["corner"], room, strict=True)
    )
    return rows[:, None] & columns[None]
