"""Samples by the name of their task, in which knobs may be fixed: `latin order=4 log2=5`.

Such a name is a *cell*: what a row, a parameter and a claim call a kind of samples. Cells that fix
a stratum (`rounds` or `log2`) are never pooled with others. A task of a VBVR-Bench folder is a cell
too, `FOLDER::TASK@HASH`; it has no knobs.
"""

import functools
from pathlib import Path

from ..puzzles import suite
from ..puzzles.base import Sample
from ..puzzles.splits import Split
from . import recorded
from .knobs import Knobs, word


def task_of(cell: str) -> str:
    """The task of a cell."""
    return cell if recorded.BETWEEN in cell else cell.split(" ", 1)[0]


def knobs_of(cell: str) -> Knobs:
    """The knobs that a cell fixes; none for the name of a task.

    Raises:
        ValueError: for something that is no `name=value`.
    """
    knobs = {}
    for assigned in cell.removeprefix(task_of(cell)).split(" ")[1:]:
        name, equals, value = assigned.partition("=")
        if not (name and equals and value):
            raise ValueError(f"cell {cell!r} fixes no knob by {assigned!r}; write order=4")
        knobs[name] = value == "true" if value in ("true", "false") else _number(value)
    return knobs


def _number(value: str) -> int | str:
    return int(value) if value.lstrip("-").isdecimal() else value


def cell_of(task: str, **knobs) -> str:
    """The cell of a task with knobs fixed."""
    return " ".join([task, *(f"{name}={word(value)}" for name, value in knobs.items())])


def short(cell: str) -> str:
    """A cell's name in figures and metrics, without a folder and its hash."""
    return cell.split(recorded.BETWEEN)[-1].split("@")[0]


def find(cell: str) -> suite.Task | recorded.Recorded:
    """The task of a cell.

    Raises:
        ValueError: if there is none.
    """
    task = task_of(cell)
    return recorded.find(task) if recorded.BETWEEN in task else suite.find(task)


def cells(which: str | list[str]) -> list[str]:
    """The cells of a list, checked, or the tasks of a domain (`in-domain`, `out-of-domain`, `all`)
    or of a VBVR-Bench folder.

    Raises:
        ValueError: for an unknown task or domain, or something that is no knob.
    """
    if isinstance(which, list):
        for cell in which:
            find(cell)
            knobs_of(cell)
        return which
    if which in (*suite.DOMAINS, "all"):
        return suite.task_names(which)
    if Path(which).is_dir():
        return recorded.names_of(which)
    expected = ", ".join((*suite.DOMAINS, "all"))
    raise ValueError(f"unknown domain {which!r}; expected {expected}, or a VBVR-Bench folder")


def numbered(
    which: str | list[str], samples_per_cell: int, samples_of: dict[str, int]
) -> dict[str, int]:
    """The number of samples of each cell.

    Args:
        which: see `cells`.
        samples_of: by cell or task, where there is another number than `samples_per_cell`.
    """
    return {
        cell: samples_of.get(cell, samples_of.get(task_of(cell), samples_per_cell))
        for cell in cells(which)
    }


@functools.lru_cache(maxsize=1024)
def draw_one(cell: str, index: int, seed: int, split: Split = "test") -> Sample:
    """Sample number `index` of a cell's list for a seed; a folder has its own numbering.

    Raises:
        ValueError: for an unknown task, or knobs with which it has no sample.
    """
    task = find(cell)
    if isinstance(task, recorded.Recorded):
        return task.numbered(index, split)
    try:
        return suite.draw_one(task.name, index, seed, split, **knobs_of(cell))
    except TypeError as error:  # an unknown knob, or a value of the wrong type
        raise ValueError(f"cell {cell!r} cannot be drawn: {error}") from error


def draw(cell: str, count: int, seed: int, split: Split = "test") -> list[Sample]:
    """The first `count` samples of a cell's list for a seed."""
    return [draw_one(cell, index, seed, split) for index in range(count)]
