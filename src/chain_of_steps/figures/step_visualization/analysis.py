"""From rows to numbers, by cell: what is valid, present, violated and revised along the steps; and
how much of it a posterior mean does as well."""

from collections.abc import Callable, Sequence
from operator import itemgetter

import numpy as np

from ...measures import decisions
from ...measures.intervals import clustered, proportion, unpaired
from ...measures.traces import decoded, unflagged
from ..summaries import by_cell, clusters, mean, of_design, paired, share
from . import commits, nulls

NULLS = ("exact", "calibrated")
KINDS = decisions.Revisions._fields
STAGED = "latin_staged"  # the same puzzle, whose cells appear round by round
SEVERAL = 1.5  # possible values per open part: halfway from two to one
CURVES = {"valid_at": proportion, "violations_at": clustered, "drawn_at": None, "present_at": None}


def summary(rows: list[dict], rooms: list[dict], sigmas: Sequence[float]) -> dict:
    """What the figure reports.

    Args:
        rows: of `StepVisualization`; those of pictures are left out.
        rooms: of `Room`.
        sigmas: noise levels of the schedule.

    Returns:
        `cells`: by cell, {mean, low, high, n} by name, and `curves` by step; `room`: by cell, the
        share of validation samples that are valid at step 0; `sigmas`.
    """
    groups = by_cell(of_design(rows, "clean"))
    cells = {cell: of_cell(group, sigmas) for cell, group in groups.items()}
    for cell, found in cells.items():
        if other := cells.get(cell.replace(STAGED, "latin")) if STAGED in cell else None:
            for name in ("at_step_0", "at_end"):
                found[f"{name}_minus_together"] = unpaired(found[name], other[name])
    return {
        "cells": cells,
        "room": {
            cell: share(group, lambda r: r["valid"]) for cell, group in by_cell(rooms).items()
        },
        "sigmas": [round(sigma, 4) for sigma in sigmas],
    }


def of_cell(rows: list[dict], sigmas: Sequence[float]) -> dict:
    """All numbers of one cell; every row has `traced`."""
    first = rows[0]["result"]
    found = {
        "stratum": first["sample"]["stratum"],
        "answers": mean(rows, lambda r: r["sample"]["answers"]),
        **_decided(rows),
        **_present(rows, sigmas),
        **_revised(rows),
        **commits.committed(rows, sigmas),
        "curves": curves(rows, lambda r: r),
    }
    if all("decided_by_frame" in row["result"] for row in rows):
        found |= commits.by_frame(rows)
    for null in NULLS:
        if known := [row for row in rows if null in row["result"]]:
            found |= _against(known, null, sigmas)
    return found


def _decided(rows: list[dict]) -> dict:
    """What is valid, and what is drawn."""
    return {
        "at_step_0": share(rows, lambda r: r["valid_at"][0] == "1"),
        "at_end": share(rows, lambda r: r["valid_at"][-1] == "1"),
        "drawn_at_step_0": share(rows, lambda r: r["drawn_at"][0] == "1"),
        "drawn_at_end": share(rows, lambda r: r["drawn_at"][-1] == "1"),
        "gain": paired(rows, lambda r: r["valid_at"][-1] == "1", lambda r: r["valid_at"][0] == "1"),
        "violations_at_step_0": mean(rows, lambda r: r["violations_at"][0]),
        "violations_at_end": mean(rows, lambda r: r["violations_at"][-1]),
        "violations_removed": mean(rows, lambda r: r["violations_at"][0] - r["violations_at"][-1]),
    }


def collapse_sigma(trace: dict, sigmas: Sequence[float]) -> float:
    """The noise level at which the possible values that open parts show, on average, first fall
    below `SEVERAL`, between two steps by linear interpolation. NaN if they never do."""
    step = decisions.falls_below(trace["present_at"], SEVERAL)
    return float(np.interp(step, range(len(sigmas)), sigmas))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def above_chance(trace: dict) -> float:
    """The share of parts that are pruned, minus that with another board's possible values."""
    return _number(trace["pruned_share"]) - _number(trace["pruned_share_other"])


def _present(rows: list[dict], sigmas: Sequence[float]) -> dict:
    return {
        "pruned": share(rows, lambda r: r["pruned"]),
        "pruned_share": mean(rows, lambda r: r["pruned_share"]),
        "pruned_share_other": mean(rows, lambda r: r["pruned_share_other"]),
        "pruned_share_minus_other": mean(rows, above_chance),
        "collapse_sigma": mean(rows, lambda r: collapse_sigma(r, sigmas)),
        "present_at_step_0": mean(rows, lambda r: r["present_at"][0]),
        "present_at_end": mean(rows, lambda r: r["present_at"][-1]),
    }


