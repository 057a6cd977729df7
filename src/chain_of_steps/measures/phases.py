"""The phase of a cell of the phase diagram: what the steps of a network do on a kind of sample.

A cell is a stratum of samples x a network x a number of steps. Its phase is the first that holds:

    failure          upper bound of A_S < .2
    glance           lower bound of A_0 >= .9
    flat             lower bound of A_S - A_0 <= .05
    blur             lower bound of A_S - B <= .05, or lower bound of E - A <= .05
    one refinement   lower bound of A_S - F <= .05
    chain            otherwise

(paper section 6, where the second condition of blur is missing). A_S and A_0 are the shares of
valid answers after all steps and at step 0; B and F are the one-pass controls of `one_pass`.

E - A is how much better the exact posterior's mean decides than the network, on the network's own
states, at the step where the difference is largest: for half of the clusters that step is the one
of the other half, so that it is not chosen on the runs it is read from. Why it is needed: B noises
a blend of values, a state that no run passes through. A network that shows exactly the posterior
mean on its own states, but fails on that one, would be called one refinement or a chain
(`known_denoisers.BrittlePosterior`). Without E the rule is that of section 6; if the answer is
unique E is 1, and the two agree.

Bounds are those of 95 % intervals: Wilson's for shares, Newcombe's for paired differences, both at
the effective size if runs share a canonical state (`intervals`). So every phase after glance has to
be shown against the one before: with few runs a cell is flat.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .intervals import (
    DRAWS,
    Clusters,
    cluster_numbers,
    difference,
    effective_size,
    newcombe,
    pairs,
    proportion,
    resample,
    wilson,
)

PHASES = ("failure", "glance", "flat", "blur", "one refinement", "chain")
FAILURE, GLANCE, MARGIN = 0.2, 0.9, 0.05
ROOM = 0.9


@dataclass(frozen=True)
class Cell:
    """The test runs of a cell: validity of the answers of n runs.

    Attributes:
        a_0, a_s: (n,) bool, at step 0 and after all steps.
        b, f: (n,) bool, after one pass on uninformative latents and on the estimate of step 0.
        own, exact: (S, n) bool, at every step of the runs, of the network's clean estimate and of
            the exact posterior's mean at the same state. None: the rule of section 6.
        clusters: the canonical state of each run; None if all differ.
    """

    a_0: np.ndarray
    a_s: np.ndarray
    b: np.ndarray
    f: np.ndarray
    own: np.ndarray | None = None
    exact: np.ndarray | None = None
    clusters: Clusters = None

    def comparisons(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The paired outcomes that the rule compares, by name."""
        rivals = {"A_S - A_0": self.a_0, "A_S - B": self.b, "A_S - F": self.f}
        found = {name: (self.a_s, rival) for name, rival in rivals.items()}
        if self.exact is not None and self.own is not None:
            found["E - A"] = _where_ahead(self.exact, self.own, self.clusters)
        return found


def _where_ahead(
    exact: np.ndarray, own: np.ndarray, clusters: Clusters
) -> tuple[np.ndarray, np.ndarray]:
    """`exact` and `own` of each run, (n,) bool each, at the step where the other half of the
    clusters differs most."""
    n = exact.shape[1]
    ahead = exact.astype(float) - own  # (S, n)
    if n == 1:
        step = ahead.argmax()
        return exact[step], own[step]
    odd = cluster_numbers(clusters, n) % 2 == 1
    steps = np.where(odd, ahead[:, ~odd].mean(1).argmax(), ahead[:, odd].mean(1).argmax())
    return exact[steps, np.arange(n)], own[steps, np.arange(n)]


@dataclass(frozen=True)
class Phase:
    """A phase and its evidence.

    Attributes:
        label: one of `PHASES`.
        shares: the share of bootstrap samples (of whole clusters) that give each label.
        intervals: {mean, low, high, n, clusters} of A_S, A_0 and each paired difference.
    """

    label: str
    shares: dict[str, float]
    intervals: dict[str, dict]


def has_room(a_0: np.ndarray) -> bool:
    """Whether a stratum leaves room for steps to add anything: A_0 is at most .9 on its validation
    runs. If so, all of its samples count.

    Args:
        a_0: (n,) bool, validity at step 0 on the validation split.
    """
    return bool(np.mean(a_0) <= ROOM)


