"""From rows to numbers, by cell: what is valid, present and violated at each step; when it is
decided, in which order; and how much of it a posterior mean does as well."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from ...measures import decisions
from ...measures.decisions import NEVER
from ...measures.intervals import clustered, proportion
from ...measures.traces import decoded, unflagged
from ..summaries import by_cell, clusters, mean, of_design, paired, share
from . import nulls

NULLS = ("exact", "calibrated")
KINDS = decisions.Revisions._fields
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
    return {
        "cells": {cell: of_cell(group, sigmas) for cell, group in groups.items()},
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
        **_present(rows),
        **_revised(rows),
        **_committed(rows, sigmas),
        "curves": curves(rows, lambda r: r),
    }
    if all("decided_by_frame" in row["result"] for row in rows):
        found |= _frames(rows)
    for null in NULLS:
        if known := [row for row in rows if null in row["result"]]:
            found |= _against(known, null)
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


def superposed(trace: dict) -> bool:
    """Whether a part shows two or more possible values at some step."""
    return max(trace["several_at"]) > 0


def _present(rows: list[dict]) -> dict:
    return {
        "pruned": share(rows, lambda r: r["pruned"]),
        "superposed": share(rows, superposed),
        "present_at_step_0": mean(rows, lambda r: r["present_at"][0]),
        "present_at_end": mean(rows, lambda r: r["present_at"][-1]),
    }


def _against(rows: list[dict], null: str) -> dict:
    """A null, and the model minus the null on the same runs."""
    found = {
        f"{null}_pruned": share(rows, lambda r: r[null]["pruned"]),
        f"{null}_superposed": share(rows, lambda r: superposed(r[null])),
        f"pruned_minus_{null}": paired(rows, lambda r: r["pruned"], lambda r: r[null]["pruned"]),
        f"{null}_present_at_step_0": mean(rows, lambda r: r[null]["present_at"][0]),
        f"{null}_at_step_0": share(rows, lambda r: r[null]["valid_at"][0] == "1"),
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


# Revisions.


def revised(result: dict) -> decisions.Revisions:
    """The revisions of a run, from the values held at each step."""
    return decisions.changes(decoded(result["held"]), decoded([result["reference"]])[0])


def _revised(rows: list[dict]) -> dict:
    found = {name: mean(rows, lambda r, name=name: getattr(revised(r), name)) for name in KINDS}
    corrections = mean(rows, lambda r: revised(r).wrong_to_right - revised(r).right_to_wrong)
    return found | {"corrections": corrections}


# When, and in which order.


def _rounds(result: dict) -> np.ndarray:
    """The propagation round of each part, (P,); NaN where there is none."""
    return np.array(result["part_rounds"], float)


def commit_sigma(result: dict, sigmas: Sequence[float]) -> float:
    """The noise level at which the whole answer is decided for good; NaN if a part never is."""
    return float(decisions.in_sigma(decisions.commit_step(decoded(result["decided"])), sigmas))


def order(result: dict) -> float:
    """Spearman correlation of commit step and propagation round over the parts of a run."""
    return decisions.commit_order(decoded(result["decided"]), _rounds(result))


def _committed(rows: list[dict], sigmas: Sequence[float]) -> dict:
    return {
        "commit_sigma": mean(rows, lambda r: commit_sigma(r, sigmas)),
        "commits": share(rows, lambda r: not np.isnan(commit_sigma(r, sigmas))),
        "order": mean(rows, order),
        "commit_by_round": _by_round(rows),
    }


def _by_round(rows: list[dict]) -> dict[str, dict]:
    """The mean commit step of the parts of each propagation round, from round 1 on."""
    steps, owners = defaultdict(list), defaultdict(list)
    for row, cluster in zip(rows, clusters(rows), strict=True):
        committed = decisions.commit_steps(decoded(row["result"]["decided"]))
        rounds = _rounds(row["result"])
        for step, number in zip(committed, rounds, strict=True):
            if number >= 1 and step != NEVER:
                steps[int(number)].append(step)
                owners[int(number)].append(cluster)
    return {str(number): clustered(steps[number], owners[number]) for number in sorted(steps)}


# By frame.


def commit_by_frame(result: dict, everywhere: bool = False) -> np.ndarray:
    """The commit step of each latent frame's decided answer, (F,): that of the last of its open
    parts. NaN for the given frame, and where no part commits.

    Args:
        everywhere: only parts that commit in every frame that can be read. Cells that appear in
            rounds are missing in early frames, so fewer parts have to commit there.
    """
    frames = np.array([decoded(texts) for texts in result["decided_by_frame"]])  # (F, S, P)
    steps = np.array([decisions.commit_steps(decided) for decided in frames])  # (F, P)
    counts = (steps != NEVER) & (_rounds(result) != 0)  # round 0: a clue, given
    counts[0] = False  # the given frame
    if everywhere:
        counts &= counts[counts.any(1)].all(0)
    last = np.where(counts, steps, NEVER).max(1)
    return np.where(last == NEVER, np.nan, last)


def frame_slope(result: dict, everywhere: bool = False) -> float:
    """The slope of commit step over latent frame, in steps per frame. Chain-of-Frames predicts that
    early frames commit first: above 0. NaN with fewer than two frames that commit, or where all do
    at step 0, which cannot distinguish the two."""
    steps = commit_by_frame(result, everywhere)
    known = np.flatnonzero(~np.isnan(steps))
    if len(known) < 2 or not steps[known].any():
        return float("nan")
    return float(np.polyfit(known, steps[known], 1)[0])


def _frames(rows: list[dict]) -> dict:
    late = [row for row in rows if not np.isnan(frame_slope(row["result"]))]
    count = len(rows[0]["result"]["decided_by_frame"])
    return {
        "frame_slope": mean(rows, frame_slope),
        "frame_slope_same_parts": mean(rows, lambda r: frame_slope(r, everywhere=True)),
        "commit_by_frame": {
            str(f): mean(late, lambda r, f=f: commit_by_frame(r)[f]) for f in range(1, count)
        },
    }
