"""The rows of the phase diagram, as arrays."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ...bench import samples
from ...measures.intervals import share
from ...measures.phases import Cell, Passes, Phase, least_passes, phase
from ...measures.traces import unflagged
from .networks import Network, parse

STRATUM_KNOBS = ("rounds", "log2", "moves")


@dataclass(frozen=True)
class Entry:
    """The test runs of a network on a cell with S steps.

    Attributes:
        own: (S, n) bool, validity of its clean estimates at every step.
        exact: (S, n) bool, the same of the exact posterior's mean at the same states; or None.
        one: (n,) bool each, the controls `B`, `F` and `T`; empty for a twin.
        curve: (n,) bool each, I_1, I_2, ...
        clusters: the canonical state of each run.
        row: of the first chunk, for what all chunks share.
    """

    network: Network
    cell: str
    own: np.ndarray
    exact: np.ndarray | None
    one: dict[str, np.ndarray]
    curve: list[np.ndarray]
    clusters: list[str]
    row: dict = field(repr=False)

    @property
    def steps(self) -> int:
        return len(self.own)

    @property
    def n(self) -> int:
        return self.own.shape[1]

    @property
    def task(self) -> str:
        """The cell without the knobs that say the stratum."""
        knobs = samples.knobs_of(self.cell).items()
        rest = {name: value for name, value in knobs if name not in STRATUM_KNOBS}
        return samples.cell_of(samples.task_of(self.cell), **rest)

    @property
    def rounds(self) -> int | str | None:
        return self.row["result"]["stratum"]["rounds"]

    @property
    def log2(self) -> int | None:
        return self.row["result"]["stratum"]["log2"]

    def room(self) -> dict:
        """The share of valid answers at step 0 on validation samples."""
        return share(self.row["result"]["valid_on_validation"], self.row["run"]["validation"])

    def phase(self) -> Phase:
        """Its phase; of the exact posterior by the rule of section 6, since E would be itself."""
        own = (self.own, self.exact) if self.exact is not None else (None, None)
        bounds = self.own[0], self.own[-1], self.one["B"], self.one["F"]
        return phase(Cell(*bounds, *own, self.clusters))

    def passes(self) -> Passes:
        """K."""
        return least_passes(self.curve, self.own[-1], self.clusters)


def entries(rows: Iterable[dict]) -> list[Entry]:
    """The rows of `7_phase_diagram`, the chunks of a list of samples joined."""
    found = defaultdict(list)
    for row in rows:
        run = row["run"]
        found[run["network"], run["cell"], run["steps"]].append(row)
    return [_joined(sorted(group, key=lambda r: r["run"]["first"])) for group in found.values()]


def _joined(rows: list[dict]) -> Entry:
    results = [row["result"] for row in rows]

    def along(name: str) -> np.ndarray:
        chunks = zip(*(result[name] for result in results), strict=True)
        return np.array([unflagged("".join(parts)) for parts in chunks])

    first = results[0]
    controlled = "I" in first
    return Entry(
        parse(rows[0]["run"]["network"]),
        rows[0]["run"]["cell"],
        along("valid_at"),
        along("exact_at") if first["exact_at"] is not None else None,
        {b: unflagged("".join(r[b] for r in results)) for b in "BFT" if controlled},
        list(along("I")) if controlled else [],
        [cluster for r in results for cluster in r["clusters"]],
        rows[0],
    )
