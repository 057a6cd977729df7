"""Out and back (Transformation): the named thing leaves to the right and returns to where it was.

While it is away nothing in the picture says which of the free rows it came from: that has to be
remembered.
"""

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import CELLS, Canvas
from .objects import Thing, different_pairs
from .splits import Split, draw_until

THINGS = 3
COLUMNS = 3  # at the left, where things start
RADIUS = 0.44
OUTSIDE = 6.8  # where it turns round, out of sight


class OutAndBack(Puzzle):
    """See the module."""

    name = "out_and_back"

    def sample(self, rng: np.random.Generator, split: Split) -> Sample:
        """Draws three things in different rows, of which one is named. There are no knobs."""
        state = draw_until(rng, split, _propose, _canonical)
        prompt = f"the {Thing(*state['thing']).name} leaves and comes back"
        return Sample(self.name, self, state, prompt, _canonical(state))

    def parts(self, state: dict) -> tuple[Part, ...]:
        return (Part("row", tuple(f"row {row}" for row in _rows(state))),)

    def solve(self, state: dict) -> Solutions:
        return Solutions(((_rows(state).index(int(state["thing"][3])),),))

    def scene(self, canvas: Canvas, state: dict) -> None:
        for thing in state["others"]:
            Thing(*thing).draw(canvas, RADIUS)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """Out along its own row in the first half, back along the answer's row in the second."""
        if answer[0] is None:
            return
        thing = Thing(*state["thing"])
        away = (OUTSIDE - thing.x) * (1.0 - abs(2.0 * progress - 1.0))
        row = _rows(state)[answer[0]] + 0.5
        thing.draw(canvas, RADIUS, away, row - thing.y if progress > 0.5 else 0.0)


def _propose(rng: np.random.Generator) -> dict:
    rows = rng.choice(CELLS, THINGS, replace=False).tolist()
    columns = rng.integers(0, COLUMNS, THINGS).tolist()
    pairs = different_pairs(rng, THINGS)
    named, *others = (
        [*pair, column + 0.5, row + 0.5]
        for pair, column, row in zip(pairs, columns, rows, strict=True)
    )
    return {"thing": named, "others": others}


def _canonical(state: dict) -> list:
    """The board, whichever thing is named."""
    return ["out_and_back", sorted([state["thing"], *state["others"]])]


def _rows(state: dict) -> list[int]:
    """Rows, from the top, that the other things leave free: where the named one may return."""
    taken = {int(thing[3]) for thing in state["others"]}
    return [row for row in range(CELLS) if row not in taken]
