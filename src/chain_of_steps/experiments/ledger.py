"""The ledger: verdicts on claims, computed from metrics by the rules of claims.yaml, nothing else.

A claim is about one cell (one kind of samples): nothing is pooled. Its verdict is

- *untestable here* where nothing can be tested: fewer than 20 samples or canonical states; no room
  for an effect (`room`); or too few valid answers to lose any (`guard`);
- *supported* if the whole 95 % interval fulfils its rule, *not supported* if none of it does;
- *undecided* otherwise; where its control passes as well; and where a primary claim does not pass
  Holm's correction over all of them.

A control is a cell, or another metric, in which the same rule must not pass. Most are one-glance
controls: one pass computes the answer there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import norm

from ..measures.intervals import Z, holm
from .claims import Claim, claims_in

NETWORKS = 3  # training seeds, without which nothing is said about the networks of a depth
LEAST = 20  # informative samples, and canonical states, without which nothing is tested
ROOM = 0.9  # valid answers at step 0, above which no room is left
HEADROOM = (0.05, 0.95)  # valid answers of single runs, between which merging may help
FAILURE = 0.2  # upper bound of the valid answers, below which none can be lost
ALPHA = 0.05
ROOMS = "1_step_visualization"  # the figure whose metrics tell the room of every cell
UNTESTABLE = "untestable here"


@dataclass(frozen=True)
class Line:
    """A line of the ledger.

    Attributes:
        claim: what is judged.
        control: whether this line is its control.
        interval: {mean, low, high, n} of the statistic; all None and 0 if nothing was informative.
        room: {mean, low, high, n} of valid answers at step 0, or of single runs, on validation
            samples; None if that does not matter or was not measured.
        verdict: see the module.
        note: why, where interval and rule alone do not say it.
    """

    claim: Claim
    control: bool
    interval: dict
    room: dict | None
    verdict: str
    note: str = ""

    def record(self) -> dict:
        """The line as plain data: `id`, `claim`, `primary`, `verdict`, `mean`, `low`, `high`, `n`,
        `room`, and what else the table shows."""
        claim, other = self.claim, self.claim.control if self.control else None
        shown = {key: self.interval[key] for key in ("mean", "low", "high", "n")}
        return {
            "id": f"{claim.id}/control" if self.control else claim.id,
            "claim": claim.claim,
            "primary": claim.kind == "primary" and not self.control,
            "kind": claim.kind,
            "verdict": self.verdict,
            "note": self.note,
            **shown,
            "room": self.room,
            "figure": claim.figure,
            "cell": (other and other.cell) or claim.cell,
            "metric": (other and other.metric) or claim.metric,
        }


def judge(
    file: str | Path, figures: str | Path, figure: str | None = None, strict: bool = False
) -> list[Line]:
    """The lines of all claims whose figure has been made (of one, if named), each followed by its
    control. Holm's correction is over all of these primary claims, also if one figure is named.

    Args:
        figures: folder of the metrics, `<figure>.json`.
        strict: a claim that its figure does not measure is an error; else it is left out, as where
            a notebook runs on a few cells.

    Raises:
        ValueError: if strict, for a claim whose cell, metric, control, guard or room is missing.
    """
    metrics = _Metrics(Path(figures))
    judged = [each for claim in claims_in(file) if (each := _judged(claim, metrics, strict))]
    testable = [each for each in judged if each.primary and each.verdict != UNTESTABLE]
    adjusted = holm([p_value(each.interval, each.claim.bounds) for each in testable])
    missed = {id(each) for each, p in zip(testable, adjusted, strict=True) if p > ALPHA}
    lines = []
    for each in judged:
        verdict, note = each.verdict, each.note
        if verdict != "undecided" and id(each) in missed:
            verdict, note = "undecided", "after Holm's correction"
        lines.append(Line(each.claim, False, each.interval, each.room, verdict, note))
        if each.other:
            lines.append(each.other)
    return [line for line in lines if figure in (None, line.claim.figure)]


@dataclass(frozen=True)
class _Judged:
    """A claim before Holm's correction, and the line of its control."""

    claim: Claim
    interval: dict
    room: dict | None
    verdict: str
    note: str
    other: Line | None

    @property
    def primary(self) -> bool:
        return self.claim.kind == "primary"


def _judged(claim: Claim, metrics: "_Metrics", strict: bool) -> _Judged | None:
    """A claim judged by its own interval, room, guard and control; None if it was not measured."""

    def at(metric: str | None, cell: str | None = None) -> dict | None:
        found = metrics.at(claim.figure, cell or claim.cell, metric) if metric else None
        if metric and found is None and strict and metrics.of(claim.figure):
            raise ValueError(
                f"claim {claim.id!r} needs {metric!r} of {cell or claim.cell!r}, which "
                f"figures/{claim.figure}.json does not have"
            )
        return found

    interval, control = at(claim.metric), claim.control
    if interval is None:
        return None
    room = metrics.room(claim)
    if strict and room is None and claim.room != "any":
        raise ValueError(f"claim {claim.id!r} needs the room of {claim.cell!r}; it is not measured")
    verdict, note = _verdict(claim, interval, room, at(claim.guard))
    other = at(control.metric or claim.metric, control.cell) if control else None
    if other is None:
        return _Judged(claim, interval, room, verdict, note, None)
    line = Line(claim, True, other, None, *_verdict(claim, other, None, None))
    if verdict == line.verdict == "supported":
        verdict, note = "undecided", "its control passes as well"
    return _Judged(claim, interval, room, verdict, note, line)


