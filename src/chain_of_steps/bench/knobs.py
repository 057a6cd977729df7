"""Knobs of a task as text: `order=4,clues=6`."""

import re
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..puzzles import suite
from ..puzzles.splits import Split

KINDS = {int: "a whole number", bool: "true or false", str: "a word"}

Knobs = Mapping[str, int | bool | str]


def read_knobs(text: str, task: str, seed: int, split: Split = "test") -> Knobs:
    """The knobs that a text such as `order=4,clues=6` fixes; one sample is drawn to check them.

    Raises:
        ValueError: for an unknown task, for a knob that it lacks or fixes itself, for a value of
            the wrong type, or for values with which no sample can be drawn.
    """
    kinds = knob_kinds(task)
    knobs = {}
    for assigned in text.split(","):
        name, equals, value = (part.strip() for part in assigned.partition("="))
        if not equals:
            raise ValueError(f"{assigned!r} fixes no knob; write for example order=4,clues=6")
        if name not in kinds:
            known = f"expected one of {', '.join(kinds)}" if kinds else "it has none"
            raise ValueError(f"unknown knob {name!r} of task {task!r}; {known}")
        knobs[name] = _value(value)
        if type(knobs[name]) not in kinds[name]:
            wanted = " or ".join(KINDS[kind] for kind in kinds[name])
            raise ValueError(f"knob {name!r} of task {task!r} is {value!r}; expected {wanted}")
    _check_drawn(task, knobs, seed, split)
    return knobs


def knob_kinds(task: str) -> dict[str, list[type]]:
    """The types that a value may have, by name of each knob that a task does not fix."""
    found = suite.find(task)
    hints = typing.get_type_hints(found.puzzle.sample)
    left_open = [name for name in hints if name not in {"rng", "split", "return", *found.knobs}]
    allowed = {name: typing.get_args(hints[name]) or (hints[name],) for name in left_open}
    return {name: [kind for kind in KINDS if kind in kinds] for name, kinds in allowed.items()}


def _value(text: str) -> int | bool | str:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def _check_drawn(task: str, knobs: Knobs, seed: int, split: Split) -> None:
    chosen = ", ".join(f"{name}={word(value)}" for name, value in knobs.items())
    refusal = f"task {task!r} has no sample with {chosen}; change the knobs"
    try:
        sample = suite.draw_one(task, 0, seed, split, **knobs)
    except (LookupError, TypeError) as error:  # a value that the puzzle does not handle
        raise ValueError(refusal) from error
    if any(sample.knobs.get(name, value) != value for name, value in knobs.items()):
        raise ValueError(refusal)


def word(value: Any) -> str:
    """A knob's value as written on the command line."""
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)
