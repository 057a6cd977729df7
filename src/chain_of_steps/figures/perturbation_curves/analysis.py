"""From rows of `perturbation` to numbers: what noise costs by step, frame, mode and dose.

Everything is paired: a run is compared with the clean run of its own sample, and intervals are
over samples.
"""

import numpy as np
import pandas as pd

from ...bench.tasklist import short
from ...measures.intervals import interval, interval_of
from . import noise_maps

SAMPLE = ["task", "index"]
LATE = 0.75  # share of the steps after which a step counts as late


def table(rows: list[dict]) -> pd.DataFrame:
    """One line per run.

    Columns: task, index, design, mode, step and frame where the noise is (the centre of windows,
    the first cell of others; -1 for all), score, unchanged and changed (the answer is that of the
    clean run, or not; NaN if that shows none), drop (clean score minus score), cells, energy, and
    `maps`, the result's comparison with the clean run (None without).
    """
    clean = {_sample(row): row["result"] for row in rows if row["run"]["design"] == "clean"}
    return pd.DataFrame([_line(row, clean[_sample(row)]) for row in rows])


def summary(lines: pd.DataFrame, sigmas: list[float], frames: int) -> dict:
    """What the figure reports: means over samples with 95 % bootstrap intervals.

    Args:
        sigmas: the S + 1 noise levels of the schedule.
        frames: latent frames F.
    """
    steps = len(sigmas) - 1
    lines = lines.assign(inner=lines["frame"].between(1, frames - 2))
    deep = lines[lines["design"] == "window"].groupby(SAMPLE).ngroups
    return {
        "n": lines.groupby(SAMPLE).ngroups,
        "n_ablations": deep,
        "sigmas": [round(sigma, 4) for sigma in sigmas],
        "clean": interval(lines[lines["design"] == "clean"]["score"]),
        "step": {mode: _curve(group, "step") for mode, group in _modes(lines, "step")},
        "frame": {mode: _curve(group, "frame") for mode, group in _modes(lines, "frame")},
        "window": _curve(lines[lines["design"] == "window"], "step"),
        "scatter": _curve(lines[lines["design"] == "scatter"], "step"),
        "contrasts": _contrasts(lines, steps),
        "decision": _decision(lines),
        "by_task": _by_task(lines),
        "cells": {
            task: _cells(group, frames)
            for task, group in _of(lines, "cell").groupby("task", sort=False)
        },
        "maps": noise_maps.summary(lines[lines["maps"].notna()], steps, sigmas),
    }


def _sample(row: dict) -> tuple:
    return short(row["run"]["task"]), row["run"]["index"]


def _line(row: dict, clean: dict) -> dict:
    run, result = row["run"], row["result"]
    step, frame, mode = _place(run)
    answered = clean["answer"] >= 0
    return {
        "task": short(run["task"]),
        "index": run["index"],
        "design": run["design"],
        "mode": mode,
        "step": step,
        "frame": frame,
        "score": result["score"],
        "unchanged": float(result["answer"] == clean["answer"]) if answered else np.nan,
        "changed": float(result["answer"] != clean["answer"]) if answered else np.nan,
        "drop": clean["score"] - result["score"],
        "cells": result["cells"],
        "energy": result["energy"],
        "maps": result if "from" in result else None,
    }


def _place(run: dict) -> tuple[int, int, str]:
    """Step, frame and mode of a run's noise; -1 for none or all.

    Raises:
        ValueError: for another intervention than noise.
    """
    if not run["interventions"]:
        return -1, -1, "none"
    match run["interventions"][0]:
        case {"kind": "NoiseAtStep", "step": step, "mode": mode}:
            return step, -1, mode
        case {"kind": "NoiseAtFrame", "steps": None, "frame": frame, "mode": mode}:
            return -1, frame, mode
        case {"kind": "NoiseAtFrame", "frame": frame, "mode": mode}:
            return run["centre"], frame, mode
        case {"kind": "NoiseAtCells", "cells": [[step, frame], *_], "mode": mode}:
            return (run["centre"], -1, mode) if run["design"] == "scatter" else (step, frame, mode)
        case other:
            raise ValueError(
                f"these figures are about noise at a step, a frame or cells, not {other}; give a "
                "new intervention an experiment and an analysis of its own"
            )


def _of(lines: pd.DataFrame, design: str) -> pd.DataFrame:
    return lines[lines["design"] == design]


def _modes(lines: pd.DataFrame, design: str):
    return _of(lines, design).groupby("mode", sort=False)


def _curve(lines: pd.DataFrame, axis: str) -> dict:
    """Score, unchanged answers and dose along steps or frames."""
    groups = [(int(place), group) for place, group in lines.groupby(axis)]
    return {
        axis: [place for place, _ in groups],
        "score": [interval(group["score"]) for _, group in groups],
        "unchanged": [interval(group["unchanged"]) for _, group in groups],
        "cells": [round(float(group["cells"].mean()), 3) for _, group in groups],
        "energy": [round(float(group["energy"].mean()), 3) for _, group in groups],
        "n": int(lines.groupby(SAMPLE).ngroups),
    }


