"""One law for how much a pass does: fitted on some cells, tested on others.

The share of valid answers after k passes of a network of L blocks, on samples that need x (rounds
of deduction, log2 of the number of answers, moves), is taken to be

    logit p = a + b_k log k + b_L log L - b_x log x.

So half of the answers are valid up to x = c k^alpha L^beta, with alpha = b_k / b_x,
beta = b_L / b_x and c = exp(a / b_x). The candidate forms restrict alpha and beta: "a network of L
blocks does c L rounds a pass, and needs K = x / (c L) passes" is alpha = beta = 1. The form is
chosen by predicting each of the fitting cells from the others; the held-out cells are looked at
once, for the error.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from ...bench import samples
from ...measures.intervals import cluster_numbers
from .entries import Entry

FORMS = {  # exponents (alpha, beta) of passes and depth; None: fitted
    "neither": (0.0, 0.0),
    "depth": (0.0, 1.0),
    "passes": (1.0, 0.0),
    "passes x depth": (1.0, 1.0),
    "passes, any depth": (1.0, None),
    "any passes, any depth": (None, None),
}
DRAWS = 200
WEAK = 1e-4  # of the penalty, which only decides where a feature is constant


@dataclass(frozen=True)
class Point:
    """Valid answers after `passes` passes: `hits` of `n` runs of a network of `layers` blocks on a
    cell that needs `x`.

    Attributes:
        by_cluster: (clusters, 2), hits and runs of each cluster of samples; those of all passes of
            a network on a cell are drawn together.
    """

    network: str
    cell: str
    x: float
    layers: int
    passes: int
    by_cluster: np.ndarray = field(repr=False, compare=False)

    @property
    def hits(self) -> float:
        return float(self.by_cluster[:, 0].sum())

    @property
    def n(self) -> int:
        return int(self.by_cluster[:, 1].sum())

    @property
    def share(self) -> float:
        return self.hits / self.n


@dataclass(frozen=True)
class Fit:
    """`logit p = a + b . features` of a form; see the module."""

    form: str
    a: float
    b: tuple[float, ...]

    def predict(self, points: Sequence[Point]) -> np.ndarray:
        """The share of valid answers, (n,)."""
        return 1.0 / (1.0 + np.exp(-(self.a + features(points, self.form) @ np.array(self.b))))

    @property
    def exponents(self) -> tuple[float, float]:
        """alpha and beta."""
        alpha, beta = FORMS[self.form]
        rest = iter(self.b[1:])
        return tuple(next(rest) / self.b[0] if fixed is None else fixed for fixed in (alpha, beta))

    @property
    def constant(self) -> float:
        """c: what one pass of one block does for half of the samples."""
        return float(np.exp(self.a / self.b[0]))


def features(points: Sequence[Point], form: str) -> np.ndarray:
    """(n, 1 + free exponents): alpha log k + beta log L - log x with the exponents that are fixed,
    then log k and log L for those that are free."""
    alpha, beta = FORMS[form]
    k, layers, x = np.log([(p.passes, p.layers, p.x) for p in points]).T
    first = (alpha or 0.0) * k + (beta or 0.0) * layers - x
    free = [column for column, fixed in ((k, alpha), (layers, beta)) if fixed is None]
    return np.stack([first, *free], 1)


def fit(points: Sequence[Point], form: str) -> Fit:
    """The maximum of the likelihood of all runs."""
    columns, hits = features(points, form), np.array([p.hits for p in points])
    misses = np.array([p.n for p in points]) - hits
    labels = np.repeat([1, 0], len(points))
    model = LogisticRegression(C=1 / WEAK, solver="newton-cholesky")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a resample in which all or no runs are valid
        model.fit(np.concatenate([columns] * 2), labels, np.concatenate([hits, misses]))
    return Fit(form, float(model.intercept_[0]), tuple(map(float, model.coef_[0])))


def error(fitted: Fit, points: Sequence[Point]) -> float:
    """The mean absolute difference of predicted and measured shares."""
    return float(np.mean(np.abs(fitted.predict(points) - [p.share for p in points])))


def across_cells(points: Sequence[Point], form: str) -> float:
    """The error on each cell, fitted on the others."""
    cells = dict.fromkeys(p.cell for p in points)
    return float(
        np.mean(
            [
                error(fit([p for p in points if p.cell != cell], form), own)
                for cell in cells
                if (own := [p for p in points if p.cell == cell])
            ]
        )
    )


def points_of(found: Sequence[Entry], task: str, x: str) -> list[Point]:
    """The points of plain networks on the cells of a task that have an `x` (`rounds` or `log2`) of
    1 or more: I_k for every k."""
    points = {}
    for entry in found:
        need = getattr(entry, x) if samples.task_of(entry.cell) == task else None
        if entry.network.kind == "plain" and isinstance(need, int) and need >= 1:
            cluster = cluster_numbers(entry.clusters, entry.n)
            runs = np.bincount(cluster)
            for k, valid in enumerate(entry.curve, 1):
                place = entry.network.name, entry.cell, float(need), entry.network.layers, k
                points[place] = Point(*place, np.stack([np.bincount(cluster, valid), runs], 1))
    return list(points.values())


FAMILIES = {  # by name: task, and what its samples need more and more of
    "deduction": ("latin", "rounds"),
    "coordination": ("latin", "log2"),
    "relay": ("relay", "rounds"),
}


def laws(found: Sequence[Entry], held_out: Sequence[str]) -> dict[str, dict | None]:
    """The law of every family; see `law`."""
    return {name: law(points_of(found, *which), held_out) for name, which in FAMILIES.items()}


def law(points: Sequence[Point], held_out: Sequence[str]) -> dict | None:
    """The law of a family of cells.

    Args:
        held_out: cells that only serve the test.

    Returns:
        `form`; the `slope` b_x; the `constant` c, `exponent_of_passes`, `exponent_of_depth` and
        `held_out_error` ({mean, low, high, n, networks} each, n being the samples behind it,
        counted once a network); `baseline_error`, that of predicting any cell of a depth after k
        passes by the mean of its fitting cells;
        `candidates`, the error of every form across the fitting cells; numbers of cells and
        networks; and `points`, each with its prediction. None if fewer than three cells or two
        depths can be fitted, or no network has cells of both kinds.
    """
    fitting = [p for p in points if p.cell not in held_out]
    test = [p for p in points if p.cell in held_out]
    if len({p.cell for p in fitting}) < 3 or len({p.layers for p in fitting}) < 2:
        return None
    if not {p.network for p in fitting} & {p.network for p in test}:
        return None
    candidates = {form: across_cells(fitting, form) for form in FORMS}
    form = min(candidates, key=candidates.get)
    best = fit(fitting, form)
    drawn = [(fit(f, form), t) for f, t in _resampled(fitting, test)]

    def interval(value: float, values: list[float], behind: list[Point] = fitting) -> dict:
        low, high = np.quantile(values, [0.025, 0.975])
        found = {"mean": value, "low": min(low, value), "high": max(high, value)}
        return {k: round(float(v), 4) for k, v in found.items()} | _behind(behind)

    constant = interval(best.constant, [f.constant for f, _ in drawn])
    return {
        "form": form,
        "constant": constant,
        "slope": round(best.b[0], 4),
        "exponent_of_passes": interval(best.exponents[0], [f.exponents[0] for f, _ in drawn]),
        "exponent_of_depth": interval(best.exponents[1], [f.exponents[1] for f, _ in drawn]),
        "held_out_error": interval(error(best, test), [error(f, t) for f, t in drawn], test),
        "baseline_error": round(_baseline(fitting, test), 4),
        "candidates": {name: round(value, 4) for name, value in candidates.items()},
        "n_cells": len({p.cell for p in fitting}),
        "n_held_out": len({p.cell for p in test}),
        "n_networks": len({p.network for p in points}),
        "points": [
            {"cell": p.cell, "layers": p.layers, "passes": p.passes, "x": p.x}
            | {"share": round(p.share, 4), "predicted": round(float(q), 4)}
            | {"held_out": p.cell in held_out}
            for p, q in zip([*fitting, *test], best.predict([*fitting, *test]), strict=True)
        ],
    }


def _baseline(fitting: Sequence[Point], test: Sequence[Point]) -> float:
    shares = defaultdict(list)
    for point in fitting:
        shares[point.layers, point.passes].append(point.share)
    everywhere = np.mean([p.share for p in fitting])
    means = {key: np.mean(values) for key, values in shares.items()}
    off = (abs(p.share - means.get((p.layers, p.passes), everywhere)) for p in test)
    return float(np.mean(list(off)))


def _behind(points: Sequence[Point]) -> dict[str, int]:
    """Samples, counted once for each network, and networks."""
    samples_of = {(p.network, p.cell): p.n for p in points}
    return {"n": sum(samples_of.values()), "networks": len({p.network for p in points})}


def _resampled(
    fitting: list[Point], test: list[Point]
) -> Iterator[tuple[list[Point], list[Point]]]:
    """Bootstrap samples: networks within each depth, of those that have cells of both kinds; then
    clusters of samples within each cell, the same ones for all numbers of passes. With one network
    of a depth the width is that of its samples alone."""
    random = np.random.default_rng(0)
    both = {p.network for p in fitting} & {p.network for p in test}
    by_depth, by_cell = defaultdict(set), defaultdict(list)
    for point in [*fitting, *test]:
        by_cell[point.network, point.cell].append(point)
        if point.network in both:
            by_depth[point.layers].add(point.network)
    held_out = {p.cell for p in test}
    for _ in range(DRAWS):
        drawn: tuple[list[Point], list[Point]] = ([], [])
        for names in by_depth.values():
            for name in random.choice(sorted(names), len(names)).tolist():
                for (network, cell), points in by_cell.items():
                    if network == name:
                        count = len(points[0].by_cluster)
                        times = random.multinomial(count, np.full(count, 1 / count))[:, None]
                        drawn[cell in held_out].extend(
                            replace(p, by_cluster=p.by_cluster * times) for p in points
                        )
        yield drawn
