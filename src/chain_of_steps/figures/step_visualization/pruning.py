"""Which share of the open parts goes from several possible values to one, and how many would by
chance.

A part counts if 2 <= K < V, with K of its V values possible: where all are possible, grey that says
nothing shows "several possible values" as well. By chance: the same estimates are read as if the
possible values were those of another board, so ghosts count only as far as they are of this board.

A part of two values (a door of a maze: on the path or not) never has K < V. There the parts with
K = 2 count, and by chance those with K = 1, read as if both values were possible.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ...measures import decisions
from ...puzzles.base import Sample


class Reading(NamedTuple):
    """As what the parts of estimates are read.

    Attributes:
        possible: (P, V) bool.
        parts: (P,) bool, those that count.
    """

    possible: np.ndarray
    parts: np.ndarray

    def share(self, beliefs: np.ndarray) -> float:
        """The share of the parts that show two or more possible values at some step and exactly one
        at the last; NaN if no part counts.

        Args:
            beliefs: (S, P, V).
        """
        if not self.parts.any():
            return float("nan")
        pruned = decisions.pruned(decisions.present(beliefs, self.possible))
        return float(pruned[self.parts].mean())


def own(sample: Sample) -> Reading:
    """As what they are: with the values that are possible in the sample."""
    possible = decisions.possible(sample)
    return Reading(possible, _counts(possible))


def by_chance(sample: Sample, others: Iterable[Sample]) -> Reading:
    """As something else: with the values that are possible in the first of other samples that has
    a part in common with this one, counted in both, whose possible values differ. No part counts if
    there is none."""
    possible, parts = own(sample)
    if possible.shape[1] == 2:
        return Reading(np.ones_like(possible), possible.sum(-1) == 1)
    for other in others if parts.any() else ():
        theirs, counted = own(other)
        if theirs.shape == possible.shape:
            common = parts & counted & (theirs != possible).any(-1)
            if common.any():
                return Reading(theirs, common)
    return Reading(possible, np.zeros_like(parts))


def readings(sample: Sample, others: Iterable[Sample]) -> dict[str, Reading]:
    """Both, by the name under which a row stores the share."""
    return {"pruned_share": own(sample), "pruned_share_other": by_chance(sample, others)}


def _counts(possible: np.ndarray) -> np.ndarray:
    """(P,) bool: 2 <= K < V, or both of two values."""
    count, values = possible.sum(-1), possible.shape[1]
    return (count >= 2) & ((count < values) | (values == 2))
