"""Rotate (Transformation): turn a shape of squares about its dot, as the prompt says.

The shapes have four or five squares and no symmetry, so all turns and the mirror image differ. The
twist `rotate_new` shows shapes that training never does: every fifth. There are only 1,344 states
(288 of the twist), colours aside.
"""

import functools
from collections.abc import Iterable

import numpy as np

from ..canvas import COLOURS, INK, PAPER, Canvas
from .base import Candidate, Partition, Sample, draw_until

TURNS = {"right": 90, "left": -90, "around": 180}  # degrees clockwise, as seen on the screen
SIDE = 0.84  # of one square, cells
PLACES = (2.5, 3.5)  # of the dot
REACH = 2.95  # squares from the dot to the farthest corner: a shape stays on the board as it turns

Shape = tuple[tuple[int, int], ...]  # squares relative to the dot, y downwards


@functools.cache
def shapes(new: bool) -> list[Shape]:
    """The shapes of training, or those of the twist, up to turning and flipping."""
    grown, found = {frozenset({(0, 0)})}, set()
    for count in range(2, 6):
        grown = {squares | {near} for squares in grown for near in _beside(squares)}
        if count >= 4:
            found |= {min(_images(squares)) for squares in grown if _fits(squares)}
    ordered = sorted(
        (shape for shape in found if _tells_apart(shape)), key=lambda shape: (len(shape), shape)
    )
    return [shape for i, shape in enumerate(ordered) if (i % 5 == 4) == new]


def sample(rng: np.random.Generator, partition: Partition, twist: bool = False) -> Sample:
    """Draws a shape, its first orientation and a turn; with `twist` an unseen shape."""
    state = draw_until(rng, partition, lambda r: _propose(r, shapes(new=twist)), canonical)
    state["colour"] = str(rng.choice(list(COLOURS)))
    right = state["turn"]
    candidates = [Candidate(right, "valid", right)]
    candidates += [Candidate(turn, "wrong", turn) for turn in (*TURNS, "still") if turn != right]
    candidates += [Candidate("mirror", "illegal", "mirror")]
    prompt = f"turn the shape {right}"
    return Sample("rotate_new" if twist else "rotate", "rotate", state, prompt, tuple(candidates))


def canonical(state: dict) -> list:
    """Everything but the colour."""
    return [
        "rotate",
        state["shape"],
        state["mirrored"],
        state["angle"],
        state["turn"],
        state["place"],
    ]


def scene(canvas: Canvas, state: dict) -> None:
    """An empty board: the shape itself moves."""


def act(canvas: Canvas, state: dict, answer: str, progress: float) -> None:
    """The shape turns about its dot, or flips over for the mirror image."""
    squares = np.array(state["shape"], np.float32) * SIDE
    angle = np.deg2rad(state["angle"] + TURNS.get(answer, 0) * progress)
    flip = (-1.0 if state["mirrored"] else 1.0) * (
        np.cos(np.pi * progress) if answer == "mirror" else 1.0
    )
    flip = flip if abs(flip) > 0.05 else 0.05
    cos, sin = np.cos(angle), np.sin(angle)

    def distance(x, y):
        u, v = (cos * x + sin * y) / flip, cos * y - sin * x
        cells = [np.maximum(np.abs(u - sx) * abs(flip), np.abs(v - sy)) for sx, sy in squares]
        return np.minimum.reduce(cells) - SIDE / 2

    canvas.paint(distance, state["place"], 2.6, INK)
    canvas.paint(lambda x, y: distance(x, y) + 0.14, state["place"], 2.6, COLOURS[state["colour"]])
    canvas.shape("circle", state["place"], 0.22, PAPER)


def _propose(rng: np.random.Generator, known: list[Shape]) -> dict:
    return {
        "shape": [list(square) for square in known[rng.integers(len(known))]],
        "mirrored": bool(rng.integers(2)),
        "angle": int(rng.choice([0, 90, 180, 270])),
        "turn": str(rng.choice(list(TURNS))),
        "place": [float(rng.choice(PLACES)), float(rng.choice(PLACES))],
    }


def _beside(squares: frozenset) -> set:
    return {
        (x + dx, y + dy) for x, y in squares for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    } - squares


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
