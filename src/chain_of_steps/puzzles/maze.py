"""Maze (Spatiality): draw a path from the green room to the red one.

Mazes of 5 x 5 to 8 x 8 rooms; a room is three quarters of a cell, so that no room is a latent token
of its own. A tree of rooms has one path; with one to three walls fewer there may be several, all
valid. The parts of an answer are the maze's doors: is the path drawn through them or not?
"""

import functools
import itertools
from collections.abc import Iterable

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions, assignment
from .canvas import COLOURS, INK, Canvas
from .splits import Split, draw_until

SIZES, SIZE_WEIGHTS = (5, 6, 7, 8), (0.30, 0.30, 0.25, 0.15)
LOOPS = (0, 1, 2, 3)  # walls opened beyond a tree
MOST_PATHS = 4
ROOM = 0.75  # side of a room, cells
ACROSS = 8  # rooms that fit the board
PROMPT = "draw the path from green to red"
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))

Room = tuple[int, int]  # (column, row)
Door = tuple[Room, Room]


class Maze(Puzzle):
    name = "maze"

    def sample(
        self,
        rng: np.random.Generator,
        split: Split,
        rooms: int | None = None,
        loops: int | None = None,
        paths: int | None = None,
        length: int | None = None,
    ) -> Sample:
        """Draws a maze.

        Args:
            rooms: on a side, 5 to 8.
            loops: walls opened beyond a tree, 0 to 3; by default 0 in half of the mazes.
            paths: number of valid paths, 1 to 4; by default any.
            length: doors on the shortest path.

        Raises:
            ValueError: for knobs out of range, or if no such maze is found.
        """
        _check("rooms", rooms, SIZES)
        _check("loops", loops, LOOPS)
        _check("paths", paths, range(1, MOST_PATHS + 1))

        def propose(rng: np.random.Generator) -> dict | None:
            opened = loops
            if opened is None:
                opened = int(rng.choice(LOOPS, p=[0.5, 0.2, 0.2, 0.1]))
            state = _propose(rng, rooms or int(rng.choice(SIZES, p=SIZE_WEIGHTS)), opened)
            if state is None:
                return None
            found = simple_paths(state)
            wanted = len(found) <= MOST_PATHS and paths in (None, len(found))
            short = min(map(len, found)) - 1
            return state if wanted and length in (None, short) else None

        state = draw_until(rng, split, propose, canonical)
        state["corner"] = [int(v) for v in rng.integers(0, ACROSS - state["rooms"] + 1, 2)]
        return self.sample_of(state)

    def sample_of(self, state: dict) -> Sample:
        """The sample of a maze's state: rooms, doors, start, goal, corner."""
        found = simple_paths(state)
        knobs = {
            "rooms": state["rooms"],
            "loops": len(state["doors"]) - state["rooms"] ** 2 + 1,
            "paths": len(found),
            "length": min(map(len, found)) - 1,
        }
        return Sample(self.name, self, state, PROMPT, canonical(state), knobs)

    def parts(self, state: dict) -> tuple[Part, ...]:
        return tuple(Part(_name(door), ("off", "on")) for door in _doors(state))

    def solve(self, state: dict) -> Solutions:
        """Every simple path from start to goal, shortest first."""
        found = sorted(simple_paths(state), key=len)
        return Solutions(tuple(answer_of(state, path) for path in found))

    def rounds(self, state: dict) -> int | str:
        """Rounds in which all dead ends are filled at once, until only the path is left."""
        near = {room: set(others) for room, others in neighbours(state).items()}
        kept = {tuple(state["start"]), tuple(state["goal"])}
        rounds = 0
        while ends := [r for r, others in near.items() if len(others) <= 1 and r not in kept]:
            rounds += 1
            for room in ends:
                for other in near.pop(room):
                    near[other].discard(room)
        return rounds if all(len(others) <= 2 for others in near.values()) else "search"

    def scene(self, canvas: Canvas, state: dict) -> None:
        """All walls, then start and goal."""
        n, (left, top) = state["rooms"], state["corner"]
        doors = set(map(frozenset, _doors(state)))
        for x in range(n + 1):
            for y in range(n + 1):
                corner = ((left + x) * ROOM, (top + y) * ROOM)
                if y < n and frozenset(((x - 1, y), (x, y))) not in doors:
                    canvas.line(corner, (corner[0], corner[1] + ROOM), 0.15, INK)
                if x < n and frozenset(((x, y - 1), (x, y))) not in doors:
                    canvas.line(corner, (corner[0] + ROOM, corner[1]), 0.15, INK)
        _ends(canvas, state)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The path grows from the start; doors that do not connect to it appear as a whole."""
        on = [door for door, value in zip(_doors(state), answer, strict=True) if value == 1]
        steps, loose = _walk(on, tuple(state["start"]))
        rest = progress * len(steps)
        for a, b in steps:
            if rest <= 0:
                break
            _segment(canvas, state, a, b, min(rest, 1.0))
            rest -= 1.0
        for a, b in loose:
            _segment(canvas, state, a, b, 1.0, float(progress > 0.0))
        _ends(canvas, state)


def answer_of(state: dict, path: list[Room]) -> Answer:
    """The answer that draws a path through these rooms, and no other door."""
    taken = {frozenset(pair) for pair in itertools.pairwise(path)}
    return assignment([int(frozenset(door) in taken) for door in _doors(state)])


def neighbours(state: dict) -> dict[Room, list[Room]]:
    """The rooms that a door joins to each room."""
    n = state["rooms"]
    result: dict[Room, list[Room]] = {(x, y): [] for x in range(n) for y in range(n)}
    for a, b in _doors(state):
        result[a].append(b)
        result[b].append(a)
    return result


def simple_paths(state: dict) -> list[list[Room]]:
    """All paths from start to goal that visit no room twice."""
    near, goal = neighbours(state), tuple(state["goal"])
    found: list[list[Room]] = []

    def walk(path: list[Room]) -> None:
        if path[-1] == goal:
            found.append(path)
            return
        for other in near[path[-1]]:
            if other not in path:
                walk([*path, other])

    walk([tuple(state["start"])])
    return found


def canonical(state: dict) -> list:
    """The least of the eight mirrored and rotated plans; the place on the board does not count."""
    (start_x, start_y), (goal_x, goal_y) = state["start"], state["goal"]
    side = 2 * state["rooms"] - 1
    plan = np.full((side, side), ord("."), np.uint8)  # rooms at even places, doors between them
    for (ax, ay), (bx, by) in _doors(state):
        plan[ay + by, ax + bx] = ord("+")
    plan[2 * start_y, 2 * start_x], plan[2 * goal_y, 2 * goal_x] = ord("S"), ord("G")
    turns = [p[::dy, ::dx].tobytes() for p in (plan, plan.T) for dx in (1, -1) for dy in (1, -1)]
    return ["maze", min(turns).decode()]


def _propose(rng: np.random.Generator, n: int, loops: int) -> dict | None:
    state = {"rooms": n, "doors": _carve(rng, n)}
    ends = [room for room, others in neighbours(state).items() if len(others) == 1]
    state["start"] = list(ends[rng.integers(len(ends))])
    far = [room for room, steps in _distances(state).items() if room in ends and steps >= n]
    if not far or len(ends) < 3:  # a path without a dead end would have no rival
        return None
    state["goal"] = list(far[rng.integers(len(far))])
    if loops:
        open_already = set(map(frozenset, _doors(state)))
        walls = [
            [list(room), list(other)]
            for room, others in _lattice(n).items()
            for other in others
            if room < other and frozenset((room, other)) not in open_already
        ]
        state["doors"] += [walls[i] for i in rng.choice(len(walls), loops, replace=False)]
    return state


def _carve(rng: np.random.Generator, n: int) -> list:
    """A spanning tree of n x n rooms by the growing-tree method: mostly depth first."""
    dice = iter(rng.random(6 * n * n).tolist())  # drawn at once: a room takes three, twice at most
    near, first = _lattice(n), (int(next(dice) * n), int(next(dice) * n))
    active, seen, doors = [first], {first}, []
    while active:
        index = len(active) - 1 if next(dice) < 0.75 else int(next(dice) * len(active))
        free = [room for room in near[active[index]] if room not in seen]
        if not free:
            active.pop(index)
            continue
        room = free[int(next(dice) * len(free))]
        doors.append([list(active[index]), list(room)])
        seen.add(room)
        active.append(room)
    return doors


@functools.cache
def _lattice(n: int) -> dict[Room, list[Room]]:
    rooms = {(x, y) for x in range(n) for y in range(n)}
    return {
        (x, y): [(x + dx, y + dy) for dx, dy in STEPS if (x + dx, y + dy) in rooms]
        for x, y in sorted(rooms)
    }


def _distances(state: dict) -> dict[Room, int]:
    """Number of doors from the start to every room."""
    near, start = neighbours(state), tuple(state["start"])
    found, frontier = {start: 0}, [start]
    for room in frontier:
        for other in near[room]:
            if other not in found:
                found[other] = found[room] + 1
                frontier.append(other)
    return found


def _walk(doors: Iterable[Door], start: Room) -> tuple[list[Door], list[Door]]:
    """The doors in the order in which a walk from the start takes them, and those it misses."""
    left, steps, room = list(doors), [], start
    while ways := [door for door in left if room in door]:
        left.remove(ways[0])
        other = ways[0][1] if ways[0][0] == room else ways[0][0]
        steps.append((room, other))
        room = other
    return steps, left


def _segment(
    canvas: Canvas, state: dict, a: Room, b: Room, part: float, alpha: float = 1.0
) -> None:
    """The first `part` of the line from the middle of one room to the next."""
    (ax, ay), (bx, by) = _middle(state, a), _middle(state, b)
    end = (ax + part * (bx - ax), ay + part * (by - ay))
    canvas.line((ax, ay), end, 0.28, COLOURS["blue"], alpha)


def _ends(canvas: Canvas, state: dict) -> None:
    for room, colour in ((state["start"], COLOURS["green"]), (state["goal"], COLOURS["red"])):
        canvas.shape("circle", _middle(state, room), 0.29, colour)


def _middle(state: dict, room: Iterable[int]) -> tuple[float, float]:
    """The middle of a room, in cells."""
    x, y = ((at + i + 0.5) * ROOM for at, i in zip(state["corner"], room, strict=True))
    return x, y


def _doors(state: dict) -> list[Door]:
    return [(tuple(a), tuple(b)) for a, b in state["doors"]]


def _name(door: Door) -> str:
    (ax, ay), (bx, by) = sorted(door)
    return f"{ax},{ay}-{bx},{by}"


def _check(knob: str, value: int | None, known: Iterable[int]) -> None:
    if value is not None and value not in known:
        raise ValueError(f"{knob} is {value!r}; expected one of {', '.join(map(str, known))}")
