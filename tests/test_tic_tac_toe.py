"""Tic-tac-toe: the valid moves are those that win, found here by brute force over all boards."""

from itertools import combinations, product

import pytest

from chain_of_steps.bench import tasklist
from chain_of_steps.puzzles.first import tic_tac_toe

both = pytest.mark.parametrize("task", ["tic_tac_toe", "tic_tac_toe_o"])
# Three cells lie in line if they add up to 15 on this magic square.
MAGIC = (2, 7, 6, 9, 5, 1, 4, 3, 8)


def wins(board: str, player: str) -> bool:
    return any(
        sum(MAGIC[c] for c in cells) == 15
        for cells in combinations([c for c in range(9) if board[c] == player], 3)
    )


def winning_moves(board: str, player: str) -> list[int]:
    return [
        c for c in range(9) if board[c] == "." and wins(board[:c] + player + board[c + 1 :], player)
    ]


def boards(player: str):
    """All unfinished boards of at least four marks that `player`, to move, wins at once."""
    for cells in product(".XO", repeat=9):
        board = "".join(cells)
        x, o = board.count("X"), board.count("O")
        open_game = (
            x - o == (player == "O")
            and x + o >= 4
            and not wins(board, "X")
            and not wins(board, "O")
        )
        if open_game and winning_moves(board, player):
            yield board


@both
def test_valid_candidates_win_and_no_others_do(task):
    for sample in tasklist.draw(task, 50, seed=0):
        board, player = sample.state["board"], sample.state["player"]
        of_kind = {
            k: [c.answer for c in sample.candidates if c.kind == k]
            for k in ("valid", "wrong", "illegal")
        }
        assert of_kind["valid"] == winning_moves(board, player)
        assert sorted(of_kind["valid"] + of_kind["wrong"]) == [
            c for c in range(9) if board[c] == "."
        ]
        assert all(board[c] not in (".", player) for c in of_kind["illegal"])


@both
def test_the_game_is_still_open_and_the_right_side_moves(task):
    for sample in tasklist.draw(task, 50, seed=0):
        board, player = sample.state["board"], sample.state["player"]
        assert not wins(board, "X") and not wins(board, "O")
        assert board.count("X") - board.count("O") == (player == "O")


@pytest.mark.parametrize(("player", "count"), [("X", 207), ("O", 114)])
def test_so_many_boards_there_are_up_to_mirroring_and_turning(player, count):
    found = {
        str(tic_tac_toe.canonical({"board": board, "player": player})) for board in boards(player)
    }
    assert len(found) == count
    assert str(count) in tic_tac_toe.__doc__


def test_the_canonical_form_is_blind_to_turning_and_mirroring():
    for sample in tasklist.draw("tic_tac_toe", 20, seed=0):
        board = sample.state["board"]
        quarter_turn = "".join(board[3 * (2 - c % 3) + c // 3] for c in range(9))
        mirrored = "".join(board[3 * (c // 3) + 2 - c % 3] for c in range(9))
        for same in (quarter_turn, mirrored):
            assert tic_tac_toe.canonical({**sample.state, "board": same}) == tic_tac_toe.canonical(
                sample.state
            )


def test_some_boards_have_two_or_three_winning_moves():
    assert {len(s.valid) for s in tasklist.draw("tic_tac_toe", 100, seed=0)} == {1, 2, 3}
