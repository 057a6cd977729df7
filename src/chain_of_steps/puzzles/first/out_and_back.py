"""Out and back (Transformation): the named thing leaves to the right and returns to where it was.

While it is away nothing in the picture says which of the free rows it came from: that has to be
remembered.
"""

import numpy as np

from ..canvas import CELLS, Canvas
from ..objects import Thing, different_pairs
from .base import Candidate, Partition, Sample, draw_until

RADIUS = 0.44
OUTSIDE = 6.8  # where it turns round, out of sight


def sample(rng: np.random.Generator, partition: Partition) -> Sample:
    """Draws three things in different rows, of which the first one is named."""
    state = draw_until(rng, partition, _propose, canonical)
    home = int(state["things"][0][3])
    taken = {int(thing[3]) for thing in state["things"]}
    candidates = [Candidate(f"row {home}", "valid", home)]
    candidates += [
        Candidate(f"row {row}", "wrong", row) for row in range(CELLS) if row not in taken
    ]
    prompt = f"the {Thing(*state['things'][0]).name} leaves and comes back"
    return Sample("out_and_back", "out_and_back", state, prompt, tuple(candidates))


def canonical(state: dict) -> list:
    """The named thing and the set of the others."""
    return ["out_and_back", state["things"][0], sorted(state["things"][1:])]


def scene(canvas: Canvas, state: dict) -> None:
    for thing in state["things"][1:]:
        Thing(*thing).draw(canvas, RADIUS)


def act(canvas: Canvas, state: dict, answer: int, progress: float) -> None:
    """Out along its own row in the first half, back along the answer's row in the second."""
    thing = Thing(*state["things"][0])
    away = (OUTSIDE - thing.x) * (1.0 - abs(2.0 * progress - 1.0))
    row_change = answer + 0.5 - thing.y if progress > 0.5 else 0.0
    thing.draw(canvas, RADIUS, away, row_change)


def _propose(rng: np.random.Generator) -> dict:
    rows, columns = rng.choice(CELLS, 3, replace=False), rng.integers(0, 3, 3)
    pairs = different_pairs(rng, 3)
    return {
        "things": [
            [*pair, c + 0.5, r + 0.5]
            for pair, r, c in zip(pairs, rows.tolist(), columns.tolist(), strict=True)
        ]
    }
