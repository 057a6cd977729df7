"""From rows of probes to numbers: what can be read off which layer, beyond which floor, how early.

Accuracy is balanced: the mean over classes of the share of examples read right, so a guess has one
over the number of classes. Intervals draw whole clusters of samples; the probes stay as they are.
"""

from typing import NamedTuple

import numpy as np

from ...measures.intervals import NOTHING, cluster_numbers, number_of, resample
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
        states: of how many canonical states these are.
    """

    steps: list[int]
    hits: dict[str, np.ndarray]
    total: dict[str, np.ndarray]
    samples: int
    states: int

    @property
    def layers(self) -> list[str]:
        """The sources that are layers, in order."""
        return sorted((source for source in self.hits if source.isdigit()), key=int)


def probes(rows: list[dict], steps: int) -> dict:
    """By cell: of each label the maps `accuracy` and `over_input` (steps, layers), and the `curve`
    of layers and the `floors` averaged over the middle steps; and what is claimed, each with its
    interval:

    - `<label>_over_input`: accuracy at the middle layer minus the best of the floors that enter
      the network or tell nothing (`ENTERS`), averaged over the middle steps. The clean estimate is
      none of them: it is the network's own output, so a layer that has worked something out, and a
      network that shows it, would always be told that it was there already;
    - `<label>_gain`: the same with the clean estimate among the floors: what a layer holds and the
      network does not show;
    - `depth_of_perception_minus_decision`, see `depth`.

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
    known = np.array(first["total"]).sum(0) > 0  # samples that have an example
    return Counts(
        first["step"],
        {source: np.array(result["hits"]) @ member for source, result in own.items()},
        {source: np.array(result["total"]) @ member for source, result in own.items()},
        int(known.sum()),
        number_of(first["cluster"], known),
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
    {mean, low, high, n, clusters}."""

    def of(times: np.ndarray | None) -> np.ndarray:
        best = np.max([accuracy(counts, floor, times) for floor in floors], axis=0)
        return (accuracy(counts, layer, times) - best)[..., chosen].mean(-1)

    return _interval(of, counts)


def depth(counts: Counts, chosen: list[int], times: np.ndarray | None = None) -> np.ndarray:
    """The layer at which a label is first read half as far above chance as at its best, averaged
    over the chosen steps: interpolated between layers, so that draws of samples do not jump from
    one to the next; -1 is the input of the first block. NaN if it is nowhere read above chance.
    (), or (draws,)."""
    sources = ["input", *counts.layers]
    curve = np.stack([accuracy(counts, s, times)[..., chosen].mean(-1) for s in sources])
    above = curve - 1 / len(counts.total["input"])
    half = above.max(0) / 2
    upper = (above >= half - 1e-9).argmax(0)  # a tie within rounding counts
    lower = np.maximum(upper - 1, 0)
    below, to = (np.take_along_axis(above, at[None], 0)[0] for at in (lower, upper))
    rise = np.where(upper > 0, to - below, 1.0)
    back = np.where(upper > 0, np.clip((to - half) / rise, 0.0, 1.0), 0.0)
    return np.where(half > 1e-9, upper - back - 1, np.nan)


def depth_difference(clue: Counts, decision: Counts, chosen: list[int]) -> dict:
    """`depth` of the clue minus that of the decision, {mean, low, high, n, clusters}: negative if
    what can be seen is read earlier than what is decided."""
    return _interval(
        lambda times: depth(clue, chosen, times) - depth(decision, chosen, times), decision
    )


def _interval(statistic, counts: Counts) -> dict:
    clusters = next(iter(counts.total.values())).shape[1]
    mean = statistic(None) if counts.samples else np.nan
    if np.isnan(mean):
        return NOTHING | {"clusters": 0}
    low, high = np.nanquantile(statistic(resample(clusters)), [0.025, 0.975])
    values = {"mean": mean, "low": low, "high": high}
    rounded = {name: round(float(value), 4) for name, value in values.items()}
    return rounded | {"n": counts.samples, "clusters": counts.states}


def _labels(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["run"]["label"] for row in rows))


def _pictures(counts: Counts, chosen: list[int]) -> dict:
    """What the figures show of a label."""
    by_step = {source: accuracy(counts, source) for source in counts.hits}
    layers = np.stack([by_step[layer] for layer in counts.layers], axis=1)  # (steps, L)
    floor = np.max([by_step[name] for name in ENTERS], axis=0)

    def mean_of(source: str) -> dict:
        return _interval(
            lambda times: accuracy(counts, source, times)[..., chosen].mean(-1), counts
        )

    return {
        "step": counts.steps,
        "middle_steps": [counts.steps[i] for i in chosen],
        "accuracy": np.round(layers, 4).tolist(),
        "over_input": np.round(layers - floor[:, None], 4).tolist(),
        "chance": round(1 / len(counts.total["input"]), 4),
        "curve": [mean_of(layer) for layer in counts.layers],
        "floors": {name: mean_of(name) for name in FLOORS},
    }
