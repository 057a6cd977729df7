"""Tic-tac-toe (Knowledge): X is to move and wins at once; some boards have two or three winning
moves.

There are few boards: 207 up to mirroring and turning (114 in the twist), far below 2,000. The twist
`tic_tac_toe_o` lets O move, which training never does.
"""

import numpy as np

from ..canvas import COLOURS, INK, Canvas
from .base import Candidate, Partition, Sample, draw_until

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
STROKE = 0.34


def sample(rng: np.random.Generator, partition: Partition, twist: bool = False) -> Sample:
    """Draws a board that the side to move can win at once: X, or O with `twist`."""
    player = "O" if twist else "X"
    state = draw_until(rng, partition, lambda r: _propose(r, player), canonical)
    board, other = state["board"], "X" if player == "O" else "O"
    winning = [c for c in range(9) if board[c] == "." and _wins(_played(board, c, player), player)]
    losing = [c for c in range(9) if board[c] == "." and c not in winning]
    taken = [c for c in range(9) if board[c] == other]
    candidates = [
        Candidate(f"cell {cell}", kind, cell)
        for kind, cells in (("valid", winning), ("wrong", losing), ("illegal", taken))
        for cell in cells
    ]
    task = "tic_tac_toe_o" if twist else "tic_tac_toe"
    return Sample(task, "tic_tac_toe", state, f"{player.lower()} plays and wins", tuple(candidates))


def canonical(state: dict) -> list:
    """The least of the board's eight mirrored and rotated versions."""
    grid = np.frombuffer(state["board"].encode(), np.uint8).reshape(3, 3)
    turned = [g[::dy, ::dx].tobytes() for g in (grid, grid.T) for dx in (1, -1) for dy in (1, -1)]
    return ["tic_tac_toe", state["player"], min(turned).decode()]


def scene(canvas: Canvas, state: dict) -> None:
    for at in (2, 4):
        canvas.line((at, 0.25), (at, 5.75), 0.14, INK)
        canvas.line((0.25, at), (5.75, at), 0.14, INK)
    for cell, mark in enumerate(state["board"]):
        if mark != ".":
            _draw_mark(canvas, cell, mark, 1.0)


def act(canvas: Canvas, state: dict, answer: int, progress: float) -> None:
    """The new mark appears."""
    _draw_mark(canvas, answer, state["player"], progress)


def _draw_mark(canvas: Canvas, cell: int, mark: str, alpha: float) -> None:
    x, y = 2 * (cell % 3) + 1, 2 * (cell // 3) + 1
    if mark == "O":
        canvas.ring((x, y), 0.58, STROKE, COLOURS["red"], alpha)
        return

    def both_strokes(u, v):
        u, v = np.abs(u), np.abs(v)
        return np.maximum(np.abs(u - v) / 1.4142 - STROKE / 2, np.maximum(u, v) - 0.66)

    canvas.paint(both_strokes, (x, y), 0.7, COLOURS["blue"], alpha)


def _propose(rng: np.random.Generator, player: str) -> dict | None:
    each = int(rng.integers(2, 5 if player == "X" else 4))
    marks = "X" * (each + (player == "O")) + "O" * each
    board = "".join(rng.permutation(list(marks.ljust(9, "."))))
    over = _wins(board, "X") or _wins(board, "O")
    can_win = any(board[c] == "." and _wins(_played(board, c, player), player) for c in range(9))
    return {"board": board, "player": player} if can_win and not over else None


def _played(board: str, cell: int, mark: str) -> str:
    return board[:cell] + mark + board[cell + 1 :]


def _wins(board: str, mark: str) -> bool:
    return any(all(board[c] == mark for c in line) for line in LINES)
