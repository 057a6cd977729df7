"""Mazes by their doors: paths, strata, drawing and reading, against brute force and examples."""

import itertools

import networkx as nx
import numpy as np
import pytest

from chain_of_steps.puzzles import maze, reading, scoring, suite
from chain_of_steps.puzzles.canvas import INK, PAPER
from chain_of_steps.puzzles.maze import Maze, answer_of, canonical, simple_paths
from chain_of_steps.puzzles.splits import split_of

MAZE = Maze()
KNOBS = [{"rooms": rooms, "loops": loops} for rooms in (5, 6, 7, 8) for loops in (0, 1, 2, 3)]


def graph_of(sample) -> nx.Graph:
    return nx.Graph([(tuple(a), tuple(b)) for a, b in sample.state["doors"]])


def path_of(sample, answer) -> list | None:
    """The rooms of the path from start to goal that an answer draws, or None if it draws another
    set of doors."""
    doors = zip(sample.state["doors"], answer, strict=True)
    drawn = nx.Graph([(tuple(a), tuple(b)) for (a, b), on in doors if on])
    start, goal = tuple(sample.state["start"]), tuple(sample.state["goal"])
    if not (start in drawn and goal in drawn and nx.has_path(drawn, start, goal)):
        return None
    path = nx.shortest_path(drawn, start, goal)
    return path if drawn.number_of_edges() == len(path) - 1 else None


@pytest.mark.parametrize("knobs", KNOBS)
def test_valid_answers_are_all_simple_paths(knobs):
    for index in range(3):
        sample = suite.draw_one("maze", index, 1, **knobs)
        start, goal = tuple(sample.state["start"]), tuple(sample.state["goal"])
        paths = [tuple(p) for p in nx.all_simple_paths(graph_of(sample), start, goal)]
        found = [path_of(sample, answer) for answer in sample.solutions.answers]
        assert set(map(tuple, found)) == set(paths) and len(found) == len(paths)
        assert len(found[0]) == min(map(len, paths)), "the shortest comes first"
        assert sample.knobs == {**knobs, "paths": len(paths), "length": min(map(len, paths)) - 1}


def test_a_tree_has_one_path_and_knobs_are_met():
    for paths in (1, 2, 3, 4):
        sample = suite.draw_one("maze", 0, 2, loops=3 if paths > 2 else paths - 1, paths=paths)
        assert len(sample.solutions) == paths
    assert suite.draw_one("maze", 0, 2, rooms=6, length=9).knobs["length"] == 9
    for knobs, said in (({"rooms": 4}, "rooms is 4"), ({"loops": 5}, "loops is 5")):
        with pytest.raises(ValueError, match=f"{said}; expected one of"):
            MAZE.sample(np.random.default_rng(0), "test", **knobs)


@pytest.mark.parametrize("rooms", maze.SIZES)
def test_every_wall_and_no_door_is_drawn(rooms):
    """Along each side of each room, at a quarter, half and three quarters of it."""
    sample = suite.draw_one("maze", 0, 8, rooms=rooms, loops=1)
    picture, pixels = sample.first_frame(480), 480 / 6 * maze.ROOM  # of a room's side
    doors = {frozenset((tuple(a), tuple(b))) for a, b in sample.state["doors"]}
    for (x, y), (dx, dy) in itertools.product(np.ndindex(rooms, rooms), maze.STEPS):
        is_door = frozenset(((x, y), (x + dx, y + dy))) in doors
        for along in (-0.25, 0.0, 0.25):
            at = np.array([x + 0.5 + dx / 2 + along * dy, y + 0.5 + dy / 2 + along * dx])
            column, row = ((at + sample.state["corner"]) * pixels).astype(int).clip(0, 479)
            shown = PAPER if is_door else INK
            assert np.allclose(picture[row, column], shown, atol=1e-4), (x, y, dx, dy, along)


def test_distances_by_hand():
    doors = [[[0, 0], [1, 0]], [[2, 0], [1, 0]], [[1, 0], [1, 1]], [[1, 1], [1, 2]]]
    state = {"rooms": 3, "doors": doors, "start": [1, 1], "goal": [0, 0]}
    near = {(1, 1): 0, (1, 0): 1, (1, 2): 1, (0, 0): 2, (2, 0): 2}
    assert maze._distances(state) == near, "rooms that no door leads to have none"


def test_the_goal_is_as_many_doors_away_as_a_side_has_rooms_or_more():
    rng = np.random.default_rng(0)
    states = [state for _ in range(150) if (state := maze._propose(rng, 5, 0))]
    lengths = [len(path) - 1 for state in states for path in simple_paths(state)]
    assert len(lengths) == len(states) and min(lengths) == 5


def test_rounds_of_dead_end_filling_by_hand():
    # A corridor of four rooms from start to goal, with a dead end of two rooms at its second room.
    doors = [
        [[0, 0], [1, 0]],
        [[1, 0], [2, 0]],
        [[2, 0], [3, 0]],
        [[1, 0], [1, 1]],
        [[1, 1], [1, 2]],
    ]
    state = {"rooms": 4, "doors": doors, "start": [0, 0], "goal": [3, 0], "corner": [0, 0]}
    rest = [
        r
        for r in itertools.product(range(4), repeat=2)
        if r not in {(0, 0), (1, 0), (2, 0), (3, 0)}
    ]
    assert len(rest) == 12
    assert MAZE.rounds(state) == 2
    assert MAZE.rounds(state | {"doors": doors[:3]}) == 1, "rooms without doors are filled at once"