def _contrasts(lines: pd.DataFrame, steps: int) -> dict:
    """Paired differences, one value per sample, with intervals."""
    replaced = lines["mode"] == "replace"
    step, frame = (lines[(lines["design"] == design) & replaced] for design in ("step", "frame"))
    step = _shared_by_all(step)
    inner, window, scatter = (
        frame[frame["inner"]],
        *(lines[lines["design"] == d] for d in ("window", "scatter")),
    )
    inside, short = (lines[lines["design"] == design] for design in ("inner", "inner-window"))
    fresh = {
        d: lines[(lines["design"] == d) & (lines["mode"] == "level-correct")]
        for d in ("step", "frame")
    }
    fresh["frame"] = fresh["frame"][fresh["frame"]["inner"]]
    late = lines[(lines["design"] == "step") & (lines["step"] >= LATE * (steps - 1))]
    repaired, left = (late[late["mode"] == mode] for mode in ("level-correct", "replace"))
    left = left[left["step"].isin(repaired["step"].unique())]
    return {
        "step_drop": _paired(step, "drop"),
        "frame_drop": _paired(inner, "drop"),
        "given_frame_drop": _paired(frame[frame["frame"] == 0], "drop"),
        "scored_frame_drop": _paired(frame[frame["frame"] == frame["frame"].max()], "drop"),
        "step_minus_frame": _paired(step, "drop", inner),
        "step_minus_window": _paired(step, "drop", window),
        "step_minus_scatter": _paired(step, "drop", scatter),
        "inner_drop": _paired(inside, "drop"),
        "inner_minus_window": _paired(inside, "drop", short),
        "inner_minus_window_changed": _paired(inside, "changed", short),
        "step_minus_frame_level_correct": _paired(fresh["step"], "drop", fresh["frame"]),
        "late_damage": _paired(repaired, "score", left),
        "late_answer": _paired(repaired, "unchanged", left),
        "relative_drop": _relative_drop(step),
    }


def _shared_by_all(step: pd.DataFrame) -> pd.DataFrame:
    """Runs at those steps at which every sample was noised."""
    counts = step["step"].value_counts()
    return step[step["step"].isin(counts.index[counts == counts.max()])]


def _paired(lines: pd.DataFrame, column: str, rival: pd.DataFrame | None = None) -> dict:
    """Mean over samples of a column's mean over their runs, minus that of a rival set of runs."""
    values = lines.groupby(SAMPLE)[column].mean()
    if rival is not None:
        values = (values - rival.groupby(SAMPLE)[column].mean()).dropna()
    return interval(values)


def _relative_drop(step: pd.DataFrame) -> dict:
    """The drop under noise at a step as a share of the clean score, of means over samples."""
    drop = step.groupby(SAMPLE)["drop"].mean().to_numpy()
    clean = (
        (step["score"] + step["drop"]).groupby([step[name] for name in SAMPLE]).mean().to_numpy()
    )
    return interval_of(
        lambda chosen: drop[chosen].sum(-1) / np.maximum(clean[chosen].sum(-1), 1e-9), len(drop)
    )


def _decision(lines: pd.DataFrame) -> dict:
    """By task: curves under level-correct noise at one step, and under replacement on the same
    samples."""
    fresh = lines[lines["design"] == "decision"]
    result = {}
    for task, group in fresh.groupby("task", sort=False):
        here = (lines["design"] == "step") & (lines["mode"] == "replace") & (lines["task"] == task)
        replaced = lines[
            here & lines["index"].isin(group["index"]) & lines["step"].isin(group["step"])
        ]
        result[task] = {"level-correct": _curve(group, "step"), "replace": _curve(replaced, "step")}
    return result


def _by_task(lines: pd.DataFrame) -> dict:
    """What noise at a step and in an inner frame costs each task."""
    replaced = lines[lines["mode"] == "replace"]
    step, frame = (
        _shared_by_all(replaced[replaced["design"] == "step"]),
        replaced[replaced["design"] == "frame"],
    )
    return {
        task: {
            "clean": interval(group[group["design"] == "clean"]["score"]),
            "step_drop": _paired(step[step["task"] == task], "drop"),
            "frame_drop": _paired(frame[(frame["task"] == task) & frame["inner"]], "drop"),
        }
        for task, group in lines.groupby("task", sort=False)
    }


def _cells(lines: pd.DataFrame, frames: int) -> dict:
    """Noise in single cells: mean drop and share of changed answers, steps x frames, and
    `step_share`.

    The last says along which axis of the map the changed answers differ, given and scored frame
    left out: the variance between steps as a share of that between steps and that between frames;
    1 is steps alone, 0 frames alone.
    """
    grids = {
        name: lines.groupby(["step", "frame"])[name].mean().unstack()
        for name in ("drop", "changed")
    }
    inner = lines[lines["frame"].between(1, frames - 2) & lines["changed"].notna()]
    maps = [
        group.pivot(index="step", columns="frame", values="changed")
        for _, group in inner.groupby(SAMPLE)
    ]
    stack = np.stack(maps) if maps else np.zeros((0, 1, 1))  # none where no clean run answers

    def step_share(chosen: np.ndarray) -> np.ndarray:
        grid = stack[chosen].mean(-3)  # (..., S, F)
        steps, columns = grid.mean(-1).var(-1), grid.mean(-2).var(-1)
        return steps / np.maximum(steps + columns, 1e-12)

    return {
        "n": int(lines.groupby(SAMPLE).ngroups),
        "step": [int(s) for s in grids["drop"].index],
        **{name: np.round(grid.to_numpy(), 4).tolist() for name, grid in grids.items()},
        "step_share": interval_of(step_share, len(stack)) if stack.any() else interval([]),
    }
