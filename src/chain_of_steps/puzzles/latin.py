"""Latin square (Abstraction): fill the empty cells so that no colour repeats in a row or column.

The clues determine how many answers are valid, and how much has to be deduced if there is only one.
Cells appear together or *staged*: one round of propagation after the other along the frames. A
tenth of the squares of each order never occurs as an answer in training. Held-out boards with one
answer are drawn from those, held-out boards with several answers from boards that training never
shows (with at most one clue there are too few boards: these are marked as seen).
"""

import numpy as np

from . import latin_squares as squares
from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import CELLS, COLOURS, GREY, INK, PAPER, SHAPES, Canvas
from .splits import Split, check_split, split_of

USUAL_ORDERS = (4, 5)  # of training
BUCKETS = 20  # of squares and of boards: one for test, one for validation
FEW_CLUES = 1  # boards with so few clues are shared by all splits
MOST_CLUES = {4: 14, 5: 20, 6: 28}  # of boards drawn at random
DEDUCTION_CLUES = {4: (4, 12), 5: (8, 10), 6: (14, 16)}  # of boards drawn by rounds
TRIES = 20_000
MARKS = (  # of each colour: shape, place on the tile, radius
    ("circle", -0.16, -0.16, 0.17),
    ("square", 0.16, -0.16, 0.17),
    ("triangle", -0.16, 0.16, 0.19),
    ("diamond", 0.16, 0.16, 0.16),
    ("cross", 0.0, 0.0, 0.24),
    ("bars", 0.0, 0.0, 0.30),
)
PROMPTS = {False: "fill the square", True: "fill the square in rounds"}


