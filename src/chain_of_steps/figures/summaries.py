"""From rows of `sample_runs` to tables: what every analysis begins with."""

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from ..measures.intervals import clustered, difference, proportion


def by_cell(rows: Iterable[dict]) -> dict[str, list[dict]]:
    """Rows by cell, in order of appearance."""
    found = defaultdict(list)
    for row in rows:
        found[row["run"]["cell"]].append(row)
    return dict(found)


def of_design(rows: Iterable[dict], design: str) -> list[dict]:
    """The rows of a design."""
    return [row for row in rows if row["run"]["design"] == design]


def clean_of(rows: Iterable[dict]) -> dict[tuple, dict]:
    """The clean row of every generation, by `base_of`."""
    return {base_of(row): row for row in of_design(rows, "clean")}


def base_of(row: dict) -> tuple:
    """What the rows of one generation have in common."""
    run = row["run"]
    return run["cell"], run["index"], run["suite_seed"], run["split"], run["seed"]


def clusters(rows: Iterable[dict]) -> list[str]:
    """The canonical state of each row's sample."""
    return [row["result"]["sample"]["cluster"] for row in rows]


def share(rows: list[dict], test: Callable[[dict], bool]) -> dict:
    """The share of rows whose result passes a test, as `intervals.proportion`."""
    return proportion([test(row["result"]) for row in rows], clusters(rows))


def mean(rows: list[dict], value: Callable[[dict], float]) -> dict:
    """The mean of a value of the results, as `intervals.clustered`; NaN is left out."""
    return clustered([value(row["result"]) for row in rows], clusters(rows))


def paired(rows: list[dict], first: Callable[[dict], bool], second: Callable[[dict], bool]) -> dict:
    """The share that passes one test minus the share that passes another, as
    `intervals.difference`."""
    values = [(first(row["result"]), second(row["result"])) for row in rows]
    one, other = np.array(values, bool).reshape(-1, 2).T
    return difference(one, other, clusters(rows))