def _verdict(
    claim: Claim, interval: dict, room: dict | None, guard: dict | None
) -> tuple[str, str]:
    """The verdict by one interval, and why if nothing can be tested."""
    if interval["mean"] is None and interval["n"] >= LEAST:
        return UNTESTABLE, "not defined: nothing was lost that could be shared out"
    if _informative(interval) < LEAST:
        return UNTESTABLE, f"fewer than {LEAST} informative samples or states"
    if (networks := interval.get("networks", NETWORKS)) < NETWORKS:
        seeds = "training seed" if networks == 1 else "training seeds"
        return UNTESTABLE, f"{networks} {seeds}; {NETWORKS} are needed"
    valid = None if room is None else room["mean"]
    if valid is not None and claim.room == "at step 0" and valid > ROOM:
        return UNTESTABLE, f"no room: {valid:.2f} are valid at step 0"
    if valid is not None and claim.room == "at the end" and not _between(valid, HEADROOM):
        return UNTESTABLE, f"no headroom: {valid:.2f} of single runs are valid"
    if guard is not None and guard["high"] < FAILURE:
        return UNTESTABLE, f"too few valid answers to lose any: {guard['mean']:.2f}"
    low, high = claim.bounds
    if interval["low"] == interval["high"]:  # such an interval says nothing about other samples
        return "undecided", "all draws agree, so the interval has no width"
    if low < interval["low"] and interval["high"] < high:
        return "supported", ""
    if interval["high"] < low or interval["low"] > high:
        return "not supported", ""
    return "undecided", ""


def _between(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


def _informative(interval: dict) -> int:
    """The number of samples, or of canonical states if these are fewer."""
    return 0 if interval["mean"] is None else min(interval["n"], interval.get("clusters", 1 << 30))


def p_value(interval: dict, bounds: tuple[float, float]) -> float:
    """Two-sided p value for the bound that is nearest to the mean, from the half of the 95 %
    interval that points to it, as if that half were normal: p < .05 just if the interval excludes
    the bound. 1 for an interval without width."""
    mean = interval["mean"]
    nearest = min(bounds, key=lambda bound: abs(mean - bound))
    half = mean - interval["low"] if nearest < mean else interval["high"] - mean
    return float(2 * norm.sf(abs(mean - nearest) / half * Z)) if half > 0 else 1.0


def interval_at(metrics: dict, cell: str, metric: str) -> dict | None:
    """{mean, low, high, n} of a cell in the metrics of a figure; None if there is none.

    Args:
        metric: a path of names separated by dots.
    """
    cells = metrics.get("cells", {})
    found: Any = (cells if isinstance(cells, dict) else metrics.get("strata", {})).get(cell)
    for name in metric.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) and "mean" in found else None


def tells(interval: dict) -> bool:
    """Whether an interval says anything about other samples, and about other networks where it is
    about a depth: it rests on enough of them, and has a width."""
    networks = interval.get("networks", NETWORKS) >= NETWORKS
    return networks and _informative(interval) >= LEAST and interval["low"] < interval["high"]


class _Metrics:
    """The metrics of all figures, read once."""

    def __init__(self, folder: Path):
        self.folder, self._read = folder, {}

    def of(self, figure: str) -> dict:
        """All of them; empty if the figure has not been made."""
        if figure not in self._read:
            file = self.folder / f"{figure}.json"
            self._read[figure] = (
                json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            )
        return self._read[figure]

    def at(self, figure: str, cell: str, metric: str) -> dict | None:
        """{mean, low, high, n}; None if there is no such metric."""
        return interval_at(self.of(figure), cell, metric)

    def room(self, claim: Claim) -> dict | None:
        """The figure's own, if it has one: where other models are studied than in figure 1."""
        if claim.room == "at the end":
            return self.at(claim.figure, claim.cell, "headroom")
        if claim.room == "any":
            return None
        own = self.of(claim.figure).get("room", {})
        return own.get(claim.cell) or self.of(ROOMS).get("room", {}).get(claim.cell)


# As text.


def markdown(lines: Sequence[Line]) -> str:
    """The ledger as Markdown: primary claims, those also fixed before the run, exploratory ones."""
    titles = {
        "primary": "Primary claims",
        "secondary": "Also fixed before the run",
        "exploratory": "Exploratory: added after a look",
    }
    parts = []
    for kind, title in titles.items():
        chosen = [line for line in lines if line.claim.kind == kind]
        if chosen:
            parts += [f"### {title}\n", _table(chosen)]
    return "\n".join(parts)


def _table(lines: Iterable[Line]) -> str:
    head = ("claim", "the paper", "measured (n, 95 % interval)", "room", "verdict")
    rows = [head, ("---",) * len(head), *(_row(line) for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _row(line: Line) -> tuple[str, ...]:
    claim, room = line.claim, "" if line.room is None else f"{line.room['mean']:.2f}"
    noted = f" ({line.note})" if line.note else ""
    if line.control:
        where = claim.control.cell or claim.control.metric
        what = f"↳ {claim.control.name}, `{where}`: must not pass"
        return what, "", brief(line.interval), "", line.verdict + noted
    said = f"{claim.where}: {claim.paper}" if claim.where else claim.paper
    return claim.claim, said, brief(line.interval), room, f"**{line.verdict}**{noted}"


def brief(interval: dict) -> str:
    """`.42 (n = 100, .33 to .52)`."""
    if interval["mean"] is None:
        return "none"
    mean, low, high = (f"{interval[key]:.2f}" for key in ("mean", "low", "high"))
    return f"{mean} (n = {interval['n']}, {low} to {high})"
