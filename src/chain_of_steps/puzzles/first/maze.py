"""Maze (Spatiality): draw the one path from the green room to the red one.

Perfect mazes of 5 x 5 to 8 x 8 rooms; a room is three quarters of a cell, so no room is a latent
token of its own. Candidates are the paths from the start to every dead end. The twist `maze_loops`
has two walls fewer and so two or three valid paths.
"""

import functools
from itertools import pairwise

import numpy as np

from ..canvas import CELLS, COLOURS, INK, PAPER, Canvas
from .base import Candidate, Partition, Sample, draw_until, partition_of

SIZES, SIZE_WEIGHTS = (5, 6, 7, 8), (0.30, 0.30, 0.25, 0.15)
ROOM = 0.75  # side of a room, cells
ACROSS = 8  # rooms that fit the board
MOST_LOOPS = 4  # of a maze drawn by hand
PROMPT = "draw the path from green to red"
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))

Room = tuple[int, int]


def sample(rng: np.random.Generator, partition: Partition, twist: bool = False) -> Sample:
    """Draws a maze; with `twist` one with two or three valid paths."""
    propose = functools.partial(_propose_loops, partition=partition) if twist else _propose
    state = draw_until(rng, partition, propose, canonical)
    state["corner"] = [int(v) for v in rng.integers(0, ACROSS - state["rooms"] + 1, 2)]
    return _sample_of(state, "maze_loops" if twist else "maze")


