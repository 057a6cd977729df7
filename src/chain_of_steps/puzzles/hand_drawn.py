"""Boards that somebody drew, as samples like others."""

from collections.abc import Sequence

import numpy as np

from .base import Sample
from .latin import Latin
from .latin_squares import repeats
from .maze import ACROSS, Door, Maze, Room, simple_paths

MOST_LOOPS = 4  # walls opened beyond a tree; with more there are too many paths to list
SIDES = range(2, ACROSS + 1)  # rooms
FEWEST_CLUES = {4: 0, 5: 3, 6: 6}  # with fewer, the answers are too many to list while one draws


def hand_drawn(rooms: int, doors: Sequence[Door], start: Room, goal: Room) -> Sample:
    """The sample of a maze: rooms are (column, row), doors join two neighbours.

    Raises:
        ValueError: if it has no path from start to goal, or rooms that do not exist or are not
            neighbours, or so many doors that its paths cannot be listed.
    """
    named = [start, goal, *(room for door in doors for room in door)]
    outside = [room for room in named if not all(0 <= at < rooms for at in room)]
    if rooms not in SIDES or outside or start == goal:
        raise ValueError(
            f"a maze has {SIDES[0]} to {SIDES[-1]} rooms a side, "
            "its start and goal are two different ones of them"
        )
    if any(abs(ax - bx) + abs(ay - by) != 1 for (ax, ay), (bx, by) in doors):
        raise ValueError("a door joins two neighbours; these rooms have no wall in common")
    if len({frozenset(door) for door in doors}) < len(doors):
        raise ValueError("a door is listed twice; name each once")
    if _loops(doors) > MOST_LOOPS:
        raise ValueError("too many walls are open, so that there are too many paths; close some")
    state = {
        "rooms": rooms,
        "doors": [[list(a), list(b)] for a, b in doors],
        "start": list(start),
        "goal": list(goal),
        "corner": [(ACROSS - rooms) // 2] * 2,
    }
    if not simple_paths(state):
        raise ValueError("no path leads from green to red; open a wall between them")
    return Maze().sample_of(state)


def _loops(doors: Sequence[Door]) -> int:
    """How many doors lead between rooms that other doors, before them, join already."""
    joined: dict[Room, Room] = {}  # each room leads towards one that stands for all it is joined to
    count = 0
    for door in doors:
        one, other = (_end(joined, tuple(room)) for room in door)
        count += one == other
        if one != other:
            joined[one] = other
    return count


def _end(joined: dict[Room, Room], room: Room) -> Room:
    while room in joined:
        room = joined[room]
    return room


def hand_filled(clues: Sequence[Sequence[int]], cells: int = Latin().cells) -> Sample:
    """The sample of a Latin square with these clues, (n, n): values 0 to n - 1, -1 where empty.

    Args:
        cells: side of the board on which it is drawn.

    Raises:
        ValueError: if it is no square of order 4 to 6, or has too few clues for its order, or a
            value twice in a row or column, or no answer.
    """
    n = len(clues)
    given = sum(value >= 0 for row in clues for value in row)
    if n not in FEWEST_CLUES or n > cells or any(len(row) != n for row in clues):
        raise ValueError(f"a square has 4 to {min(cells, 6)} rows, and as many columns")
    if any(not -1 <= value < n for row in clues for value in row):
        raise ValueError(f"a square of order {n} has the values 0 to {n - 1}, and -1 where empty")
    if given < FEWEST_CLUES[n] or given == n * n:
        fewest = FEWEST_CLUES[n]
        raise ValueError(
            f"give {fewest} to {n * n - 1} clues on a square of order {n}, not {given}"
        )
    state = {"order": n, "clues": [list(row) for row in clues], "staged": False}
    sample = Latin(cells).sample_of(state)
    if repeats(np.array(clues)):
        raise ValueError("a colour is given twice in a row or column; change one of the two")
    if not len(sample.solutions):
        raise ValueError("these clues have no answer; take some away")
    return sample
