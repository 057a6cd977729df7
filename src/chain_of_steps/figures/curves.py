"""Curves along the steps of what the last frame of a run shows, in the player and the explorer.

An answer of one part: the belief in each of its values that is valid, or that is decided at some
step. An answer of several parts: how wrong it is (`WRONG`), how much of it stays to the end
(`KEPT`) and, where several answers are valid, how much of it is open (`OPEN`).
"""

import functools

import numpy as np

from ..measures import decisions
from ..puzzles import reading
from ..puzzles.base import Sample
from .player import Curve

WRONG = "violations"  # as a share of the most
KEPT = "parts decided as at the end"
OPEN = "open parts that show several values"  # open: several values are possible

_possible = functools.lru_cache(maxsize=8)(decisions.possible)


def curves(sample: Sample, beliefs: np.ndarray, most: int | None = None) -> list[Curve]:
    """The curves of one run; values that are not valid are dashed.

    Args:
        beliefs: (S, P, V), of its clean estimates.
        most: the number of violations at the top of the chart, by default the run's largest.
    """
    decided = reading.decide(beliefs)  # (S, P)
    if len(sample.parts) == 1:
        return _of_values(sample, np.nan_to_num(beliefs[:, 0]), decided[:, 0])
    violations = decisions.violations(sample, decided)
    top = max(1, violations.max() if most is None else most)
    found = [
        Curve(f"{WRONG} (of {top})", list(violations / top)),
        Curve(KEPT, list((decided == decided[-1]).mean(1))),
    ]
    possible = _possible(sample)
    left_open = possible.sum(-1) > 1  # (P,)
    if left_open.any():
        several = decisions.present(beliefs, possible).sum(-1) > 1  # (S, P)
        found.append(Curve(OPEN, list(several[:, left_open].mean(1))))
    return found


def _of_values(sample: Sample, beliefs: np.ndarray, decided: np.ndarray) -> list[Curve]:
    """Curves of the values of the only part, from beliefs (S, V) and decided values (S,)."""
    values = sample.parts[0].values
    valid = [sample.is_valid((v,)) for v in range(len(values))]
    return [
        Curve(name, list(beliefs[:, v]), dashed=not valid[v])
        for v, name in enumerate(values)
        if valid[v] or v in decided
    ]
