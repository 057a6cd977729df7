"""Occlusion (Perception): a wall slides over a small thing and uncovers it again, unchanged.

There are 1,900 states, a little below 2,000: 20 kinds of things at 95 places.
"""

import numpy as np

from ..canvas import COLOURS, GREY, INK, Canvas
from ..objects import KINDS, Thing, different_pairs
from .base import Candidate, Partition, Sample, draw_until

RADIUS = 0.48
PROMPT = "the wall slides to the right"


def sample(rng: np.random.Generator, partition: Partition) -> Sample:
    """Draws a thing in the middle; rivals have another colour or another shape and colour, or
    nothing is left."""
    state = draw_until(rng, partition, _propose, canonical)
    colour, shape, x, y = state["thing"]
    other_colour, third_colour, other_shape = state["rival"]
    candidates = (
        Candidate("the same", "valid", [colour, shape, x, y]),
        Candidate("other colour", "wrong", [other_colour, shape, x, y]),
        Candidate("other shape", "wrong", [third_colour, other_shape, x, y]),
        Candidate("nothing", "illegal", None),
    )
    return Sample("occlusion", "occlusion", state, PROMPT, candidates)


def canonical(state: dict) -> list:
    """The thing and its place; which rivals are asked about does not count."""
    return ["occlusion", state["thing"]]


def scene(canvas: Canvas, state: dict) -> None:
    """An empty board: thing and wall are drawn as they move."""


def act(canvas: Canvas, state: dict, answer: list | None, progress: float) -> None:
    """The wall slides from left to right; a wrong answer replaces the thing while it is hidden."""
    thing = answer if progress >= 0.5 else state["thing"]
    if thing is not None:
        Thing(*thing).draw(canvas, RADIUS)
    canvas.box((1 + 4 * progress, 3), 1.0, 3.2, INK)
    canvas.box((1 + 4 * progress, 3), 0.86, 3.2, GREY)


def _propose(rng: np.random.Generator) -> dict:
    (colour, shape), *_ = different_pairs(rng, 1)
    x, y = 2.5 + 0.25 * int(rng.integers(5)), 0.75 + 0.25 * int(rng.integers(19))
    others = rng.permutation([c for c in COLOURS if c != colour])[:2]
    other_shape = rng.choice([k for k in KINDS if k != shape])
    return {
        "thing": [colour, shape, x, y],
        "rival": [str(others[0]), str(others[1]), str(other_shape)],
    }
