"""Bounce (Knowledge): a ball falls along its arrow and bounces off the walls; where does it land?

Starts, drifts and walls are whole numbers of cells, so the ball lands at the centre of a place
however often it is turned back.
"""

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import CELLS, COLOURS, INK, Canvas
from .splits import Split, digest, draw_until

PROMPT = "the ball falls along the arrow"
TOP, FLOOR = 0.5, 5.5  # heights of the ball's centre, cells
RADIUS = 0.44  # as drawn
REACH = 0.5  # from a wall at which the ball is turned back
MOST_DRIFT = 8  # cells to a side over the whole fall
USUAL_WALLS = 3  # at most, where the knob is not given
MOST_WALLS = 4
PIECES = 100  # of the fall; walls begin and end between two pieces
PLACINGS = 20  # tries to place the walls, before another throw is drawn

Wall = list  # x, top, bottom


class Bounce(Puzzle):
    """See the module. A state's `drift` is the sideways distance, in cells, that the ball would
    travel over the whole fall without walls."""

    name = "bounce"

    def sample(self, rng: np.random.Generator, split: Split, walls: int | None = None) -> Sample:
        """Draws a throw.

        Args:
            walls: number of inner walls, 0 to 4; by default 0 to 3.

        Raises:
            ValueError: for a knob out of its range.
        """
        if walls is not None and walls not in range(MOST_WALLS + 1):
            raise ValueError(f"walls: expected 0 to {MOST_WALLS}, got {walls!r}")
        count = int(rng.integers(USUAL_WALLS + 1) if walls is None else walls)
        state = draw_until(rng, split, lambda r: _propose(r, count), canonical)
        state["colour"] = str(rng.choice(list(COLOURS)))
        knobs = {"walls": count, "bounces": len(fall(state)[1])}
        return Sample(self.name, self, state, PROMPT, canonical(state), knobs)

    def parts(self, state: dict) -> tuple[Part, ...]:
        return (Part("landing place", tuple(f"place {place}" for place in range(CELLS))),)

    def solve(self, state: dict) -> Solutions:
        return Solutions(((_landing(path(state)),),))

    def scene(self, canvas: Canvas, state: dict) -> None:
        """Landing places, the inner walls, and the arrow that shows the throw."""
        for edge in range(CELLS + 1):
            canvas.line((edge, 5.75), (edge, 6), 0.16, INK)
        for x, top, bottom in state["walls"]:
            canvas.line((x, top), (x, bottom), 0.2, INK)
        canvas.line((state["x"] + 0.5, TOP), _arrow_tip(state), 0.14, INK)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The ball on its true path, or on a straight line to a wrong place."""
        place = answer[0]
        if place is None:
            return
        positions = path(state)
        if place == _landing(positions):
            x = np.interp(progress, np.linspace(0, 1, len(positions)), positions)
        else:
            x = positions[0] + progress * (place + 0.5 - positions[0])
        centre = (float(x), TOP + (FLOOR - TOP) * progress)
        canvas.shape("circle", centre, RADIUS, COLOURS[state["colour"]])


def canonical(state: dict) -> list:
    """The throw up to mirroring; the colour does not count."""
    walls = sorted(state["walls"])
    mirrored = sorted([CELLS - x, top, bottom] for x, top, bottom in walls)
    same = [state["x"], state["drift"], walls]
    return ["bounce", min(same, [CELLS - 1 - state["x"], -state["drift"], mirrored], key=digest)]


def path(state: dict) -> np.ndarray:
    """The ball's x at equally spaced heights from `TOP` to `FLOOR`, (PIECES + 1,) in cells."""
    return fall(state)[0]


def fall(state: dict) -> tuple[np.ndarray, list[int]]:
    """The ball's path, straight lines reflected at the walls, and the pieces of it in which the
    ball is turned back."""
    x, speed = state["x"] + 0.5, state["drift"] / PIECES
    positions, turned = [x], []
    for piece in range(PIECES):
        height = TOP + (FLOOR - TOP) * (piece + 0.5) / PIECES
        low, high = _room(state["walls"], x, height)
        x += speed
        # Only a ball that moves towards a wall is turned back by it.
        bound = high if speed > 0 else low
        if (x - bound) * speed > 1e-9:
            x, speed = 2 * bound - x, -speed
            turned.append(piece)
        positions.append(x)
    return np.array(positions), turned


def _room(walls: list[Wall], x: float, height: float) -> tuple[float, float]:
    """The range of the ball's centre, left and right."""
    low, high = REACH, CELLS - REACH
    for wall, top, bottom in walls:
        if top <= height <= bottom:
            if x < wall:
                high = min(high, wall - REACH)
            else:
                low = max(low, wall + REACH)
    return low, high


def _landing(positions: np.ndarray) -> int:
    return round(float(positions[-1]) - 0.5)


def _arrow_tip(state: dict) -> tuple[float, float]:
    return state["x"] + 0.5 + state["drift"] / 5, TOP + 1.0


def _propose(rng: np.random.Generator, count: int) -> dict | None:
    """A throw among this many walls, or None."""
    x, drift = int(rng.integers(CELLS)), int(rng.integers(-MOST_DRIFT, MOST_DRIFT + 1))
    for _ in range(PLACINGS):
        walls: list[Wall] = []
        while len(walls) < count:
            wall = _wall(rng)
            if not any(_meet(wall, other) for other in walls):
                walls.append(wall)
        state = {"x": x, "drift": drift, "walls": sorted(walls)}
        if _is_clear(state):
            return state
    return None


def _wall(rng: np.random.Generator) -> Wall:
    top = 1.5 + 0.5 * int(rng.integers(5))
    return [int(rng.integers(1, CELLS)), top, top + 1.0 + 0.5 * int(rng.integers(3))]


def _meet(one: Wall, other: Wall) -> bool:
    """Whether two walls overlap or touch, so that they would look like one."""
    return one[0] == other[0] and one[1] <= other[2] and other[1] <= one[2]


def _is_clear(state: dict) -> bool:
    """Whether the throw can be seen and its path is unambiguous."""
    if not 0.1 <= _arrow_tip(state)[0] <= CELLS - 0.1:
        return False  # an arrow that leaves the board does not show how steep the throw is
    positions, turned = fall(state)
    if 0 in turned:
        return False  # thrown at a wall that the ball already touches
    if np.any(np.diff(turned) < 5):
        return False  # between two walls the ball just fits and would rattle
    heights = np.linspace(TOP, FLOOR, PIECES + 1)
    for x, top, bottom in state["walls"]:
        beyond = np.maximum(top - heights, 0) + np.maximum(heights - bottom, 0)
        if np.hypot(positions - x, beyond).min() < REACH - 1e-6:
            return False  # it would hit an end of the wall
    return True
