"""Mazes: paths are legal, solutions reach the goal, canonical forms ignore the symmetries."""

from itertools import pairwise

import pytest

from chain_of_steps.bench import tasklist
from chain_of_steps.puzzles.first import maze

both = pytest.mark.parametrize("task", ["maze", "maze_loops"])


def turned(state: dict, turn: int) -> dict:
    """The same maze under one of the square's eight symmetries, with its doors in another order."""
    last = state["rooms"] - 1

    def move(room):
        x, y = room
        x, y = (last - x if turn & 1 else x), (last - y if turn & 2 else y)
        return [y, x] if turn & 4 else [x, y]

    doors = [[move(b), move(a)] for a, b in reversed(state["doors"])]
    return {**state, "doors": doors, "start": move(state["start"]), "goal": move(state["goal"])}


@both
def test_candidates_walk_through_doors_from_the_start(task):
    for sample in tasklist.draw(task, 30, seed=0):
        doors = {frozenset(map(tuple, door)) for door in sample.state["doors"]}
        for candidate in sample.candidates:
            path = [tuple(room) for room in candidate.answer]
            assert path[0] == tuple(sample.state["start"]) and len(set(path)) == len(path)
            assert all(frozenset(step) in doors for step in pairwise(path))
            assert (path[-1] == tuple(sample.state["goal"])) == (candidate.kind == "valid")


@both
def test_candidates_are_all_ways_to_the_goal_and_one_to_every_dead_end(task):
    for sample in tasklist.draw(task, 10, seed=1):
        state, goal = sample.state, tuple(sample.state["goal"])
        neighbours = {}
        for a, b in state["doors"]:
            neighbours.setdefault(tuple(a), []).append(tuple(b))
            neighbours.setdefault(tuple(b), []).append(tuple(a))
        found, unfinished = [], [[tuple(state["start"])]]
        while unfinished:  # every simple path that has not passed the goal
            path = unfinished.pop()
            found.append(path)
            if path[-1] != goal:
                unfinished += [[*path, room] for room in neighbours[path[-1]] if room not in path]
        solutions = {tuple(path) for path in found if path[-1] == goal}
        assert {tuple(map(tuple, c.answer)) for c in sample.valid} == solutions
        ends = [tuple(c.answer[-1]) for c in sample.candidates if c.kind == "wrong"]
        assert len(set(ends)) == len(ends) and all(len(neighbours[end]) == 1 for end in ends)


def test_a_maze_has_one_solution_and_a_looped_one_two_or_three():
    assert {len(s.valid) for s in tasklist.draw("maze", 50, seed=0)} == {1}
    assert {len(s.valid) for s in tasklist.draw("maze_loops", 30, seed=0)} == {2, 3}


@both
def test_every_candidate_has_a_room_of_its_own(task):
    for sample in tasklist.draw(task, 20, seed=0):
        rooms = [set(map(tuple, c.answer)) for c in sample.candidates]
        assert all(own - set().union(*(o for o in rooms if o is not own)) for own in rooms)


@both
def test_the_canonical_form_is_blind_to_the_eight_symmetries(task):
    for sample in tasklist.draw(task, 5, seed=0):
        versions = [turned(sample.state, turn) for turn in range(8)]
        assert len({str(maze.canonical(state)) for state in versions}) == 1
        assert len({str(state["doors"]) for state in versions}) == 8


def test_another_start_or_another_door_is_another_maze():
    (sample,) = tasklist.draw("maze", 1, seed=0)
    state, here = sample.state, maze.canonical(sample.state)
    assert maze.canonical({**state, "start": state["goal"], "goal": state["start"]}) != here
    assert maze.canonical({**state, "doors": state["doors"][1:]}) != here


def test_most_mazes_are_large_and_some_paths_are_long():
    samples = tasklist.draw("maze", 200, seed=0)
    assert sum(s.state["rooms"] >= 5 for s in samples) >= 100
    assert sum(len(s.valid[0].answer) - 1 >= 12 for s in samples) >= 20


def test_the_maze_lies_on_the_board():
    for sample in tasklist.draw("maze", 50, seed=0):
        assert all(0 <= at <= 8 - sample.state["rooms"] for at in sample.state["corner"])


def test_ink_is_one_on_the_drawn_path_and_zero_beside_it():
    (sample,) = tasklist.draw("maze", 1, seed=0)
    path = sample.valid[0].answer
    for size in (48, 96):
        final = sample.render(size=size)[-1]
        assert min(maze.ink(sample.state, final, room) for room in path[1:-1]) > 0.95, (
            "its ends are marked"
        )
        beside = {tuple(r) for door in sample.state["doors"] for r in door} - set(map(tuple, path))
        assert max(maze.ink(sample.state, final, room) for room in beside) < 0.05
