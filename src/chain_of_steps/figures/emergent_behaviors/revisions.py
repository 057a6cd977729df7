"""At which steps a run revises parts of its answer, wrong to right and right to wrong."""

import itertools

import numpy as np

WRONG_TO_RIGHT, RIGHT_TO_WRONG, WRONG_TO_WRONG = (
    "wrong_to_right",
    "right_to_wrong",
    "wrong_to_wrong",
)


def revisions_at(held: np.ndarray, right: np.ndarray) -> dict[str, list[int]]:
    """The number of revisions at each step, (S,), by kind: `decisions.revisions`, dated by the step
    at which the new value is held first.

    Args:
        held: (S, P), the value that each part holds, -1 where it holds none.
        right: (P,), the right value of each part.
    """
    kinds = {(0, 1): WRONG_TO_RIGHT, (1, 0): RIGHT_TO_WRONG, (0, 0): WRONG_TO_WRONG}
    found = {kind: [0] * len(held) for kind in kinds.values()}
    for values, wanted in zip(held.T, right, strict=True):
        for before, after in itertools.pairwise(np.flatnonzero(values >= 0)):
            if values[before] != values[after]:
                kind = kinds[int(values[before] == wanted), int(values[after] == wanted)]
                found[kind][after] += 1
    return found
