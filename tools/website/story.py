"""The story: five chapters, each with pictures first, then what was found and by how much."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined

from .films import Film
from .ledger import Row
from .pictures import Picture

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).parent / "chapters.yaml"


@dataclass(frozen=True)
class Finding:
    """A sentence and the claim that it rests on."""

    text: str
    row: Row


@dataclass(frozen=True)
class Chapter:
    """One section of the first page."""

    id: str
    title: str
    headline: str
    caption: str
    film: Film | None
    pictures: Sequence[Picture]
    findings: Sequence[Finding]

    @property
    def notebooks(self) -> list[str]:
        """Where its findings are measured."""
        return sorted({finding.row.claim.figure for finding in self.findings})


def intro() -> str:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))["intro"]


def chapters(
    rows: Sequence[Row], films: Mapping[str, Film], pictures: Sequence[Picture]
) -> list[Chapter]:
    """All chapters, with the key pictures that the list of pictures gives them.

    Raises:
        ValueError: if a claim no longer has the verdict, or its mean the sign, that the text speaks
            of.
    """
    known, write = {row.claim.id: row for row in rows}, Writer(rows)
    found = []
    for entry in yaml.safe_load(FILE.read_text(encoding="utf-8"))["chapters"]:
        name = entry["title"].lower()
        found.append(
            Chapter(
                entry["id"],
                entry["title"],
                entry["headline"],
                entry.get("caption", ""),
                films.get(entry.get("film")),
                _shown(entry, name, pictures),
                [_finding(each, known, write) for each in entry["findings"]],
            )
        )
    return found


def _shown(entry: dict, chapter: str, pictures: Sequence[Picture]) -> list[Picture]:
    """The key pictures of a chapter, after the one that its text asks for."""
    first = [each for each in pictures if each.name == entry.get("picture")]
    return first + [each for each in pictures if each.key and each.chapter == chapter]


def _finding(entry: dict, known: Mapping[str, Row], write: "Writer") -> Finding:
    row = known[entry["claim"]]
    if row.verdict != entry["verdict"]:
        raise ValueError(
            f"{FILE.name} says of claim {row.claim.id!r} that it is {entry['verdict']}, but it is "
            f"{row.verdict} by figures/claims.json; rewrite its text"
        )
    negative = row.line["mean"] is not None and row.line["mean"] < 0
    if entry.get("negative", negative) != negative:
        sign = "negative" if entry["negative"] else "not negative"
        raise ValueError(
            f"{FILE.name} says that the mean of claim {row.claim.id!r} is {sign}, but it is "
            f"{row.line['mean']}; rewrite its text"
        )
    return Finding(write(entry["text"]), row)


class Writer:
    """Fills numbers into texts."""

    def __init__(self, rows: Sequence[Row]):
        self.values = {"claim": {}, "figure": {}}
        for row in rows:
            self.values["claim"][row.claim.id] = row.line
            self.values["claim"][f"{row.claim.id}/control"] = row.control
        for file in sorted((ROOT / "figures").glob("[0-9]_*.json")):
            cells = json.loads(file.read_text(encoding="utf-8")).get("cells")
            self.values["figure"][int(file.name[0])] = cells
        self.environment = Environment(undefined=StrictUndefined, autoescape=False)
        self.environment.filters |= {
            "share": lambda found: f"{100 * found['mean']:.0f} %",
            "points": lambda found: f"{abs(100 * found['mean']):.0f} percentage points",
            "size": lambda found: f"{abs(found['mean']):.2g}",
            "number": lambda found: f"{found['mean']:.1f}",
        }

    def __call__(self, text: str) -> str:
        return self.environment.from_string(text).render(self.values)
