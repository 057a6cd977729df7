"""From rows of `perturbation_curves` to numbers, for each cell by itself.

Everything is paired: a run is compared with the clean run of its own sample, or with another run of
it at the same step. Noise at step 0 is another seed, so the runs of design `other seed` are the
first point of both curves along steps. Shares of several runs of a sample are clustered by
canonical state; their `n` is the number of samples.
"""

from collections.abc import Sequence

import pandas as pd

from ...measures import traces
from ...measures.intervals import difference, proportion
from ..summaries import by_cell, clusters
from .decided import half_sigma, log_snr, ratio
from .noise_maps import maps_of

LATE = (0.4, 0.6)  # share of the schedule in which the paper finds the largest sensitivity
MODES = {"replace": "replace", "level_correct": "level-correct"}  # by name of the metric


def summary(
    rows: list[dict], sigmas: list[float], frames: int, controls: Sequence[str] = ()
) -> dict:
    """What the figure reports.

    Args:
        sigmas: the S + 1 noise levels of the schedule.
        frames: latent frames F.
        controls: the cells that are controls.
    """
    cells = {cell: cell_summary(group, sigmas, frames) for cell, group in by_cell(rows).items()}
    levels = [round(sigma, 4) for sigma in sigmas]
    return {"sigmas": levels, "frames": frames, "controls": list(controls), "cells": cells}


def table(rows: list[dict]) -> pd.DataFrame:
    """One line per run of a cell.

    Columns: sample, cluster, design, step and frame of the noise (the first step; -1 for all or
    none), valid, changed (whether the answer differs from the clean run's), clean (whether that is
    valid), own (whether the clean run's estimate at this step is valid), cells, energy.
    """
    clean = {r["run"]["index"]: r["result"] for r in rows if r["run"]["design"] == "clean"}
    names = clusters(rows)
    if len(set(names)) == 1:  # one state: every sample is another seed of it
        names = [str(row["run"]["index"]) for row in rows]
    lines = [
        _line(row, clean[row["run"]["index"]], name) for row, name in zip(rows, names, strict=True)
    ]
    return pd.DataFrame(lines)


def _line(row: dict, clean: dict, cluster: str) -> dict:
    run, result = row["run"], row["result"]
    noise = run["interventions"][0] if run["interventions"] else {}
    steps = noise.get("steps") or [noise.get("step", -1)]
    return {
        "sample": run["index"],
        "cluster": cluster,
        "design": run["design"],
        "step": steps[0],
        "frame": noise.get("frame", -1),
        "valid": result["valid"],
        "changed": result["answer"] != clean["answer"],
        "clean": clean["valid"],
        "own": bool(traces.unflagged(clean["valid_at"])[steps[0]]),
        "cells": result["cells"],
        "energy": result["energy"],
    }


def cell_summary(rows: list[dict], sigmas: list[float], frames: int) -> dict:
    """The metrics of one cell."""
    lines = table(rows)
    steps = len(sigmas) - 1
    found = _at_steps(lines, steps) | _decided(lines, sigmas)
    found |= _in_frames(lines, frames) | _restarts(lines, sigmas)
    for name, mode in MODES.items():
        found[name] = curve(along_steps(lines, mode), "step", sigmas)
        found["frames_" + name] = curve(of(lines, f"frame {mode}"), "frame")
    clean = of(lines, "clean")
    first = [row["result"]["valid_at"][0] == "1" for row in rows if row["run"]["design"] == "clean"]
    return found | {
        "n": len(clean),
        "clean": share(clean, "valid"),
        "first": proportion(first, clean["cluster"].tolist()),
        "maps": maps_of(rows, steps),
    }


def of(lines: pd.DataFrame, design: str) -> pd.DataFrame:
    """The lines of a design."""
    return lines[lines["design"] == design]


