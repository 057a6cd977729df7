"""From rows of `perturbation_curves` to numbers, for each cell by itself."""

from collections.abc import Sequence

import pandas as pd

from ...measures.intervals import proportion
from ..summaries import by_cell
from .decided import half_sigma, log_snr
from .noise_maps import maps_of
from .restarts import one_refinement, restarts
from .shares import contrast, part_of, share
from .tables import along_steps, known, nearest, of, pairs, table

# Shares of the schedule; the paper finds the largest sensitivity in the middle.
EARLY, MIDDLE, LATE = (0.0, 0.2), (0.4, 0.6), (0.8, 1.0)
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


def cell_summary(rows: list[dict], sigmas: list[float], frames: int) -> dict:
    """The metrics of one cell."""
    lines = table(rows)
    steps = len(sigmas) - 1
    found = _at_steps(lines, steps) | _damage(lines) | _decided(lines, sigmas)
    found |= _in_frames(lines, frames) | restarts(lines, sigmas) | one_refinement(lines)
    for name, mode in MODES.items():
        found[name] = curve(along_steps(lines, mode), "step", sigmas)
        found["frames_" + name] = curve(of(lines, f"frame {mode}"), "frame")
    clean = of(lines, "clean")
    noised = clean[clean["sample"].isin(of(lines, "other seed")["sample"])]
    first = [row["result"]["valid_at"][0] == "1" for row in rows if row["run"]["design"] == "clean"]
    return found | {
        "n": len(clean),
        "clean": share(clean, "valid"),
        "noised": share(noised, "valid"),  # of those samples that get noise at steps as well
        "first": proportion(first, clean["cluster"].tolist()),
        "maps": maps_of(rows, steps),
    }


def curve(lines: pd.DataFrame, axis: str, sigmas: list[float] | None = None) -> dict:
    """Along steps or frames: `valid_at`, `unchanged_at`, `exact_unchanged_at` and the mean dose."""
    lines = _unchanged(lines)
    groups = [(int(place), group) for place, group in lines.groupby(axis)]
    exact = [known(group, "exact_changed") for _, group in groups]
    lines = {
        axis: [place for place, _ in groups],
        "valid_at": [share(group, "valid") for _, group in groups],
        "unchanged_at": [share(group, "unchanged") for _, group in groups],
        "exact_unchanged_at": [share(group, "exact_unchanged") for group in exact],
        "cells": [round(float(group["cells"].mean()), 3) for _, group in groups],
        "energy": [round(float(group["energy"].mean()), 3) for _, group in groups],
    }
    if sigmas is not None:
        lines["sigma"] = [round(sigmas[place], 4) for place in lines[axis]]
        lines["log_snr"] = [log_snr(sigmas[place]) for place in lines[axis]]
    return lines


def _unchanged(lines: pd.DataFrame) -> pd.DataFrame:
    exact = lines["exact_changed"] == False  # noqa: E712  (None is not False)
    return lines.assign(unchanged=~lines["changed"].astype(bool), exact_unchanged=exact)


def _at_steps(lines: pd.DataFrame, steps: int) -> dict:
    """What noise at one step costs, and how much more in the middle than early and late."""
    replaced, fresh = (along_steps(lines, mode) for mode in MODES.values())
    whole = replaced.assign(nothing=False)
    return {
        "step_noise_drop": contrast(replaced, "clean", "valid"),
        "relative_drop": part_of(whole, ("clean", "valid"), ("clean", "nothing")),
        "level_correct_drop": contrast(fresh, "clean", "valid"),
        "middle_drop": contrast(_between(replaced, MIDDLE, steps), "clean", "valid"),
        "middle_minus_early": _middle_minus(EARLY, lines, steps),
        "middle_minus_late": _middle_minus(LATE, lines, steps),
    }


def _middle_minus(span: tuple[float, float], lines: pd.DataFrame, steps: int) -> dict:
    """The drop in the middle minus that in another span of steps, by mode."""
    found = {}
    for name, mode in MODES.items():
        noised = along_steps(lines, mode)
        both = pairs(_between(noised, span, steps), _between(noised, MIDDLE, steps))
        found[name] = contrast(both, "valid", "valid_other")
    return found


