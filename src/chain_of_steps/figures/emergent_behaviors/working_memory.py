"""From rows to numbers: what noise in hidden frames costs, and what probes read off their tokens.

Everything is paired: a run is compared with another run of the same sample, and intervals are over
samples.
"""

import numpy as np
import pandas as pd

from ...measures.intervals import NOTHING, interval, interval_of

SAMPLE = ["task", "index"]


def noise(rows: list[dict]) -> dict:
    """From rows of `WorkingMemory`: what noise in hidden, visible and all inner frames costs, by
    task and of all.

    Under `right` and `score`: means by `clean` or `design-mode`. `cost`: right answers lost to the
    noise; `relative_cost`: as a share of the clean ones; `hidden_minus_visible`: what noise in
    hidden frames costs more. The answer is read off the last frame, which is never noised; the
    score also covers the frames before, so that two illegible frames in a row lower it even if
    nothing is forgotten.
    """
    lines = pd.DataFrame([_noised(row) for row in rows])
    groups = {"all": lines, **dict(tuple(lines.groupby("task", sort=False)))}
    return {name: _costs(group) for name, group in groups.items()}


def probes(rows: list[dict]) -> dict:
    """From rows of `MemoryProbes`: the share of samples whose start state is read off, by task.

    Under `sources`: {source: {step: interval}}; then `layer` and `gain`. The layer is chosen on
    every second sample; the gain, averaged over steps, is measured on the others, over the floor
    that does best on these very samples: a choice in the floor's favour.
    """
    result: dict = {}
    gains = []
    for task in dict.fromkeys(row["run"]["task"] for row in rows):
        own = [row["run"] | row["result"] for row in rows if row["run"]["task"] == task]
        hits = {row["source"]: np.array(row["read"], float) for row in own}  # (steps, n) each
        layer, gain = _gain({name: values.mean(0) for name, values in hits.items()})
        gains.append(gain)
        steps = [str(step) for step in own[0]["step"]]
        read = {
            name: dict(zip(steps, map(interval, values), strict=True))
            for name, values in hits.items()
        }
        result[task] = {"sources": read, "layer": layer, "gain": interval(gain)}
    return result | {"all": {"gain": interval(np.concatenate(gains))}}


def _noised(row: dict) -> dict:
    run, result = row["run"], row["result"]
    noises = run["interventions"]
    name = f"{run['design']}-{noises[0]['mode']}" if noises else "clean"
    right = float(result["answer"] == 0)  # these tasks have one valid candidate, the first
    return {
        "task": run["task"],
        "index": run["index"],
        "name": name,
        "right": right,
        "score": result["score"],
    }


def _costs(lines: pd.DataFrame) -> dict:
    right, score = (
        lines.pivot(index=SAMPLE, columns="name", values=value) for value in ("right", "score")
    )
    clean, noises = right["clean"].to_numpy(), [name for name in right if name != "clean"]
    costs = {name: clean - right[name].to_numpy() for name in noises}
    modes = sorted({name.split("-", 1)[1] for name in noises})
    return {
        "n": len(right),
        "right": {name: interval(right[name]) for name in right},
        "score": {name: interval(score[name]) for name in score},
        "cost": {name: interval(cost) for name, cost in costs.items()},
        "relative_cost": {name: _ratio(cost, clean) for name, cost in costs.items()},
        "hidden_minus_visible": {
            m: interval(right[f"visible-{m}"] - right[f"hidden-{m}"]) for m in modes
        },
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> dict:
    """Mean of a part as a share of the mean of the whole, both over the same samples."""
    if not whole.sum():
        return dict(NOTHING)
    return interval_of(
        lambda chosen: part[chosen].sum(-1) / np.maximum(whole[chosen].sum(-1), 1e-9), len(whole)
    )


def _gain(means: dict[str, np.ndarray]) -> tuple[int, np.ndarray]:
    """The best layer on even samples, and by how much it beats the best floor on each odd one;
    (n,) per source."""
    layers = {name: hits for name, hits in means.items() if name.isdigit()}
    floors = {name: hits for name, hits in means.items() if not name.isdigit()}
    best = max(layers, key=lambda name: np.nan_to_num(layers[name][0::2]).mean())
    floor = max(floors, key=lambda name: np.nan_to_num(floors[name][1::2]).mean())
    return int(best), layers[best][1::2] - floors[floor][1::2]
