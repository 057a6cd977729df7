"""From rows of the layer experiments to numbers: flip rates, energy curves, and what linear probes
can read."""

import numpy as np
import pandas as pd

from ...measures.intervals import interval, interval_of
from ...measures.linear_probes import FLOORS

CLEAR = 0.1  # evidence by which one answer must lead the other
CURVES = ("norm", "channel_variance", "temporal")
CHANCE, RISE = (
    0.5,
    0.9,
)  # balanced accuracy of a guess; share of a probe's rise above it that counts as all of it
PLACE = ["task", "index", "step", "variant", "where", "donor"]
FOUND = ["layer", "moved", "flip", "kept", "final_flip", "final_kept"]
COUNTS = ("hits", "positives", "rejections", "negatives")


def swaps(rows: list[dict]) -> pd.DataFrame:
    """One line per swap and layer, of pairs whose two clean runs answer correctly and differently.

    Columns, NaN where not computed: task (with suffix `_exchanged` where the things, not the
    prompt, differ), index, step, variant, where, donor, layer, `moved`, `flip` and `kept` (the
    clean estimate of that step shows the donor's, or still its own answer), `final_flip` and
    `final_kept`.
    """
    lines = []
    for row in rows:
        run, result = row["run"], row["result"]
        if run["random"] or result["answers"] != result["right"]:
            continue
        place = {name: run[name] for name in PLACE}
        if run["donor"] == "exchanged":
            place |= {"task": f"{run['task']}_exchanged", "donor": "twin"}
        for k in range(len(result.get("final", result.get("moved")))):
            lines.append(place | {"layer": k} | _estimate(result, k) | _final(result, k))
    return pd.DataFrame(lines, columns=[*PLACE, *FOUND])


def swap_summary(lines: pd.DataFrame, pairs: dict[str, int]) -> dict:
    """Flip rates with intervals by task, step and kind of swap; each kind is named
    `variant-where-donor`.

    Under every kind: lists over layers `flip`, `final_flip`, `final_kept`, `moved`; and `best`,
    `final_best`: the rate at the layer between the first and the last where most pairs flip
    (chosen on one half of the pairs, measured on the other).

    Args:
        pairs: how many of each task were drawn; those that remain, `eligible`, are those whose
            clean runs are right.
    """
    eligible = {task: int(group["index"].nunique()) for task, group in lines.groupby("task")}
    result: dict = {"pairs": pairs, "eligible": eligible}
    for (task, step), group in lines.groupby(["task", "step"]):
        kinds = result.setdefault(task, {}).setdefault(f"step{step}", {})
        for names, kind in group.groupby(["variant", "where", "donor"]):
            kinds["-".join(names)] = _kind(kind)
    return result


def ramps(rows: list[dict], step: int) -> dict:
    """How far a swap at `step` moves that step's clean estimate towards the donor's, `||P_k - A||
    / ||B - A||`: by task and kind (`variant-where`), lists over layers; swaps of all tokens in a
    random network are `random network`."""
    moved: dict = {}
    for run, result in ((row["run"], row["result"]) for row in rows):
        if (
            run["step"] == step
            and run["donor"] == "twin"
            and run["variant"] != "noise"
            and "moved" in result
        ):
            kind = "random network" if run["random"] else f"{run['variant']}-{run['where']}"
            moved.setdefault(run["task"], {}).setdefault(kind, []).append(result["moved"])
    return {
        task: {
            kind: [interval(column) for column in zip(*values, strict=True)]
            for kind, values in kinds.items()
        }
        for task, kinds in moved.items()
    }


