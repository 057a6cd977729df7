"""The mini world's tasks: their category as in VBVR-Bench, their split, and samples by seed."""

import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .base import Answer, Puzzle, Sample
from .bounce import Bounce
from .latin import Latin
from .mark import Mark
from .maze import Maze
from .occlusion import Occlusion
from .out_and_back import OutAndBack
from .relay import Relay
from .rotate import Rotate
from .size_pattern import SizePattern
from .splits import Split
from .tic_tac_toe import TicTacToe

CATEGORIES = ("Abstraction", "Knowledge", "Perception", "Spatiality", "Transformation")
DOMAINS = ("in-domain", "out-of-domain")  # of the generalist


@dataclass(frozen=True)
class Task:
    """A named puzzle, with some knobs fixed.

    Attributes:
        name: in tables and on the command line.
        category: as in VBVR-Bench.
        domain: `in-domain` if the generalist's training shows it, else `out-of-domain`; `small` for
            tasks of other models.
        puzzle: draws its samples.
        knobs: the fixed ones; a tuple is a choice drawn at random.
    """

    name: str
    category: str
    domain: str
    puzzle: Puzzle
    knobs: dict[str, Any] = field(default_factory=dict)

    def sample(self, rng: np.random.Generator, split: Split, **knobs) -> Sample:
        """A sample of a split; see the puzzle for its knobs."""
        fixed = self._fixed(rng) | knobs
        return replace(self.puzzle.sample(rng, split, **fixed), task=self.name)

    def training_sample(self, rng: np.random.Generator) -> tuple[Sample, Answer]:
        """A training sample and one of its valid answers."""
        sample, answer = self.puzzle.training_sample(rng, **self._fixed(rng))
        return replace(sample, task=self.name), answer

    def _fixed(self, rng: np.random.Generator) -> dict[str, Any]:
        return {
            knob: value[rng.integers(len(value))] if isinstance(value, tuple) else value
            for knob, value in self.knobs.items()
        }


TASKS = {
    task.name: task
    for task in (
        Task("latin", "Abstraction", "in-domain", Latin()),
        Task("latin_staged", "Abstraction", "in-domain", Latin(), {"staged": True}),
        Task("relay", "Spatiality", "in-domain", Relay(), {"drawn": True}),
        Task("relay_end", "Spatiality", "in-domain", Relay(), {"drawn": False}),
        Task("maze", "Spatiality", "in-domain", Maze()),
        Task("mark", "Perception", "in-domain", Mark()),
        Task("tic_tac_toe", "Knowledge", "in-domain", TicTacToe()),
        Task("size_pattern", "Abstraction", "in-domain", SizePattern()),
        Task("rotate", "Transformation", "in-domain", Rotate()),
        Task("bounce", "Knowledge", "in-domain", Bounce()),
        Task("out_and_back", "Transformation", "in-domain", OutAndBack()),
        Task("occlusion", "Perception", "in-domain", Occlusion()),
        # Squares of order 4 on a board of 4 x 4 cells: what the depth pair is trained on.
        Task("latin_small", "Abstraction", "small", Latin(cells=4)),
        # Twists, never trained.
        Task("latin_6", "Abstraction", "out-of-domain", Latin(), {"order": 6}),
        Task("size_rule", "Abstraction", "out-of-domain", SizePattern(), {"rule": "rows"}),
        Task(
            "relay_long",
            "Spatiality",
            "out-of-domain",
            Relay(),
            {"drawn": True, "routes": 2, "moves": (15, 16, 17)},
        ),
        Task("mark_new_pair", "Perception", "out-of-domain", Mark(), {"new_pair": True}),
        Task("tic_tac_toe_o", "Knowledge", "out-of-domain", TicTacToe(), {"player": "O"}),
        Task("bounce_walls", "Knowledge", "out-of-domain", Bounce(), {"walls": 4}),
        Task("rotate_new", "Transformation", "out-of-domain", Rotate(), {"new": True}),
    )
}


def task_names(which: str = "all") -> list[str]:
    """Names of the tasks of a domain, or of both.

    Raises:
        ValueError: for an unknown domain.
    """
    if which not in (*DOMAINS, "all"):
        raise ValueError(f"unknown domain {which!r}; expected {', '.join(DOMAINS)} or all")
    wanted = DOMAINS if which == "all" else (which,)
    return [name for name, task in TASKS.items() if task.domain in wanted]


def find(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: if there is none.
    """
    if name not in TASKS:
        raise ValueError(f"unknown task {name!r}; expected one of {', '.join(TASKS)}")
    return TASKS[name]


def draw_one(task: str, index: int, seed: int, split: Split = "test", **knobs) -> Sample:
    """Sample number `index` of a task's list for a seed and knobs."""
    described = "/".join([task, split, *(f"{k}={knobs[k]}" for k in sorted(knobs))])
    rng = np.random.default_rng([zlib.crc32(described.encode()), seed, index])
    return find(task).sample(rng, split, **knobs)


def draw(task: str, count: int, seed: int, split: Split = "test", **knobs) -> list[Sample]:
    """The first `count` samples of a task's list."""
    return [draw_one(task, index, seed, split, **knobs) for index in range(count)]
