"""Statistics of mean curves, with intervals from drawing whole clusters."""

from collections.abc import Callable, Sequence

import numpy as np

from ...measures.intervals import NOTHING, Clusters, cluster_numbers, resample


def of_means(
    statistic: Callable[..., np.ndarray], curves: Sequence[np.ndarray], groups: Clusters
) -> dict:
    """A statistic of mean curves with its percentile interval from drawing whole clusters,
    {mean, low, high, n}. Draws in which it is undefined are left out.

    Args:
        statistic: of mean curves (B, T), one argument for each of `curves`, to (B,).
        curves: (T, n) each, NaN where a sample has no value.
    """
    n = curves[0].shape[1]
    read = int((~np.isnan(curves[0])).any(0).sum())
    known = [np.nan_to_num(curve) for curve in curves]
    counts = [~np.isnan(curve) for curve in curves]
    numbers = cluster_numbers(groups, n)
    drawn = resample(numbers.max() + 1)[:, numbers]  # (DRAWS, n), how often each sample counts
    with np.errstate(invalid="ignore"):

        def of_drawn(times: np.ndarray) -> np.ndarray:
            pairs = zip(known, counts, strict=True)
            return statistic(*(times @ v.T / (times @ c.T) for v, c in pairs))

        own, draws = of_drawn(np.ones((1, n)))[0], of_drawn(drawn)
    if np.isnan(own):
        return dict(NOTHING)
    low, high = np.nanquantile(draws, [0.025, 0.975])
    found = {"mean": own, "low": low, "high": high}
    return {name: round(float(value), 4) for name, value in found.items()} | {"n": read}
