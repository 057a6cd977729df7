"""Rotate (Transformation): turn a shape of squares about its dot.

The prompt names the turn or, with `direction=False`, leaves it open, and then all three turns are
valid. The shapes have four or five squares and no symmetry, so all turns and the mirror image
differ. Every fifth shape is new: training never shows it. Colours aside there are only 1,344 states
with a named turn (288 of new shapes) and a third of that without.
"""

import functools
from collections.abc import Iterable

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import COLOURS, INK, PAPER, Canvas
from .splits import Split, draw_until

TURNS = {"right": 90, "left": -90, "around": 180}  # degrees clockwise, as seen on the screen
VALUES = (*TURNS, "still", "mirror")
PROMPT = "turn the shape"
SIDE = 0.84  # of one square, cells
PLACES = (2.5, 3.5)  # of the dot
REACH = 2.95  # squares from the dot to the farthest corner: a shape stays on the board as it turns
EDGE_ON = 0.05  # the least width of a shape that flips over

Shape = tuple[tuple[int, int], ...]  # squares relative to the dot, y downwards


class Rotate(Puzzle):
    """See the module. A state's `turn` is None where the prompt leaves it open."""

    name = "rotate"

    def sample(
        self,
        rng: np.random.Generator,
        split: Split,
        direction: bool | None = None,
        new: bool = False,
    ) -> Sample:
        """Draws a shape, its first pose, and a turn.

        Args:
            direction: whether the prompt names the turn; by default at random.
            new: whether the shape is one that training never shows.

        Raises:
            ValueError: for a knob out of its range.
        """
        for name, value in (("direction", direction), ("new", new)):
            if not isinstance(value, bool | np.bool_) and (name, value) != ("direction", None):
                raise ValueError(f"{name}: expected True or False, got {value!r}")
        direction = bool(rng.integers(2) if direction is None else direction)
        known = shapes(bool(new))
        state = draw_until(rng, split, lambda r: _propose(r, known, direction), canonical)
        state["colour"] = str(rng.choice(list(COLOURS)))
        prompt = f"{PROMPT} {state['turn']}" if direction else PROMPT
        knobs = {"direction": direction, "new": bool(new)}
        return Sample(self.name, self, state, prompt, canonical(state), knobs)

    def parts(self, state: dict) -> tuple[Part, ...]:
        return (Part("turn", VALUES),)

    def solve(self, state: dict) -> Solutions:
        turns = TURNS if state["turn"] is None else [state["turn"]]
        return Solutions(tuple((VALUES.index(turn),) for turn in turns))

    def scene(self, canvas: Canvas, state: dict) -> None:
        """An empty board: the shape itself moves."""

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The shape turns about its dot, or flips over for the mirror image."""
        if answer[0] is None:
            return
        value = VALUES[answer[0]]
        squares = np.array(state["shape"], np.float32) * SIDE
        angle = np.deg2rad(state["angle"] + TURNS.get(value, 0) * progress)
        flip = -1.0 if state["mirrored"] else 1.0
        if value == "mirror":
            flip *= np.cos(np.pi * progress)
        flip = flip if abs(flip) > EDGE_ON else EDGE_ON
        cos, sin = np.cos(angle), np.sin(angle)

        def distance(x, y):
            u, v = (cos * x + sin * y) / flip, cos * y - sin * x
            cells = [np.maximum(np.abs(u - sx) * abs(flip), np.abs(v - sy)) for sx, sy in squares]
            return np.minimum.reduce(cells) - SIDE / 2

        place, colour = state["place"], COLOURS[state["colour"]]
        canvas.paint(distance, place, 2.6, INK)
        canvas.paint(lambda x, y: distance(x, y) + 0.14, place, 2.6, colour)
        canvas.shape("circle", place, 0.22, PAPER)


def canonical(state: dict) -> list:
    """The given frame without its colour: a pose belongs to one split, whatever the prompt."""
    return ["rotate", state["shape"], state["mirrored"], state["angle"], state["place"]]


@functools.cache
def shapes(new: bool) -> list[Shape]:
    """The shapes of training, or the new ones, up to turning and flipping."""
    grown, found = {frozenset({(0, 0)})}, set()
    for count in range(2, 6):
        grown = {squares | {near} for squares in grown for near in _beside(squares)}
        if count >= 4:
            found |= {min(_images(squares)) for squares in grown if _fits(squares)}
    ordered = sorted(filter(_tells_apart, found), key=lambda shape: (len(shape), shape))
    return [shape for i, shape in enumerate(ordered) if (i % 5 == 4) == new]


def _propose(rng: np.random.Generator, known: list[Shape], direction: bool) -> dict:
    return {
        "shape": [list(square) for square in known[rng.integers(len(known))]],
        "mirrored": bool(rng.integers(2)),
        "angle": int(rng.choice([0, 90, 180, 270])),
        "turn": str(rng.choice(list(TURNS))) if direction else None,
        "place": [float(rng.choice(PLACES)), float(rng.choice(PLACES))],
    }


def _beside(squares: frozenset) -> set:
    moves = ((1, 0), (-1, 0), (0, 1), (0, -1))
    return {(x + dx, y + dy) for x, y in squares for dx, dy in moves} - squares


def _fits(squares: frozenset) -> bool:
    return all(np.hypot(abs(x) + 0.5, abs(y) + 0.5) < REACH for x, y in squares)


def _images(squares: Iterable) -> list[Shape]:
    """The squares turned by 0, 90, 180 and 270 degrees about the dot, then the same flipped."""
    images = []
    for turned in (set(squares), {(-x, y) for x, y in squares}):
        for _ in range(4):
            images.append(tuple(sorted(turned)))
            turned = {(-y, x) for x, y in turned}
    return images


def _tells_apart(shape: Shape) -> bool:
    """Whether each turn, and the flip, covers a square that none of the others does."""
    pictures = [set(image) for image in _images(shape)[:5]]
    return all(
        one - set().union(*(other for other in pictures if other is not one)) for one in pictures
    )
