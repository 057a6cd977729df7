"""Cells in words, and which of them share a panel."""

from ...bench.samples import knobs_of, task_of

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


def label(cell: str) -> str:
    """A cell in words, short enough for a legend."""
    knobs = knobs_of(cell)
    if "log2" in knobs:
        return f"{2 ** knobs['log2']} to {2 ** (knobs['log2'] + 1) - 1} answers"
    if "rounds" in knobs:
        return f"order {knobs.get('order')}, {_many(knobs['rounds'], 'rounds')}"
    words = [_many(value, name) for name, value in knobs.items() if not isinstance(value, bool)]
    return ", ".join([task_of(cell).replace("_", " "), *words])


def _many(value: int | str, name: str) -> str:
    return f"{value} {name.removesuffix('s') if value == 1 else name}"


def in_order(cells: dict[str, dict]) -> list[str]:
    """The cells in the order of `groups`."""
    return [cell for chosen in groups(cells).values() for cell in chosen]


def counted(cells: dict[str, dict], cell: str) -> str:
    """A cell in words, with its n and whether it is a control."""
    n = max(value["n"] for value in cells[cell]["valid_at_steps"].values())
    mark = ", control" if cells[cell].get("strata") == GLANCE else ""
    return f"{titled(cell)}{mark} ({n})"


def titled(cell: str) -> str:
    """A cell in words, with its puzzle."""
    return f"Latin, {label(cell)}" if task_of(cell) == "latin" else label(cell)
