"""The noise level at which an answer is decided."""

import math

import numpy as np
import pandas as pd

from ...measures.intervals import NOTHING, resample
from .shares import by_cluster, quantiles


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
    sums, sizes = by_cluster(values.to_numpy(float), values.index.get_level_values("cluster"))
    times = resample(len(sizes))
    curves = times @ sums / (times @ sizes)[:, None]  # (draws, steps)
    mean = _half(sums.sum(0) / sizes.sum(), levels)
    if math.isnan(mean):
        return NOTHING | {"n": len(values)}
    return quantiles(mean, np.array([_half(curve, levels) for curve in curves]), len(values))


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