def map_of(
    lines: pd.DataFrame, task: str, where: str, held: bool
) -> tuple[np.ndarray, list[int], int]:
    """Flip rates of swaps in a region, (steps, L), the steps, and the number of pairs, the same at
    every step.

    Args:
        held: in the final video, swapped at a step and all later ones; else in the clean estimate
            of the step itself.
    """
    column, variant = ("final_flip", "held") if held else ("flip", "state")
    kind = (lines["task"] == task) & (lines["variant"] == variant) & (lines["donor"] == "twin")
    chosen = lines[kind & (lines["where"] == where)]
    steps = chosen.groupby("index")["step"].nunique()
    chosen = chosen[chosen["index"].isin(steps[steps == steps.max()].index)]
    grid = chosen.pivot_table(column, "step", "layer", "mean")
    return grid.to_numpy(), [int(step) for step in grid.index], int(chosen["index"].nunique())


def energy(rows: list[dict]) -> dict:
    """Mean curves over samples, each (S, 1 + L): norm, channel variance, temporal; and `frames`,
    (S, 1 + L, F)."""
    names = (*CURVES, "frames")
    means = {name: np.mean([row["result"][name] for row in rows], axis=0) for name in names}
    growth = [np.mean(row["result"]["norm"], axis=0) for row in rows]  # (1 + L,)
    return {
        "n": len(rows),
        **{name: np.round(values, 4).tolist() for name, values in means.items()},
        "growth_with_depth": interval([curve[-1] / curve[1] for curve in growth]),
    }


def probes(rows: list[dict]) -> dict:
    """Balanced accuracy of every probe with its interval over samples, {task: {label: {source:
    {step: ...}}}}.

    With `right` and `wrong`, the same apart for runs that end with the right answer and for those
    that do not.
    """
    result: dict = {}
    for row in rows:
        run, found = row["run"], row["result"]
        place = (
            result.setdefault(run["task"], {})
            .setdefault(run["label"], {})
            .setdefault(run["source"], {})
        )
        right = np.array(found["right"], bool)
        for number, step in enumerate(found["step"]):
            counts = {name: found[name][number] for name in COUNTS}
            place[str(step)] = balanced_accuracy(counts, np.ones_like(right)) | {
                "right": balanced_accuracy(counts, right)["mean"],
                "wrong": balanced_accuracy(counts, ~right)["mean"],
            }
    return result


def gains(rows: list[dict]) -> dict:
    """What can be read off each layer's tokens beyond the best floor: {task: {label: {runs:
    [interval by layer]}}}.

    The difference of balanced accuracies at the same step, the best floor chosen step by step,
    averaged over the probed steps; for `all` runs, and apart for those that end `right` and
    `wrong`.
    """
    result: dict = {}
    for task, label in dict.fromkeys((row["run"]["task"], row["run"]["label"]) for row in rows):
        own = [row for row in rows if (row["run"]["task"], row["run"]["label"]) == (task, label)]
        found = {row["run"]["source"]: row["result"] for row in own}
        right = np.array(own[0]["result"]["right"], bool)
        runs = {"all": np.ones_like(right), "right": right, "wrong": ~right}
        curves = {
            name: _gain_by_layer(found, np.flatnonzero(chosen)) for name, chosen in runs.items()
        }
        result.setdefault(task, {})[label] = curves
    return result


def _gain_by_layer(found: dict[str, dict], indices: np.ndarray) -> list[dict]:
    layers = sorted((source for source in found if source.isdigit()), key=int)

    def by_step(source: str, drawn: np.ndarray) -> np.ndarray:  # (steps, ...)
        counts = (
            {name: found[source][name][s] for name in COUNTS}
            for s in range(len(found[source]["step"]))
        )
        return np.stack([accuracy(each, indices[drawn]) for each in counts])

    def gain(layer: str, drawn: np.ndarray) -> np.ndarray:
        floor = np.max([by_step(source, drawn) for source in FLOORS], axis=0)
        return (by_step(layer, drawn) - floor).mean(0)

    return [
        interval_of(lambda drawn, layer=layer: gain(layer, drawn), len(indices)) for layer in layers
    ]


