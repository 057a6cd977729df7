"""Bounce: the ball's path is continuous, stays clear of the walls, and is the same in a mirror."""

import numpy as np
import pytest

from chain_of_steps.bench import tasklist
from chain_of_steps.puzzles.first import bounce


@pytest.fixture(scope="module")
def states() -> list[dict]:
    return [sample.state for sample in tasklist.draw("bounce", 200, 0, "training")]


def test_the_ball_never_jumps(states):
    for state in states:
        assert np.abs(np.diff(bounce.path(state))).max() <= abs(state["drift"]) / 100 + 1e-9


def test_the_ball_stays_on_the_board_and_half_a_cell_from_the_inner_wall(states):
    for state in states:
        x = bounce.path(state)
        height = np.linspace(bounce.TOP, bounce.FLOOR, len(x))
        assert x.min() >= 0.5 - 1e-9 and x.max() <= 5.5 + 1e-9
        if state["wall"]:
            at, top, bottom = state["wall"]
            beside = (height > top + 1e-9) & (height < bottom - 1e-9)
            assert np.abs(x[beside] - at).min() >= 0.5 - 1e-9


def test_a_mirrored_throw_lands_at_the_mirrored_place(states):
    for state in states:
        wall = [6 - state["wall"][0], *state["wall"][1:]] if state["wall"] else None
        mirrored = {"x": 5 - state["x"], "drift": -state["drift"], "wall": wall}
        assert bounce.canonical(mirrored) == bounce.canonical(state)
        assert np.allclose(bounce.path(mirrored), 6 - bounce.path(state), atol=1e-6)


def test_walls_turn_some_balls_back(states):
    turned = [
        s
        for s in states
        if s["wall"] and abs(bounce.path({**s, "wall": None})[-1] - bounce.path(s)[-1]) > 0.5
    ]
    assert len(turned) >= 0.1 * len(states)