def hand_drawn(rooms: int, doors: list[tuple[Room, Room]], start: Room, goal: Room) -> Sample:
    """A maze that somebody drew: rooms are (column, row), doors join two neighbours.

    Raises:
        ValueError: if it has no solution, no dead end, or so few walls that its paths cannot be
            told apart.
    """
    outside = [
        room
        for room in (start, goal, *(room for door in doors for room in door))
        if room not in _lattice(rooms)
    ]
    if rooms not in range(2, ACROSS + 1) or outside or start == goal:
        raise ValueError(
            f"a maze has 2 to {ACROSS} rooms a side, "
            "its start and goal are two different ones of them"
        )
    corner = [(ACROSS - rooms) // 2] * 2
    state = {
        "rooms": rooms,
        "doors": [[list(a), list(b)] for a, b in doors],
        "start": list(start),
        "goal": list(goal),
    }
    if goal not in distances(state):
        raise ValueError("no path leads from green to red; open a wall between them")
    if len(doors) > rooms**2 + MOST_LOOPS - 1:
        raise ValueError(
            "too many walls are open, so that there are too many paths to tell apart; close some"
        )
    drawn = _sample_of(state | {"corner": corner}, "maze")
    if len(drawn.candidates) < 2:
        raise ValueError("there is one way to go and nothing to choose; open a wall to a dead end")
    return drawn


def _sample_of(state: dict, task: str) -> Sample:
    paths, goal = _paths(state), tuple(state["goal"])
    solutions = [p for p in paths if p[-1] == goal]
    dead_ends = [p for p in paths if p[-1] != goal]
    candidates = [Candidate(f"path {i}", "valid", p) for i, p in enumerate(solutions)]
    candidates += [Candidate(f"dead end {i}", "wrong", p) for i, p in enumerate(dead_ends)]
    return Sample(task, "maze", state, PROMPT, tuple(candidates))


def canonical(state: dict) -> list:
    """The least of the eight mirrored and rotated versions; the place on the board does not
    count."""
    (start_x, start_y), (goal_x, goal_y), side = (
        state["start"],
        state["goal"],
        2 * state["rooms"] - 1,
    )
    plan = np.full((side, side), ord("."), np.uint8)  # rooms at even places, doors between them
    for (ax, ay), (bx, by) in state["doors"]:
        plan[ay + by, ax + bx] = ord("+")
    plan[2 * start_y, 2 * start_x], plan[2 * goal_y, 2 * goal_x] = ord("S"), ord("G")
    turned = [p[::dy, ::dx].tobytes() for p in (plan, plan.T) for dx in (1, -1) for dy in (1, -1)]
    return ["maze", min(turned).decode()]


def scene(canvas: Canvas, state: dict) -> None:
    """All walls, then start and goal."""
    n, (left, top) = state["rooms"], state["corner"]
    doors = {frozenset(map(tuple, door)) for door in state["doors"]}
    for x in range(n + 1):
        for y in range(n + 1):
            corner = ((left + x) * ROOM, (top + y) * ROOM)
            if y < n and frozenset(((x - 1, y), (x, y))) not in doors:
                canvas.line(corner, (corner[0], corner[1] + ROOM), 0.15, INK)
            if x < n and frozenset(((x, y - 1), (x, y))) not in doors:
                canvas.line(corner, (corner[0] + ROOM, corner[1]), 0.15, INK)
    _ends(canvas, state)


def act(canvas: Canvas, state: dict, answer: list, progress: float) -> None:
    """The first `progress` of a path, as a line through the rooms' centres, under the marks of
    start and goal."""
    rest = progress * (len(answer) - 1)
    for room, (bx, by) in pairwise(answer):
        if rest <= 0:
            break
        part, (x, y) = min(rest, 1.0), _middle(state, room)
        canvas.line(
            (x, y),
            (x + part * (bx - room[0]) * ROOM, y + part * (by - room[1]) * ROOM),
            0.28,
            COLOURS["blue"],
        )
        rest -= 1.0
    _ends(canvas, state)


def distances(state: dict) -> dict[Room, int]:
    """Number of doors from the start to every room."""
    neighbours, start = _neighbours(state), tuple(state["start"])
    found, frontier = {start: 0}, [start]
    for room in frontier:
        for other in neighbours[room]:
            if other not in found:
                found[other] = found[room] + 1
                frontier.append(other)
    return found


def ink(state: dict, frame: np.ndarray, room: Room) -> float:
    """How much of the path's colour the middle of a room shows, in [0, 1]: 0 is paper, 1 the drawn
    path.

    Args:
        frame: (H, H, 3), uint8.
    """
    cell = frame.shape[0] / CELLS
    x, y = (at * cell for at in _middle(state, room))
    reach = max(1, round(cell / 8))
    middle = (
        frame[round(y) - reach : round(y) + reach, round(x) - reach : round(x) + reach].reshape(
            -1, 3
        )
        / 255.0
    )
    towards = np.array(COLOURS["blue"]) - np.array(PAPER)
    return float(np.clip((middle.mean(0) - PAPER) @ towards / (towards @ towards), 0.0, 1.0))


def _ends(canvas: Canvas, state: dict) -> None:
    for room, colour in ((state["start"], COLOURS["green"]), (state["goal"], COLOURS["red"])):
        canvas.shape("circle", _middle(state, room), 0.29, colour)


def _middle(state: dict, room: Room) -> tuple[float, float]:
    """The middle of a room, in cells."""
    x, y = ((corner + at + 0.5) * ROOM for corner, at in zip(state["corner"], room, strict=True))
    return x, y


def _propose(rng: np.random.Generator) -> dict | None:
    n = int(rng.choice(SIZES, p=SIZE_WEIGHTS))
    state = {"rooms": n, "doors": _carve(rng, n)}
    ends = [room for room, others in _neighbours(state).items() if len(others) == 1]
    state["start"] = list(ends[rng.integers(len(ends))])
    far = [room for room, steps in distances(state).items() if room in ends and steps >= n]
    if not far or len(ends) < 3:  # a path without a dead end would have no rival
        return None
    state["goal"] = list(far[rng.integers(len(far))])
    return state


def _propose_loops(rng: np.random.Generator, partition: Partition) -> dict | None:
    state = _propose(rng)
    if state is None or state["rooms"] < 5:
        return None
    n, doors = state["rooms"], {frozenset(map(tuple, d)) for d in state["doors"]}
    sideways = [[[x, y], [x + 1, y]] for x in range(n - 1) for y in range(n)]
    downwards = [[[x, y], [x, y + 1]] for x in range(n) for y in range(n - 1)]
    walls = [wall for wall in sideways + downwards if frozenset(map(tuple, wall)) not in doors]
    for _ in range(16):
        opened = [walls[i] for i in rng.choice(len(walls), 2, replace=False)]
        looped = {**state, "doors": state["doors"] + opened}
        if partition_of(canonical(looped)) != partition:  # asked first: it is cheap
            continue
        paths = _paths(looped)
        solutions = [p for p in paths if p[-1] == tuple(state["goal"])]
        own = [
            set(p) - set().union(*(q for q in paths if q is not p)) for p in paths
        ]  # else two share their ink
        if len(solutions) in (2, 3) and all(own):
            return looped
    return None


def _carve(rng: np.random.Generator, n: int) -> list:
    """A spanning tree of the n x n rooms by the growing-tree method: mostly depth first, sometimes
    from elsewhere."""
    dice = iter(
        rng.random(6 * n * n).tolist()
    )  # drawn at once: a room is looked at twice, with three dice at most
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
    rooms = [(x, y) for x in range(n) for y in range(n)]
    return {
        (x, y): [(x + dx, y + dy) for dx, dy in STEPS if (x + dx, y + dy) in rooms]
        for x, y in rooms
    }


def _paths(state: dict) -> list[list[Room]]:
    """All simple paths from the start that end at the goal or, in the tree of shortest paths, at a
    dead end."""
    neighbours, steps = _neighbours(state), distances(state)
    start, goal = tuple(state["start"]), tuple(state["goal"])
    found = []

    def walk(path):
        room = path[-1]
        if room == goal or (len(neighbours[room]) == 1 and room != start):
            found.append(path)
            return
        for other in neighbours[room]:
            if other not in path:
                walk([*path, other])

    walk([start])
    # With loops a dead end can be reached in several ways: keep the shortest.
    best = {p[-1]: p for p in sorted(found, key=len, reverse=True) if len(p) - 1 == steps[p[-1]]}
    return [p for p in found if p[-1] == goal or best.get(p[-1]) is p]


def _neighbours(state: dict) -> dict[Room, list[Room]]:
    n = state["rooms"]
    result: dict[Room, list[Room]] = {(x, y): [] for x in range(n) for y in range(n)}
    for a, b in state["doors"]:
        result[tuple(a)].append(tuple(b))
        result[tuple(b)].append(tuple(a))
    return result