def _between(lines: pd.DataFrame, span: tuple[float, float], steps: int) -> pd.DataFrame:
    return lines[lines["step"].between(span[0] * steps, span[1] * steps)]


def _damage(lines: pd.DataFrame) -> dict:
    """The drop under replacement in two parts, at the steps at which runs were restarted too. A
    restart has the right noise level, but nothing that the steps worked out: what it loses by the
    end is *lost work*; what replacement loses beyond that is *damage*."""
    restarted = of(lines, "restart end")
    both = pairs(restarted, along_steps(lines, "replace"), by=("step",))
    return {
        "drop_at_restarts": contrast(both, "clean", "valid_other"),
        "lost_work": contrast(both, "clean", "valid"),
        "damage": contrast(both, "valid", "valid_other"),
        "damage_share": part_of(both, ("valid", "valid_other"), ("clean", "valid_other")),
    }


def _decided(lines: pd.DataFrame, sigmas: list[float]) -> dict:
    """When the answer is decided: how often level-correct noise changes it, and how often it
    changes where the exact posterior goes from the same two states."""
    fresh, steps = along_steps(lines, "level-correct"), len(sigmas) - 1
    third = nearest(fresh, steps / 3)
    exact = known(third, "exact_changed")
    return {
        "open_at_third": share(third, "changed"),
        "exact_open_at_third": share(exact, "exact_changed"),
        "open_minus_exact": contrast(exact, "changed", "exact_changed"),
        "open_at_half": share(nearest(fresh, steps / 2), "changed"),
        "other_seed": share(of(lines, "other seed"), "changed"),
        "half_sigma": half_sigma(_unchanged(fresh), sigmas),
    }


def _in_frames(lines: pd.DataFrame, frames: int) -> dict:
    """Noise at one step against noise in one frame: as the paper does it, where a step includes the
    scored frame; with the inner frames alone on both sides; and at equal doses."""
    step, frame = along_steps(lines, "replace"), of(lines, "frame replace")
    inner = frame[frame["frame"].between(1, frames - 2)]
    given, scored = frame[frame["frame"] == 0], frame[frame["frame"] == frames - 1]
    inside, window = of(lines, "inner"), of(lines, "inner-window")
    equal = pairs(window, inside, by=("step",))
    doses = {"step": _at_steps_of(step, inside), "inner": inside, "window": window, "frame": inner}
    same = step[step["sample"].isin(frame["sample"])]
    return {
        "step_drop_of_same": contrast(same, "clean", "valid"),  # samples as for frames
        "inner_step_drop": contrast(inside, "clean", "valid"),
        "inner_frame_drop": contrast(inner, "clean", "valid"),
        "given_frame_drop": contrast(given, "clean", "valid"),
        "scored_frame_drop": contrast(scored, "clean", "valid"),
        "step_minus_frame": contrast(pairs(inner, step), "valid", "valid_other"),
        "inner_step_minus_frame": contrast(pairs(inner, inside), "valid", "valid_other"),
        "inner_minus_window": contrast(equal, "valid", "valid_other"),
        "inner_minus_window_changed": contrast(equal, "changed_other", "changed"),
        "doses": {name: _dose(group) for name, group in doses.items()},
    }


def _at_steps_of(step: pd.DataFrame, inside: pd.DataFrame) -> pd.DataFrame:
    """Noise in all frames of the same samples at the steps at which the inner ones are noised."""
    return step.merge(inside[["sample", "step"]], on=["sample", "step"])


def _dose(lines: pd.DataFrame) -> dict:
    """What a design costs and how much it changes."""
    return {
        "drop": contrast(lines, "clean", "valid"),
        "changed": share(lines, "changed"),
        "cells": None if lines.empty else round(float(lines["cells"].mean()), 3),
        "energy": None if lines.empty else round(float(lines["energy"].mean()), 3),
    }