def test_rounds_of_a_tree_leave_the_path_alone():
    for index in range(5):
        sample = suite.draw_one("maze", index, 3, loops=0)
        assert isinstance(sample.rounds, int) and sample.rounds >= 1
        assert sample.stratum.label == f"unique/{sample.rounds}"


@pytest.mark.parametrize("knobs", KNOBS[::3])
@pytest.mark.parametrize(("frames", "size"), [(5, 48), (9, 48), (13, 48), (9, 240)])
def test_the_truth_is_decided_drawn_and_scored(knobs, frames, size):
    for index in range(3):
        sample = suite.draw_one("maze", index, 4, **knobs)
        for answer in sample.solutions.answers:
            video = sample.render(answer, size, frames)
            assert reading.decided(sample, video[-1]) == answer
            assert reading.drawn(sample, video[-1])
            assert scoring.score(sample, video) == 1.0


def test_a_line_through_walls_and_other_worthless_videos_score_nothing():
    rng = np.random.default_rng(1)
    for index in range(5):
        sample, other = (suite.draw_one("maze", i, 5, loops=1) for i in (index, index + 9))
        truth = sample.render(frames=9)
        frozen = np.repeat(truth[:1], 9, axis=0)
        straight = frozen.copy()
        start, goal = (
            np.array(maze._middle(sample.state, sample.state[end])) for end in ("start", "goal")
        )
        for f in range(1, 9):
            along = start + np.linspace(0, f / 8, 60)[:, None] * (goal - start)
            at = np.clip((along * 8).round().astype(int), 0, 47)
            straight[f, at[:, 1], at[:, 0]] = (0, 115, 178)
        noise = rng.integers(0, 256, truth.shape, dtype=np.uint8)
        for video in (frozen, straight, noise, np.zeros_like(truth), other.render(frames=9)):
            assert scoring.score(sample, video) <= 0.1


def clip(sample, answer, *progress: float) -> np.ndarray:
    return np.stack([sample.picture(answer, p, 48) for p in progress])


def test_a_path_has_to_grow_and_a_frame_that_goes_back_is_passed_over():
    for index in range(3):
        sample = suite.draw_one("maze", index, 4, rooms=6, loops=1)
        answer = sample.solutions.answers[0]
        assert scoring.score(sample, clip(sample, answer, 0.0, 0.3, 0.6, 0.3, 1.0)) == 1.0
        assert scoring.score(sample, clip(sample, answer, 0.0, 0.0, 0.0, 1.0, 1.0)) == 0.0


def test_a_wrong_answer_carried_out_scores_nothing():
    sample = suite.draw_one("maze", 0, 4, rooms=6, loops=0)
    (answer,) = sample.solutions.answers
    wrong = (1 - answer[0], *answer[1:])
    assert reading.decided(sample, sample.render(wrong)[-1]) == wrong
    assert scoring.score(sample, sample.render(wrong)) == 0.0


def test_a_mean_of_two_paths_reads_as_half_where_they_part():
    sample = suite.draw_one("maze", 0, 6, loops=1, paths=2)
    a, b = (np.array(answer) for answer in sample.solutions.answers)
    mean = np.mean([sample.picture(tuple(map(int, x))) for x in (a, b)], axis=0)
    on = reading.belief(sample, mean)[:, 1]
    assert np.abs(on - (a + b) / 2).max() < 0.02


def test_violations_are_the_distance_to_the_nearest_path():
    sample = suite.draw_one("maze", 1, 6, loops=1, paths=2)
    for answer in sample.solutions.answers:
        assert sample.violations(answer) == 0
        for flips in (1, 2):
            changed = list(answer)
            for i in range(flips):
                changed[i] = 1 - changed[i]
            assert sample.violations(tuple(changed)) == flips
    nothing = (0,) * len(sample.parts)
    assert sample.violations(nothing) == min(map(sum, sample.solutions.answers))


def test_an_answer_of_other_doors_is_drawn_too():
    sample = suite.draw_one("maze", 2, 6, loops=0)
    rng = np.random.default_rng(0)
    answer = tuple(int(v) for v in rng.integers(0, 2, len(sample.parts)))
    assert reading.decided(sample, sample.picture(answer)) == answer
    assert path_of(sample, answer) is None
    path = simple_paths(sample.state)[0]
    assert path_of(sample, answer_of(sample.state, path)) == path


def test_mirrored_and_moved_mazes_share_their_split():
    sample = MAZE.sample(np.random.default_rng(2), "validation", rooms=6)
    state, n = sample.state, 6
    flip = lambda room: [n - 1 - room[0], room[1]]  # noqa: E731
    mirrored = {
        **state,
        "doors": [[flip(a), flip(b)] for a, b in state["doors"]],
        "start": flip(state["start"]),
        "goal": flip(state["goal"]),
        "corner": [0, 0],
    }
    assert canonical(mirrored) == sample.canonical
    assert split_of(sample.canonical) == "validation"
