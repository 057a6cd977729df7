"""Relay (Spatiality): follow the arrows from the marked start.

Two to four routes of equal length lie side by side on the board, and each ends at its own stop.
Only one of them begins at the marked start; finding its cells requires following the arrows one by
one. The answer is the whole route or, with `drawn=False`, its end.
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import CELLS, COLOURS, GREY, INK, PAPER, Canvas
from .splits import Split, draw_until

USUAL_MOVES = {2: 14, 3: 9, 4: 6}  # at most, by the number of routes
MOST_MOVES = {2: 17, 3: 11, 4: 8}  # that fit the board, on request
PROMPTS = {
    True: "follow the arrows and draw the way",
    False: "follow the arrows and mark the end",
}
ARROWS = {(0, 1): ">", (1, 0): "v", (0, -1): "<", (-1, 0): "^"}  # by move, in rows and columns
STOP, BLANK = "o", "."

BITES = 300  # random changes to the path that covers the board, until it is well mixed
PLACINGS = 50  # tries to place the routes on one path, before another path is drawn

INNER = 0.45  # half the side of a cell within its lines, cells
START_RADIUS = 0.40
START_COLOUR, WAY_COLOUR = COLOURS["cyan"], COLOURS["yellow"]

Cell = tuple[int, int]  # row, column


class Relay(Puzzle):
    """See the module. In a state, `routes[0]` is the route of the marked start."""

    name = "relay"

    def sample(
        self,
        rng: np.random.Generator,
        split: Split,
        routes: int | None = None,
        moves: int | None = None,
        drawn: bool = True,
    ) -> Sample:
        """Draws a board.

        Args:
            routes: 2, 3 or 4; by default any number for which so many moves are possible.
            moves: of each route; by default any number up to 14 with 2 routes, 9 with 3, 6 with 4.
                Up to 17, 11 and 8 fit the board, on request.
            drawn: whether the answer is the whole route, or else its end.

        Raises:
            ValueError: for a knob out of its range.
        """
        if not isinstance(drawn, bool | np.bool_):
            raise ValueError(f"drawn: expected True or False, got {drawn!r}")
        drawn = bool(drawn)
        routes, moves = _size(rng, routes, moves)
        state = draw_until(rng, split, lambda r: _propose(r, routes, moves, drawn), canonical)
        knobs = {"routes": routes, "moves": moves, "drawn": drawn}
        return Sample(self.name, self, state, PROMPTS[drawn], canonical(state), knobs)

    def parts(self, state: dict) -> tuple[Part, ...]:
        """Whether each cell with a sign is on the route; or which of the stops is the end."""
        names = tuple(f"row {row} column {column}" for row, column in _choices(state))
        if state["drawn"]:
            return tuple(Part(name, ("off", "on")) for name in names)
        return (Part("end", names),)

    def solve(self, state: dict) -> Solutions:
        way = _routes(state)[0]
        if state["drawn"]:
            return Solutions((tuple(int(cell in way) for cell in _choices(state)),))
        return Solutions(((_choices(state).index(way[-1]),),))

    def rounds(self, state: dict) -> int:
        """One for each move along the arrows."""
        return len(state["routes"][0]) - 1

    def scene(self, canvas: Canvas, state: dict) -> None:
        """Every cell, the arrows and stops, and the disc that marks the start."""
        for row in range(CELLS):
            for column in range(CELLS):
                canvas.box((column + 0.5, row + 0.5), 0.5, 0.5, GREY)
                canvas.box((column + 0.5, row + 0.5), INNER, INNER, PAPER)
        for cell in _cells(state):
            _paint_cell(canvas, state, cell, PAPER)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """Fills cells under their signs: a route is filled cell by cell from its beginning; a stop,
        or cells that do not form a route, appear at once."""
        if state["drawn"]:
            chosen = [c for c, value in zip(_choices(state), answer, strict=True) if value == 1]
        else:
            chosen = [_choices(state)[value] for value in answer if value is not None]
        full, partial, alpha = _stage(state, chosen, progress)
        for cell in full:
            _paint_cell(canvas, state, cell, WAY_COLOUR)
        if partial and alpha > 0.0:
            filled = canvas.copy()
            for cell in partial:
                _paint_cell(filled, state, cell, WAY_COLOUR)
            canvas.pixels += np.float32(alpha) * (filled.pixels - canvas.pixels)


def marks(state: dict) -> dict[Cell, Cell | str]:
    """The sign of each cell that has one: the move that its arrow shows, or `stop`."""
    return {cell: move or "stop" for cell, move in _signs(state)}


def canonical(state: dict) -> list:
    """What the board shows, row by row, and where the start is; both tasks share boards."""
    board = [[BLANK] * CELLS for _ in range(CELLS)]
    for cell, move in _signs(state):
        board[cell[0]][cell[1]] = STOP if move is None else ARROWS[move]
    return ["relay", ["".join(row) for row in board], list(state["routes"][0][0])]


def _size(rng: np.random.Generator, routes: int | None, moves: int | None) -> tuple[int, int]:
    """The number of routes and of their moves, drawn where not given."""
    if routes is not None and routes not in MOST_MOVES:
        raise ValueError(f"routes: expected 2, 3 or 4, got {routes!r}")
    most = MOST_MOVES[routes] if routes is not None else max(MOST_MOVES.values())
    if moves is not None and moves not in range(1, most + 1):
        number = "any number of" if routes is None else routes
        raise ValueError(f"moves: expected 1 to {most} with {number} routes, got {moves!r}")
    if routes is None:
        routes = rng.choice([k for k, most in MOST_MOVES.items() if (moves or 1) <= most])
    if moves is None:
        moves = rng.integers(1, USUAL_MOVES[int(routes)] + 1)
    return int(routes), int(moves)


def _propose(rng: np.random.Generator, routes: int, moves: int, drawn: bool) -> dict | None:
    """Cuts the routes out of a path that covers the board, so that long routes fit and wind around
    each other. None if no cut leaves each route next to another."""
    path = _covering_path(rng)
    spare = len(path) - routes * (moves + 1)
    for _ in range(PLACINGS):
        gaps = np.sort(rng.choice(spare + routes, routes, replace=False)) - np.arange(routes)
        begins = gaps + np.arange(routes) * (moves + 1)
        pieces = [path[begin : begin + moves + 1] for begin in begins]
        if not all(_touches(piece, pieces) for piece in pieces):
            continue
        turned = [piece[::-1] if rng.integers(2) else piece for piece in pieces]
        cells = [[[cell // CELLS, cell % CELLS] for cell in piece] for piece in turned]
        return {"routes": [cells[i] for i in rng.permutation(routes)], "drawn": drawn}
    return None


def _covering_path(rng: np.random.Generator) -> list[int]:
    """A random path through all cells, numbered row by row. Starting from a path to and fro, an end
    is linked to a random neighbour again and again, and the resulting loop is opened on its other
    side.
    """
    rows = np.arange(CELLS * CELLS).reshape(CELLS, CELLS)
    rows[1::2] = rows[1::2, ::-1]
    path = (rows if rng.integers(2) else (rows % CELLS) * CELLS + rows // CELLS).ravel().tolist()
    other_end = rng.integers(2, size=BITES).tolist()
    picks = rng.integers(12, size=BITES).tolist()  # 12: a multiple of 2, 3 and 4 neighbours
    for turn, pick in zip(other_end, picks, strict=True):
        if turn:
            path.reverse()
        near = NEIGHBOURS[path[0]]
        link = path.index(near[pick % len(near)])
        path[:link] = path[:link][::-1]
    return path


def _neighbours(cell: int) -> list[int]:
    row, column = divmod(cell, CELLS)
    near = [(row + down, column + right) for down, right in ARROWS]
    return [r * CELLS + c for r, c in near if 0 <= r < CELLS and 0 <= c < CELLS]


NEIGHBOURS = [_neighbours(cell) for cell in range(CELLS * CELLS)]


def _touches(piece: list[int], pieces: list[list[int]]) -> bool:
    """Whether a piece has a cell next to one of another piece."""
    others = {cell for other in pieces if other is not piece for cell in other}
    return any(not others.isdisjoint(NEIGHBOURS[cell]) for cell in piece)


def _routes(state: dict) -> list[list[Cell]]:
    return [[(row, column) for row, column in route] for route in state["routes"]]


def _cells(state: dict) -> list[Cell]:
    """The cells of all routes, in the board's order, so that the order gives nothing away."""
    return sorted(cell for route in _routes(state) for cell in route)


