"""Recognition: does the denoising error of a finished run tell right from wrong?"""

from collections.abc import Sequence

import numpy as np

from ...measures.intervals import (
    NOTHING,
    Clusters,
    cluster_numbers,
    number_of,
    resample,
    wilson,
)


def auroc(
    errors: Sequence[float],
    valid: Sequence[bool],
    clusters: Clusters = None,
    samples: Sequence[int] | None = None,
) -> dict:
    """The probability that a wrong run has a larger error than a right one (ties count half), with
    the percentile interval from drawing whole clusters, {mean, low, high, n, clusters, right,
    wrong}.

    n is the number of runs of the rarer kind. Where all draws agree (nothing overlaps), the bounds
    are Wilson's at that n: the bootstrap's would have no width.

    Args:
        errors: (n,) of runs.
        valid: (n,) bool.
        clusters: the canonical state of each run.
        samples: the sample of each run; if given, only pairs of one sample are compared, so that
            samples that are hard and look so do not count, and only their runs.
    """
    errors, valid = np.asarray(errors, float), np.asarray(valid, bool)
    wins, pairs = _wins(errors[valid], errors[~valid]), np.ones((valid.sum(), (~valid).sum()))
    if samples is not None:
        of = np.unique(np.array(samples), return_inverse=True)[1]
        pairs = (of[valid][:, None] == of[~valid][None]).astype(float)
    counts = {"right": int(pairs.any(1).sum()), "wrong": int(pairs.any(0).sum())}
    rarer, used = min(counts.values()), np.zeros(len(valid), bool)
    used[valid], used[~valid] = pairs.any(1), pairs.any(0)
    counts["clusters"] = number_of(clusters, used)
    if not rarer:
        return NOTHING | counts
    cluster = cluster_numbers(clusters, len(valid))
    times = resample(cluster.max() + 1)[:, cluster].astype(float)  # (DRAWS, n)
    right, wrong = times[:, valid], times[:, ~valid]
    told, all_pairs = (((right @ each) * wrong).sum(1) for each in (wins * pairs, pairs))
    draws = np.divide(told, all_pairs, out=np.full(len(told), np.nan), where=all_pairs > 0)
    low, high = np.nanquantile(draws, [0.025, 0.975])
    mean = (wins * pairs).sum() / pairs.sum()
    if high - low < 1e-9:
        low, high = wilson(mean, rarer)
    bounds = {"mean": mean, "low": low, "high": high}
    return {name: round(float(v), 4) for name, v in bounds.items()} | {"n": rarer} | counts


def curve(errors: Sequence[float], valid: Sequence[bool]) -> dict:
    """The ROC of calling a run wrong by its error: `false`, the share of right runs called wrong,
    and `true`, that of wrong ones, from the strictest threshold to the laxest."""
    errors, valid = np.asarray(errors, float), np.asarray(valid, bool)
    if valid.all() or not valid.any():
        return {"false": [], "true": []}
    thresholds = np.concatenate([[np.inf], np.unique(errors)[::-1]])
    called = errors[None] >= thresholds[:, None]
    shares = {"false": called[:, valid].mean(1), "true": called[:, ~valid].mean(1)}
    return {name: share.round(4).tolist() for name, share in shares.items()}


def _wins(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """(right, wrong): 1 where the wrong run's error is larger, 1/2 where they are equal."""
    return (wrong[None] > right[:, None]) + 0.5 * (wrong[None] == right[:, None])
