"""Shares and their differences over lines of a table, with intervals clustered by canonical state.

Several runs of a sample are not several samples: `n` is the number of samples.
"""

import math

import numpy as np
import pandas as pd

from ...measures.intervals import NOTHING, cluster_numbers, difference, proportion, resample

Two = tuple[str, str]  # columns: the share true in the first minus that in the second


def share(lines: pd.DataFrame, column: str) -> dict:
    """The share of runs in which a column is true, as `intervals.proportion`."""
    return of_samples(proportion(lines[column], lines["cluster"].tolist()), lines)


def contrast(lines: pd.DataFrame, first: str, second: str) -> dict:
    """The share true in one column minus that in another, as `intervals.difference`."""
    found = difference(lines[first], lines[second], lines["cluster"].tolist())
    return of_samples(found, lines)


def of_samples(interval: dict, lines: pd.DataFrame) -> dict:
    """An interval over lines, with n of their samples."""
    return interval | {"n": int(lines["sample"].nunique())}


def excess(lines: pd.DataFrame, one: Two, other: Two) -> dict:
    """How much larger one contrast is than another one of the same lines, {mean, low, high, n}.

    The bounds are those of the two, combined with the correlation r of their sums by cluster, as
    Newcombe combines those of two shares (MOVER; Zou and Donner 2008):

        low = d - sqrt(a^2 - 2 r a b + b^2),    a = d_1 - l_1,  b = u_2 - d_2

    so the interval has some width even if nothing differs in any line.
    """
    found, null = contrast(lines, *one), contrast(lines, *other)
    if found["mean"] is None:
        return found
    gains = np.stack([lost(lines, *one), lost(lines, *other)], axis=1)
    sums, _ = by_cluster(gains, lines["cluster"])
    varied = len(sums) > 1 and bool((sums.std(0) > 0).all())
    r = float(np.corrcoef(sums.T)[0, 1]) if varied else 0.0
    mean = found["mean"] - null["mean"]
    down = _joint(found["mean"] - found["low"], null["high"] - null["mean"], r)
    up = _joint(found["high"] - found["mean"], null["mean"] - null["low"], r)
    bounds = {"mean": mean, "low": mean - down, "high": mean + up}
    return {name: round(value, 4) for name, value in bounds.items()} | {"n": found["n"]}


def _joint(one: float, other: float, r: float) -> float:
    return math.sqrt(max(one**2 - 2 * r * one * other + other**2, 0.0))


def part_of(lines: pd.DataFrame, part: Two, whole: Two) -> dict:
    """One contrast as a share of another one, {mean, low, high, n}; the interval is from drawing
    whole clusters. If these all agree, the bounds of the part are divided by the whole.

    Nothing if more than 2.5 % of the draws have no positive whole to be a share of.
    """
    samples = int(lines["sample"].nunique())
    if lines.empty:
        return dict(NOTHING)
    values = np.stack([lost(lines, *part), lost(lines, *whole)], axis=1)
    sums, _ = by_cluster(values, lines["cluster"])
    above, below = (resample(len(sums)) @ sums).T
    positive = below > 0
    if sums[:, 1].sum() <= 0 or positive.mean() < 0.975:
        return NOTHING | {"n": samples}
    mean = float(sums[:, 0].sum() / sums[:, 1].sum())
    found = quantiles(mean, above[positive] / below[positive], samples)
    if found["low"] < found["high"]:
        return found
    bounds, size = contrast(lines, *part), contrast(lines, *whole)["mean"]
    return found | {end: round(bounds[end] / size, 4) for end in ("low", "high")}


def lost(lines: pd.DataFrame, first: str, second: str) -> np.ndarray:
    """1, 0 or -1 for each line: one column minus another."""
    return (lines[first].astype(int) - lines[second].astype(int)).to_numpy()


def by_cluster(values: np.ndarray, clusters) -> tuple[np.ndarray, np.ndarray]:
    """Sums (clusters, K) of values (n, K), and the number of values in each cluster."""
    numbers = cluster_numbers(list(clusters), len(values))
    sums = np.zeros((numbers.max() + 1, values.shape[1]))
    np.add.at(sums, numbers, values)
    return sums, np.bincount(numbers)


def quantiles(mean: float, draws: np.ndarray, n: int) -> dict:
    """A statistic with its percentile interval, {mean, low, high, n}; NaN is left out."""
    low, high = np.nanquantile(draws, [0.025, 0.975])
    bounds = {"mean": mean, "low": low, "high": high}
    return {name: round(float(value), 4) for name, value in bounds.items()} | {"n": n}
