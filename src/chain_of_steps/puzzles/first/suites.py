"""The first edition's tasks, their category and split."""

import importlib
from dataclasses import dataclass

import numpy as np

from .base import Partition, Sample

SIZE = 48  # side of the mini model's frames, pixels
FRAMES = 9  # of its clips
CATEGORIES = ("Abstraction", "Knowledge", "Perception", "Spatiality", "Transformation")
SPLITS = ("in-domain", "out-of-domain")


@dataclass(frozen=True)
class Task:
    """A kind of puzzle: its category as in VBVR-Bench, its split, and the module that draws it."""

    name: str
    category: str
    split: str
    module: str
    twist: bool = False

    def sample(self, rng: np.random.Generator, partition: Partition) -> Sample:
        draw = importlib.import_module(f"{__package__}.{self.module}").sample
        return draw(rng, partition, twist=True) if self.twist else draw(rng, partition)


TASKS = {
    task.name: task
    for task in (
        Task("maze", "Spatiality", "in-domain", "maze"),
        Task("tic_tac_toe", "Knowledge", "in-domain", "tic_tac_toe"),
        Task("size_pattern", "Abstraction", "in-domain", "size_pattern"),
        Task("rotate", "Transformation", "in-domain", "rotate"),
        Task("out_and_back", "Transformation", "in-domain", "out_and_back"),
        Task("mark_object", "Perception", "in-domain", "mark_object"),
        Task("occlusion", "Perception", "in-domain", "occlusion"),
        Task("bounce", "Knowledge", "in-domain", "bounce"),
        Task("maze_loops", "Spatiality", "out-of-domain", "maze", twist=True),
        Task("tic_tac_toe_o", "Knowledge", "out-of-domain", "tic_tac_toe", twist=True),
        Task("size_rule", "Abstraction", "out-of-domain", "size_pattern", twist=True),
        Task("rotate_new", "Transformation", "out-of-domain", "rotate", twist=True),
        Task("mark_new_pair", "Perception", "out-of-domain", "mark_object", twist=True),
    )
}


def find(task: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: if there is none.
    """
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; expected one of {', '.join(TASKS)}")
    return TASKS[task]
