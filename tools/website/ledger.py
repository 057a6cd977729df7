"""The rows of the ledger: what was claimed, what was measured, where that can be checked."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chain_of_steps.experiments.claims import Claim, claims_in
from chain_of_steps.experiments.parameters import read
from chain_of_steps.figures.names import plain

from .pictures import Picture
from .source import Sources, line_of, where_computed

ROOT = Path(__file__).parents[2]
FILE, CLAIMS = ROOT / "figures" / "claims.json", ROOT / "claims.yaml"
JUDGE = ROOT / "src" / "chain_of_steps" / "experiments" / "ledger.py"
VERDICTS = ("supported", "not supported", "undecided", "untestable here")
KINDS = {
    "primary": "primary",
    "secondary": "fixed before the run",
    "exploratory": "exploratory: added after a look",
}
WIDTH = 160  # of the drawing of an interval


@dataclass(frozen=True)
class Row:
    """A claim and its verdict.

    Attributes:
        line: of claims.json.
        control: the line of its control, if it has one.
        links: to the notebook's page, to the code and to the rule.
        picture: that shows what was measured, if the list of pictures names one.
    """

    claim: Claim
    line: dict
    control: dict | None
    links: dict[str, str]
    picture: Picture | None

    @property
    def verdict(self) -> str:
        return self.line["verdict"]

    @property
    def anchor(self) -> str:
        return f"claim-{self.claim.id}"

    @property
    def kind(self) -> str:
        return KINDS[self.claim.kind]

    @property
    def where(self) -> str:
        """What kind of samples it is about, in words."""
        return plain(self.claim.cell)

    @property
    def rule(self) -> str:
        """What the whole interval has to be."""
        low, high = self.claim.bounds
        if self.claim.within:
            return f"within {low:g} and {high:g}"
        return f"above {low:g}" if self.claim.above is not None else f"below {high:g}"

    @cached_property
    def drawing(self) -> "Drawing | None":
        """None where nothing could be measured."""
        return None if self.line["mean"] is None else Drawing.of(self.line, self.claim.bounds)


@dataclass(frozen=True)
class Drawing:
    """An interval next to the range that the rule asks for, in pixels from the left.

    Attributes:
        asked: left end and width of that range.
    """

    low: float
    mean: float
    high: float
    asked: tuple[float, float]

    @classmethod
    def of(cls, line: dict, bounds: tuple[float, float]) -> "Drawing":
        values = [line["low"], line["high"], 0.0]
        values += [bound for bound in bounds if abs(bound) != float("inf")]
        least, most = min(values), max(values)
        margin = 0.15 * (most - least)

        def place(value: float) -> float:
            inside = min(max(value, least - margin), most + margin)
            return round((inside - least + margin) / (most - least + 2 * margin) * WIDTH, 1)

        left, right = map(place, bounds)
        return cls(
            *(place(line[name]) for name in ("low", "mean", "high")), (left, round(right - left, 1))
        )


def rows(sources: Sources, pictures: Sequence[Picture]) -> list[Row]:
    """One row for each claim that was measured, in the order of claims.yaml."""
    lines = {line["id"]: line for line in json.loads(FILE.read_text(encoding="utf-8"))}
    folders = read(ROOT / "params.yaml", "figures")
    found = []
    for claim in (claim for claim in claims_in(CLAIMS) if claim.id in lines):
        links = {
            "notebook": f"{claim.figure}.html#Verdicts",
            "code": sources.link(*where_computed(folders[claim.figure], claim.metric)),
            "rule": sources.link(CLAIMS, line_of(CLAIMS, f"- id: {claim.id}")),
        }
        shown = [each for each in pictures if (claim.cell, claim.metric) in each.measures]
        control = lines.get(f"{claim.id}/control")
        found.append(Row(claim, lines[claim.id], control, links, next(iter(shown), None)))
    return found


def counts(found: Sequence[Row]) -> dict[str, int]:
    """How many claims have each verdict, in a fixed order."""
    counted = Counter(row.verdict for row in found)
    return {verdict: counted[verdict] for verdict in VERDICTS}
