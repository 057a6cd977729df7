"""Mark object (Perception): put a ring around the thing that the prompt names.

The twist `mark_new_pair` names a colour and shape that training shows apart but never together.
"""

import numpy as np

from ..canvas import INK, Canvas
from ..objects import HELD_OUT, Thing, different_pairs
from .base import Candidate, Partition, Sample, draw_until

RADIUS = 0.58


def sample(rng: np.random.Generator, partition: Partition, twist: bool = False) -> Sample:
    """Draws four to six things on nine places, of which the first is named; with `twist` it is a
    held-out pair."""
    state = draw_until(rng, partition, lambda r: _propose(r, twist), canonical)
    things = [Thing(*t) for t in state["things"]]
    candidates = [
        Candidate(t.name, "wrong" if i else "valid", [t.x, t.y]) for i, t in enumerate(things)
    ]
    candidates += [Candidate("empty place", "illegal", state["empty"])]
    task = "mark_new_pair" if twist else "mark_object"
    return Sample(task, "mark_object", state, f"mark the {things[0].name}", tuple(candidates))


def canonical(state: dict) -> list:
    """The named thing and the set of the others."""
    return ["mark_object", state["things"][0], sorted(state["things"][1:])]


def scene(canvas: Canvas, state: dict) -> None:
    for thing in state["things"]:
        Thing(*thing).draw(canvas, RADIUS)


def act(canvas: Canvas, state: dict, answer: list, progress: float) -> None:
    """The ring appears."""
    canvas.ring(tuple(answer), 0.86, 0.2, INK, progress)


def _propose(rng: np.random.Generator, twist: bool) -> dict:
    count = int(rng.integers(4, 7))
    places = [[2 * int(p % 3) + 1, 2 * int(p // 3) + 1] for p in rng.permutation(9)]
    pairs = different_pairs(rng, count)
    if twist:
        pairs[0] = HELD_OUT[rng.integers(len(HELD_OUT))]
    things = [[*pair, *place] for pair, place in zip(pairs, places, strict=False)]
    return {"things": things, "empty": places[count]}
