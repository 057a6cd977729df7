"""The ledger: verdicts on claims, computed from metrics by the rules of claims.yaml, nothing else.

A claim is about one cell (one kind of samples): nothing is pooled. Its verdict is

- *untestable here* with fewer than 20 samples, or if it needs room and there is none: the share of
  valid answers at step 0, on validation samples, is above .9;
- *supported* if the whole 95 % interval fulfils its rule, *not supported* if none of it does;
- *undecided* otherwise, and where a primary claim does not pass Holm's correction over all of them.

A claim may name a one-glance control: a cell in which one pass computes the answer. The same rule
is applied there, and must fail.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy.stats import norm

from ..measures.intervals import Z, holm
from .parameters import read

LEAST = 20  # informative samples, without which nothing is tested
ROOM = 0.9  # valid answers at step 0, above which no room is left
ALPHA = 0.05
HYPOTHESES = ("glance", "blur", "one refinement", "chain")
ROOMS = "1_step_visualization"  # the figure whose metrics tell the room of every cell
UNTESTABLE = "untestable here"


class Control(BaseModel):
    """Where the claim must fail: a cell, and the metric there if it has another name."""

    model_config = ConfigDict(extra="forbid")

    cell: str
    metric: str | None = None


class Claim(BaseModel):
    """One entry of claims.yaml.

    Attributes:
        id: of the claim.
        claim: the sentence, with its threshold.
        where, paper: where the paper says what.
        figure, cell, metric: where {mean, low, high, n} stands in `figures/<figure>.json`: under
            `cells`, the cell, and a path of names separated by dots.
        above, below, within: the rule; exactly one.
        needs_room: whether the cell must leave room at step 0.
        control: of one glance.
        kind: `primary`, at most one statistic for a claim of the paper; `secondary`, also fixed
            before the run; `exploratory`, added after a look.
        predicts: what each hypothesis says of the claim. A claim on which all agree cannot be
            primary.
        controls: what was controlled, in words.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    claim: str
    where: str
    paper: str
    figure: str
    cell: str
    metric: str
    above: float | None = None
    below: float | None = None
    within: tuple[float, float] | None = None
    needs_room: bool = True
    control: Control | None = None
    kind: Literal["primary", "secondary", "exploratory"] = "secondary"
    predicts: dict[str, bool] = Field(default_factory=dict)
    controls: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Claim":
        if sum(rule is not None for rule in (self.above, self.below, self.within)) != 1:
            raise ValueError("it needs exactly one rule: above, below or within")
        if self.predicts and set(self.predicts) != set(HYPOTHESES):
            raise ValueError(f"predicts needs exactly {', '.join(HYPOTHESES)}")
        if self.kind == "primary" and len(set(self.predicts.values())) < 2:
            raise ValueError("it is primary, so its hypotheses must predict different outcomes")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The range that fulfils the rule."""
        low, high = self.within or (self.above, self.below)
        return (float("-inf") if low is None else low, float("inf") if high is None else high)


@dataclass(frozen=True)
class Line:
    """A line of the ledger.

    Attributes:
        claim: what is judged.
        control: whether this line is its one-glance control.
        interval: {mean, low, high, n} of the statistic.
        room: {mean, low, high, n} of valid answers at step 0 on validation samples; None if that
            does not matter or was not measured.
        verdict: see the module.
    """

    claim: Claim
    control: bool
    interval: dict
    room: dict | None
    verdict: str

    def record(self) -> dict:
        """The line as plain data: `id`, `claim`, `primary`, `verdict`, `mean`, `low`, `high`, `n`,
        `room`, and what else the table shows."""
        name = f"{self.claim.id}/control" if self.control else self.claim.id
        known = self.claim.control.cell if self.control else self.claim.cell
        shown = {key: self.interval[key] for key in ("mean", "low", "high", "n")}
        return {
            "id": name,
            "claim": self.claim.claim,
            "primary": self.claim.kind == "primary" and not self.control,
            "kind": self.claim.kind,
            "verdict": self.verdict,
            **shown,
            "room": self.room,
            "figure": self.claim.figure,
            "cell": known,
        }


def claims_in(file: str | Path) -> list[Claim]:
    """The claims of a claims.yaml.

    Raises:
        ValueError: that names the faulty claim and what was expected.
    """
    listed = read(file, "claims")
    if not isinstance(listed, list):
        raise ValueError(f"{file} holds no list of claims")
    claims = []
    for number, entry in enumerate(listed, 1):
        try:
            claims.append(Claim.model_validate(entry))
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise ValueError(f"claim {number} of {file}: {place} {fault['msg']}") from None
    if len({claim.id for claim in claims}) < len(claims):
        raise ValueError(f"{file} has two claims of one id")
    return claims


def judge(file: str | Path, figures: str | Path, figure: str | None = None) -> list[Line]:
    """The lines of all claims that have been measured (of one figure, if named), each followed by
    its control. Holm's correction is over all measured primary claims, also if one figure is
    named.

    Args:
        figures: folder of the metrics, `<figure>.json`.
    """
    claims, metrics = claims_in(file), _Metrics(Path(figures))
    measured = [(c, i) for c in claims if (i := metrics.at(c.figure, c.cell, c.metric))]
    settled = _after_holm(measured, metrics)
    lines = []
    for claim, interval in measured:
        room = metrics.room(claim.cell) if claim.needs_room else None
        found = _verdict(claim, interval, room)
        if claim.kind == "primary" and found != UNTESTABLE and not settled[claim.id]:
            found = "undecided"
        lines.append(Line(claim, False, interval, room, found))
        if claim.control:
            metric = claim.control.metric or claim.metric
            other = metrics.at(claim.figure, claim.control.cell, metric)
            if other:
                lines.append(Line(claim, True, other, None, _verdict(claim, other, None)))
    return [line for line in lines if figure in (None, line.claim.figure)]


def _after_holm(measured: list[tuple[Claim, dict]], metrics: "_Metrics") -> dict[str, bool]:
    """By id of each testable primary claim: whether it passes Holm's correction."""
    testable = [
        (claim, interval)
        for claim, interval in measured
        if claim.kind == "primary"
        and _verdict(claim, interval, metrics.room(claim.cell) if claim.needs_room else None)
        != UNTESTABLE
    ]
    adjusted = holm([p_value(interval, claim.bounds) for claim, interval in testable])
    return {claim.id: bool(p <= ALPHA) for (claim, _), p in zip(testable, adjusted, strict=True)}


