"""95 % intervals, in the one form in which all figures and claims carry them."""

from collections.abc import Callable

import numpy as np
from scipy.stats import binomtest

DRAWS = 2000
NOTHING = {"mean": None, "low": None, "high": None, "n": 0}


def interval(values) -> dict:
    """Mean over samples with its interval, {mean, low, high, n}; NaN is left out."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return interval_of(lambda chosen: values[chosen].mean(-1), len(values))


def interval_of(statistic: Callable[[np.ndarray], float | np.ndarray], count: int) -> dict:
    """Any statistic of `count` samples with its percentile interval, {mean, low, high, n}.

    Args:
        statistic: of the samples whose indices it is given, an array (..., count); one value for each row.
    """
    if count == 0:
        return dict(NOTHING)
    draws = statistic(np.random.default_rng(0).integers(0, count, (DRAWS, count)))
    low, high = np.quantile(draws, [0.025, 0.975])
    value = float(statistic(np.arange(count)))
    return {
        "mean": round(value, 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "n": count,
    }


def share(hits: int, n: int) -> dict:
    """The share of `hits` among `n` with its 95 % Wilson interval, {mean, low, high, n}."""
    if n == 0:
        return dict(NOTHING)
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    low, high = round(float(interval.low), 4), round(float(interval.high), 4)
    return {"mean": round(hits / n, 4), "low": low, "high": high, "n": n}
