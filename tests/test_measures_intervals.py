"""Intervals: against published tables, closed forms and their own coverage."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from chain_of_steps.measures import intervals
from chain_of_steps.measures.intervals import difference, effective_size, newcombe, proportion


def outcomes(both: int, first: int, second: int, none: int) -> tuple[np.ndarray, np.ndarray]:
    kinds = np.repeat(np.arange(4), (both, first, second, none))
    return kinds < 2, kinds % 2 == 0


@pytest.mark.parametrize("hits", [0, 3, 32, 63, 64])
def test_a_proportion_has_wilsons_interval(hits):
    found = proportion(np.arange(64) < hits)
    exact = binomtest(hits, 64).proportion_ci(method="wilson")
    assert found == intervals.share(hits, 64) | {"clusters": 64}
    assert (found["low"], found["high"]) == pytest.approx((exact.low, exact.high), abs=1e-4)


def test_none_of_64_may_still_be_one_in_eighteen():
    none = {"mean": 0.0, "low": 0.0, "high": 0.0566, "n": 64, "clusters": 64}
    assert proportion(np.zeros(64, bool)) == none


def test_a_paired_difference_agrees_with_a_published_one():
    first, second = outcomes(59, 6, 16, 80)  # Cavo et al. (2012), R package contingencytables
    found = difference(first, second)
    assert (found["mean"], found["low"], found["high"]) == (-0.0621, -0.1186, -0.0046)
    turned = difference(second, first)
    assert (turned["low"], turned["high"]) == (0.0046, 0.1186)


@pytest.mark.parametrize("seed", range(5))
def test_paired_differences_in_counts(seed):
    """Newcombe's own formulas, in counts, for one table at a time."""
    e, f, g, h = (int(c) for c in np.random.default_rng(seed).integers(1, 40, 4))
    n = e + f + g + h
    p, q = (binomtest(k, n).proportion_ci(method="wilson") for k in (e + f, e + g))
    excess = e * h - f * g
    excess = max(excess - n / 2, 0) if excess > 0 else excess
    phi = excess / math.sqrt((e + f) * (g + h) * (e + g) * (f + h))
    down, up = (e + f) / n - p.low, q.high - (e + g) / n
    low = (f - g) / n - math.sqrt(down**2 - 2 * phi * down * up + up**2)
    up, down = p.high - (e + f) / n, (e + g) / n - q.low
    high = (f - g) / n + math.sqrt(up**2 - 2 * phi * up * down + down**2)
    assert newcombe(np.array([e, f, g, h]) / n, n) == pytest.approx((low, high))


@pytest.mark.parametrize("table", [(64, 0, 0, 0), (0, 0, 0, 64), (32, 0, 0, 32)])
def test_equal_outcomes_leave_a_doubt(table):
    found = difference(*outcomes(*table))
    assert found["mean"] == 0.0 and found["low"] == -found["high"] < -0.01


@pytest.mark.parametrize(
    "table", [(0.9, 0.08, 0.02, 0.0), (0.3, 0.3, 0.1, 0.3), (0.02, 0.01, 0.0, 0.97)]
)
def test_paired_differences_cover_the_truth(table):
    drawn = np.random.default_rng(0).multinomial(80, table, 4000)
    low, high = newcombe(drawn / 80, 80)
    truth = table[1] - table[2]
    assert 0.94 < ((low <= truth) & (truth <= high)).mean() <= 1.0


def test_clusters_count_for_what_they_are_worth():
    values = np.random.default_rng(0).random(50) < 0.3
    clusters = np.repeat(np.arange(50), 4)
    assert effective_size(values, np.arange(50)) == effective_size(values, None) == 50
    assert effective_size(np.repeat(values, 4), clusters) == pytest.approx(50, rel=0.02)
    assert effective_size(np.ones(200), clusters) == 50
    assert effective_size(np.tile([True, False], 100), np.repeat(np.arange(100), 2)) == 200
    alone = proportion(values)
    copied = proportion(np.repeat(values, 4), clusters)
    assert copied["n"] == 200
    assert (copied["low"], copied["high"]) == pytest.approx(
        (alone["low"], alone["high"]), abs=0.003
    )


