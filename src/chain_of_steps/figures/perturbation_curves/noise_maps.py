"""From rows to maps (figure 3c): how far noise at a step spreads to later ones.

The floor is a null intervention, the ceiling the same sample with another seed: an unrelated sample
would differ by its board as well (paper trap 18).
"""

import numpy as np

from ...measures.intervals import clustered
from ..summaries import clusters, of_design

TENSORS = ("x0_hat", "tokens")
MODES = ("replace", "level-correct")


def maps_of(rows: list[dict], steps: int) -> dict:
    """By tensor: `map` of each mode, (injected step, later step); `ceiling` and `floor` at every
    step; `left`, what remains at the last step, by injected step; `left_ceiling`.

    Args:
        rows: of one cell.
        steps: of the schedule.
    """
    rows = [row for row in rows if "from" in row["result"]]
    other, null = of_design(rows, "other seed"), of_design(rows, "null")
    found: dict = {"n": len(other)}
    for name in TENSORS if other else ():
        found[name] = {
            "ceiling": rounded(mean_map(other, name, steps)),
            "floor": rounded(mean_map(null, name, steps)),
            "left_ceiling": _left(other, name),
            **{mode: _of_mode(of_design(rows, f"step {mode}"), name, steps) for mode in MODES},
        }
    return found


def _of_mode(rows: list[dict], name: str, steps: int) -> dict:
    places = sorted({row["result"]["from"] for row in rows})
    groups = [[row for row in rows if row["result"]["from"] == step] for step in places]
    return {
        "step": places,
        "map": [rounded(mean_map(group, name, steps)) for group in groups],
        "left": [_left(group, name) for group in groups],
    }


def mean_map(rows: list[dict], name: str, steps: int) -> np.ndarray:
    """Mean dissimilarity to the clean run at each step, (S,); NaN before the change."""
    values = np.full((len(rows), steps), np.nan)
    for line, row in zip(values, rows, strict=True):
        line[row["result"]["from"] :] = row["result"][name]
    return values.mean(0)


def _left(rows: list[dict], name: str) -> dict:
    return clustered([row["result"][name][-1] for row in rows], clusters(rows))


def rounded(values: np.ndarray) -> list[float | None]:
    """As JSON has it: 3 digits, None for NaN."""
    return [None if np.isnan(value) else round(float(value), 3) for value in values]