def _against(rows: list[dict], null: str, sigmas: Sequence[float]) -> dict:
    """A null, and the model minus the null on the same runs."""

    def later(result: dict) -> float:
        return collapse_sigma(result, sigmas) - collapse_sigma(result[null], sigmas)

    found = {
        f"{null}_pruned": share(rows, lambda r: r[null]["pruned"]),
        f"{null}_pruned_share": mean(rows, lambda r: r[null]["pruned_share"]),
        f"{null}_pruned_share_minus_other": mean(rows, lambda r: above_chance(r[null])),
        f"{null}_collapse_sigma": mean(rows, lambda r: collapse_sigma(r[null], sigmas)),
        f"collapse_minus_{null}": mean(rows, later),
        f"{null}_present_at_step_0": mean(rows, lambda r: r[null]["present_at"][0]),
        f"{null}_at_step_0": share(rows, lambda r: r[null]["valid_at"][0] == "1"),
        f"{null}_at_end": share(rows, lambda r: r[null]["valid_at"][-1] == "1"),
        f"at_end_minus_{null}": paired(
            rows, lambda r: r["valid_at"][-1] == "1", lambda r: r[null]["valid_at"][-1] == "1"
        ),
        f"{null}_curves": curves(rows, lambda r: r[null]),
    }
    if null == "calibrated":
        found["seeds_valid"] = mean(rows, lambda r: np.mean(r["other_seeds"]["valid"]))
        found["seeds_entropy"] = mean(rows, lambda r: nulls.entropy(r["other_seeds"]["answers"]))
    return found


def curves(rows: list[dict], trace: Callable[[dict], dict]) -> dict:
    """By step: the mean of every name in `CURVES`, `low` and `high` where there is an interval;
    and `n`.

    Args:
        trace: of a result.
    """
    group, traces = clusters(rows), [trace(row["result"]) for row in rows]
    found: dict = {"n": len(rows)}
    for name, interval in CURVES.items():
        read = unflagged if isinstance(traces[0][name], str) else np.array
        by_step = np.array([read(t[name]) for t in traces], float).T  # (S, n)
        found[name] = {"mean": by_step.mean(1).round(3).tolist()}
        for bound in ("low", "high") if interval else ():
            intervals = (interval(values, group) for values in by_step)
            found[name][bound] = [round(i[bound], 3) for i in intervals]
    return found


def presence(rows: list[dict]) -> dict[str, dict[str, dict]]:
    """The possible values that an open part shows on average, by cell and name of a mean (`model`,
    or a null): {mean, low, high}, each (S,)."""
    found: dict = {}
    for cell, group in by_cell(of_design(rows, "clean")).items():
        ways: dict = {"model": lambda result: result} | {n: itemgetter(n) for n in NULLS}
        found[cell] = {
            name: _present_at(known, of)
            for name, of in ways.items()
            if (known := [r for r in group if name == "model" or name in r["result"]])
        }
    return found


def _present_at(rows: list[dict], trace: Callable[[dict], dict]) -> dict:
    by_step = np.array([trace(row["result"])["present_at"] for row in rows], float).T  # (S, n)
    intervals = [clustered(values, clusters(rows)) for values in by_step]
    return {bound: [each[bound] for each in intervals] for bound in ("mean", "low", "high")}


# Revisions.


def revised(result: dict, what: str = "held") -> decisions.Revisions:
    """The revisions of a run, from the values that its open parts hold at each step.

    Args:
        what: `held`, or only those held `firm`ly.
    """
    opened = commits.rounds(result) != 0  # a clue is copied, not worked out
    held, reference = decoded(result[what]), decoded([result["reference"]])[0]
    return decisions.changes(held[:, opened], reference[opened])


def _revised(rows: list[dict]) -> dict:
    """Revisions per run; firm ones where the answer is unique, as there right and wrong do not
    depend on which answer the run ends on."""
    found = {name: mean(rows, lambda r, name=name: getattr(revised(r), name)) for name in KINDS}
    found["corrections"] = mean(
        rows, lambda r: revised(r).wrong_to_right - revised(r).right_to_wrong
    )
    unique = [row for row in rows if row["result"]["sample"]["answers"] == 1]
    return found | {
        "firm_wrong_to_right": mean(unique, lambda r: revised(r, "firm").wrong_to_right),
        "firm_right_to_wrong": mean(unique, lambda r: revised(r, "firm").right_to_wrong),
        "firm_corrected": share(unique, lambda r: revised(r, "firm").wrong_to_right > 0),
    }
