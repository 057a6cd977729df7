"""Statistics by stratum, depth and number of steps: what claims are judged by."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from ...measures.intervals import difference, proportion
from ...measures.phases import FAILURE
from .entries import Entry


def strata(found: list[Entry]) -> dict[str, dict]:
    """Statistics by `cell/L<layers>/S<steps>`, each {mean, low, high, n, networks}: the mean over
    the networks of that depth, and the hull of their intervals, so that a claim about a depth holds
    for each of its networks.

    Returns:
        `at_step_0`, `at_end`, `gain` (A_S - A_0), `over_uninformative` (A_S - B),
        `over_one_refinement` (A_S - F), `posterior_ahead` (E - A), `over_all_rivals` (of these
        three the one of lowest bound: more than the margin is what a chain must have), `truth`
        (T), `passes_needed` (K, where it is no failure), `over_twin`, `over_exact`;
        `fresh_noise_minus_path` (I_k - A_S with k = S: as many passes at one level as steps, from
        the same first estimate); and `exact_at_step_0` and `exact_at_end` of the exact posterior,
        which is one network.
    """
    others = {(e.network.name, e.cell, e.steps): e for e in found}
    statistics: dict[str, Callable[[Entry], dict | None]] = {
        "at_step_0": lambda e: proportion(e.own[0], e.clusters),
        "at_end": lambda e: proportion(e.own[-1], e.clusters),
        "gain": lambda e: difference(e.own[-1], e.own[0], e.clusters),
        "over_uninformative": lambda e: difference(e.own[-1], e.one["B"], e.clusters),
        "over_one_refinement": lambda e: difference(e.own[-1], e.one["F"], e.clusters),
        "posterior_ahead": lambda e: e.phase().intervals.get("E - A"),
        "over_all_rivals": over_all_rivals,
        "truth": lambda e: proportion(e.one["T"], e.clusters),
        "passes_needed": passes_interval,
        "over_twin": lambda e: _over(e, others, f"L{e.network.layers}-twin", 1),
        "over_exact": lambda e: _over(e, others, "exact", e.steps),
        "fresh_noise_minus_path": fixed_minus_path,
    }
    rows = {}
    for (cell, layers, steps), group in plain(found).items():
        known = {name: [of(entry) for entry in group] for name, of in statistics.items()}
        if exact := others.get(("exact", cell, steps)):
            known["exact_at_step_0"] = [proportion(exact.own[0], exact.clusters)]
            known["exact_at_end"] = [proportion(exact.own[-1], exact.clusters)]
        hulls = {name: hull(values) for name, values in known.items() if all(values)}
        rows[f"{cell}/L{layers}/S{steps}"] = hulls
    return rows


def plain(found: list[Entry]) -> dict[tuple[str, int, int], list[Entry]]:
    """The entries of plain networks by cell, depth and number of steps."""
    groups = defaultdict(list)
    for entry in found:
        if entry.network.kind == "plain":
            groups[entry.cell, entry.network.layers, entry.steps].append(entry)
    return dict(groups)


def room(found: list[Entry]) -> dict[str, dict]:
    """The share of valid answers at step 0 on validation samples, by the same names: its mean over
    the networks of that depth, with the hull of their intervals."""
    return {
        f"{cell}/L{layers}/S{steps}": hull([e.room() for e in group])
        for (cell, layers, steps), group in plain(found).items()
    }


def fixed_minus_path(entry: Entry) -> dict | None:
    """I_S minus A_S; None if fewer passes than steps were tried."""
    if not 2 <= entry.steps <= len(entry.curve):
        return None
    return difference(entry.curve[entry.steps - 1], entry.own[-1], entry.clusters)


def over_all_rivals(entry: Entry) -> dict | None:
    """Of A_S - B, A_S - F and E - A the one of lowest bound; None if the posterior is unknown."""
    intervals = entry.phase().intervals
    if "E - A" not in intervals:
        return None
    rivals = (intervals[name] for name in ("A_S - B", "A_S - F", "E - A"))
    return min(rivals, key=lambda interval: interval["low"])


def passes_interval(entry: Entry) -> dict | None:
    """K with its bootstrap interval; one more than were tried stands for more. Without room only
    two were. None where the network fails: any number of passes does that."""
    if proportion(entry.own[-1], entry.clusters)["high"] < FAILURE:
        return None
    found, more = entry.passes(), len(entry.curve) + 1
    counts = {k or more: share for k, share in found.shares.items()}
    ordered = sorted(counts)
    reached = np.cumsum([counts[k] for k in ordered])
    low, high = (
        ordered[min(np.searchsorted(reached, q), len(ordered) - 1)] for q in (0.025, 0.975)
    )
    mean = found.least or more
    return {"mean": mean, "low": min(low, mean), "high": max(high, mean), "n": entry.n}


def _over(entry: Entry, others: dict, name: str, steps: int) -> dict | None:
    """A_S minus that of another on the same samples and seeds; None without it."""
    whole = name if name == "exact" else f"{entry.network.puzzle}-{name}"
    other = others.get((whole, entry.cell, steps))
    if other is None:
        return None
    n = min(entry.n, other.n)  # the first samples of the list are the same
    return difference(entry.own[-1][:n], other.own[-1][:n], entry.clusters[:n])


def hull(intervals: list[dict]) -> dict:
    """The mean of intervals, from the lowest to the highest bound, with the number of runs and of
    networks, and of the canonical states of the network that has fewest."""
    states = [i["clusters"] for i in intervals if "clusters" in i]
    return {
        "mean": round(float(np.mean([i["mean"] for i in intervals])), 4),
        "low": min(i["low"] for i in intervals),
        "high": max(i["high"] for i in intervals),
        "n": sum(i["n"] for i in intervals),
        "networks": len(intervals),
    } | ({"clusters": min(states)} if states else {})


def contrast(one: dict, other: dict) -> dict:
    """One independent mean minus another, from their intervals (Zou & Donner 2008)."""
    mean = one["mean"] - other["mean"]
    down = np.hypot(one["mean"] - one["low"], other["high"] - other["mean"])
    up = np.hypot(one["high"] - one["mean"], other["mean"] - other["low"])
    bounds = {"mean": mean, "low": mean - down, "high": mean + up}
    counts = ("n", "networks", "clusters")
    return {k: round(float(v), 4) for k, v in bounds.items()} | {
        k: min(one[k], other[k]) for k in counts if k in one and k in other
    }


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


def scratchpads(strata: dict[str, dict]) -> dict[str, dict]:
    """For each relay stratum whose route is drawn, and whose other self has only its end marked:
    `gain_minus_end_only` and `at_end_minus_end_only`, what the working adds to the gain of the
    steps and to the share of valid answers at the end. The boards are other ones, so not paired."""
    found = {}
    for name, drawn in strata.items():
        only_end = strata.get(name.replace("relay ", "relay_end ", 1), {})
        if name.startswith("relay ") and only_end:
            found[name] = {
                f"{statistic}_minus_end_only": contrast(drawn[statistic], only_end[statistic])
                for statistic in ("gain", "at_end")
            }
    return found


def joined(*parts: dict[str, dict]) -> dict[str, dict]:
    """Strata of several sources as one, the statistics of a name together."""
    found = defaultdict(dict)
    for part in parts:
        for name, statistics in part.items():
            found[name] |= statistics
    return dict(found)
