"""Statistics of curves: the noise level at which an answer is decided, and a drop as a share."""

import math

import numpy as np
import pandas as pd

from ...measures.intervals import NOTHING, cluster_numbers, resample


def log_snr(sigma: float) -> float | None:
    """`log((1 - sigma)^2 / sigma^2)`; None at pure noise and at none, where it is infinite."""
    if not 0.0 < sigma < 1.0:
        return None
    return round(2.0 * math.log((1.0 - sigma) / sigma), 4)


def half_sigma(fresh: pd.DataFrame, sigmas: list[float]) -> dict:
    """The noise level at which half is decided, {mean, low, high, n}: the share of unchanged
    answers after level-correct noise first reaches the middle between that of another seed (step 0)
    and 1. Interpolated between the steps; the interval is from drawing whole clusters.

    Nothing if another seed never changes the answer. If half is not reached at the last step, the
    level of that step.

    Args:
        fresh: lines with `unchanged`, at the same steps for every sample; step 0 among them.
    """
    if fresh.empty:
        return dict(NOTHING)
    values = fresh.pivot_table(index=["cluster", "sample"], columns="step", values="unchanged")
    levels = np.array([sigmas[step] for step in values.columns])
    sums, sizes = _by_cluster(values.to_numpy(float), values.index.get_level_values("cluster"))
    times = resample(len(sizes))
    curves = times @ sums / (times @ sizes)[:, None]  # (draws, steps)
    mean = _half(sums.sum(0) / sizes.sum(), levels)
    if math.isnan(mean):
        return NOTHING | {"n": len(values)}
    return _interval(mean, np.array([_half(curve, levels) for curve in curves]), len(values))


def _half(unchanged: np.ndarray, levels: np.ndarray) -> float:
    """Where a curve (K,) first reaches half; NaN if it begins at 1."""
    half = (unchanged[0] + 1.0) / 2.0
    if unchanged[0] >= 1.0:
        return float("nan")
    reached = np.flatnonzero(unchanged >= half)
    if not len(reached):
        return float(levels[-1])
    k = reached[0]  # at least 1: half is more than the first value
    way = (half - unchanged[k - 1]) / (unchanged[k] - unchanged[k - 1])
    return float(levels[k - 1] + way * (levels[k] - levels[k - 1]))


def ratio(top: pd.Series, bottom: pd.Series, lines: pd.DataFrame) -> dict:
    """The mean of one value as a share of the mean of another, {mean, low, high, n}; the interval
    is from drawing whole clusters.

    Nothing if more than 2.5 % of the draws have no positive mean to be a share of.

    Args:
        top, bottom: a value of each line.
        lines: with `sample` and `cluster`.
    """
    samples = int(lines["sample"].nunique())
    if lines.empty:
        return dict(NOTHING)
    sums, _ = _by_cluster(np.stack([top, bottom], axis=1).astype(float), lines["cluster"])
    above, below = (resample(len(sums)) @ sums).T
    known = below > 0
    if sums[:, 1].sum() <= 0 or known.mean() < 0.975:
        return NOTHING | {"n": samples}
    mean = float(sums[:, 0].sum() / sums[:, 1].sum())
    return _interval(mean, above[known] / below[known], samples)


def _by_cluster(values: np.ndarray, clusters) -> tuple[np.ndarray, np.ndarray]:
    """Sums (clusters, K) of values (n, K), and the number of values in each cluster."""
    numbers = cluster_numbers(list(clusters), len(values))
    sums = np.zeros((numbers.max() + 1, values.shape[1]))
    np.add.at(sums, numbers, values)
    return sums, np.bincount(numbers)


def _interval(mean: float, draws: np.ndarray, n: int) -> dict:
    low, high = np.nanquantile(draws, [0.025, 0.975])
    bounds = {"mean": mean, "low": low, "high": high}
    return {name: round(float(value), 4) for name, value in bounds.items()} | {"n": n}
