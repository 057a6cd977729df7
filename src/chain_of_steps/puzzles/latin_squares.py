"""Latin squares as arrays: enumeration, random squares, completions of clues, propagation.

A square is an (n, n) int8 array of values 0 to n - 1, each once per row and column. Clues have the
same form, with -1 in empty cells.
"""

import functools
from itertools import permutations

import numpy as np

from .base import MOST_ANSWERS

LISTED = 5  # up to this order all squares are kept in a table: 576 of order 4, 161,280 of order 5


@functools.cache
def reduced_squares(order: int) -> np.ndarray:
    """All squares whose first row and first column are 0, 1, 2, ...; (N, n, n) int8."""
    rows = [[row for row in permutations(range(order)) if row[0] == r] for r in range(order)]
    found: list[list[tuple[int, ...]]] = []

    def extend(square: list[tuple[int, ...]]) -> None:
        if len(square) == order:
            found.append(square)
            return
        taken = [set(column) for column in zip(*square, strict=True)]
        for row in rows[len(square)]:
            if not any(value in column for value, column in zip(row, taken, strict=True)):
                extend([*square, row])

    extend([tuple(range(order))])
    return np.array(found, np.int8)


@functools.cache
def all_squares(order: int) -> np.ndarray:
    """Every Latin square of an order up to 5, (N, n, n) int8."""
    squares = [
        square[[0, *lower]][:, list(columns)]
        for square in reduced_squares(order)
        for lower in permutations(range(1, order))
        for columns in permutations(range(order))
    ]
    return np.stack(squares)


def random_square(rng: np.random.Generator, order: int) -> np.ndarray:
    """A Latin square drawn uniformly from all squares of its order."""
    reduced = reduced_squares(order)
    rows = [0, *(1 + rng.permutation(order - 1))]
    return reduced[rng.integers(len(reduced))][rows][:, rng.permutation(order)]


def completions(clues: np.ndarray, most: int = MOST_ANSWERS) -> tuple[np.ndarray, bool]:
    """All squares that agree with the clues, (N, n, n) int8, and whether there are more.

    Orders up to 5 are listed completely; from order 6 on the search ends after `most`.
    """
    order = len(clues)
    if order > LISTED:
        return _search(clues, most)
    table = all_squares(order).reshape(-1, order * order)
    for cell in np.flatnonzero(clues.ravel() >= 0):
        table = table[table[:, cell] == clues.flat[cell]]
    return table.reshape(-1, order, order), False


def is_unique(clues: np.ndarray) -> bool:
    """Whether exactly one square agrees with the clues."""
    found, more = _search(clues, most=1)  # faster than the table, which lists all
    return len(found) == 1 and not more


def propagate(clues: np.ndarray) -> np.ndarray | None:
    """The round in which each cell becomes known, (n, n) int; 0 for clues. None if it gets stuck.

    In a round all naked singles (one value left for a cell) and hidden singles (one cell left for a
    value in a row or column) of the board so far are filled at once.
    """
    board, rounds = clues.copy(), np.zeros(clues.shape, int)
    while (board < 0).any():
        filled = _singles(board)
        if not (filled >= 0).any():
            return None
        board = np.where(filled >= 0, filled, board)
        rounds[filled >= 0] = rounds.max() + 1
    return rounds


def repeats(square: np.ndarray) -> int:
    """Repeated values in rows and columns: 0 for a Latin square; empty cells (-1) do not count."""
    order = len(square)
    shown = square[..., None] == np.arange(order)  # (n, n, values)
    return int(sum(np.clip(shown.sum(axis) - 1, 0, None).sum() for axis in (0, 1)))


def candidates(board: np.ndarray) -> np.ndarray:
    """(n, n, values) bool: values missing in a cell's row and column; none for a full cell."""
    shown = board[..., None] == np.arange(len(board))
    taken = shown.any(0, keepdims=True) | shown.any(1, keepdims=True)
    return ~taken & (board < 0)[..., None]


def _singles(board: np.ndarray) -> np.ndarray:
    """The values (n, n) that follow in one round, -1 elsewhere."""
    free = candidates(board)
    only = free & (
        (free.sum(2, keepdims=True) == 1)
        | (free.sum(0, keepdims=True) == 1)
        | (free.sum(1, keepdims=True) == 1)
    )
    return np.where(only.any(2), only.argmax(2), -1)


def _search(clues: np.ndarray, most: int) -> tuple[np.ndarray, bool]:
    """Depth first, always in the cell of fewest candidates, as bit masks."""
    order, full = len(clues), (1 << len(clues)) - 1
    board = clues.astype(int).ravel().tolist()
    rows, columns = [0] * order, [0] * order
    for cell, value in enumerate(board):
        if value >= 0:
            rows[cell // order] |= 1 << value
            columns[cell % order] |= 1 << value
    found: list[list[int]] = []

    def fill(empty: list[int]) -> None:
        if len(found) > most:
            return
        if not empty:
            found.append(board.copy())
            return
        free = [full & ~(rows[c // order] | columns[c % order]) for c in empty]
        pick = min(range(len(empty)), key=lambda i: free[i].bit_count())
        cell, rest = empty[pick], empty[:pick] + empty[pick + 1 :]
        for value in range(order):
            bit = 1 << value
            if free[pick] & bit:
                board[cell] = value
                rows[cell // order] |= bit
                columns[cell % order] |= bit
                fill(rest)
                rows[cell // order] &= ~bit
                columns[cell % order] &= ~bit
        board[cell] = -1

    fill([c for c, value in enumerate(board) if value < 0])
    squares = np.array(found[:most], np.int8).reshape(-1, order, order)
    return squares, len(found) > most
