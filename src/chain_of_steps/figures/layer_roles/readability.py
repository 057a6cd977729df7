"""From rows of probes to numbers: what can be read off which layer, beyond which floor, how early.

Accuracy is balanced: the mean over classes of the share of examples read right, so a guess has one
over the number of classes. Intervals draw whole clusters of samples; the probes stay as they are.
"""

from typing import NamedTuple

import numpy as np

from ...measures.intervals import NOTHING, cluster_numbers, resample
from ...measures.linear_probes import FLOORS
from ..summaries import by_cell

ENTERS = ("x", "input", "shuffled", "random network")  # all floors but the network's own estimate


class Counts(NamedTuple):
    """The probes of one label of a cell.

    Attributes:
        steps: that are probed.
        hits: by source, (steps, classes, clusters).
        total: by source, (classes, clusters): shuffled labels have their own.
        samples: how many have an example.
    """

    steps: list[int]
    hits: dict[str, np.ndarray]
    total: dict[str, np.ndarray]
    samples: int

    @property
    def layers(self) -> list[str]:
        """The sources that are layers, in order."""
        return sorted((source for source in self.hits if source.isdigit()), key=int)


def probes(rows: list[dict], steps: int) -> dict:
    """By cell: of each label the `accuracy` and `gain` maps (steps, layers), the accuracy of every
    source by step, `curves` of layers and floors averaged over the middle steps; and what is
    claimed, each with its interval:

    - `<label>_gain`: accuracy at the middle layer minus the best floor's, averaged over the middle
      steps;
    - `<label>_over_input`: the same without the floor of the clean estimate, which the network has
      made itself;
    - `depth_of_perception_minus_decision`.

    Args:
        steps: of the schedule, S. The middle steps are the probed ones from S/5 to 3S/5.
    """
    found = {}
    for cell, own in by_cell(rows).items():
        labels = {label: counts_of(own, label) for label in _labels(own)}
        result: dict = {}
        for label, counts in labels.items():
            chosen = middle_steps(counts.steps, steps)
            layer = counts.layers[len(counts.layers) // 2]
            result[label] = _pictures(counts, chosen)
            result[f"{label}_gain"] = gain(counts, layer, chosen)
            result[f"{label}_over_input"] = gain(counts, layer, chosen, ENTERS)
        if {"clue", "decision"} <= set(labels):
            chosen = middle_steps(labels["clue"].steps, steps)
            difference = depth_difference(labels["clue"], labels["decision"], chosen)
            result["depth_of_perception_minus_decision"] = difference
        found[cell] = result
    return found


def middle_steps(probed: list[int], steps: int) -> list[int]:
    """Positions of the probed steps from S/5 to 3S/5; the last one if there is none."""
    chosen = [i for i, step in enumerate(probed) if steps / 5 <= step <= 3 * steps / 5]
    return chosen or [len(probed) - 1]


def counts_of(rows: list[dict], label: str) -> Counts:
    """The counts of a label from the rows of one cell."""
    own = {r["run"]["source"]: r["result"] for r in rows if r["run"]["label"] == label}
    first = next(iter(own.values()))
    clusters = cluster_numbers(first["cluster"], len(first["cluster"]))
    member = np.eye(clusters.max() + 1)[clusters]  # (n, clusters)
    return Counts(
        first["step"],
        {source: np.array(result["hits"]) @ member for source, result in own.items()},
        {source: np.array(result["total"]) @ member for source, result in own.items()},
        int((np.array(first["total"]).sum(0) > 0).sum()),
    )


def accuracy(counts: Counts, source: str, times: np.ndarray | None = None) -> np.ndarray:
    """Balanced accuracy by step: (steps,), or (draws, steps).

    Args:
        times: (draws, clusters), how often each cluster counts; once each without it.
    """
    every = np.ones((1, counts.total[source].shape[1])) if times is None else times
    hits = np.einsum("skc,dc->dsk", counts.hits[source], every)
    total = every @ counts.total[source].T  # (draws, classes)
    known = total > 0
    shares = np.where(known[:, None], hits / np.maximum(total, 1)[:, None], np.nan)
    found = np.nanmean(np.where(known.any(1)[:, None, None], shares, 0.0), axis=2)
    return found[0] if times is None else found


def gain(counts: Counts, layer: str, chosen: list[int], floors: tuple[str, ...] = FLOORS) -> dict:
    """Accuracy at a layer minus that of the best floor at the same step, averaged over steps,
    {mean, low, high, n}."""

    def of(times: np.ndarray | None) -> np.ndarray:
        best = np.max([accuracy(counts, floor, times) for floor in floors], axis=0)
        return (accuracy(counts, layer, times) - best)[..., chosen].mean(-1)

    return _interval(of, counts)


def depth(counts: Counts, chosen: list[int], times: np.ndarray | None = None) -> np.ndarray:
    """The first layer at which a label is read half as far above chance as at its best, averaged
    over the chosen steps; -1 is the input of the first block. (), or (draws,)."""
    sources = ["input", *counts.layers]
    curve = np.stack([accuracy(counts, s, times)[..., chosen].mean(-1) for s in sources])
    above = curve - 1 / len(counts.total["input"])
    return (above >= above.max(0) / 2 - 1e-9).argmax(0) - 1  # a tie within rounding counts


def depth_difference(clue: Counts, decision: Counts, chosen: list[int]) -> dict:
    """`depth` of the clue minus that of the decision, {mean, low, high, n}: negative if what can be
    seen is read earlier than what is decided."""
    return _interval(
        lambda times: depth(clue, chosen, times) - depth(decision, chosen, times), decision
    )


def _interval(statistic, counts: Counts) -> dict:
    if not counts.samples:
        return dict(NOTHING)
    clusters = next(iter(counts.total.values())).shape[1]
    low, high = np.quantile(statistic(resample(clusters)), [0.025, 0.975])
    values = {"mean": statistic(None), "low": low, "high": high}
    rounded = {name: round(float(value), 4) for name, value in values.items()}
    return rounded | {"n": counts.samples}


def _labels(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["run"]["label"] for row in rows))


def _pictures(counts: Counts, chosen: list[int]) -> dict:
    """What the figures show of a label."""
    by_step = {source: accuracy(counts, source) for source in counts.hits}
    layers = np.stack([by_step[layer] for layer in counts.layers], axis=1)  # (steps, L)
    floor = np.max([by_step[name] for name in FLOORS], axis=0)

    def mean_of(source: str) -> dict:
        return _interval(
            lambda times: accuracy(counts, source, times)[..., chosen].mean(-1), counts
        )

    return {
        "step": counts.steps,
        "middle_steps": [counts.steps[i] for i in chosen],
        "accuracy": np.round(layers, 4).tolist(),
        "gain": np.round(layers - floor[:, None], 4).tolist(),
        "chance": round(1 / len(counts.total["input"]), 4),
        "curve": [mean_of(layer) for layer in counts.layers],
        "floors": {name: mean_of(name) for name in FLOORS},
    }
