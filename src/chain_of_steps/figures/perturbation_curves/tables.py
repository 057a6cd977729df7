"""Rows of `perturbation_curves` as a table, and which of its lines belong together.

Everything is paired: a run is compared with the clean run of its own sample, or with another run of
it at the same step. Noise at step 0 is another seed, so the runs of design `other seed` are the
first point of both curves along steps.
"""

import pandas as pd

from ...measures import traces


def table(rows: list[dict]) -> pd.DataFrame:
    """One line per run of a cell.

    Columns: sample, state, cluster (the state, or the sample if there is one state only), design,
    step and frame of the noise (the middle one of several steps; -1 for all or none), valid,
    changed (whether the answer differs from the clean run's), clean (whether that is valid), own
    (whether the clean run's estimate at this step is valid), cells, energy; and of the exact
    posterior at the same states, None where it was not computed: exact_own, exact_valid and
    exact_changed.
    """
    clean = {r["run"]["index"]: r["result"] for r in rows if r["run"]["design"] == "clean"}
    lines = pd.DataFrame([_line(row, clean[row["run"]["index"]]) for row in rows])
    one_state = lines["state"].nunique() == 1  # then every sample is another seed of it
    return lines.assign(cluster=lines["sample" if one_state else "state"].astype(str))


def _line(row: dict, clean: dict) -> dict:
    run, result = row["run"], row["result"]
    noise = run["interventions"][0] if run["interventions"] else {}
    steps = noise.get("steps") or [noise.get("step", 0 if run["design"] == "other seed" else -1)]
    step = steps[len(steps) // 2]
    return {
        "sample": run["index"],
        "state": result["sample"]["cluster"],
        "design": run["design"],
        "step": step,
        "frame": noise.get("frame", -1),
        "valid": result["valid"],
        "changed": result["answer"] != clean["answer"],
        "clean": clean["valid"],
        "own": bool(traces.unflagged(clean["valid_at"])[step]),
        "cells": result["cells"],
        "energy": result["energy"],
        **_exact(result.get("exact", {}), clean.get("exact"), step),
    }


def _exact(found: dict, clean: dict | None, step: int) -> dict:
    end = found.get("end")
    return {
        "exact_own": None if clean is None else clean["valid_at"][step] == "1",
        "exact_valid": found.get("valid"),
        "exact_changed": None if end is None or clean is None else end != clean["ends"][step],
    }


def of(lines: pd.DataFrame, design: str) -> pd.DataFrame:
    """The lines of a design."""
    return lines[lines["design"] == design]


def along_steps(lines: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Runs with noise at one step; at step 0 those of another seed."""
    return pd.concat([of(lines, "other seed"), of(lines, f"step {mode}")], ignore_index=True)


def known(lines: pd.DataFrame, column: str) -> pd.DataFrame:
    """The lines for which a column is known."""
    return lines[lines[column].notna()]


def nearest(lines: pd.DataFrame, place: float) -> pd.DataFrame:
    """The lines at the step that is nearest to a place, the earlier of two; none of no lines."""
    steps = sorted(lines["step"].unique())
    step = min(steps, key=lambda step: abs(step - place), default=None)
    return lines[lines["step"] == step]


def pairs(one: pd.DataFrame, other: pd.DataFrame, by: tuple[str, ...] = ()) -> pd.DataFrame:
    """All pairs of a line and another one of the same sample, whose columns end in `_other`; so
    both sides of a contrast weigh their runs equally.

    Args:
        by: other columns that must agree, such as the step.
    """
    return one.merge(other, on=["sample", *by], suffixes=("", "_other"))
