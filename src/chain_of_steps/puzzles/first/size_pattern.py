"""Size pattern (Abstraction): three rows of shapes follow a rule of sizes; fill the empty place.

In training every row repeats the first, or starts one later than the row above. The twist
`size_rule` has rows of one size each.
"""

import numpy as np

from ..canvas import COLOURS, GREY, Canvas
from ..objects import HELD_OUT, KINDS
from .base import Candidate, Partition, Sample, draw_until

RADII = {"small": 0.40, "medium": 0.60, "large": 0.84}
PROMPT = "fill the empty place"


def sample(rng: np.random.Generator, partition: Partition, twist: bool = False) -> Sample:
    """Draws a pattern under a training rule, or under the held-out rule with `twist`."""
    state = draw_until(
        rng,
        partition,
        lambda r: _propose(r, ("rows",) if twist else ("repeat", "shift")),
        canonical,
    )
    right = _size_at(state, 2, state["empty"])
    own, above = state["looks"][2], state["looks"][1]
    candidates = [Candidate(right, "valid", [right, *own])]
    candidates += [Candidate(size, "wrong", [size, *own]) for size in RADII if size != right]
    candidates += [Candidate("other shape", "illegal", [right, *above])]
    return Sample(
        "size_rule" if twist else "size_pattern", "size_pattern", state, PROMPT, tuple(candidates)
    )


def canonical(state: dict) -> list:
    """The whole state: no two drawings are the same task."""
    return ["size_pattern", state["rule"], state["order"], state["looks"], state["empty"]]


def scene(canvas: Canvas, state: dict) -> None:
    for row in range(3):
        for column in range(3):
            if (row, column) != (2, state["empty"]):
                _draw(
                    canvas, row, column, [_size_at(state, row, column), *state["looks"][row]], 1.0
                )
    x, y = 2 * state["empty"] + 1, 5
    for sx in (-1, 1):
        for sy in (-1, 1):  # corner marks around the empty place
            canvas.line((x + 0.9 * sx, y + 0.9 * sy), (x + 0.6 * sx, y + 0.9 * sy), 0.12, GREY)
            canvas.line((x + 0.9 * sx, y + 0.9 * sy), (x + 0.9 * sx, y + 0.6 * sy), 0.12, GREY)


def act(canvas: Canvas, state: dict, answer: list, progress: float) -> None:
    """The missing shape appears."""
    _draw(canvas, 2, state["empty"], answer, progress)


def _draw(canvas: Canvas, row: int, column: int, look: list, alpha: float) -> None:
    size, colour, shape = look
    canvas.shape(shape, (2 * column + 1, 2 * row + 1), RADII[size], COLOURS[colour], alpha)


def _size_at(state: dict, row: int, column: int) -> str:
    position = {"repeat": column, "shift": (column + row) % 3, "rows": row}[state["rule"]]
    return state["order"][position]


def _propose(rng: np.random.Generator, rules: tuple[str, ...]) -> dict | None:
    colours, shapes = (
        rng.permutation(list(COLOURS))[:3].tolist(),
        rng.permutation(KINDS)[:3].tolist(),
    )
    if not set(HELD_OUT).isdisjoint(zip(colours, shapes, strict=True)):
        return None
    return {
        "rule": str(rng.choice(rules)),
        "order": [str(size) for size in rng.permutation(list(RADII))],
        "looks": [[c, s] for c, s in zip(colours, shapes, strict=True)],
        "empty": int(rng.integers(3)),
    }
