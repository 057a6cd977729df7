"""From rows of `7_path_or_passes` to numbers: what the same evaluations do when spent otherwise."""

from collections.abc import Iterable

import numpy as np

from ...measures.intervals import difference, proportion
from ...measures.traces import unflagged
from .networks import parse
from .path_or_passes import WAYS


def curves(rows: Iterable[dict]) -> list[dict]:
    """For each network and cell: `cell`, `layers`, `sigmas`, and by way of spending the evaluations
    a curve of {mean, low, high, n}; `level` of the passes; under `late` the steps at which the
    clues arrive; and `against_path`, the paired difference of each way's end to the path's."""
    groups: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        run = row["run"]
        groups.setdefault((run["network"], run["cell"]), {})[run["way"]] = row
    return [_of(network, cell, ways) for (network, cell), ways in groups.items()]


def _of(network: str, cell: str, ways: dict[str, dict]) -> dict:
    valid = {
        way: np.array([unflagged(text) for text in row["result"]["valid_at"]])
        for way, row in ways.items()
    }
    path = ways["path"]
    clusters = path["result"]["clusters"]
    return {
        "network": network,
        "layers": parse(network).layers,
        "cell": cell,
        "n": len(clusters),
        "sigmas": path["result"]["sigmas"],
        "late": path["run"]["late"],
        "level": {w: r["result"]["level"] for w, r in ways.items() if r["result"]["level"]},
        "ways": {w: [proportion(v, clusters) for v in valid[w]] for w in WAYS if w in valid},
        "against_path": {
            way: difference(values[-1], valid["path"][-1], clusters)
            for way, values in valid.items()
            if way not in ("path", "late clues")
        },
        "late_against_early": _late(valid.get("late clues"), clusters),
    }


def _late(valid: np.ndarray | None, clusters: list[str]) -> dict | None:
    """The cost of clues that arrive at the last of the tried steps instead of the first."""
    return None if valid is None else difference(valid[-2], valid[0], clusters)


def strata(found: list[dict], steps: int) -> dict[str, dict]:
    """The same for the claims, by `cell/<network>/S<steps>`."""
    return {
        f"{each['cell']}/{each['network']}/S{steps}": {
            **{f"{way.replace(' ', '_')}": value for way, value in each["against_path"].items()},
            **({"late_clues": each["late_against_early"]} if each["late_against_early"] else {}),
        }
        for each in found
    }
