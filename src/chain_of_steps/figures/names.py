"""Cells in plain words, as figures name them."""

import re

from ..bench import samples

TASKS = {
    "latin": "square",
    "latin_staged": "staged square",
    "latin_small": "square",
    "maze": "maze",
    "relay": "relay, drawn",
    "relay_end": "relay, end only",
    "mark": "mark",
    "tic_tac_toe": "tic-tac-toe",
    "size_pattern": "size pattern",
    "out_and_back": "out and back",
}


def plain(cell: str) -> str:
    """`square of order 4: 32 to 63 answers`, `maze of 5 x 5: 2 valid paths`: what kind of samples a
    cell holds. One of a folder is named by its task; `<cell>/L4/S20` are networks and steps, and
    any other name with a slash is that of a contrast."""
    if found := re.fullmatch(r"(.+)/L(\d+)/S(\d+)", cell):
        own, blocks, steps = found.groups()
        return f"{plain(own)}, {blocks} block{'s' * (blocks != '1')}, {steps} steps"
    if re.fullmatch(r"[a-z]+/[a-z_]+", cell):
        return cell.replace("/", ": ").replace("_", " ")
    task, knobs = samples.task_of(cell), samples.knobs_of(cell)
    named = TASKS.get(task, samples.short(task).replace("_", " "))
    if "order" in knobs:
        named += f" of order {knobs.pop('order')}"
    if task == "maze" and "rooms" in knobs:
        rooms = knobs.pop("rooms")
        named += f" of {rooms} x {rooms}"
    if task.startswith("relay"):
        knobs.pop("routes", None)
    said = [words for name, value in knobs.items() if (words := _said(name, value, knobs))]
    return f"{named}: {', '.join(said)}" if said else named


def short(cell: str) -> str:
    """The same without `square of`: where all cells are Latin squares."""
    return plain(cell).replace("square of ", "").replace("staged order", "staged, order")


def broken(cell: str) -> str:
    """The same in two lines."""
    return plain(cell).replace(": ", "\n")


def _said(name: str, value: int | bool | str, knobs: dict) -> str:
    """A knob in words; nothing where another knob says it."""
    if name == "log2":
        return f"{2**value} to {2 ** (value + 1) - 1} answers" if value else "1 answer"
    if name == "answers" and "named" in knobs:
        return "" if knobs["named"] else f"any of {value}"
    words = {
        "rounds": "round",
        "moves": "move",
        "clues": "clue",
        "paths": "valid path",
        "answers": "answer",
        "walls": "wall",
        "blanks": "blank",
        "winning": "winning move",
        "loops": "loop",
    }
    if name in words and not isinstance(value, str):
        return f"{value} {words[name]}{'s' * (value != 1)}"
    flags = {
        ("named", True): "the named thing",
        ("named", False): "",
        ("direction", True): "direction given",
        ("direction", False): "either direction",
    }
    return flags.get((name, value), f"{name} {value}")
