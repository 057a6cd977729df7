"""Answers of a Latin square with a mistake: in one part, visible or inferable, or consistent."""

from typing import NamedTuple

import numpy as np

from ...measures import decisions
from ...puzzles.base import Answer, Sample
from ...puzzles.latin_squares import LISTED, all_squares

WRONG = ("visible", "inferable", "consistent")
KINDS = ("control", *WRONG)
NAMES = {  # in figures
    "control": "no mistake (control)",
    "visible": "a cell contradicts a clue",
    "inferable": "a cell that no clue contradicts",
    "consistent": "another whole square",
}


class Mistake(NamedTuple):
    """An answer that is put in.

    Attributes:
        answer: all of it.
        parts: that are wrong; of the control, the one that is wrong in `visible` and `inferable`.
    """

    answer: Answer
    parts: tuple[int, ...]


def mistakes_of(sample: Sample, rng: np.random.Generator) -> dict[str, Mistake] | None:
    """A mistake of each of the `KINDS`, drawn at random; of the control none.

    None for a board without a part that can take a visible and an inferable wrong value, with more
    valid answers than are listed, or of an order whose squares are not listed.
    """
    clues = np.array(sample.state["clues"])
    shown = clues[..., None] == np.arange(len(clues))
    excluded = shown.any(0, keepdims=True) | shown.any(1, keepdims=True)  # by clues in the line
    excluded, is_open = excluded.reshape(-1, len(clues)), clues.ravel() < 0
    inferable = ~excluded & ~decisions.possible(sample)
    parts = np.flatnonzero(is_open & excluded.any(1) & inferable.any(1))
    if sample.solutions.more or len(clues) > LISTED or not len(parts):
        return None
    part, right = int(rng.choice(parts)), sample.solutions.answers[0]
    visible, inferable = (
        int(rng.choice(np.flatnonzero(kind[part]))) for kind in (excluded, inferable)
    )
    values = {"control": right[part], "visible": visible, "inferable": inferable}
    return {
        kind: Mistake((*right[:part], value, *right[part + 1 :]), (part,))
        for kind, value in values.items()
    } | {"consistent": another_square(clues, rng)}


def another_square(clues: np.ndarray, rng: np.random.Generator) -> Mistake:
    """A Latin square that contradicts a clue, and of all such squares the fewest clues: every part
    agrees with every other, and only the given frame tells that it is wrong.

    Args:
        clues: (n, n) int, -1 where there is none; at least one.
    """
    given = np.flatnonzero(clues.ravel() >= 0)
    squares = all_squares(len(clues)).reshape(-1, clues.size)
    contradicted = squares[:, given] != clues.ravel()[given]  # (N, clues)
    counts = contradicted.sum(1)
    chosen = rng.choice(np.flatnonzero(counts == counts[counts > 0].min()))
    return Mistake(tuple(squares[chosen].tolist()), tuple(given[contradicted[chosen]].tolist()))
