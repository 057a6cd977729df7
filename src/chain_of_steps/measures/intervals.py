"""95 % intervals, in the one form in which all figures and claims carry them.

Proportions get Wilson's interval, paired differences of proportions Newcombe's, means a bootstrap.
Runs that share a canonical state form a cluster: the bootstrap draws whole clusters, and the closed
forms use the number of independent runs that the clusters are worth (`effective_size`). How many
states there are stands next to each interval, under `clusters`.
"""

import functools
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from scipy.stats import binomtest, norm

DRAWS = 2000
NOTHING = {"mean": None, "low": None, "high": None, "n": 0}
Z = float(norm.ppf(0.975))

Clusters = Sequence[Hashable] | np.ndarray | None  # the cluster of each value; None: each its own


def interval(values) -> dict:
    """Mean over samples with its interval, {mean, low, high, n}; NaN is left out."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return interval_of(lambda chosen: values[chosen].mean(-1), len(values))


def interval_of(statistic: Callable[[np.ndarray], float | np.ndarray], count: int) -> dict:
    """Any statistic of `count` samples with its percentile interval, {mean, low, high, n}.

    Args:
        statistic: of the samples whose indices it is given, an array (..., count); one value for
            each row.
    """
    if count == 0:
        return dict(NOTHING)
    draws = statistic(np.random.default_rng(0).integers(0, count, (DRAWS, count)))
    low, high = np.quantile(draws, [0.025, 0.975])
    return _rounded(float(statistic(np.arange(count))), low, high, count)


def clustered(values: np.ndarray | Sequence[float], clusters: Clusters) -> dict:
    """Mean over samples with a percentile interval from drawing whole clusters,
    {mean, low, high, n, clusters}; NaN is left out. A cluster counts by its number of samples.

    Values in {0, 1} belong in `proportion`: here 0 of n would have an interval of no width.
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    if not known.any():
        return NOTHING | {"clusters": 0}
    states = number_of(clusters, known)
    cluster = cluster_numbers(clusters, len(values))[known]
    sums = np.bincount(cluster, values[known])
    sizes = np.bincount(cluster)
    sums, sizes = sums[sizes > 0], sizes[sizes > 0]
    times = resample(len(sizes))  # (DRAWS, clusters)
    low, high = np.quantile(times @ sums / (times @ sizes), [0.025, 0.975])
    found = _rounded(sums.sum() / sizes.sum(), low, high, int(sizes.sum()))
    return found | {"clusters": states}


def share(hits: int, n: int) -> dict:
    """The share of `hits` among `n` with its 95 % Wilson interval, {mean, low, high, n}."""
    if n == 0:
        return dict(NOTHING)
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return _rounded(hits / n, interval.low, interval.high, n)


def proportion(values: np.ndarray | Sequence[bool], clusters: Clusters = None) -> dict:
    """The share of true values with Wilson's interval at the effective size,
    {mean, low, high, n, clusters}."""
    values = np.asarray(values, bool)
    if not len(values):
        return NOTHING | {"clusters": 0}
    low, high = wilson(values.mean(), effective_size(values, clusters))
    states = number_of(clusters, np.ones(len(values), bool))
    return _rounded(values.mean(), low, high, len(values)) | {"clusters": states}


def difference(first, second, clusters: Clusters = None) -> dict:
    """The share true in `first` minus that in `second`, paired, with Newcombe's interval at the
    effective size, {mean, low, high, n, clusters}.

    Args:
        first, second: (n,) bool, two outcomes of each run.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if not len(first):
        return NOTHING | {"clusters": 0}
    gain = first.astype(float) - second
    low, high = newcombe(pairs(first, second).mean(0), effective_size(gain, clusters))
    states = number_of(clusters, np.ones(len(first), bool))
    return _rounded(gain.mean(), low, high, len(first)) | {"clusters": states}


def unpaired(first: dict, second: dict) -> dict:
    """One proportion minus another, of other samples, {mean, low, high, n}: the bounds are those of
    the two, combined as independent (Newcombe 1998, method 10); n is the smaller one.

        low  = d - sqrt((p - l_p)^2 + (u_q - q)^2),   high likewise

    Args:
        first, second: as of `proportion` or `share`.
    """
    if not first["n"] or not second["n"]:
        return dict(NOTHING)
    d = first["mean"] - second["mean"]
    low = d - np.hypot(first["mean"] - first["low"], second["high"] - second["mean"])
    high = d + np.hypot(first["high"] - first["mean"], second["mean"] - second["low"])
    return _rounded(d, low, high, min(first["n"], second["n"]))


def pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n, 4) float, one-hot: both true, only `first`, only `second`, none."""
    kinds = 2 * (1 - first.astype(int)) + (1 - second.astype(int))
    return np.eye(4)[kinds]


