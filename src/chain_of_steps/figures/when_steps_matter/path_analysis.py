"""From rows to numbers: what the same evaluations do when spent otherwise (`7_path_or_passes`), and
passes at one level against as many steps (the phase diagram)."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from ...measures.intervals import clustered, difference, proportion
from ...measures.traces import unflagged
from .entries import Entry
from .networks import parse
from .path_or_passes import WAYS
from .strata import hull, plain

FRESH = "fresh noise"  # I_1, I_2, ...


def curves(rows: Iterable[dict], entries: list[Entry] = ()) -> list[dict]:
    """For each network and cell: `cell`, `layers`, `steps`, `sigmas`, and by way of spending the
    evaluations a curve of {mean, low, high, n}; `chosen`, the level of the passes and the shift of
    the tuned path; `late`, the steps at which the clues arrive; and `statistics`, paired with the
    path.

    Args:
        entries: of the phase diagram, which has the passes under fresh noise.
    """
    groups: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        run = row["run"]
        groups.setdefault((run["network"], run["cell"]), {})[run["way"]] = row
    known = {(e.network.name, e.cell): e for e in entries}
    return [_of(*place, ways, known.get(place)) for place, ways in groups.items()]


def _of(network: str, cell: str, ways: dict[str, dict], entry: Entry | None) -> dict:
    valid = {
        way: np.array([unflagged(text) for text in row["result"]["valid_at"]])
        for way, row in ways.items()
    }
    path, chosen = ways["path"], {w: r["result"]["chosen"] for w, r in ways.items()}
    clusters, steps = path["result"]["clusters"], len(valid["path"])
    if entry and entry.n == len(clusters) and len(entry.curve) >= steps:
        valid[FRESH] = np.array(entry.curve[:steps])
        chosen[FRESH] = entry.row["result"]["levels"]["I"][steps - 1]
    return {
        "network": network,
        "layers": parse(network).layers,
        "cell": cell,
        "n": len(clusters),
        "steps": steps,
        "sigmas": path["result"]["sigmas"],
        "late": path["run"]["late"],
        "chosen": {way: value for way, value in chosen.items() if value},
        "ways": {
            w: [proportion(v, clusters) for v in valid[w]] for w in (FRESH, *WAYS) if w in valid
        },
        "statistics": _statistics(valid, clusters),
    }


def _statistics(valid: dict[str, np.ndarray], clusters: list[str]) -> dict[str, dict]:
    """`<way>_minus_path`: valid at the end, minus the path; `restart_minus_own`: one pass on the
    estimate of step 0, minus the path at the same step, mean over the steps after step 0;
    `late_minus_early_clues`: clues at the last of the tried steps, minus clues at the first."""
    path, found = valid["path"], {}
    for way in ("stochastic", "equal noise", "tuned path"):
        if way in valid:
            name = f"{way}_minus_path".replace(" ", "_")
            found[name] = difference(valid[way][-1], path[-1], clusters)
    if "restart" in valid:
        less = valid["restart"][1:].astype(float) - path[1:]
        found["restart_minus_own"] = clustered(less.mean(0), clusters)
    if "late clues" in valid:
        *tried, _ = valid["late clues"]
        found["late_minus_early_clues"] = difference(tried[-1], tried[0], clusters)
    return found


def strata(found: list[dict]) -> dict[str, dict]:
    """The `statistics` for the claims, by `cell/L<layers>/S<steps>`: the hull over networks."""
    groups = defaultdict(lambda: defaultdict(list))
    for each in found:
        name = f"{each['cell']}/L{each['layers']}/S{each['steps']}"
        for statistic, value in each["statistics"].items():
            groups[name][statistic].append(value)
    return {
        name: {statistic: hull(values) for statistic, values in own.items()}
        for name, own in groups.items()
    }


def at_one_level(entries: list[Entry]) -> list[dict]:
    """Steps against passes at one level, by cell and depth: for each number of evaluations
    (`passes`) that was also run as a number of steps, the shares of valid answers after all steps
    (`path`) and after as many passes (`fixed`), means over `networks` with the hull of their
    intervals, and the noise `levels` of the networks. Left out where no passes were tried."""
    groups = defaultdict(dict)
    for (cell, layers, steps), group in plain(entries).items():
        if all(steps <= len(e.curve) for e in group):
            groups[cell, layers][steps] = group
    return [
        {
            "cell": cell,
            "layers": layers,
            "passes": sorted(by_steps),
            **{
                name: [_hull(by_steps[k], name, k) for k in sorted(by_steps)]
                for name in ("path", "fixed")
            },
            "levels": [
                [e.row["result"]["levels"]["I"][k - 1] for e in by_steps[k]]
                for k in sorted(by_steps)
            ],
        }
        for (cell, layers), by_steps in groups.items()
    ]


def _hull(group: list[Entry], name: str, k: int) -> dict:
    valid = {"path": lambda e: e.own[-1], "fixed": lambda e: e.curve[k - 1]}[name]
    return hull([proportion(valid(e), e.clusters) for e in group])
