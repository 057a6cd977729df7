"""Occlusion (Perception): a wall slides over a small thing and uncovers it again, unchanged.

There are 1,900 boards, a little below 2,000: 20 kinds of things at 95 places.
"""

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import COLOURS, GREY, INK, Canvas
from .objects import KINDS, Thing, different_pairs
from .splits import Split, draw_until

RADIUS = 0.50
ALIKE = {"blue", "green"}  # too similar on so small a thing to be distinguished by colour alone
WALL_START, WALL_WAY = 1.0, 4.0  # centre of the wall at progress 0, and how far it slides
PROMPT = "the wall slides to the right"
PART = Part("thing", ("the same", "other colour", "other shape", "nothing"))


class Occlusion(Puzzle):
    """See the module."""

    name = "occlusion"

    def sample(self, rng: np.random.Generator, split: Split) -> Sample:
        """Draws a thing in the middle. There are no knobs."""
        state = draw_until(rng, split, _propose, _canonical)
        return Sample(self.name, self, state, PROMPT, _canonical(state))

    def parts(self, state: dict) -> tuple[Part, ...]:
        return (PART,)

    def solve(self, state: dict) -> Solutions:
        return Solutions(((PART.values.index("the same"),),))

    def scene(self, canvas: Canvas, state: dict) -> None:
        """An empty board: thing and wall are drawn as they move."""

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The wall slides from left to right; a wrong answer replaces the thing while hidden."""
        if answer[0] is not None:
            thing = state["thing"] if progress < 0.5 else _outcomes(state)[answer[0]]
            if thing is not None:
                Thing(*thing).draw(canvas, RADIUS)
        at = (WALL_START + WALL_WAY * progress, 3.0)
        canvas.box(at, 1.0, 3.2, INK)
        canvas.box(at, 0.86, 3.2, GREY)


def _propose(rng: np.random.Generator) -> dict:
    (colour, shape), *_ = different_pairs(rng, 1)
    x = 2.7 + 0.15 * int(rng.integers(5))  # the wall half-way, from 2 to 4, hides it completely
    y = 0.75 + 0.25 * int(rng.integers(19))
    unlike = [c for c in COLOURS if c != colour and {c, colour} != ALIKE]
    others = rng.permutation(unlike)[:2].tolist()
    other_shape = str(rng.choice([kind for kind in KINDS if kind != shape]))
    return {"thing": [colour, shape, round(x, 2), y], "rival": [*others, other_shape]}


def _canonical(state: dict) -> list:
    """The thing and its place; the wrong answers do not count."""
    return ["occlusion", state["thing"]]


def _outcomes(state: dict) -> tuple[list | None, ...]:
    """What the wall uncovers, for each value of the part. The other shape also has a third colour,
    since some shapes of one colour look alike at 48 px."""
    _, shape, *place = state["thing"]
    other_colour, third_colour, other_shape = state["rival"]
    return (
        state["thing"],
        [other_colour, shape, *place],
        [third_colour, other_shape, *place],
        None,
    )
