"""Size pattern (Abstraction): rows of shapes follow a rule of sizes; fill the empty places.

Every row holds one small, one medium and one large shape, in any order. One empty place has one
answer; two in a row have 2, three in a row 6, and two in each of two rows 4. A small mark in an
empty place shows the shape and colour that belong there. The twist, rule `rows`, has rows of one
size each and one empty place.
"""

from itertools import permutations, product

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import COLOURS, GREY, SHAPES, Canvas
from .objects import HELD_OUT, KINDS
from .splits import Split, draw_until

RADII = {"small": 0.40, "medium": 0.60, "large": 0.84}
SIZES = tuple(RADII)
HINT_RADIUS = 0.22  # any size covers it
CORNER, ARM = 0.84, 0.25  # corner marks: distance from the centre of a place, and length
RULES = ("permutation", "rows")
BLANKS_OF_ROWS = {1: (0, 0, 1), 2: (0, 0, 2), 3: (0, 0, 3), 4: (0, 2, 2)}


class SizePattern(Puzzle):
    """See the module."""

    name = "size_pattern"

    def sample(
        self,
        rng: np.random.Generator,
        split: Split,
        blanks: int | None = None,
        rule: str = "permutation",
    ) -> Sample:
        """Draws a pattern.

        Args:
            blanks: number of empty places: 1 to 3 in the last row, 4 in the last two rows.
            rule: `permutation` (each row has every size) or `rows` (one size a row; the twist).

        Raises:
            ValueError: for knobs out of range.
        """
        if rule not in RULES:
            raise ValueError(f"rule is {rule!r}; expected one of {', '.join(RULES)}")
        most = max(BLANKS_OF_ROWS) if rule == "permutation" else 1
        if blanks is None:
            blanks = int(rng.integers(1, most + 1))
        if blanks not in range(1, most + 1):
            raise ValueError(f"blanks is {blanks!r}; expected 1 to {most} with the rule {rule}")
        state = draw_until(rng, split, lambda r: _propose(r, blanks, rule), _canonical)
        prompt = "fill the empty place" if blanks == 1 else "fill the empty places"
        knobs = {"blanks": int(blanks), "rule": rule}
        return Sample(self.name, self, state, prompt, _canonical(state), knobs)

    def parts(self, state: dict) -> tuple[Part, ...]:
        return tuple(Part(f"row {row} column {column}", SIZES) for row, column in _blanks(state))

    def solve(self, state: dict) -> Solutions:
        fillings = [_fillings(sizes, state["rule"]) for sizes in state["sizes"]]
        return Solutions(tuple(sum(rows, ()) for rows in product(*fillings)))

    def scene(self, canvas: Canvas, state: dict) -> None:
        for row, column in product(range(3), range(3)):
            size, look = state["sizes"][row][column], state["looks"][row]
            if size is None:
                _draw_empty(canvas, row, column, look)
            else:
                _draw(canvas, row, column, look, size, 1.0)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The missing shapes appear."""
        for (row, column), value in zip(_blanks(state), answer, strict=True):
            if value is not None:
                _draw(canvas, row, column, state["looks"][row], SIZES[value], progress)


def _propose(rng: np.random.Generator, blanks: int, rule: str) -> dict | None:
    colours = rng.permutation(list(COLOURS))[:3].tolist()
    shapes = rng.permutation(KINDS)[:3].tolist()
    looks = [[colour, shape] for colour, shape in zip(colours, shapes, strict=True)]
    if not set(HELD_OUT).isdisjoint(map(tuple, looks)):
        return None
    if rule == "rows":
        sizes: list[list] = [[size] * 3 for size in rng.permutation(SIZES).tolist()]
    else:
        sizes = [rng.permutation(SIZES).tolist() for _ in range(3)]
    for row, count in enumerate(BLANKS_OF_ROWS[blanks]):
        for column in rng.permutation(3)[:count]:
            sizes[row][column] = None
    return {"rule": rule, "sizes": sizes, "looks": looks}


def _canonical(state: dict) -> list:
    return ["size_pattern", state["sizes"], state["looks"]]


def _blanks(state: dict) -> list[tuple[int, int]]:
    """(row, column) of the empty places, in reading order."""
    return [(r, c) for r in range(3) for c in range(3) if state["sizes"][r][c] is None]


def _fillings(sizes: list[str | None], rule: str) -> list[tuple[int, ...]]:
    """Every way to fill the empty places of one row, as indices of sizes."""
    given = [SIZES.index(size) for size in sizes if size is not None]
    if rule == "rows":
        return [tuple(given[:1] * (3 - len(given)))]
    return list(permutations(value for value in range(3) if value not in given))


def _draw(canvas: Canvas, row: int, column: int, look: list[str], size: str, alpha: float) -> None:
    colour, shape = look
    canvas.shape(shape, (2 * column + 1, 2 * row + 1), RADII[size], COLOURS[colour], alpha)


def _draw_empty(canvas: Canvas, row: int, column: int, look: list[str]) -> None:
    """Corner marks, and a small mark of the row's shape and colour without an outline."""
    x, y = 2 * column + 1, 2 * row + 1
    for sx, sy in product((-1, 1), (-1, 1)):
        corner = (x + CORNER * sx, y + CORNER * sy)
        canvas.line(corner, (corner[0] - ARM * sx, corner[1]), 0.1, GREY)
        canvas.line(corner, (corner[0], corner[1] - ARM * sy), 0.1, GREY)
    colour, shape = look

    def distance(u, v):
        return HINT_RADIUS * SHAPES[shape](u / HINT_RADIUS, v / HINT_RADIUS)

    canvas.paint(distance, (x, y), 1.25 * HINT_RADIUS, COLOURS[colour])
