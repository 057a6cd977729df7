"""From rows of `runs` to the table: shares of valid answers, paired differences, recognition.

Every statistic is of one cell, on its test samples, and paired by sample. Validation samples, with
other noises, decide three things: whether a cell has headroom, and which of our own strategies and
which rival stand for their kind there.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from ...measures.intervals import NOTHING, difference, proportion
from ...sampling.arms import Arm
from .. import summaries
from .recognition import auroc, curve
from .runs import LEVEL, LEVELS
from .strategies import Strategy, strategies

HEADROOM = (0.05, 0.95)  # valid single runs on validation samples
DIFFERENCES = {  # of equal evaluations where `nfe` says so
    "paper_recipe_minus_single": ("paper_recipe", "single"),
    "recipe_vote_minus_vote": ("recipe_vote", "vote_3"),
    "recipe_window_minus_single": ("recipe_window", "single"),
    "recipe_window_minus_stranger": ("recipe_window", "recipe_stranger"),
    "merge_minus_single": ("x0_merge", "single"),
    "merge_minus_vote": ("x0_merge", "vote_3"),
    "merge_minus_stranger": ("x0_merge", "x0_stranger"),
    "recognised_minus_single": ("recognised_3", "single"),
    "renoise_minus_single": ("refined", "single"),
    "checked_renoise_minus_choice": ("refined_checked", "fewest_violations_3"),
    "stochastic_minus_single": ("stochastic", "single"),
    "more_steps_minus_single": ("more_steps_3", "single"),
}
ALONG_K = ("vote", "recognised", "x0_merge", "pass_at")

Samples = dict[int, dict[str, dict]]  # the results of every design, by sample


def summary(rows: Sequence[dict], arms: Mapping[str, Arm], schedule: dict) -> dict:
    """What the figures report and claims rest on.

    Args:
        arms: by design.
        schedule: a schedule's record.
    """
    lines, steps = strategies(arms), schedule["steps"]
    nfe = {name: how.nfe(arms[how.design], steps) for name, how in lines.items()}
    cells = {}
    for cell, own in summaries.by_cell(rows).items():
        test, validation = (_samples(own, split) for split in ("test", "validation"))
        cells[cell] = _cell(test, validation, lines, nfe)
    known = lines.items()
    return {
        "cells": cells,
        "sigmas": schedule["sigmas"],
        "steps": steps,
        "nfe": nfe,
        "k": {name: how.k for name, how in known},
        "blind": {name: how.blind for name, how in known},
        "roles": {name: how.role for name, how in known},
        "level": LEVEL,
    }


def _cell(test: Samples, validation: Samples, lines: Mapping[str, Strategy], nfe: dict) -> dict:
    """The statistics of a cell. Differences carry `nfe`, the evaluations of either strategy."""
    own, rival = (best(validation, lines, role) for role in ("own", "rival"))
    pairs = DIFFERENCES | {"best_minus_rival": (own, rival)}
    found = {name: _share(test, how) for name, how in lines.items()}
    return found | {
        "headroom": headroom(validation),
        "minus_single": {n: minus(test, lines, n, "single") for n in lines if n != "single"},
        **{
            name: minus(test, lines, *pair) | {"nfe": [nfe.get(each) for each in pair]}
            for name, pair in pairs.items()
        },
        "best": own,
        "rival": rival,
        "on_validation": {
            name: minus(validation, lines, name, "single")
            for name, how in lines.items()
            if how.role != "control"
        },
        "along_k": along_k(test, lines),
        **_recognition(test),
    }


def _samples(rows: Sequence[dict], split: str) -> Samples:
    found: Samples = defaultdict(dict)
    for row in rows:
        if row["run"]["split"] == split:
            found[row["run"]["index"]][row["run"]["design"]] = row["result"]
    return dict(sorted(found.items()))


def outcomes(samples: Samples, how: Strategy) -> dict[int, bool]:
    """Whether the answer of a strategy is valid, by sample; only of samples that have its row."""
    found = {i: how.valid(of[how.design]) for i, of in samples.items() if how.design in of}
    return {i: valid for i, valid in found.items() if valid is not None}


def minus(
    samples: Samples, lines: Mapping[str, Strategy], first: str | None, second: str | None
) -> dict:
    """The share of valid answers of one strategy minus that of another, on the samples that have
    both, as `intervals.difference`; nothing if one of the two is None."""
    if first is None or second is None:
        return NOTHING | {"clusters": 0}
    ours, theirs = (outcomes(samples, lines[name]) for name in (first, second))
    shared = [i for i in ours if i in theirs]
    values = ([of[i] for i in shared] for of in (ours, theirs))
    return difference(*values, _clusters(samples, shared))


def best(samples: Samples, lines: Mapping[str, Strategy], role: str) -> str | None:
    """The blind strategy of a role with the largest mean gain over single runs; the first of
    equals; None if none was run."""
    gains = {
        name: minus(samples, lines, name, "single")["mean"]
        for name, how in lines.items()
        if how.role == role and how.blind
    }
    known = {name: gain for name, gain in gains.items() if gain is not None}
    return max(known, key=known.get, default=None)


def headroom(validation: Samples) -> dict:
    """The share of valid single runs on validation samples, and whether that leaves `room`."""
    runs = [(i, v) for i, of in validation.items() for v in of["single"]["valids"]]
    share = proportion([v == "1" for _, v in runs], _clusters(validation, [i for i, _ in runs]))
    low, high = HEADROOM
    return share | {"room": share["n"] > 0 and low <= share["mean"] <= high}


def along_k(test: Samples, lines: Mapping[str, Strategy]) -> dict:
    """Gains over single runs with 3 and 9 runs, by family, on the samples that have nine."""
    deep = {i: of for i, of in test.items() if len(of["single"]["answers"]) >= 9}
    return {
        family: [
            minus(deep, lines, f"{family}_{k}" if f"{family}_{k}" in lines else family, "single")
            for k in (3, 9)
        ]
        for family in ALONG_K
    }


def _recognition(test: Samples) -> dict:
    """`recognition_within`, of pairs of runs of one sample, at the level that strategies use: what
    is claimed; `recognition_auroc`, of all pairs, in which samples that are hard and look so count,
    too; that `auroc_at` every level; and its curve, `roc`."""
    test = {i: of for i, of in test.items() if "errors" in of["single"]}
    runs = [(i, j) for i, of in test.items() for j in range(len(of["single"]["answers"]))]
    valid = [test[i]["single"]["valids"][j] == "1" for i, j in runs]
    clusters = _clusters(test, [i for i, _ in runs])
    errors = {
        level: [test[i]["single"]["errors"][number][j] for i, j in runs]
        for number, level in enumerate(LEVELS)
    }
    return {
        "recognition_auroc": auroc(errors[LEVEL], valid, clusters),
        "recognition_within": auroc(errors[LEVEL], valid, clusters, [i for i, _ in runs]),
        "auroc_at": {str(level): auroc(own, valid, clusters) for level, own in errors.items()},
        "roc": curve(errors[LEVEL], valid),
    }


def _share(samples: Samples, how: Strategy) -> dict:
    found = outcomes(samples, how)
    return proportion(np.array([*found.values()], bool), _clusters(samples, [*found]))


def _clusters(samples: Samples, indices: Sequence[int]) -> list[str]:
    return [samples[i]["single"]["sample"]["cluster"] for i in indices]
