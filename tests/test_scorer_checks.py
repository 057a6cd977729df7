"""The scorer earns trust: a solved puzzle scores 1 at every length and size, anything else 0."""

import pytest

from chain_of_steps.bench.scorer_checks import SOLVED, scorer_table, trials
from chain_of_steps.puzzles import suite

LENGTHS = (5, 9, 13)  # those of training, and so of every notebook
WORTHLESS = {
    "frozen first frame",
    "noise",
    "black",
    "answer at once",
    "still of the answer",
    "another sample's answer",
    "wrong answer",
}


@pytest.mark.parametrize(("frames", "size"), [*((n, None) for n in LENGTHS), (9, 96), (17, 48)])
def test_only_the_ground_truth_scores(frames, size):
    tasks = [t for t in suite.TASKS if size != 48 or suite.draw_one(t, 0, 0).side == 48]
    table = scorer_table(tasks, frames, size, count=3)
    assert set(table.columns) == {SOLVED, *WORTHLESS} and len(table) == len(tasks)
    assert (table[SOLVED] == 1.0).all()
    assert (table[list(WORTHLESS)].fillna(0.0) <= 0.1).all(axis=None)


def test_a_wrong_answer_differs_in_one_part():
    one, other = suite.draw("latin", 2, seed=1)
    truth, wrong = (trials(one, other, 5)[kind] for kind in (SOLVED, "wrong answer"))
    cells = (truth[-1] != wrong[-1]).any(-1).reshape(6, 8, 6, 8).any((1, 3))
    assert cells.sum() == 1
