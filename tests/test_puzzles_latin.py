"""Latin squares: counting, solving, propagation, splits, drawing and reading."""

from itertools import permutations, product

import numpy as np
import pytest

from chain_of_steps.puzzles import latin_squares as squares
from chain_of_steps.puzzles import reading, scoring, suite
from chain_of_steps.puzzles.latin import BUCKETS, Latin
from chain_of_steps.puzzles.splits import SPLITS, split_of

LATIN = Latin()


def is_latin(square: np.ndarray) -> bool:
    full = list(range(len(square)))
    return all(sorted(line) == full for line in [*square.tolist(), *square.T.tolist()])


def brute_force(clues: np.ndarray) -> set[tuple[int, ...]]:
    """All squares of rows that are permutations, by trying every one."""
    n, found = len(clues), set()
    fitting = [
        [
            row
            for row in permutations(range(n))
            if all(c in (-1, v) for c, v in zip(line, row, strict=True))
        ]
        for line in clues.tolist()
    ]
    for rows in product(*fitting):
        if all(len(set(column)) == n for column in zip(*rows, strict=True)):
            found.add(tuple(v for row in rows for v in row))
    return found


@pytest.mark.parametrize(("order", "reduced", "squared"), [(4, 4, 576), (5, 56, 161_280)])
def test_there_are_as_many_squares_as_known(order, reduced, squared):
    assert len(squares.reduced_squares(order)) == reduced
    every = squares.all_squares(order)
    assert len(every) == squared and all(is_latin(square) for square in every[:500])
    assert len(np.unique(every.reshape(squared, -1), axis=0)) == squared


def test_there_are_as_many_reduced_squares_of_order_six_as_known():
    assert len(squares.reduced_squares(6)) == 9408


def test_random_squares_of_order_four_are_uniform():
    rng = np.random.default_rng(0)
    seen = [squares.random_square(rng, 4).tobytes() for _ in range(20_000)]
    _, counts = np.unique(seen, return_counts=True)
    assert len(counts) == 576
    expected = 20_000 / 576
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi2 - 575) < 5 * (2 * 575) ** 0.5


@pytest.mark.parametrize(("order", "clues"), [(4, 4), (4, 7), (4, 10), (5, 12), (5, 16)])
def test_completions_are_those_of_brute_force(order, clues):
    rng = np.random.default_rng(order * 100 + clues)
    for _ in range(4):
        board = np.full(order * order, -1, np.int8)
        given = rng.permutation(order * order)[:clues]
        board[given] = squares.random_square(rng, order).ravel()[given]
        board = board.reshape(order, order)
        found, more = squares.completions(board)
        assert not more
        assert {tuple(s.ravel().tolist()) for s in found} == brute_force(board)
        searched, _ = squares._search(board, 100_000)
        assert {s.tobytes() for s in searched} == {s.tobytes() for s in found}


def test_order_six_is_counted_up_to_the_limit_and_no_further():
    empty = np.full((6, 6), -1, np.int8)
    found, more = squares.completions(empty)
    assert more and len(found) == 5_000
    square = squares.random_square(np.random.default_rng(1), 6)
    square[0, :2] = -1
    found, more = squares.completions(square)
    assert not more and len(found) >= 1


def test_rounds_of_propagation_of_a_board_worked_out_by_hand():
    # Row 0 misses one value (round 1). Column 3 then misses one too: its cell in row 1 is known in
    # round 2. In row 2 and 3 only what is given stands.
    clues = np.array([[0, 1, 2, -1], [1, 0, 3, -1], [2, 3, 0, 1], [3, 2, 1, 0]], np.int8)
    rounds = squares.propagate(clues)
    assert rounds.tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    clues = np.array([[0, 1, -1, -1], [1, 0, -1, 2], [2, 3, 0, 1], [3, 2, 1, 0]], np.int8)
    assert squares.propagate(clues).max() == 1
    assert squares.propagate(np.full((4, 4), -1, np.int8)) is None


def test_propagation_ends_in_the_only_answer():
    for order in (4, 5, 6):
        sample = suite.draw_one("latin", 0, 3, order=order, rounds="any")
        clues = np.array(sample.state["clues"], np.int8)
        rounds = squares.propagate(clues)
        if rounds is None:
            assert sample.stratum.rounds == "search"
            continue
        board = clues.copy()
        for round_ in range(1, rounds.max() + 1):  # each round uses what the earlier ones filled
            filled = squares._singles(board)
            assert ((filled >= 0) == (rounds == round_)).all()
            board = np.where(filled >= 0, filled, board)
        assert tuple(board.ravel().tolist()) == sample.solutions.answers[0]


def test_repeats_are_counted_per_row_and_column():
    square = squares.random_square(np.random.default_rng(2), 4)
    assert squares.repeats(square) == 0
    square[0, 0] = square[0, 1]  # repeated in its row, and once more in its column
    assert squares.repeats(square) == 2
    assert squares.repeats(np.zeros((4, 4), int)) == 2 * 4 * 3
    assert squares.repeats(np.full((4, 4), -1)) == 0


