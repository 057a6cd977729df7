"""Cells in words, and which of them share a panel."""

from ...bench.samples import knobs_of, task_of
from ..names import plain

SEVERAL, UNIQUE = "Latin squares, several answers", "Latin squares, one answer"
OTHERS, CONTROLS = "Other puzzles", "One-glance controls"
GLANCE = ["unique/0"]  # the strata of a control


def groups(cells: dict[str, dict]) -> dict[str, list[str]]:
    """The cells of the grid by panel; those that fix clues have a figure of their own."""
    found: dict[str, list[str]] = {SEVERAL: [], UNIQUE: [], OTHERS: [], CONTROLS: []}
    for cell, metrics in cells.items():
        knobs = knobs_of(cell)
        if "clues" in knobs or not metrics.get("valid_at_steps"):
            continue
        if metrics.get("strata") == GLANCE:
            found[CONTROLS].append(cell)
        elif task_of(cell) == "latin" and ("log2" in knobs or "rounds" in knobs):
            found[SEVERAL if "log2" in knobs else UNIQUE].append(cell)
        else:
            found[OTHERS].append(cell)
    return {title: chosen for title, chosen in found.items() if chosen}


def in_order(cells: dict[str, dict]) -> list[str]:
    """The cells in the order of `groups`."""
    return [cell for chosen in groups(cells).values() for cell in chosen]


def counted(cells: dict[str, dict], cell: str) -> str:
    """A cell in words, with its n and whether it is a control."""
    n = max(value["n"] for value in cells[cell]["valid_at_steps"].values())
    mark = ", control" if cells[cell].get("strata") == GLANCE else ""
    return f"{plain(cell)}{mark} ({n})"
