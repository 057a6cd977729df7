"""Cells in plain words."""

import pytest

from chain_of_steps.figures.names import broken, plain, short


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("latin order=4 log2=5", "square of order 4: 32 to 63 answers"),
        ("latin order=5 rounds=1", "square of order 5: 1 round"),
        ("latin order=4 clues=12", "square of order 4: 12 clues"),
        ("latin_staged order=5 rounds=4", "staged square of order 5: 4 rounds"),
        ("maze rooms=5 paths=2", "maze of 5 x 5: 2 valid paths"),
        ("relay routes=2 moves=6", "relay, drawn: 6 moves"),
        ("relay_end routes=2 moves=1", "relay, end only: 1 move"),
        ("mark named=true answers=1", "mark: the named thing"),
        ("mark named=false answers=3", "mark: any of 3"),
        ("tic_tac_toe winning=1", "tic-tac-toe: 1 winning move"),
        ("rotate direction=false", "rotate: either direction"),
        ("bounce walls=0", "bounce: 0 walls"),
        ("size_pattern blanks=3", "size pattern: 3 blanks"),
        ("out_and_back", "out and back"),
        ("latin order=4 rounds=3/L1/S20", "square of order 4: 3 rounds, 1 block, 20 steps"),
        ("several/more_answers", "several: more answers"),
    ],
)
def test_a_cell_is_named_as_people_would(cell, said):
    assert plain(cell) == said
    assert broken(cell) == said.replace(": ", "\n")


def test_among_squares_the_word_goes_without_saying():
    assert short("latin order=5 rounds=2") == "order 5: 2 rounds"
    assert short("latin_staged order=5 rounds=4") == "staged, order 5: 4 rounds"
    assert short("maze rooms=5") == "maze of 5 x 5"
