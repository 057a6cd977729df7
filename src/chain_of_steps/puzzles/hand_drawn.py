"""A maze that somebody drew, as a sample like others."""

from .base import Sample
from .maze import ACROSS, Door, Maze, Room, simple_paths

MOST_LOOPS = 4  # walls opened beyond a tree; with more there are too many paths to list
SIDES = range(2, ACROSS + 1)  # rooms


def hand_drawn(rooms: int, doors: list[Door], start: Room, goal: Room) -> Sample:
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
    if len(doors) > rooms**2 + MOST_LOOPS - 1:
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