@pytest.mark.parametrize(
    ("knobs", "stratum"),
    [
        ({"order": 4, "rounds": 1}, "unique/1"),
        ({"order": 4, "rounds": 3}, "unique/3"),
        ({"order": 5, "rounds": 4}, "unique/4"),
        ({"order": 6, "rounds": 5}, "unique/5"),
        ({"order": 4, "log2": 1}, "several/1"),
        ({"order": 4, "log2": 5}, "several/5"),
        ({"order": 4, "clues": 0}, "several/9"),
        ({"order": 5, "clues": 0}, "several/17"),
        ({"order": 6, "clues": 2}, "several/more"),
    ],
)
def test_samples_are_of_the_stratum_that_was_asked_for(knobs, stratum):
    for split in ("test", "validation"):
        sample = suite.draw_one("latin", 0, 5, split, **knobs)
        assert sample.stratum.label == stratum
        assert sample.knobs["order"] == knobs["order"]


def test_squares_of_test_and_validation_are_never_answers_in_training():
    rng = np.random.default_rng(3)
    for order in (4, 5, 6):
        for _ in range(100):
            sample, answer = LATIN.training_sample(rng, order=order)
            square = np.array(answer).reshape(order, order)
            assert is_latin(square)
            assert split_of(["latin square", square.tolist()], BUCKETS) == "training"
            clues = np.array(sample.state["clues"])
            assert ((clues == square) | (clues < 0)).all()


def test_boards_are_of_one_split_unless_marked_as_seen():
    rng = np.random.default_rng(4)
    for split in SPLITS:
        for clues in (1, 3, 6, 10):
            sample = LATIN.sample(rng, split, order=4, clues=clues)
            unique = len(sample.solutions) == 1
            assert sample.seen == (clues <= 1)
            if split == "training":
                continue
            if unique:
                answer = np.array(sample.solutions.answers[0]).reshape(4, 4).tolist()
                assert split_of(["latin square", answer], BUCKETS) == split
            elif not sample.seen:
                assert split_of(sample.canonical, BUCKETS) == split


def test_violations_by_hand():
    sample = suite.draw_one("latin", 1, 7, order=4, clues=8)
    answer = sample.solutions.answers[0]
    assert sample.violations(answer) == 0 and sample.is_valid(answer)
    clues = np.array(sample.state["clues"]).ravel()
    given, free = np.flatnonzero(clues >= 0)[0], np.flatnonzero(clues < 0)[0]
    changed = list(answer)
    changed[given] = (answer[given] + 1) % 4
    assert sample.violations(tuple(changed)) == 3, "a clue, a row and a column"
    empty = list(answer)
    empty[free] = None
    assert sample.violations(tuple(empty)) == 1 and not sample.is_valid(tuple(empty))


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("order", [4, 5, 6])
@pytest.mark.parametrize(("frames", "size"), [(5, 48), (9, 48), (13, 48), (5, 240)])
def test_the_truth_is_decided_drawn_and_scored(order, frames, size, staged):
    for index in range(3):
        knobs = {"order": order, "staged": staged, **({} if staged else {"clues": 3 * order})}
        sample = suite.draw_one("latin", index, 1, **knobs)
        for answer in sample.solutions.answers[:3]:
            video = sample.render(answer, size, frames)
            assert reading.decided(sample, video[-1]) == answer
            assert reading.drawn(sample, video[-1])
            assert scoring.score(sample, video) == 1.0


def test_a_four_cell_board_fits_32_pixels():
    sample = Latin(cells=4).sample(np.random.default_rng(0), "test", clues=6)
    video = sample.render(frames=5)
    assert video.shape == (5, 32, 32, 3)
    assert scoring.score(sample, video) == 1.0


def test_worthless_videos_score_nothing():
    rng = np.random.default_rng(5)
    for index in range(4):
        sample, other = (
            suite.draw_one("latin", i, 2, order=4, clues=5) for i in (index, index + 9)
        )
        truth = sample.render(frames=9)
        frozen = np.repeat(truth[:1], 9, axis=0)
        noise = rng.integers(0, 256, truth.shape, dtype=np.uint8)
        teleport = np.concatenate([frozen[:-1], truth[-1:]])
        for video in (frozen, noise, np.zeros_like(truth), other.render(frames=9), teleport):
            assert scoring.score(sample, video) <= 0.1


def test_a_mean_of_answers_is_read_as_the_share_of_each():
    for order, clues in ((4, 2), (5, 9), (6, 14)):
        sample = suite.draw_one("latin", 2, 3, order=order, clues=clues)
        answers = np.array(sample.solutions.answers[:60])
        mean = np.mean([sample.picture(tuple(a)) for a in answers], axis=0)
        shares = (answers[:, :, None] == np.arange(order)).mean(0)
        assert np.abs(reading.belief(sample, mean) - shares).max() < 1e-4


def test_staged_cells_appear_in_their_rounds():
    sample = suite.draw_one("latin_staged", 0, 4, order=4, rounds=3)
    rounds = squares.propagate(np.array(sample.state["clues"], np.int8)).ravel()
    for done in (1, 2):
        frame = sample.picture(sample.solutions.answers[0], done / 3)
        shown = reading.belief(sample, frame)[np.arange(16), sample.solutions.answers[0]]
        assert (shown > 0.9).tolist() == (rounds <= done).tolist()


def test_a_request_that_cannot_be_met_is_refused(monkeypatch):
    monkeypatch.setattr("chain_of_steps.puzzles.latin.TRIES", 50)
    with pytest.raises(ValueError, match="order 4, 15 clues, None rounds, log2 8"):
        LATIN.sample(np.random.default_rng(0), "test", order=4, clues=15, log2=8)
    with pytest.raises(ValueError, match="unknown split 'exam'"):
        LATIN.sample(np.random.default_rng(0), "exam")