def _verdict(claim: Claim, interval: dict, room: dict | None) -> str:
    if interval["n"] < LEAST or (room is not None and room["mean"] > ROOM):
        return UNTESTABLE
    low, high = claim.bounds
    if low < interval["low"] and interval["high"] < high:
        return "supported"
    if interval["high"] < low or interval["low"] > high:
        return "not supported"
    return "undecided"


def p_value(interval: dict, bounds: tuple[float, float]) -> float:
    """Two-sided p value for the bound that is nearest to the mean, from the half of the 95 %
    interval that points to it, as if that half were normal: p < .05 just if the interval excludes
    the bound."""
    mean = interval["mean"]
    nearest = min(bounds, key=lambda bound: abs(mean - bound))
    half = mean - interval["low"] if nearest < mean else interval["high"] - mean
    if half <= 0:
        return 1.0 if mean == nearest else 0.0
    return float(2 * norm.sf(abs(mean - nearest) / half * Z))


class _Metrics:
    """The metrics of all figures, read once."""

    def __init__(self, folder: Path):
        self.folder, self._read = folder, {}

    def of(self, figure: str) -> dict:
        if figure not in self._read:
            file = self.folder / f"{figure}.json"
            self._read[figure] = (
                json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            )
        return self._read[figure]

    def at(self, figure: str, cell: str, metric: str) -> dict | None:
        """{mean, low, high, n}; None if it was not measured."""
        found: Any = self.of(figure).get("cells", {}).get(cell)
        for name in metric.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, dict) and found.get("mean") is not None else None

    def room(self, cell: str) -> dict | None:
        return self.of(ROOMS).get("room", {}).get(cell)


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
    head = ("claim", "the paper", "measured (n, 95 % interval)", "valid at step 0", "verdict")
    rows = [head, ("---",) * len(head), *(_row(line) for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _row(line: Line) -> tuple[str, ...]:
    claim, room = line.claim, "" if line.room is None else f"{line.room['mean']:.2f}"
    if line.control:
        what = f"↳ one-glance control, `{claim.control.cell}`: must fail"
        return what, "", brief(line.interval), "", line.verdict
    said = f"{claim.where}: {claim.paper}" if claim.where else claim.paper
    return claim.claim, said, brief(line.interval), room, f"**{line.verdict}**"


def brief(interval: dict) -> str:
    """`.42 (n = 100, .33 to .52)`."""
    mean, low, high = (f"{interval[key]:.2f}" for key in ("mean", "low", "high"))
    return f"{mean} (n = {interval['n']}, {low} to {high})"