def phase(cell: Cell) -> Phase:
    """The phase of a cell, and how often other draws of its clusters give each phase.

    Raises:
        ValueError: for a cell without runs, or outcomes of different numbers of runs.
    """
    compared = cell.comparisons()
    lengths = [len(values) for pair in compared.values() for values in pair]
    if not lengths[0] or len(set(lengths)) > 1:
        raise ValueError(f"outcomes are of {lengths} runs; expected equally many, and at least one")
    single = {"A_S": cell.a_s, "A_0": cell.a_0}
    intervals = {name: proportion(values, cell.clusters) for name, values in single.items()}
    for name, pair in compared.items():
        intervals[name] = difference(*pair, cell.clusters)
    table = np.stack([pairs(*pair) for pair in compared.values()], 1)  # (n, comparisons, 4)
    values = [*single.values(), *(np.subtract(*pair, dtype=float) for pair in compared.values())]
    worth = np.array([effective_size(v, cell.clusters) for v in values]) / len(cell.a_s)
    label = PHASES[_rule(table.sum(0)[None], worth)[0]]
    counts = np.bincount(_rule(_drawn(table, cell.clusters), worth), minlength=len(PHASES))
    shares = {p: float(c) / DRAWS for p, c in zip(PHASES, counts, strict=True) if c}
    return Phase(label, shares, intervals)


@dataclass(frozen=True)
class Passes:
    """How many passes at one noise level do as well as all steps. Where A_S is near 0 any number
    does, so K says nothing in a cell that is a failure.

    Attributes:
        least: K of section 6, the least k with I_k >= A_S; None if there is none up to the most.
        by_interval: the least k with lower bound of A_S - I_k <= .05. It agrees with the phase: 1
            is flat or a glance, 2 one refinement; and it does not hang on a single run.
        shares: the share of bootstrap samples that give each value of `least`.
    """

    least: int | None
    by_interval: int | None
    shares: dict[int | None, float]


def least_passes(curve: Sequence[np.ndarray], a_s: np.ndarray, clusters: Clusters = None) -> Passes:
    """K of a cell.

    Args:
        curve: (n,) bool for each of I_1, I_2, ... (`one_pass.iterated`).
        a_s: (n,) bool, validity after all steps.
        clusters: the canonical state of each run.
    """
    valid = np.array([*curve, a_s], float).T  # (n, k + 1)
    whole, drawn = valid.mean(0)[None], _drawn(valid, clusters)
    found, times = np.unique(_first(drawn[:, :-1] >= drawn[:, -1:] - 1e-9), return_counts=True)
    shares = {int(k) or None: float(t) / DRAWS for k, t in zip(found, times, strict=True)}
    least = _first(whole[:, :-1] >= whole[:, -1:] - 1e-9)
    low = np.array([difference(a_s, i_k, clusters)["low"] for i_k in curve])
    return Passes(int(least[0]) or None, int(_first(low[None] <= MARGIN)[0]) or None, shares)


def _first(reached: np.ndarray) -> np.ndarray:
    """The number, from 1, of the first true value in each row; 0 if there is none."""
    return np.where(reached.any(1), reached.argmax(1) + 1, 0)


def _drawn(values: np.ndarray, clusters: Clusters) -> np.ndarray:
    """Sums over runs in bootstrap samples of clusters, (DRAWS, ...), of values (n, ...)."""
    cluster = cluster_numbers(clusters, len(values))
    sums = np.zeros((cluster.max() + 1, *values.shape[1:]))
    np.add.at(sums, cluster, values)
    return np.tensordot(resample(len(sums)).astype(float), sums, 1)


def _rule(counts: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Indices of phases, (R,).

    Args:
        counts: (R, comparisons, 4) of pairs, as in `intervals.pairs`.
        worth: (2 + comparisons,) effective size per run of A_S, A_0 and the differences.
    """
    n = counts[:, 0].sum(-1)
    shares = counts / n[:, None, None]
    a_s, a_0 = shares[:, 0, 0] + shares[:, 0, 1], shares[:, 0, 0] + shares[:, 0, 2]
    low = [newcombe(shares[:, i], n * worth[2 + i])[0] for i in range(counts.shape[1])]
    flat, blur, refinement, *exact = (bound <= MARGIN for bound in low)
    if exact:
        blur = blur | exact[0]
    failure = wilson(a_s, n * worth[0])[1] < FAILURE
    glance = wilson(a_0, n * worth[1])[0] >= GLANCE
    return np.select([failure, glance, flat, blur, refinement], range(5), 5)
