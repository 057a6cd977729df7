"""Tic-tac-toe (Knowledge): the side to move wins at once, on some boards in two or three ways.

There are few boards. Up to mirroring and turning (and counting every orientation):

    player  winning cells  test      validation  training
    X       1              33 (241)  33 (229)    97 (708)
    X       2               9 (64)    8 (52)     24 (188)
    X       3               1 (4)     1 (8)       1 (4)
    O       1              21 (156)  20 (160)    60 (456)
    O       2               3 (20)    3 (20)      7 (48)

O never has three winning cells. O to move is the twist, which training never does.
"""

import functools

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import COLOURS, INK, Canvas
from .splits import SPLITS, Split, check_split, digest

BUCKETS = 5  # of boards: one for test, one for validation
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
MOST_WINNING = {"X": 3, "O": 2}  # cells that win at once, on any board
STROKE = 0.34


class TicTacToe(Puzzle):
    """See the module."""

    name = "tic_tac_toe"

    def sample(
        self,
        rng: np.random.Generator,
        split: Split,
        winning: int | None = None,
        player: str = "X",
    ) -> Sample:
        """Draws a board that the side to move can win at once.

        Args:
            winning: how many cells win; by default each possible number equally often.
            player: whose move it is, X or O (the twist).

        Raises:
            ValueError: for knobs out of range, or if the split has no such board.
        """
        check_split(split)
        if player not in MOST_WINNING:
            raise ValueError(f"player is {player!r}; expected 'X' or 'O'")
        most = MOST_WINNING[player]
        if winning is None:
            winning = int(rng.integers(1, most + 1))
        if winning not in range(1, most + 1):
            raise ValueError(f"winning is {winning!r}; expected 1 to {most} where {player} plays")
        found = boards(player, winning, split)
        if not found:
            raise ValueError(f"no {split} board has {winning} winning cells for {player}")
        state = {"board": found[rng.integers(len(found))], "player": player}
        prompt = f"{player.lower()} plays and wins"
        knobs = {"winning": int(winning), "player": player}
        return Sample(self.name, self, state, prompt, canonical(state), knobs)

    def parts(self, state: dict) -> tuple[Part, ...]:
        return (Part("move", tuple(f"cell {cell}" for cell in _cells(state))),)

    def solve(self, state: dict) -> Solutions:
        wins = winning_cells(state["board"], state["player"])
        return Solutions(tuple((i,) for i, cell in enumerate(_cells(state)) if cell in wins))

    def scene(self, canvas: Canvas, state: dict) -> None:
        for at in (2, 4):
            canvas.line((at, 0.25), (at, 5.75), 0.14, INK)
            canvas.line((0.25, at), (5.75, at), 0.14, INK)
        for cell, mark in enumerate(state["board"]):
            if mark != ".":
                _draw_mark(canvas, cell, mark, 1.0)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The new mark appears."""
        if answer[0] is not None:
            _draw_mark(canvas, _cells(state)[answer[0]], state["player"], progress)


@functools.cache
def boards(player: str, winning: int, split: Split) -> tuple[str, ...]:
    """All boards of a split in which so many cells win at once for the player to move.

    A split gets its share of each number of winning cells: the rank of a board's content hash among
    the boards with equally many decides. The hash alone would leave a split without any of the
    three boards with three winning cells.
    """
    found = [b for b in _open_boards(player) if len(winning_cells(b, player)) == winning]
    hashes = [digest(canonical({"board": board, "player": player})) for board in found]
    ranked = sorted(set(hashes))
    splits = {h: SPLITS[min(rank % BUCKETS, 2)] for rank, h in enumerate(ranked)}
    return tuple(board for board, h in zip(found, hashes, strict=True) if splits[h] == split)


def canonical(state: dict) -> list:
    """The least of the board's eight mirrored and rotated versions."""
    grid = np.frombuffer(state["board"].encode(), np.uint8).reshape(3, 3)
    turned = [g[::dy, ::dx].tobytes() for g in (grid, grid.T) for dx in (1, -1) for dy in (1, -1)]
    return ["tic_tac_toe", state["player"], min(turned).decode()]


def winning_cells(board: str, player: str) -> set[int]:
    """The empty cells of lines in which the player has the two others."""
    cells = set()
    for line in LINES:
        marks = [board[cell] for cell in line]
        if marks.count(player) == 2 and "." in marks:
            cells.add(line[marks.index(".")])
    return cells


@functools.cache
def _open_boards(player: str) -> tuple[str, ...]:
    """All reachable boards that neither side has won and on which it is `player`'s move."""
    level = {"." * 9}
    found = []
    for move in range(9):
        mover = "XO"[move % 2]
        if mover == player:
            found += sorted(level)
        after = {_played(b, c, mover) for b in level for c in range(9) if b[c] == "."}
        level = {board for board in after if not _won(board, mover)}
    return tuple(found)


def _cells(state: dict) -> list[int]:
    """Where the player might draw: empty cells and cells that the other side has taken."""
    return [cell for cell, mark in enumerate(state["board"]) if mark != state["player"]]


def _played(board: str, cell: int, mark: str) -> str:
    return board[:cell] + mark + board[cell + 1 :]


def _won(board: str, mark: str) -> bool:
    return any(all(board[cell] == mark for cell in line) for line in LINES)


def _draw_mark(canvas: Canvas, cell: int, mark: str, alpha: float) -> None:
    x, y = 2 * (cell % 3) + 1, 2 * (cell // 3) + 1
    if mark == "O":
        canvas.ring((x, y), 0.58, STROKE, COLOURS["red"], alpha)
        return

    def both_strokes(u, v):
        u, v = np.abs(u), np.abs(v)
        return np.maximum(np.abs(u - v) / 1.4142 - STROKE / 2, np.maximum(u, v) - 0.66)

    canvas.paint(both_strokes, (x, y), 0.7, COLOURS["blue"], alpha)
