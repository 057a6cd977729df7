"""Wrong values for one part of a Latin square's answer: visible ones, and inferable ones."""

from typing import NamedTuple

import numpy as np

from ...measures import decisions
from ...puzzles.base import Answer, Sample


class Mistake(NamedTuple):
    """A part of the first valid answer, and values of it: the right one, and two wrong ones."""

    part: int
    control: int
    visible: int
    inferable: int


def mistake_of(sample: Sample, rng: np.random.Generator) -> Mistake | None:
    """A part of a Latin square's first valid answer with a visible and an inferable wrong value,
    drawn at random; None if it has no such part, or more valid answers than are listed."""
    clues = np.array(sample.state["clues"])
    shown = clues[..., None] == np.arange(len(clues))
    excluded = shown.any(0, keepdims=True) | shown.any(1, keepdims=True)  # by clues in the line
    excluded, is_open = excluded.reshape(-1, len(clues)), clues.ravel() < 0
    inferable = ~excluded & ~decisions.possible(sample)
    parts = np.flatnonzero(is_open & excluded.any(1) & inferable.any(1))
    if sample.solutions.more or not len(parts):
        return None
    part = int(rng.choice(parts))
    wrong = [int(rng.choice(np.flatnonzero(kind[part]))) for kind in (excluded, inferable)]
    return Mistake(part, sample.solutions.answers[0][part], *wrong)


def with_value(sample: Sample, part: int, value: int) -> Answer:
    """The first valid answer with another value in one part."""
    answer = sample.solutions.answers[0]
    return (*answer[:part], value, *answer[part + 1 :])