def wilson(mean: np.ndarray, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's bounds of proportions `mean` of `n` each; `n` need not be whole (Wilson 1927)."""
    centre = (mean + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(mean * (1 - mean) / n + Z**2 / (4 * n**2))
    return centre - half, centre + half


def newcombe(table: np.ndarray, n: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of a paired difference of proportions p - q: Newcombe (1998), method 10.

        low  = d - sqrt(a^2 - 2 phi a b + b^2),    a = p - l_p,  b = u_q - q
        high = d + sqrt(c^2 - 2 phi c e + e^2),    c = u_p - p,  e = q - l_q

    with Wilson's bounds l and u of p and q, and phi the correlation of the two outcomes, corrected
    for continuity. Why this one: where no pair is discordant, the Wald interval and the bootstrap
    have no width, although among 64 pairs that happens by chance with 5 % discordant ones. Wilson's
    bounds keep their width there.

    Args:
        table: (..., 4) shares of the pairs: both true, only the first, only the second, none.
        n: number of pairs; need not be whole.
    """
    both, first, second, none = np.moveaxis(np.asarray(table, float), -1, 0)
    p, q = both + first, both + second
    (low_p, high_p), (low_q, high_q) = wilson(p, n), wilson(q, n)
    product = both * none - first * second
    product = np.where(product > 0, np.maximum(product - 1 / (2 * n), 0), product)  # continuity
    scale = np.sqrt(p * (1 - p) * q * (1 - q))
    phi = np.divide(product, scale, out=np.zeros_like(product), where=scale > 1e-12)
    down = (p - low_p) ** 2 - 2 * phi * (p - low_p) * (high_q - q) + (high_q - q) ** 2
    up = (high_p - p) ** 2 - 2 * phi * (high_p - p) * (q - low_q) + (q - low_q) ** 2
    return p - q - np.sqrt(np.maximum(down, 0)), p - q + np.sqrt(np.maximum(up, 0))


def effective_size(values: np.ndarray, clusters: Clusters) -> float:
    """The number of independent values that clustered ones are worth: n over the design effect
    (Kish 1965), the variance of the mean from clusters over that from independent values.

    If all values are equal the effect cannot be estimated, and each cluster counts once.
    """
    values, n = np.asarray(values, float), len(values)
    cluster = cluster_numbers(clusters, n)
    count = cluster.max() + 1
    if count == n:
        return float(n)
    off = values - values.mean()
    if not off.any():
        return float(count)
    between = (np.bincount(cluster, off) ** 2).sum() * count / (count - 1)
    alone = (off**2).sum() * n / (n - 1)
    return float(n / max(between / alone, 1.0))


def cluster_numbers(clusters: Clusters, n: int) -> np.ndarray:
    """The cluster of each value, (n,) int, numbered from 0 in order of appearance. If there is only
    one, each value is its own cluster: the interval is then over seeds, for that state alone.

    Raises:
        ValueError: for another number of clusters than values.
    """
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters were given for {n} values; expected one each")
    numbers: dict[Hashable, int] = {}
    found = np.array([numbers.setdefault(c, len(numbers)) for c in clusters])
    return found if len(numbers) > 1 else np.arange(n)


def number_of(clusters: Clusters, known: np.ndarray) -> int:
    """How many clusters the `known` values (n,) bool are of. One is one here, whatever
    `cluster_numbers` makes of it: it says how far a number generalises."""
    if clusters is None:
        return int(known.sum())
    return len({c for c, counts in zip(clusters, known, strict=True) if counts})


@functools.lru_cache(maxsize=32)  # curves ask for the same one at every step
def resample(count: int, draws: int = DRAWS) -> np.ndarray:
    """(draws, count) how often each of `count` clusters is drawn in each bootstrap sample; read it
    only."""
    times = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), draws)
    times.flags.writeable = False
    return times


def holm(p: Sequence[float]) -> np.ndarray:
    """P values adjusted by Holm (1979): if those up to alpha are rejected, the probability of any
    false rejection is at most alpha."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _rounded(mean: float, low: float, high: float, n: int) -> dict:
    bounds = {"mean": mean, "low": low, "high": high}
    return {name: round(float(value), 4) for name, value in bounds.items()} | {"n": n}
