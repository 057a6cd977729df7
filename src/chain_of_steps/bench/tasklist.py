"""Samples by name and number: of the first edition's tasks, or of a VBVR-Bench folder."""

import zlib
from pathlib import Path

import numpy as np

from ..puzzles.first import suites
from ..puzzles.first.base import Partition, Sample
from . import recorded
from .recorded import Recorded


def task_names(which: str | list[str] = "all") -> list[str]:
    """Names of the tasks of a split (in-domain, out-of-domain, all) or of a VBVR-Bench folder.

    A list of names is checked and returned.
    """
    if isinstance(which, list):
        return [name for name in which if find(name)]
    if Path(which).is_dir():
        return recorded.names_of(which)
    if which not in (*suites.SPLITS, "all"):
        raise ValueError(
            f"unknown split {which!r}; expected in-domain, out-of-domain, all, "
            "or a VBVR-Bench folder"
        )
    return [name for name, task in suites.TASKS.items() if which in ("all", task.split)]


def find(task: str) -> suites.Task | Recorded:
    """The task of that name.

    Raises:
        ValueError: if there is none.
    """
    if "::" in task:
        return recorded.find(task)
    return suites.find(task)


def short(task: str) -> str:
    """The name of a task in figures and metrics, without a folder and its hash."""
    return task.split("::")[-1].split("@")[0]


def draw_one(task: str, index: int, seed: int, partition: Partition = "test") -> Sample:
    """Sample number `index` of a task's list for a seed; a folder has its own numbering."""
    if "::" in task:
        return find(task).numbered(index, partition)
    rng = np.random.default_rng([zlib.crc32(f"{task}/{partition}".encode()), seed, index])
    return find(task).sample(rng, partition)


def draw(task: str, count: int, seed: int, partition: Partition = "test") -> list[Sample]:
    """The first `count` samples of a task's list for a seed."""
    return [draw_one(task, index, seed, partition) for index in range(count)]
