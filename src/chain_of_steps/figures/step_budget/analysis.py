"""From rows to numbers: what more steps, another sampler, more frames or a student change, by cell.

All comparisons are paired: the same samples and the same noise. Nothing is pooled over cells.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from ...measures.intervals import (
    NOTHING,
    Clusters,
    cluster_numbers,
    clustered,
    difference,
    proportion,
    resample,
)
from ...measures.phases import FAILURE
from ...measures.traces import unflagged
from ...models.schedule import Schedule
from .. import summaries

GENERATION = ["cell", "index", "seed", "cluster"]
STUDENT, FEW = "student", "few"  # the ways of the student, and of its control
WHOLE = 50  # steps of the paper's schedule
ENOUGH = 0.9  # share of what all steps reach
LOSSES = {
    "steps_gain": (50, 1),
    "four_steps_loss": (50, 4),
    "twenty_steps_loss": (50, 20),
    "beyond_fifty": (100, 50),
}


def table(rows: Iterable[dict], way: str | None = None) -> pd.DataFrame:
    """One line per run: cell, index, seed, cluster, way, valid, drawn, score.

    Args:
        way: its name; by default sampler and number of steps, `euler/50`, or `frames/9`.
    """
    return pd.DataFrame(
        {
            **{name: row["run"][name] for name in ("cell", "index", "seed")},
            "cluster": row["result"]["sample"]["cluster"],
            "way": way or _way(row["run"]),
            **{name: row["result"][name] for name in ("valid", "drawn", "score")},
        }
        for row in rows
    )


def _way(run: dict) -> str:
    return (
        f"{run['sampler']}/{run['steps']}" if run["frames"] is None else f"frames/{run['frames']}"
    )


def symbol_table(rows: Iterable[dict]) -> pd.DataFrame:
    """The same of rows that are about all samples of a cell, without drawn and score."""
    lines = []
    for row in rows:
        run, result = row["run"], row["result"]
        valid = unflagged(result["valid_each"])
        for index, (right, cluster) in enumerate(zip(valid, result["clusters"], strict=True)):
            names = dict(zip(GENERATION, (run["cell"], index, index, cluster), strict=True))
            lines.append(names | {"way": f"euler/{run['steps']}", "valid": right})
    return pd.DataFrame(lines, columns=[*GENERATION, "way", "valid"])


def metrics(rows: dict[str, list[dict]], layers: Sequence[int]) -> dict[str, dict]:
    """By cell: `strata`, `of_steps`, `of_ways`; and under `symbols`, by network (`L4`), the
    `of_steps` of the networks without pictures.

    Args:
        rows: by group of the parameters.
        layers: blocks of the shallow and of the deep network.
    """
    pictures = {"grid": None, "frames": None, "student": STUDENT, "few": FEW}
    found = by_cell(pd.concat([table(rows[name], way) for name, way in pictures.items()]))
    for cell, labels in strata(row for name in pictures for row in rows[name]).items():
        found[cell]["strata"] = labels
    networks = zip(layers, ("shallow", "deep"), strict=True)
    symbols = {f"L{depth}": symbol_table(rows[name]) for depth, name in networks}
    for cell, numbers in of_symbols(symbols).items():
        found.setdefault(cell, {})["symbols"] = numbers
    return found


def by_cell(lines: pd.DataFrame) -> dict[str, dict]:
    """The metrics of every cell (`of_steps`, `of_ways`).

    Args:
        lines: of `table`, of all experiments together.
    """
    found = {}
    for cell, part in lines.groupby("cell", sort=False):
        valid = outcomes(part)
        found[cell] = of_steps(valid) | of_ways(part, valid)
    return found


def outcomes(lines: pd.DataFrame) -> pd.DataFrame:
    """Validity of every generation (lines) in every way (columns); NaN where it was not run."""
    return lines.pivot(index=GENERATION, columns="way", values="valid")


def of_steps(valid: pd.DataFrame) -> dict:
    """What the number of steps changes in one cell.

    Returns:
        `valid_at_steps`, by number of steps, and each as `at_4`; the paired differences of
        `LOSSES`; `steps_to_90`.
    """
    counts = steps_of(valid)
    curve = {str(count): share(valid, euler(count)) for count in counts}
    at = {f"at_{count}": curve[str(count)] for count in counts}
    losses = {
        name: paired(valid, euler(more), euler(less)) for name, (more, less) in LOSSES.items()
    }
    known = valid[[euler(count) for count in counts if count <= WHOLE]].dropna()
    tried = [count for count in counts if count <= WHOLE]
    reached = least_steps(tried, known.to_numpy(bool), clusters(known))
    return {"valid_at_steps": curve, **at, **losses, "steps_to_90": reached}


def of_ways(lines: pd.DataFrame, valid: pd.DataFrame) -> dict:
    """What sampler, clip length and distillation change in one cell; only what was run there.

    Returns:
        `drawn_at_steps` and `score_at_steps`; `stochastic_minus_euler` and `unipc_minus_euler` by
        number of steps; `frames`, by their number valid, drawn and score, with `frames_loss`, the
        longest clip's validity minus the shortest's; `student` and `few` (its control, the model
        itself at the student's noise levels) with `student_minus_four`, `student_minus_few`,
        `student_minus_fifty`, and the last also as the loss `fifty_minus_student`.
    """
    counts, found = steps_of(valid), {}
    for what in ("drawn", "score"):
        found[f"{what}_at_steps"] = {str(c): shown(lines, euler(c))[what] for c in counts}
    for sampler in ("stochastic", "unipc"):
        both = [c for c in counts if f"{sampler}/{c}" in valid]
        if both:
            differences = {str(c): paired(valid, f"{sampler}/{c}", euler(c)) for c in both}
            found[f"{sampler}_minus_euler"] = differences
    lengths = sorted(int(way.split("/")[1]) for way in valid if way.startswith("frames/"))
    if lengths:
        found["frames"] = {str(f): shown(lines, f"frames/{f}") for f in lengths}
        ends = (f"frames/{f}" for f in (lengths[-1], lengths[0]))
        found["frames_loss"] = paired(valid, *ends)
    others = {"four": euler(4), FEW: FEW, "fifty": euler(WHOLE)}
    if STUDENT in valid:
        found |= {who: shown(lines, who) for who in (STUDENT, FEW) if who in valid}
        found |= {f"student_minus_{n}": paired(valid, STUDENT, way) for n, way in others.items()}
        found["fifty_minus_student"] = paired(valid, euler(WHOLE), STUDENT)
    return found


def of_symbols(tables: dict[str, pd.DataFrame]) -> dict[str, dict]:
    """By cell and network what the number of steps changes; and by number of steps
    `last_minus_first`, the validity of the last network minus that of the first.

    Args:
        tables: of `symbol_table`, by name of the network.
    """
    whole = {name: dict(list(lines.groupby("cell", sort=False))) for name, lines in tables.items()}
    first, last = next(iter(whole)), [*whole][-1]
    found = {}
    for cell in dict.fromkeys(cell for parts in whole.values() for cell in parts):
        valid = {name: outcomes(parts[cell]) for name, parts in whole.items() if cell in parts}
        found[cell] = {name: of_steps(each) for name, each in valid.items()}
        if first != last and {first, last} <= valid.keys():
            both = valid[last].add_suffix(" last").join(valid[first].add_suffix(" first"))
            found[cell]["last_minus_first"] = {
                str(c): paired(both, f"{euler(c)} last", f"{euler(c)} first")
                for c in steps_of(valid[last])
            }
    return found


def along(
    rows: Iterable[dict], schedule: Schedule, bounds: bool = False
) -> dict[str, dict[str, dict]]:
    """Of every cell with traced runs, by number of steps: `sigmas` and the share of runs whose
    clean estimate is `valid` there.

    Args:
        schedule: of the experiment; its number of steps does not matter.
        bounds: also `low` and `high`, a 95 % interval.
    """
    traced: dict[str, dict[int, list]] = {}
    for row in rows:
        if row["run"]["traced"]:
            of_cell = traced.setdefault(row["run"]["cell"], {})
            of_cell.setdefault(row["run"]["steps"], []).append(row)
    return {
        cell: {
            str(count): {"sigmas": np.round(_sigmas(schedule, count), 4).tolist()}
            | _valid_along(found, bounds)
            for count, found in sorted(by_steps.items())
        }
        for cell, by_steps in traced.items()
    }


def _valid_along(rows: list[dict], bounds: bool) -> dict:
    valid = np.array([unflagged(row["result"]["valid_at"]) for row in rows])  # (n, S)
    found = {"valid": valid.mean(0).round(4).tolist(), "n": len(rows)}
    if bounds:
        states = summaries.clusters(rows)
        intervals = [proportion(values, states) for values in valid.T]
        found |= {bound: [each[bound] for each in intervals] for bound in ("low", "high")}
    return found


def _sigmas(schedule: Schedule, steps: int) -> list[float]:
    return Schedule(euler(steps), "euler", steps, schedule.shift).sigmas[:-1]


def strata(rows: Iterable[dict]) -> dict[str, list[str]]:
    """The strata of the samples of each cell: more than one where a cell fixes none (clues)."""
    found: dict[str, set] = {}
    for row in rows:
        found.setdefault(row["run"]["cell"], set()).add(row["result"]["sample"]["stratum"])
    return {cell: sorted(labels) for cell, labels in found.items()}


# One number each.


def euler(steps: int) -> str:
    """The name of the way of the grid."""
    return f"euler/{steps}"


def steps_of(valid: pd.DataFrame) -> list[int]:
    """The numbers of steps with the Euler sampler."""
    return sorted(int(way.split("/")[1]) for way in valid if way.startswith("euler/"))


def clusters(valid: pd.DataFrame) -> np.ndarray:
    """The canonical state of each line of `outcomes`."""
    return valid.index.get_level_values("cluster").to_numpy()


def share(valid: pd.DataFrame, way: str) -> dict:
    """The share of valid answers in one way, as `intervals.proportion`."""
    known = valid[[way]].dropna()
    return proportion(known[way].to_numpy(bool), clusters(known))


def paired(valid: pd.DataFrame, first: str, second: str) -> dict:
    """The share valid in one way minus that in another, over the generations that were run in
    both, as `intervals.difference`; n = 0 if a way was not run."""
    if first not in valid or second not in valid:
        return dict(NOTHING)
    both = valid[[first, second]].dropna()
    return difference(both[first].to_numpy(bool), both[second].to_numpy(bool), clusters(both))


def shown(lines: pd.DataFrame, way: str) -> dict[str, dict]:
    """Of the runs in one way: the shares `valid` and `drawn`, and the mean `score`."""
    part = lines[lines["way"] == way]
    summary: dict[str, Callable] = {"valid": proportion, "drawn": proportion, "score": clustered}
    return {name: of(part[name].to_numpy(), part["cluster"]) for name, of in summary.items()}


def least_steps(steps: Sequence[int], valid: np.ndarray, clusters: Clusters) -> dict:
    """The least number of steps with at least `ENOUGH` of the validity of the last: `mean` is that
    of all samples, `low` and `high` are quantiles of a bootstrap over clusters, `shares` the shares
    of its draws by number. Nothing where the last fails (as in `phases`), for then any number does.

    Args:
        steps: ascending, (k,).
        valid: (n, k) bool.
    """
    nothing = NOTHING | {"shares": {}}
    if not valid.size or proportion(valid[:, -1], clusters)["high"] < FAILURE:
        return nothing
    cluster, tried = cluster_numbers(clusters, len(valid)), np.array(steps)
    sums = np.zeros((cluster.max() + 1, len(steps)))
    np.add.at(sums, cluster, valid)

    def least(totals: np.ndarray) -> np.ndarray:  # (..., k) to (...)
        return tried[(totals >= ENOUGH * totals[..., -1:] - 1e-9).argmax(-1)]

    draws = least(resample(len(sums)).astype(float) @ sums)
    low, high = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    found = {"mean": least(sums.sum(0)), "low": low, "high": high, "n": len(valid)}
    counts = {str(c): round(float((draws == c).mean()), 4) for c in steps if (draws == c).any()}
    return {name: int(value) for name, value in found.items()} | {"shares": counts}