def order(rows: list[dict], task: str, seen: str, decided: str) -> dict:
    """How many layers later a probe reads what is `decided` than what is `seen`, at step 0: the
    difference of the first layers at which a label is read nearly as well as at its best (nine
    tenths of the way up from chance; the input of the first block counts as a layer), with an
    interval over samples, the probes as they are."""
    counts = {label: _by_layer(rows, task, label) for label in (seen, decided)}
    if not all(counts.values()):
        return interval([])

    def onset(label: str, drawn: np.ndarray) -> np.ndarray:
        curve = np.stack([accuracy(layer, drawn) for layer in counts[label]])  # (1 + L, ...)
        enough = CHANCE + RISE * (curve.max(0) - CHANCE)
        return (curve >= enough).argmax(0)

    samples = len(counts[seen][0]["hits"])
    return interval_of(lambda drawn: onset(decided, drawn) - onset(seen, drawn), samples)


def accuracy(counts: dict, drawn: np.ndarray) -> np.ndarray:
    """Balanced accuracy over the tokens of the drawn samples, (..., n) -> (...): mean of
    sensitivity and specificity.

    Args:
        counts: `hits` of `positives` and `rejections` of `negatives`, each (samples,).
    """
    hits, positives, rejections, negatives = (
        np.array(counts[name], float)[drawn].sum(-1) for name in COUNTS
    )
    return 0.5 * (hits / np.maximum(positives, 1.0) + rejections / np.maximum(negatives, 1.0))


def balanced_accuracy(counts: dict, chosen: np.ndarray) -> dict:
    """Of the chosen samples, (n,) bool, with an interval over samples."""
    indices = np.flatnonzero(chosen)
    return interval_of(lambda drawn: accuracy(counts, indices[drawn]), len(indices))


def _by_layer(rows: list[dict], task: str, label: str) -> list[dict]:
    """The counts of a label's probes at step 0, the input of the first block before all layers."""
    wanted = [row for row in rows if row["run"]["task"] == task and row["run"]["label"] == label]
    found = {
        row["run"]["source"]: {name: row["result"][name][0] for name in COUNTS} for row in wanted
    }
    layers = sorted((source for source in found if source.isdigit()), key=int)
    return [found[source] for source in ("input", *layers)] if found else []


def _estimate(result: dict, layer: int) -> dict:
    """What a swap after that layer does to the clean estimate of its step."""
    if "moved" not in result:  # a held swap
        return {}
    lead = result["donor"][layer] - result["own"][layer]
    return {
        "moved": result["moved"][layer],
        "flip": float(lead > CLEAR),
        "kept": float(lead < -CLEAR),
    }


def _final(result: dict, layer: int) -> dict:
    """What the swap does to the final video."""
    if "final" not in result:
        return {}
    own, target = result["right"]
    shown = result["final"][layer]
    return {"final_flip": float(shown == target), "final_kept": float(shown == own)}


def _kind(lines: pd.DataFrame) -> dict:
    layers, result = [group for _, group in lines.groupby("layer")], {}
    for best, flip, others in (
        ("best", "flip", ("moved",)),
        ("final_best", "final_flip", ("final_kept",)),
    ):
        if lines[flip].notna().any():
            result |= {
                name: [interval(group[name]) for group in layers] for name in (flip, *others)
            }
            result[best] = _best(lines, flip)
    return result


def _best(lines: pd.DataFrame, column: str) -> dict:
    """Each half of the pairs is measured at the layer that is best on the other half, the first
    and last left out: what goes into the first is the donor's run, what the last puts out is the
    donor's output."""
    between = lines["layer"].between(1, lines["layer"].max() - 1)
    lines = lines[between] if between.any() else lines
    even = lines["index"] % 2 == 0
    if not even.any() or even.all():
        return interval([]) | {"layers": None}
    values, layers = [], []
    for half in (even, ~even):
        layers.append(int(lines[~half].groupby("layer")[column].mean().idxmax()))
        values.append(lines[half & (lines["layer"] == layers[-1])][column])
    return interval(pd.concat(values)) | {"layers": layers}