def _choices(state: dict) -> list[Cell]:
    """The cells that an answer chooses from, in the board's order."""
    if state["drawn"]:
        return _cells(state)
    return sorted(route[-1] for route in _routes(state))


def _signs(state: dict) -> Iterator[tuple[Cell, Cell | None]]:
    """Each cell of the routes with the move that its arrow shows; None at a stop."""
    for route in _routes(state):
        for here, there in itertools.pairwise(route):
            yield here, (there[0] - here[0], there[1] - here[1])
        yield route[-1], None


def _stage(
    state: dict, chosen: list[Cell], progress: float
) -> tuple[Iterable[Cell], Iterable[Cell], float]:
    """The cells that are full at a progress, those that are appearing, and the opacity of these."""
    for route in _routes(state) if state["drawn"] else []:
        if set(chosen) == set(route[: len(chosen)]):
            count = progress * len(route)
            whole = min(int(count + 1e-6), len(chosen))
            return route[:whole], route[whole : len(chosen)][:1], count - whole
    return ((), chosen, progress) if progress < 1.0 else (chosen, (), 0.0)


def _paint_cell(canvas: Canvas, state: dict, cell: Cell, colour: tuple) -> None:
    """A cell of a route in a colour, with its sign on top."""
    centre = (cell[1] + 0.5, cell[0] + 0.5)
    canvas.box(centre, INNER, INNER, colour)
    if list(cell) == state["routes"][0][0]:
        canvas.paint(lambda x, y: np.hypot(x, y) - START_RADIUS, centre, 0.5, START_COLOUR)
    move = dict(_signs(state))[cell]
    if move is None:
        canvas.box(centre, 0.19, 0.19, INK)
    else:
        _arrow(canvas, centre, move)


def _arrow(canvas: Canvas, centre: tuple, move: Cell) -> None:
    """A plain triangle: with a shaft, opposite arrows look much the same at 8 px a cell."""
    down, right = move

    def distance(x, y):
        along, aside = x * right + y * down, np.abs(x * down - y * right)
        return np.maximum(0.87 * aside + 0.49 * along - 0.18, -0.25 - along)

    canvas.paint(distance, centre, 0.45, INK)
