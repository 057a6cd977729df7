"""From rows to the phase diagram: what the steps of every network do on every kind of samples."""

from collections import Counter, defaultdict

import numpy as np

from ...measures.phases import PHASES
from . import path_analysis, strata
from .entries import Entry, entries

__all__ = ["agreed", "entries", "equal_work", "metrics", "record", "scratchpad", "summary"]


def summary(found: list[Entry]) -> dict:
    """All that the figures and the claims need.

    Returns:
        `cells`: a record for each plain network, cell and number of steps (`record`). `wide`,
        `exact`, `training`: the same of wide networks, the exact posterior, weights stored during
        training. `diagram`: what the networks of a depth agree on (`agreed`). `strata`: statistics
        by cell, depth and steps, for the claims (`strata.strata`). `room`, by the
        same names. `at_one_level`: steps against passes. `scratchpad`: `scratchpad`.
    """
    others = {(e.network.name, e.cell, e.steps): e for e in found}
    by_kind = defaultdict(list)
    for entry in found:
        if entry.network.kind != "twin":
            by_kind[entry.network.kind].append(record(entry, others))
    cells = by_kind["plain"]
    return {
        "cells": cells,
        "wide": by_kind["wide"],
        "exact": by_kind["exact"],
        "training": by_kind["earlier"] + cells,
        "diagram": agreed(cells),
        "strata": strata.strata(found),
        "room": strata.room(found),
        "at_one_level": path_analysis.at_one_level(found),
        "scratchpad": scratchpad(cells, found),
    }


def record(entry: Entry, others: dict[tuple, Entry]) -> dict:
    """One entry as plain numbers: shares of valid answers; K, or None if no number of passes does;
    the share of the twin at step 0, None without one; and the intervals behind them."""
    judged, passes = entry.phase(), entry.passes()
    exact = others.get(("exact", entry.cell, entry.steps))
    twin = others.get((f"{entry.network.puzzle}-L{entry.network.layers}-twin", entry.cell, 1))
    unique = entry.rounds is not None
    return {
        "task": entry.task,
        "stratum": f"unique/{entry.rounds}" if unique else f"several/{entry.log2}",
        "rounds": entry.rounds,
        "log2_answers": entry.log2,
        "layers": entry.network.layers,
        "seed": entry.network.seed,
        "steps": entry.steps,
        "n": entry.n,
        "at_step_0": _share(entry.own[0]),
        "at_end": _share(entry.own[-1]),
        "exact_at_step_0": _share(exact.own[0]) if exact else None,
        "exact_at_end": _share(exact.own[-1]) if exact else None,
        "uninformative": _share(entry.one["B"]),
        "one_refinement": _share(entry.one["F"]),
        "truth": _share(entry.one["T"]),
        "passes_needed": passes.least,
        "twin": _share(twin.own[-1]) if twin else None,
        "phase": judged.label,
        "intervals": {
            "at_step_0": judged.intervals["A_0"],
            "at_end": judged.intervals["A_S"],
            "gain": judged.intervals["A_S - A_0"],
            "over_uninformative": judged.intervals["A_S - B"],
            "over_one_refinement": judged.intervals["A_S - F"],
            "posterior_ahead": judged.intervals.get("E - A"),
            "phase_shares": judged.shares,
            "passes_by_interval": passes.by_interval,
            "passes_shares": {str(k): share for k, share in passes.shares.items()},
            "share_of_training": entry.network.share,
            "width": entry.network.width,
            "cell": entry.cell,
        },
    }


def _share(valid: np.ndarray) -> float:
    return round(float(np.mean(valid)), 4)


def agreed(cells: list[dict]) -> list[dict]:
    """What the networks of a depth agree on, by cell, number of steps and share of training.

    Returns:
        `phase`, the label of most networks (of equals the earlier phase); `labels`, how often each
        occurs; `sure`, the mean share of bootstrap samples that give the label; and the mean shares
        of valid answers at step 0 and at the end.
    """
    groups = defaultdict(list)
    for each in cells:
        more = each["intervals"]
        groups[more["cell"], each["layers"], each["steps"], more["share_of_training"]].append(each)
    found = []
    for (cell, layers, steps, trained), group in groups.items():
        counts = Counter(each["phase"] for each in group)
        label = max(PHASES, key=lambda name: counts[name])  # the first of equals
        sure = [each["intervals"]["phase_shares"].get(label, 0.0) for each in group]
        found.append(
            {"cell": cell, "layers": layers, "steps": steps, "phase": label}
            | {
                "share_of_training": trained,
                "labels": dict(counts),
                "sure": round(float(np.mean(sure)), 3),
            }
            | {"networks": len(group), "n": sum(each["n"] for each in group)}
            | {k: round(float(np.mean([e[k] for e in group])), 4) for k in ("at_step_0", "at_end")}
        )
    return found


def scratchpad(cells: list[dict], found: list[Entry]) -> list[dict]:
    """Relay with the route drawn and with its end only, by depth, steps and moves: shares at step 0
    and at the end, and what guessing among the ends would give."""
    chance = {e.cell: e.row["result"]["chance"] for e in found}
    kept = ("task", "rounds", "layers", "seed", "steps", "n", "at_step_0", "at_end")
    return [
        {name: each[name] for name in kept} | {"chance": chance[each["intervals"]["cell"]]}
        for each in cells
        if each["task"].startswith("relay")
    ]


def equal_work(cells: list[dict], works: list[int]) -> list[dict]:
    """Records whose blocks x steps is one of `works`: the same work spent in depth or in steps."""
    return [c | {"work": w} for c in cells if (w := c["layers"] * c["steps"]) in works]


def metrics(
    found: dict,
    laws: dict[str, dict | None],
    paths: list[dict],
    pictures: dict,
    asked: dict,
) -> dict:
    """What is published: `summary` with the laws, the paths, the picture models and the contrasts,
    and under `strata` all that the claims read.

    Args:
        pictures: the `summary` of picture models.
        laws: of `law.law`, by family.
        paths: of `path_analysis.curves`.
        asked: contrasts, see `strata.contrasts`.
    """
    known = {name: dict(each) for name, each in laws.items() if each}
    for each in known.values():
        del each["points"]
    kept = ("constant", "held_out_error")
    lawful = {f"law/{name}": {k: each[k] for k in kept} for name, each in known.items()}
    own = found["strata"]
    contrasts = strata.contrasts(own, asked)
    trends = {name: {"difference": value} for name, value in contrasts.items()}
    more = strata.scratchpads(own), path_analysis.strata(paths), lawful, trends
    return {
        **found,
        "training": agreed(found["training"]),
        "law": known,
        "path_or_passes": paths,
        "pictures": pictures["cells"],
        "contrasts": contrasts,
        "strata": strata.joined(own, *more),
    }
