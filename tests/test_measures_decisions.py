"""Decisions along steps: worked out by hand, and read off real samples."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from chain_of_steps.measures import decisions
from chain_of_steps.measures.decisions import NEVER, Revisions, commit_step, commit_steps
from chain_of_steps.puzzles import suite
from chain_of_steps.puzzles.latin import Latin


def square(clues: list[list[int]]):
    state = {"order": len(clues), "clues": clues, "staged": False}
    return Latin(4).sample_of(state)


@pytest.fixture(scope="module")
def unique():
    return suite.draw_one("latin_small", 0, 0, order=4, rounds=3)


@pytest.fixture(scope="module")
def several():
    return suite.draw_one("latin_small", 0, 0, order=4, log2=2)


# Decided answers.


def test_ties_are_broken_at_random_and_nothing_else_is():
    shown = np.zeros((2000, 1, 4))
    shown[..., 1], shown[..., 2], shown[..., 3] = 0.5, 0.5 - 1e-3, 0.4
    decided = decisions.decide(shown, np.random.default_rng(0))
    assert set(decided.ravel()) == {1, 2} and 0.45 < (decided == 1).mean() < 0.55
    assert (decisions.decide(shown) == 1).all()
    assert (decisions.decide(shown, np.random.default_rng(0)) == decided).all()
    apart = np.array([[0.5, 0.49]])
    assert all(decisions.decide(apart, np.random.default_rng(s)) == 0 for s in range(20))


def test_what_shows_nothing_or_cannot_be_read_is_not_decided():
    shown = np.array([[0.01, 0.02], [np.nan, np.nan], [np.nan, 0.9]])
    for rng in (None, np.random.default_rng(0)):
        assert decisions.decide(shown, rng).tolist() == [-1, -1, 1]


def test_validity_and_violations_of_every_step(several):
    answers = np.array(several.solutions.answers)
    wrong, partial = answers[0].copy(), answers[0].copy()
    wrong[0], partial[0] = (wrong[0] + 1) % 4, -1
    decided = np.stack([wrong, answers[0], partial, answers[-1], wrong])
    assert decisions.valid(several, decided).tolist() == [False, True, False, True, False]
    found = decisions.violations(several, decided)
    assert found[[1, 3]].tolist() == [0, 0] and (found[[0, 2]] > 0).all() and found[0] == found[4]


# Commit steps.


def test_commit_steps_by_hand():
    decided = np.array([[0, 1, 2, 0], [0, 2, 2, -1], [0, 1, 2, -1], [0, 1, 3, -1]])
    assert commit_steps(decided).tolist() == [0, 2, 3, NEVER]
    assert commit_step(decided) == NEVER and commit_step(decided[:, :3]) == 3
    assert commit_step(decided[:1]) == 0
    sigmas = [1.0, 0.9, 0.6, 0.2, 0.0]
    found = decisions.in_sigma(commit_steps(decided), sigmas)
    np.testing.assert_equal(found, [1.0, 0.6, 0.2, np.nan])
    assert decisions.in_sigma(commit_step(decided[:, :3]), sigmas) == 0.2


def test_commit_steps_are_where_the_value_stays():
    decided = np.random.default_rng(0).integers(0, 3, (9, 200))
    for steps, values in zip(commit_steps(decided), decided.T, strict=True):
        assert (values[steps:] == values[-1]).all()
        assert steps == 0 or values[steps - 1] != values[-1]


def test_order_is_that_of_propagation(unique):
    rounds = decisions.part_rounds(unique)
    assert rounds.max() == 3 and (rounds == 0).sum() == unique.knobs["clues"]
    answer = np.array(unique.solutions.answers[0])
    steps = np.arange(8)[:, None]
    in_turn = np.where(steps >= 2 * rounds, answer, (answer + 1) % 4)
    assert decisions.commit_order(in_turn, rounds) == pytest.approx(1.0)
    backwards = np.where(steps >= 7 - 2 * rounds, answer, (answer + 1) % 4)
    assert decisions.commit_order(backwards, rounds) == pytest.approx(-1.0)
    assert np.isnan(decisions.commit_order(np.tile(answer, (8, 1)), rounds))


def test_order_ignores_clues_and_undecided_parts():
    rounds = np.array([0, 1, 2, 2, np.nan])
    decided = np.array([[1, 1, 0, -1, 0], [0, 1, 0, -1, 0], [0, 1, 1, -1, 1], [0, 1, 1, -1, 0]])
    assert decisions.commit_order(decided, rounds) == pytest.approx(1.0)


def test_partial_correlation_by_hand():
    """x = 1 2 3 4, y = 2 1 4 3, and z has ranks 1.5 1.5 3.5 3.5. What is left after z is (-.5, .5)
    for x and (.5, -.5) for y, twice: -1, although x and y correlate by .6."""
    x, y, z = np.array([[1, 2, 3, 4], [2, 1, 4, 3], [5, 5, 9, 9]])
    assert spearmanr(x, y).statistic == pytest.approx(0.6)
    assert decisions.partial_spearman(x, y, z) == pytest.approx(-1.0)
    assert decisions.partial_spearman(x, y, np.full(4, 2.0)) == pytest.approx(0.6)
    assert np.isnan(decisions.partial_spearman(x, z, z))  # nothing is left
    assert np.isnan(decisions.partial_spearman(x, y, np.array([1, 1, np.nan, 2])))


def test_partial_correlation_is_that_of_the_textbook():
    x, y, z = np.random.default_rng(0).random((3, 50)) + np.random.default_rng(1).random(50)
    xy, xz, yz = (spearmanr(*pair).statistic for pair in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert decisions.partial_spearman(x, y, z) == pytest.approx(expected)
    assert abs(expected - xy) > 0.1


def test_order_with_candidates_held_fixed_leaves_out_clues():
    rounds = np.array([0, 1, 2, 1, 2])
    decided = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 1]])
    candidates = np.array([np.nan, 2, 2, 3, 3])
    assert decisions.commit_order(decided, rounds) == pytest.approx(0.4472, abs=1e-4)
    assert decisions.commit_order(decided, rounds, candidates) == pytest.approx(1.0)


def test_candidates_are_what_row_and_column_leave():
    board = [[0, -1, -1, -1], [-1, 1, -1, -1], [-1, -1, -1, 3], [-1, -1, -1, -1]]
    nan = np.nan
    np.testing.assert_equal(
        decisions.part_candidates(square(board)).reshape(4, 4),
        [[nan, 2, 3, 2], [2, nan, 3, 2], [2, 2, 3, nan], [3, 3, 4, 3]],
    )
    assert np.isnan(decisions.part_candidates(suite.draw_one("mark", 0, 0))).all()


def test_rounds_of_other_puzzles():
    relay = suite.draw_one("relay", 0, 0, routes=2, moves=5)
    rounds = decisions.part_rounds(relay)
    on = np.array(relay.solutions.answers[0]) == 1
    assert sorted(rounds[on]) == list(range(6)) and np.isnan(rounds[~on]).all()
    for task in ("relay_end", "mark"):
        assert np.isnan(decisions.part_rounds(suite.draw_one(task, 0, 0))).all()
    assert np.isnan(decisions.part_rounds(square([[-1] * 4] * 4))).all()  # propagation is stuck


# Revisions.


def shown(values: list[list[float]]) -> np.ndarray:
    return np.array(values)[:, None]  # one part: (S, 1, V)


@pytest.mark.parametrize(
    ("beliefs", "right", "expected"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], 1, Revisions(1, 0, 0)),
        ([[0.9, 0.1], [0.2, 0.8]], 0, Revisions(0, 1, 0)),
        ([[0.9, 0.1, 0], [0.2, 0.8, 0]], 2, Revisions(0, 0, 1)),
        ([[0.9, 0.1], [0.45, 0.55], [0.9, 0.1]], 0, Revisions(0, 0, 0)),  # a tie is no revision
        ([[0.9, 0.1], [0.52, 0.48], [0.48, 0.52], [0.1, 0.9]], 1, Revisions(1, 0, 0)),  # gradual
        ([[0.9, 0], [0, 0.9], [0.9, 0], [0, 0.9]], 1, Revisions(2, 1, 0)),
        ([[0.5, 0.5], [0.1, 0.9]], 1, Revisions(0, 0, 0)),  # a first decision
    ],
)
def test_revisions_by_hand(beliefs, right, expected):
    assert decisions.revisions(shown(beliefs), np.array([right]), floor=0.2) == expected


def test_a_value_is_held_if_its_margin_exceeds_the_floor():
    margins = [[0.75, 0.25, 0.0], [0.75, 0.125, 0.5], [0.125, 0.25, 0.875], [np.nan] * 3]
    assert decisions.margins(shown(margins)).ravel().tolist() == [0.5, 0.25, 0.625, 0.0]
    assert decisions.held(shown(margins), 0.5).ravel().tolist() == [-1, -1, 2, -1]
    assert decisions.held(shown(margins), 0.25).ravel().tolist() == [0, -1, 2, -1]


def test_right_is_what_the_run_ends_on_or_comes_nearest_to(unique, several):
    answers = np.array(several.solutions.answers)
    assert (decisions.reference_answer(several, answers[[0, 2]]) == answers[2]).all()
    near = answers[1].copy()
    near[np.array(several.state["clues"]).ravel() >= 0] = -1  # not valid
    assert (decisions.reference_answer(several, near[None]) == answers[1]).all()
    far = np.full((1, 16), -1)
    assert (decisions.reference_answer(unique, far) == unique.solutions.answers[0]).all()


# Present values.


def test_present_values_by_hand():
    possible = np.array([[True, True, False, False], [True, False, False, False]])
    beliefs = np.array(
        [
            [[0.30, 0.26, 0.10, 0.0], [0.5, 0.0, 0.0, 0.2]],  # K = 2: .25 or more; K = 1: .5
            [[0.30, 0.24, 0.10, 0.0], [0.49, 0.0, 0.0, 0.0]],
            [[0.60, 0.30, 0.20, 0.2], [0.9, 0.0, 0.5, 0.0]],  # and twice the impossible
            [[0.90, 0.10, 0.90, 0.0], [np.nan] * 4],
        ]
    )
    found = decisions.present(beliefs, possible)
    assert found[:, 0, :2].tolist() == [[True, True], [True, False], [True, False], [False, False]]
    assert found[:, 1, 0].tolist() == [True, False, False, False]
    assert not found[..., 2:].any()


def test_pruning_is_two_values_and_one_in_the_end():
    found = np.zeros((3, 2, 3), bool)
    found[0, 0, :2] = found[1, 0, 0] = found[2, 0, 0] = True
    assert decisions.pruned(found).tolist() == [True, False]
    found[2, 0, 1] = True
    assert not decisions.pruned(found).any()  # two remain
    assert not decisions.pruned(found[1:2]).any()  # there was one only
    found[2, 0] = False
    assert not decisions.pruned(found).any()  # none remains


def test_a_curve_falls_below_a_level_between_two_steps():
    assert decisions.falls_below([3.0, 2.0, 1.0, 1.0], 1.5) == pytest.approx(1.5)
    assert decisions.falls_below([3.0, 1.0], 1.5) == pytest.approx(0.75)
    assert decisions.falls_below([0.0, 2.0, 1.25, 1.75, 1.0], 1.5) == pytest.approx(5 / 3)  # first
    assert decisions.falls_below([1.5, 1.0], 1.5) == 0.0
    for values in ([1.0, 1.0], [0.0, 2.0], [2.0, 1.5]):
        assert np.isnan(decisions.falls_below(values, 1.5))


def test_the_mean_of_all_answers_shows_all_possible_values(several):
    possible = decisions.possible(several)
    answers = np.array(several.solutions.answers)
    mean = (answers[..., None] == np.arange(4)).mean(0)
    assert ((mean > 0) == possible).all()
    found = decisions.present(np.stack([mean, np.eye(4)[answers[0]]]), possible)
    assert decisions.pruned(found).any() and (found[1].sum(-1) == 1).all()
    assert (found[0].sum(-1) <= possible.sum(-1)).all() and (found[0].sum(-1) >= 2).any()
