"""The mini suite: which tasks there are, their category and split, and lists of samples drawn by seed."""

import importlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from .tasks.base import Partition, Sample

if TYPE_CHECKING:
    from .recorded import Recorded

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
        draw = importlib.import_module(f"{__package__}.tasks.{self.module}").sample
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


def task_names(which: str | list[str] = "all") -> list[str]:
    """Names of the tasks of a split: `in-domain`, `out-of-domain` or `all`; or of a VBVR-Bench folder. A list of names
    is checked and returned."""
    if isinstance(which, list):
        return [name for name in which if find(name)]
    if Path(which).is_dir():
        return recorded().names_of(which)
    if which not in (*SPLITS, "all"):
        raise ValueError(
            f"unknown split {which!r}; expected in-domain, out-of-domain, all, or a VBVR-Bench folder"
        )
    return [name for name, task in TASKS.items() if which in ("all", task.split)]


def find(task: str) -> "Task | Recorded":
    """The task of that name.

    Raises:
        ValueError: if there is none.
    """
    if "::" in task:
        return recorded().find(task)
    if task not in TASKS:
        raise ValueError(f"unknown task {task!r}; expected one of {', '.join(TASKS)}")
    return TASKS[task]


def short(task: str) -> str:
    """The name of a task as figures and metrics show it: that of a folder's task without folder and hash."""
    return task.split("::")[-1].split("@")[0]


def draw_one(task: str, index: int, seed: int, partition: Partition = "test") -> Sample:
    """Sample number `index` of a task's list for a seed; the samples of a folder have numbers of their own."""
    if "::" in task:
        return find(task).numbered(index, partition)
    rng = np.random.default_rng([zlib.crc32(f"{task}/{partition}".encode()), seed, index])
    return find(task).sample(rng, partition)


def draw(task: str, count: int, seed: int, partition: Partition = "test") -> list[Sample]:
    """The first `count` samples of a task's list for a seed."""
    return [draw_one(task, index, seed, partition) for index in range(count)]


def recorded() -> ModuleType:
    """The module for tasks of folders, which itself rests on this one."""
    return importlib.import_module(f"{__package__}.recorded")