def test_the_effective_size_worked_out_by_hand():
    """Around the mean 1/2 the sums of the clusters are 1, -1 and 0: a variance of 2 x 3/2 = 3,
    against 6 x 1/4 x 6/5 = 1.8 of independent values. So six values are worth 6 x 1.8 / 3."""
    values, clusters = np.array([1, 1, 0, 0, 1, 0]), list("aabbcc")
    assert effective_size(values, clusters) == pytest.approx(3.6)
    low, high = intervals.wilson(0.5, 3.6)
    for found in (proportion(values, clusters), proportion(values[::-1], clusters[::-1])):
        assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-4)
    nothing = np.zeros(6)
    low, high = newcombe(np.array([0, 0.5, 0, 0.5]), 3.6)
    found = difference(values, nothing, clusters)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("n", [100, 400])
def test_bootstraps_leave_out_two_and_a_half_percent_on_each_side(n):
    """The mean of n values of variance 1 is nearly normal: 1.96 / sqrt(n) to each side."""
    values = norm.ppf((np.arange(n) + 0.5) / n)
    values /= values.std()
    alone = intervals.interval(values)
    clusters = intervals.clustered(np.repeat(values, 3), np.repeat(np.arange(n), 3))
    for found in (alone, clusters):
        half = np.array([-found["low"], found["high"]]) * n**0.5
        assert half == pytest.approx(1.96, abs=0.15), "of 90 % it would be 1.64"
        assert found["mean"] == pytest.approx(0.0, abs=1e-4)


def test_a_single_cluster_is_an_interval_over_seeds():
    values = np.arange(40) < 10
    one = {"clusters": 1}
    assert proportion(values, ["board"] * 40) == proportion(values) | one
    assert difference(values, ~values, ["board"] * 40) == difference(values, ~values) | one
    assert intervals.clustered(values, ["board"] * 40) == intervals.clustered(values, None) | one


def test_the_number_of_states_stands_next_to_each_interval():
    values, boards = [True, False, True, True, False], list("aabca")
    found = proportion(values, boards)
    assert (found["n"], found["clusters"]) == (5, 3)
    assert difference(values, [False] * 5, boards)["clusters"] == 3
    assert difference(values, [False] * 5)["clusters"] == proportion(values)["clusters"] == 5
    assert intervals.clustered([1.0, 2.0, np.nan, 0.0, 3.0], boards)["clusters"] == 2, "b is NaN"


def test_a_clustered_mean_draws_whole_clusters():
    rng = np.random.default_rng(0)
    of_cluster = rng.normal(size=60)
    values, clusters = np.repeat(of_cluster, 5), np.repeat(np.arange(60), 5)
    found, alone = intervals.clustered(values, clusters), intervals.interval(of_cluster)
    assert (found["n"], found["clusters"]) == (300, 60)
    assert found["mean"] == alone["mean"]
    for bound in ("low", "high"):
        assert found[bound] == pytest.approx(alone[bound], abs=0.03)
    naive = intervals.interval(values)
    assert found["high"] - found["low"] > 1.8 * (naive["high"] - naive["low"])


def test_a_clustered_mean_weighs_clusters_by_size_and_leaves_nan_out():
    found = intervals.clustered([1.0, 1.0, 1.0, 5.0, np.nan, np.nan], list("aaabcc"))
    assert (found["mean"], found["n"], found["clusters"]) == (2.0, 4, 2)
    assert intervals.clustered([np.nan], ["a"]) == intervals.NOTHING | {"clusters": 0}


def test_clusters_have_to_fit_the_values():
    with pytest.raises(ValueError, match="2 clusters were given for 3 values"):
        proportion([True, False, True], ["a", "b"])


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([0.01, 0.011, 0.02, 0.04], [0.04, 0.04, 0.04, 0.04]),
    ],
)
def test_holm_by_hand(p, adjusted):
    assert intervals.holm(p) == pytest.approx(adjusted)


def test_nothing_has_no_interval():
    assert proportion([]) == difference([], []) == intervals.NOTHING | {"clusters": 0}


def test_unpaired_shares_have_newcombes_published_interval():
    first, second = intervals.share(56, 70), intervals.share(48, 80)  # Newcombe 1998, table II, a
    found = intervals.unpaired(first, second)
    assert found == pytest.approx({"mean": 0.2, "low": 0.0524, "high": 0.3339, "n": 70}, abs=1e-4)
    assert intervals.unpaired(second, first)["low"] == pytest.approx(-0.3339, abs=1e-4)
    assert intervals.unpaired(first, intervals.share(0, 0)) == intervals.NOTHING