class Latin(Puzzle):
    """See the module.

    Args:
        cells: side of the board; an order below it leaves a margin.
    """

    name = "latin"

    def __init__(self, cells: int = CELLS):
        self.cells = cells

    def sample(
        self,
        rng: np.random.Generator,
        split: Split,
        order: int | None = None,
        clues: int | None = None,
        rounds: int | str | None = None,
        log2: int | None = None,
        staged: bool = False,
    ) -> Sample:
        """Draws a board.

        Args:
            order: 4, 5 or 6; by default 4 or 5 (4 on a board of 4 cells).
            clues: how many cells are given; by default any number.
            rounds: the answer is unique and needs this many rounds of propagation (or `search`);
                `any` is any number of rounds.
            log2: several answers are valid, at least 2^log2 and fewer than twice as many.
            staged: cells appear round by round; the answer is unique and propagation finds it.

        Raises:
            ValueError: if no board with these knobs is found.
        """
        check_split(split)
        _check(self.cells, order, clues)
        if staged and rounds is None:
            rounds = "any"
        n = self._order(rng, order)
        if clues is None and rounds is None and log2 is None:
            clues = int(rng.integers(0, MOST_CLUES[n] + 1))  # once: few boards belong to test
        for _ in range(TRIES):
            if rounds is None:
                board, square = self._any_board(rng, n, clues)
            else:
                board, square = self._unique_board(rng, split, n, clues)
            if board is not None and self._belongs(board, square, split):
                state = {"order": n, "clues": board.tolist(), "staged": bool(staged)}
                sample = self.sample_of(state)
                if self._matches(sample, rounds, log2):
                    return sample
        raise ValueError(
            f"no {split} board of order {order}, {clues} clues, {rounds} rounds, log2 {log2} was "
            f"found in {TRIES} tries; change the knobs"
        )

    def training_sample(self, rng: np.random.Generator, **knobs) -> tuple[Sample, Answer]:
        """A training board and one of its valid answers at random; faster than `sample`, since the
        answers need not be counted. Half of the boards of order 5 and 6 have one answer."""
        n = self._order(rng, knobs.get("order"))
        staged = bool(knobs.get("staged", False))
        while True:
            if staged or (n > 4 and rng.random() < 0.5):
                board, square = self._unique_board(rng, "training", n, None)
            else:
                board, square = self._any_board(rng, n, None)
            if board is None or not self._belongs(board, square, "training"):
                continue
            if staged and squares.propagate(board) is None:
                continue
            state = {"order": n, "clues": board.tolist(), "staged": staged}
            return self.sample_of(state), tuple(square.ravel().tolist())

    def parts(self, state: dict) -> tuple[Part, ...]:
        n = state["order"]
        values = tuple(list(COLOURS)[:n])
        return tuple(Part(f"row {r} column {c}", values) for r in range(n) for c in range(n))

    def solve(self, state: dict) -> Solutions:
        found, more = squares.completions(_clues(state))
        return Solutions(tuple(tuple(square.ravel().tolist()) for square in found), more)

    def rounds(self, state: dict) -> int | str:
        rounds = squares.propagate(_clues(state))
        return "search" if rounds is None else int(rounds.max())

    def violations(self, sample: Sample, answer: Answer) -> int:
        """Clues contradicted, plus values repeated in rows and columns, plus empty cells."""
        clues = _clues(sample.state)
        decided = np.array([-1 if v is None else v for v in answer]).reshape(clues.shape)
        contradicted = ((clues >= 0) & (decided != clues)).sum()
        return int(contradicted + squares.repeats(decided) + (decided < 0).sum())

    def scene(self, canvas: Canvas, state: dict) -> None:
        """Empty cells."""
        for x, y in self._centres(state):
            canvas.box((x, y), 0.5, 0.5, GREY)
            canvas.box((x, y), 0.375, 0.375, PAPER)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """Clues are there from the start, in a dark frame; the other cells appear."""
        clues = _clues(state).ravel()
        alphas = self._alphas(state, progress)
        for cell, (x, y) in enumerate(self._centres(state)):
            if answer[cell] is None:
                continue
            given = clues[cell] >= 0
            if given:
                canvas.box((x, y), 0.5, 0.5, INK)
            tile(canvas, (x, y), answer[cell], 1.0 if given else alphas[cell])

    def _alphas(self, state: dict, progress: float) -> np.ndarray:
        """The opacity of each cell at a progress, (n * n,)."""
        if not state["staged"]:
            return np.full(state["order"] ** 2, progress)
        rounds = squares.propagate(_clues(state)).ravel()
        return np.clip(progress * rounds.max() - (rounds - 1), 0.0, 1.0)

    def _centres(self, state: dict) -> list[tuple[float, float]]:
        n = state["order"]
        margin = (self.cells - n) // 2
        return [(margin + c + 0.5, margin + r + 0.5) for r in range(n) for c in range(n)]

    def _order(self, rng: np.random.Generator, order: int | None) -> int:
        return order or int(rng.choice([n for n in USUAL_ORDERS if n <= self.cells]))

    def sample_of(self, state: dict) -> Sample:
        """The sample of a square's state: order, clues, staged."""
        board = _clues(state)
        knobs = {"order": len(board), "clues": int((board >= 0).sum()), "staged": state["staged"]}
        canonical = ["latin", state["clues"]]
        prompt = PROMPTS[state["staged"]]
        return Sample(self.name, self, state, prompt, canonical, knobs, seen=_few(board))

    def _any_board(self, rng, n: int, clues: int | None) -> tuple[np.ndarray, np.ndarray]:
        count = int(rng.integers(0, MOST_CLUES[n] + 1)) if clues is None else clues
        square = squares.random_square(rng, n)
        board = np.full(n * n, -1, np.int8)
        given = rng.permutation(n * n)[:count]
        board[given] = square.ravel()[given]
        return board.reshape(n, n), square

    def _unique_board(self, rng, split: Split, n: int, clues: int | None):
        """Takes cells away, in random order, as long as the answer stays unique."""
        square = squares.random_square(rng, n)
        if _square_split(square) != split:
            return None, square
        low, high = DEDUCTION_CLUES[n] if clues is None else (clues, clues)
        target, board = int(rng.integers(low, high + 1)), square.copy()
        for cell in rng.permutation(n * n):
            value, board.flat[cell] = board.flat[cell], -1
            if not squares.is_unique(board):
                board.flat[cell] = value
            if (board >= 0).sum() == target:
                return board, square
        return None, square

    def _belongs(self, board: np.ndarray, square: np.ndarray, split: Split) -> bool:
        """The split of a board with one answer is that of the answer; other boards are split by
        themselves, if there are enough of them. Training requires both."""
        of_square, of_board = (
            _square_split(square) == split,
            _few(board) or _board_split(board) == split,
        )
        if split == "training" or of_square == of_board:
            return of_square and of_board  # the hashes are cheap, so they come first
        return of_square == squares.is_unique(board)

    def _matches(self, sample: Sample, rounds: int | str | None, log2: int | None) -> bool:
        stratum = sample.stratum
        if rounds == "any":
            return stratum.rounds is not None and (
                not sample.state["staged"] or stratum.rounds != "search"
            )
        return (rounds is None or stratum.rounds == rounds) and log2 in (None, stratum.log2)


def tile(canvas: Canvas, centre: tuple, value: int, alpha: float) -> None:
    """A colour's tile, with a mark that has a shape and a place of its own, so that colours can be
    distinguished when they are mixed, printed in grey, or not seen."""
    shape, dx, dy, radius = MARKS[value]
    canvas.box(centre, 0.375, 0.375, list(COLOURS.values())[value], alpha)

    def distance(x, y):
        return radius * SHAPES[shape](x / radius, y / radius)

    canvas.paint(distance, (centre[0] + dx, centre[1] + dy), 1.3 * radius, PAPER, alpha)


def _check(cells: int, order: int | None, clues: int | None) -> None:
    known = [n for n in MOST_CLUES if n <= cells]
    if order is not None and order not in known:
        raise ValueError(f"order is {order!r}; expected one of {', '.join(map(str, known))}")
    most = (order or min(known)) ** 2
    if clues is not None and clues not in range(most):
        raise ValueError(f"clues is {clues!r}; expected 0 to {most - 1}")


def _clues(state: dict) -> np.ndarray:
    return np.array(state["clues"], np.int8)


def _few(board: np.ndarray) -> bool:
    return int((board >= 0).sum()) <= FEW_CLUES


def _board_split(board: np.ndarray) -> Split:
    return split_of(["latin", board.tolist()], BUCKETS)


def _square_split(square: np.ndarray) -> Split:
    return split_of(["latin square", square.tolist()], BUCKETS)
