"""Rotate (Transformation): turn a shape of squares about its dot, as the prompt says.

The shapes have no symmetry, so all turns and the mirror image differ. The twist `rotate_new` shows shapes that
training never does.
"""

import numpy as np

from .base import Candidate, Partition, Sample, draw_until
from .canvas import COLOURS, INK, PAPER, Canvas

TURNS = {"right": 90, "left": -90, "around": 180}  # degrees clockwise, as seen on the screen
# Squares relative to the dot, y downwards.
SEEN_SHAPES = {
    "L": ((0, 0), (0, -1), (0, -2), (1, -2)),
    "P": ((0, 0), (0, -1), (1, -1), (0, -2), (1, -2)),
    "F": ((0, 0), (1, 0), (0, -1), (0, -2), (1, -2)),
    "S": ((0, 0), (0, -1), (1, -1), (1, -2)),
}
NEW_SHAPES = {
    "R": ((0, 0), (0, -1), (1, -1), (0, -2), (-1, -2)),
    "Z": ((0, 0), (0, -1), (0, -2), (1, -2), (-1, 0)),
}
SHAPES = SEEN_SHAPES | NEW_SHAPES
SIDE = 0.84  # of one square, cells
PLACES = (2.6, 2.8, 3.0, 3.2, 3.4)


def sample(rng: np.random.Generator, partition: Partition, twist: bool = False) -> Sample:
    """Draws a shape, its first orientation and a turn; with `twist` an unseen shape."""
    state = draw_until(rng, partition, lambda r: _propose(r, NEW_SHAPES if twist else SEEN_SHAPES), canonical)
    state["colour"] = str(rng.choice(list(COLOURS)))
    right = state["turn"]
    candidates = [Candidate(right, "valid", right)]
    candidates += [Candidate(turn, "wrong", turn) for turn in (*TURNS, "still") if turn != right]
    candidates += [Candidate("mirror", "illegal", "mirror")]
    prompt = f"turn the shape {right}"
    return Sample("rotate_new" if twist else "rotate", "rotate", state, prompt, tuple(candidates))


def canonical(state: dict) -> list:
    """Everything but the colour."""
    return ["rotate", state["shape"], state["mirrored"], state["angle"], state["turn"], state["place"]]


def scene(canvas: Canvas, state: dict) -> None:
    """An empty board: the shape itself moves."""


def act(canvas: Canvas, state: dict, answer: str, progress: float) -> None:
    """The shape turns about its dot, or flips over for the mirror image."""
    squares = np.array(SHAPES[state["shape"]], np.float32) * SIDE
    angle = np.deg2rad(state["angle"] + TURNS.get(answer, 0) * progress)
    flip = (-1.0 if state["mirrored"] else 1.0) * (np.cos(np.pi * progress) if answer == "mirror" else 1.0)
    flip = flip if abs(flip) > 0.05 else 0.05
    cos, sin = np.cos(angle), np.sin(angle)

    def distance(x, y):
        u, v = (cos * x + sin * y) / flip, cos * y - sin * x
        cells = [np.maximum(np.abs(u - sx) * abs(flip), np.abs(v - sy)) for sx, sy in squares]
        return np.minimum.reduce(cells) - SIDE / 2

    canvas.paint(distance, state["place"], 2.6, INK)
    canvas.paint(lambda x, y: distance(x, y) + 0.14, state["place"], 2.6, COLOURS[state["colour"]])
    canvas.shape("circle", state["place"], 0.22, PAPER)


def _propose(rng: np.random.Generator, shapes: dict) -> dict:
    return {
        "shape": str(rng.choice(list(shapes))),
        "mirrored": bool(rng.integers(2)),
        "angle": int(rng.choice([0, 90, 180, 270])),
        "turn": str(rng.choice(list(TURNS))),
        "place": [float(rng.choice(PLACES)), float(rng.choice(PLACES))],
    }
