"""Samples by the name of their task, in which knobs may be fixed: `latin order=4 log2=5`.

Such a name is a *cell*: what a row, a parameter and a claim call a kind of samples. Cells that fix
a stratum (`rounds` or `log2`) are never pooled with others.
"""

import functools

from ..puzzles import suite
from ..puzzles.base import Sample
from ..puzzles.splits import Split
from .knobs import Knobs, word


def task_of(cell: str) -> str:
    """The task of a cell."""
    return cell.split(" ", 1)[0]


def knobs_of(cell: str) -> Knobs:
    """The knobs that a cell fixes; none for the name of a task.

    Raises:
        ValueError: for something that is no `name=value`.
    """
    knobs = {}
    for assigned in cell.split(" ")[1:]:
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


def cells(which: str | list[str]) -> list[str]:
    """The cells of a list, checked, or the tasks of a domain (`in-domain`, `out-of-domain`,
    `all`).

    Raises:
        ValueError: for an unknown task or domain, or knobs with which nothing can be drawn.
    """
    if isinstance(which, str):
        return suite.task_names(which)
    for cell in which:
        suite.find(task_of(cell))
        knobs_of(cell)
    return which


@functools.lru_cache(maxsize=1024)
def draw_one(cell: str, index: int, seed: int, split: Split = "test") -> Sample:
    """Sample number `index` of a cell's list for a seed.

    Raises:
        ValueError: for an unknown task, or knobs with which it has no sample.
    """
    try:
        return suite.draw_one(task_of(cell), index, seed, split, **knobs_of(cell))
    except TypeError as error:  # an unknown knob, or a value of the wrong type
        raise ValueError(f"cell {cell!r} cannot be drawn: {error}") from error


def draw(cell: str, count: int, seed: int, split: Split = "test") -> list[Sample]:
    """The first `count` samples of a cell's list for a seed."""
    return [draw_one(cell, index, seed, split) for index in range(count)]
