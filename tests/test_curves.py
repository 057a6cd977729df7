"""Curves of a run by cases worked out by hand: one part, and several."""

import numpy as np
import pytest

from chain_of_steps.figures.curves import KEPT, OPEN, curves
from chain_of_steps.figures.player import Player
from chain_of_steps.figures.showcase import ShownCase, player_arguments
from chain_of_steps.figures.verdict import verdict
from chain_of_steps.puzzles import suite


def one_hot(answers, values: int) -> np.ndarray:
    """Beliefs (S, P, V) of answers (S, P)."""
    return np.eye(values, dtype=np.float32)[np.array(answers)]


def by_name(found) -> dict:
    return {curve.name: [round(float(v), 4) for v in curve.values] for curve in found}


@pytest.fixture(scope="module")
def square():
    """A square of order 4 with several answers."""
    return suite.draw_one("latin", 0, 3, order=4, log2=3)


def test_an_answer_of_several_parts_has_violations_kept_and_open_parts(square):
    final, other = square.solutions.answers[:2]
    wrong = ((final[0] + 1) % 4, *final[1:])
    bad = square.violations(wrong)
    assert bad > 0
    beliefs = one_hot([wrong, other, final], 4)
    same = np.mean(np.equal(other, final))
    assert by_name(curves(square, beliefs)) == {
        f"violations (of {bad})": [1.0, 0.0, 0.0],
        KEPT: [round(15 / 16, 4), round(float(same), 4), 1.0],
        OPEN: [0.0, 0.0, 0.0],
    }
    doubled = by_name(curves(square, beliefs, most=2 * bad))
    assert doubled[f"violations (of {2 * bad})"] == [0.5, 0.0, 0.0]


def test_a_mean_of_two_answers_leaves_open_the_parts_in_which_they_differ(square):
    first, second = square.solutions.answers[:2]
    values = [len(set(column)) for column in zip(*square.solutions.answers, strict=True)]
    left_open = sum(count > 1 for count in values)
    mean = one_hot([first, second], 4).mean(0, keepdims=True)
    found = by_name(curves(square, np.concatenate([mean, one_hot([first], 4)])))
    differing = int(np.sum(np.not_equal(first, second)))
    assert found[OPEN] == [round(differing / left_open, 4), 0.0]


def test_a_unique_answer_leaves_no_part_open():
    sample = suite.draw_one("latin", 0, 3, order=4, clues=10, rounds=1)
    found = by_name(curves(sample, one_hot([sample.solutions.answers[0]], 4)))
    assert list(found) == ["violations (of 1)", KEPT]
    assert list(found.values()) == [[0.0], [1.0]]


def test_a_single_part_has_a_curve_for_each_value_that_is_valid_or_decided():
    sample = suite.draw_one("tic_tac_toe", 0, 3)
    values = len(sample.parts[0].values)
    valid = [v for v in range(values) if sample.is_valid((v,))]
    decided, unseen = [v for v in range(values) if v not in valid][:2]
    beliefs = np.zeros((2, 1, values), np.float32)
    beliefs[0, 0, [decided, unseen]] = 0.6, 0.5
    beliefs[1, 0, valid[0]] = 0.9
    found = curves(sample, beliefs)
    names = sample.parts[0].values
    assert [c.name for c in found] == [names[v] for v in sorted([*valid, decided])]
    assert {c.name for c in found if c.dashed} == {names[decided]}
    assert by_name(found)[names[decided]] == [0.6, 0.0]
    assert by_name(found)[names[valid[0]]] == [0.0, 0.9]


def test_an_unreadable_part_counts_as_not_shown():
    sample = suite.draw_one("tic_tac_toe", 0, 3)
    beliefs = np.full((2, 1, len(sample.parts[0].values)), np.nan, np.float32)
    found = by_name(curves(sample, beliefs))
    assert found and set(map(tuple, found.values())) == {(0.0, 0.0)}


@pytest.mark.parametrize("task", ["latin", "maze", "bounce"])
def test_the_player_of_a_case_shows_its_curves(task):
    sample = suite.draw_one(task, 0, 3)
    clip = sample.render(size=48, frames=5)
    clips = np.stack([np.repeat(clip[:1], 5, axis=0), clip])
    arguments = player_arguments(ShownCase("a case", sample, clips), [1.0, 0.5])
    player = Player(**arguments)
    assert player.title == sample.prompt and player.labels()["step"][1] == "step 1 · sigma 0.50"
    assert player.notes[0].startswith("Last frame: not valid: ")
    assert player.notes[1] == f"Last frame: {verdict(sample, clip[-1])}."
    assert player.notes[1].startswith("Last frame: valid: ")
    assert len(player.series) >= (2 if len(sample.parts) > 1 else 1)
    violations = [c for c in player.series if c.name.startswith("violations")]
    assert not violations or (violations[0].values[0] == 1.0 and violations[0].values[1] == 0.0)
