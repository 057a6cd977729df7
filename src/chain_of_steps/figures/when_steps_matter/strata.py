"""Statistics by stratum, depth and number of steps: what claims are judged by."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from ...measures.intervals import difference, proportion
from ...measures.one_pass import MOST_PASSES
from .entries import Entry


def strata(found: list[Entry]) -> dict[str, dict]:
    """Statistics by `cell/L<layers>/S<steps>`, each {mean, low, high, n, networks}: the mean over
    the networks of that depth, and the hull of their intervals, so that a claim about a depth holds
    for each of its networks."""
    others = {(e.network.name, e.cell, e.steps): e for e in found}
    statistics: dict[str, Callable[[Entry], dict | None]] = {
        "at_step_0": lambda e: proportion(e.own[0], e.clusters),
        "at_end": lambda e: proportion(e.own[-1], e.clusters),
        "gain": lambda e: difference(e.own[-1], e.own[0], e.clusters),
        "over_uninformative": lambda e: difference(e.own[-1], e.one["B"], e.clusters),
        "over_one_refinement": lambda e: difference(e.own[-1], e.one["F"], e.clusters),
        "truth": lambda e: proportion(e.one["T"], e.clusters),
        "posterior_ahead": lambda e: e.phase().intervals.get("E - A"),
        "passes_needed": passes_interval,
        "over_twin": lambda e: _over(e, others, f"L{e.network.layers}-twin", 1),
        "over_exact": lambda e: _over(e, others, "exact", e.steps),
    }
    groups = defaultdict(list)
    for entry in found:
        if entry.network.kind == "plain":
            groups[entry.cell, entry.network.layers, entry.steps].append(entry)
    return {
        f"{cell}/L{layers}/S{steps}": {
            name: hull(values)
            for name, statistic in statistics.items()
            if all(values := [statistic(entry) for entry in group])
        }
        for (cell, layers, steps), group in groups.items()
    }


def passes_interval(entry: Entry) -> dict:
    """K with its bootstrap interval; one more than were tried stands for more."""
    found = entry.passes()
    counts = {k or MOST_PASSES + 1: share for k, share in found.shares.items()}
    ordered = sorted(counts)
    reached = np.cumsum([counts[k] for k in ordered])
    low, high = (
        ordered[min(np.searchsorted(reached, q), len(ordered) - 1)] for q in (0.025, 0.975)
    )
    mean = found.least or MOST_PASSES + 1
    return {"mean": mean, "low": min(low, mean), "high": max(high, mean), "n": entry.n}


def _over(entry: Entry, others: dict, name: str, steps: int) -> dict | None:
    """A_S minus that of another on the same samples and seeds; None without it."""
    whole = name if name == "exact" else f"{entry.network.puzzle}-{name}"
    other = others.get((whole, entry.cell, steps))
    if other is None or other.n != entry.n:
        return None
    return difference(entry.own[-1], other.own[-1], entry.clusters)


def hull(intervals: list[dict]) -> dict:
    """The mean of intervals, from the lowest to the highest bound, with the number of runs."""
    return {
        "mean": round(float(np.mean([i["mean"] for i in intervals])), 4),
        "low": min(i["low"] for i in intervals),
        "high": max(i["high"] for i in intervals),
        "n": sum(i["n"] for i in intervals),
        "networks": len(intervals),
    }


def contrast(one: dict, other: dict) -> dict:
    """One independent mean minus another, from their intervals (Zou & Donner 2008)."""
    mean = one["mean"] - other["mean"]
    down = np.hypot(one["mean"] - one["low"], other["high"] - other["mean"])
    up = np.hypot(one["high"] - one["mean"], other["mean"] - other["low"])
    bounds = {"mean": mean, "low": mean - down, "high": mean + up}
    return {k: round(float(v), 4) for k, v in bounds.items()} | {"n": min(one["n"], other["n"])}


def contrasts(strata: dict[str, dict], asked: dict[str, list]) -> dict[str, dict]:
    """Named differences of a statistic between two strata, for claims about trends.

    Args:
        asked: by name: [statistic, one stratum, another stratum]; left out if not measured.
    """
    found = {}
    for name, (statistic, one, other) in asked.items():
        values = [strata.get(key, {}).get(statistic) for key in (one, other)]
        if all(values):
            found[name] = contrast(*values)
    return found