def along_steps(lines: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Runs with noise at one step; at step 0 those of another seed."""
    start = of(lines, "other seed").assign(step=0)
    return pd.concat([start, of(lines, f"step {mode}")], ignore_index=True)


def share(lines: pd.DataFrame, column: str) -> dict:
    """The share of runs in which a column is true, as `intervals.proportion`."""
    return _of_samples(proportion(lines[column], lines["cluster"].tolist()), lines)


def contrast(lines: pd.DataFrame, first: str, second: str) -> dict:
    """The share true in one column minus that in another, as `intervals.difference`."""
    found = difference(lines[first], lines[second], lines["cluster"].tolist())
    return _of_samples(found, lines)


def pairs(one: pd.DataFrame, other: pd.DataFrame, by: tuple[str, ...] = ()) -> pd.DataFrame:
    """All pairs of a line and another one of the same sample, whose columns end in `_other`; so
    both sides of a contrast weigh their runs equally.

    Args:
        by: other columns that must agree, such as the step.
    """
    return one.merge(other, on=["sample", *by], suffixes=("", "_other"))


def _of_samples(interval: dict, lines: pd.DataFrame) -> dict:
    return interval | {"n": int(lines["sample"].nunique())}


def curve(lines: pd.DataFrame, axis: str, sigmas: list[float] | None = None) -> dict:
    """Along steps or frames: `valid_at`, `unchanged_at` and the mean dose."""
    groups = [(int(place), group) for place, group in lines.groupby(axis)]
    lines = {
        axis: [place for place, _ in groups],
        "valid_at": [share(group, "valid") for _, group in groups],
        "unchanged_at": [share(_unchanged(group), "unchanged") for _, group in groups],
        "cells": [round(float(group["cells"].mean()), 3) for _, group in groups],
        "energy": [round(float(group["energy"].mean()), 3) for _, group in groups],
    }
    if sigmas is not None:
        lines["sigma"] = [round(sigmas[place], 4) for place in lines[axis]]
        lines["log_snr"] = [log_snr(sigmas[place]) for place in lines[axis]]
    return lines


def _unchanged(lines: pd.DataFrame) -> pd.DataFrame:
    return lines.assign(unchanged=~lines["changed"].astype(bool))


def _at_steps(lines: pd.DataFrame, steps: int) -> dict:
    """What noise at one step costs, and whether by damage."""
    replaced, fresh = (along_steps(lines, mode) for mode in MODES.values())
    late = replaced["step"].between(LATE[0] * steps, LATE[1] * steps)
    both = pairs(fresh, replaced, by=("step",))
    return {
        "step_noise_drop": contrast(replaced, "clean", "valid"),
        "relative_drop": _relative_drop(replaced),
        "late_drop": contrast(replaced[late], "clean", "valid"),
        "level_correct_drop": contrast(fresh, "clean", "valid"),
        "damage": contrast(both, "valid", "valid_other"),
        "damage_share": ratio(
            _lost(both["valid"], both["valid_other"]),
            _lost(both["clean"], both["valid_other"]),
            both,
        ),
    }


def _lost(before: pd.Series, after: pd.Series) -> pd.Series:
    return before.astype(int) - after.astype(int)


def _relative_drop(replaced: pd.DataFrame) -> dict:
    """The drop as a share of the clean run's valid answers. Where nothing varies the bootstrap has
    no width; then the bounds of the drop are divided by that share."""
    found = ratio(_lost(replaced["clean"], replaced["valid"]), replaced["clean"], replaced)
    if found["mean"] is None or found["low"] < found["high"]:
        return found
    drop, clean = contrast(replaced, "clean", "valid"), replaced["clean"].mean()
    return found | {end: round(drop[end] / clean, 4) for end in ("low", "high")}


def _decided(lines: pd.DataFrame, sigmas: list[float]) -> dict:
    """When the answer is decided: how often level-correct noise changes it."""
    fresh, steps = along_steps(lines, "level-correct"), len(sigmas) - 1
    return {
        "open_at_third": share(_nearest(fresh, steps / 3), "changed"),
        "open_at_half": share(_nearest(fresh, steps / 2), "changed"),
        "other_seed": share(of(lines, "other seed"), "changed"),
        "half_sigma": half_sigma(_unchanged(fresh), sigmas),
    }


def _nearest(lines: pd.DataFrame, place: float) -> pd.DataFrame:
    """The lines at the step that is nearest to a place, the earlier of two."""
    steps = sorted(lines["step"].unique())
    return lines[lines["step"] == min(steps, key=lambda step: abs(step - place))]


def _in_frames(lines: pd.DataFrame, frames: int) -> dict:
    """Noise at one step against noise in one frame, as the paper does it and at equal doses."""
    step, frame = along_steps(lines, "replace"), of(lines, "frame replace")
    inner = frame[frame["frame"].between(1, frames - 2)]
    given, scored = frame[frame["frame"] == 0], frame[frame["frame"] == frames - 1]
    inside, window = of(lines, "inner"), of(lines, "inner-window")
    against, equal = pairs(inner, step), pairs(window, inside)
    doses = {"step": _at_step_of(step, inside), "inner": inside, "window": window, "frame": inner}
    same = step[step["sample"].isin(frame["sample"])]
    return {
        "step_drop_of_same": contrast(same, "clean", "valid"),  # samples as for frames
        "inner_frame_drop": contrast(inner, "clean", "valid"),
        "given_frame_drop": contrast(given, "clean", "valid"),
        "scored_frame_drop": contrast(scored, "clean", "valid"),
        "step_minus_frame": contrast(against, "valid", "valid_other"),
        "inner_minus_window": contrast(equal, "valid", "valid_other"),
        "inner_minus_window_changed": contrast(equal, "changed_other", "changed"),
        "doses": {name: _dose(group) for name, group in doses.items()},
    }


def _at_step_of(step: pd.DataFrame, inside: pd.DataFrame) -> pd.DataFrame:
    """Noise in all frames of the same samples at the step at which the inner ones are noised."""
    return step.merge(inside[["sample", "step"]], on=["sample", "step"])


def _dose(lines: pd.DataFrame) -> dict:
    """What a design costs and how much it changes."""
    return {
        "drop": contrast(lines, "clean", "valid"),
        "changed": share(lines, "changed"),
        "cells": None if lines.empty else round(float(lines["cells"].mean()), 3),
        "energy": None if lines.empty else round(float(lines["energy"].mean()), 3),
    }


def _restarts(lines: pd.DataFrame, sigmas: list[float]) -> dict:
    """What a run loses that has nothing but its first estimate, read at the step itself."""
    restarted, renoised = of(lines, "restart"), of(lines, "renoise")
    half = (len(sigmas) - 1) / 2
    early, again = (group[group["step"] < half] for group in (restarted, renoised))
    steps = sorted(int(step) for step in restarted["step"].unique())
    at = {
        name: [share(group[group["step"] == step], column) for step in steps]
        for name, group, column in (
            ("own", restarted, "own"),
            ("renoised", renoised, "valid"),
            ("restarted", restarted, "valid"),
        )
    }
    both = pairs(again, early, by=("step",))
    return {
        "restart_loss": contrast(early, "own", "valid"),
        "renoise_loss": contrast(again, "own", "valid"),
        "renoise_minus_restart": contrast(both, "valid", "valid_other"),
        "restart_end_drop": contrast(of(lines, "restart end"), "clean", "valid"),
        "restart_at": {"step": steps, "sigma": [round(sigmas[s], 4) for s in steps]} | at,
    }
