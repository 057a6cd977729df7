"""The verdict on a frame: never at odds with the picture, and its reason is the true one."""

import colorsys

import numpy as np
import pytest

from chain_of_steps.bench import samples
from chain_of_steps.figures.verdict import looks, reason, verdict
from chain_of_steps.puzzles import suite
from chain_of_steps.puzzles.canvas import COLOURS

HUES = {  # in degrees, as a colour wheel names them
    "orange": (15, 45),
    "yellow": (45, 70),
    "green": (90, 170),
    "blue": (195, 260),
    "pink": (300, 345),
    "cyan": (175, 205),
}


@pytest.mark.parametrize("value", COLOURS)
def test_a_colour_is_named_as_it_looks(value):
    low, high = HUES[looks(value)]
    assert low <= 360 * colorsys.rgb_to_hsv(*COLOURS[value])[0] < high


@pytest.mark.parametrize("task", suite.task_names("in-domain"))
def test_a_perfect_picture_never_fails(task):
    sample = samples.draw_one(task, 0, 1)
    for number, answer in enumerate(sample.solutions.answers[:3], 1):
        found = verdict(sample, sample.picture(answer, size=48))
        assert found.valid and found.drawn and found.answer == answer
        several = len(sample.solutions) > 1
        which = f"answer {number} of" if several else "the only answer"
        assert found.text.startswith(f"valid: {which}") and "drawn clearly" in found.text


@pytest.fixture
def square():
    return samples.draw_one("latin order=4 clues=8", 0, 1)


def changed(answer, **parts):
    return tuple(parts.get(f"p{i}", value) for i, value in enumerate(answer))


def test_a_faint_answer_is_valid_and_not_clear(square):
    answer = square.solutions.answers[0]
    faint = 0.6 * square.first_frame(48) + 0.4 * square.picture(answer, size=48)
    found = verdict(square, faint)
    assert found.valid and not found.drawn
    assert found.text.startswith("valid") and "not drawn clearly" in found.text


def test_a_changed_clue_comes_first(square):
    answer, clues = square.solutions.answers[0], np.ravel(square.state["clues"])
    cell = int(np.flatnonzero(clues >= 0)[0])
    other = (clues[cell] + 1) % 4
    found = verdict(square, square.picture(changed(answer, **{f"p{cell}": other}), size=48))
    names = [looks(value) for value in square.parts[0].values]
    given, shown = names[clues[cell]], names[other]
    place = f"row {cell // 4 + 1}, column {cell % 4 + 1}"
    assert f"not valid: {place} was given as {given} and shows {shown}" in found.text
    assert "drawn clearly" in found.text, "wrong, but well drawn"


def test_a_repeated_colour_is_named_with_its_line(square):
    answer, clues = square.solutions.answers[0], np.ravel(square.state["clues"])
    cell = int(np.flatnonzero(clues < 0)[0])
    other = (answer[cell] + 1) % 4
    found = verdict(square, square.picture(changed(answer, **{f"p{cell}": other}), size=48))
    name = looks(square.parts[0].values[other])
    assert f"row {cell // 4 + 1} has {name} twice" in found.text


def test_an_empty_cell_shows_nothing(square):
    answer, clues = square.solutions.answers[0], np.ravel(square.state["clues"])
    cell = int(np.flatnonzero(clues < 0)[-1])
    found = verdict(square, square.picture(changed(answer, **{f"p{cell}": None}), size=48))
    assert f"row {cell // 4 + 1}, column {cell % 4 + 1} shows nothing" in found.text


def doors(maze, keep):
    """The answer that draws the doors of the shortest path for which `keep` holds, by number."""
    on = [i for i, value in enumerate(maze.solutions.answers[0]) if value == 1]
    kept = {i for i in on if keep(i, on)}
    return tuple(int(i in kept) for i in range(len(maze.parts)))


def test_a_path_that_breaks_off_or_is_missing_is_said_to_be():
    maze = samples.draw_one("maze rooms=5 paths=2", 0, 1)
    start = ",".join(map(str, maze.state["start"]))
    goal = ",".join(map(str, maze.state["goal"]))

    def joins(i, room):
        return room in maze.parts[i].name.split("-")

    broken = verdict(maze, maze.picture(doors(maze, lambda i, on: not joins(i, goal)), size=48))
    assert "not valid: the path from the green room breaks off in row" in broken.text
    missing = verdict(maze, maze.picture(doors(maze, lambda i, on: not joins(i, start)), size=48))
    assert "no path leaves the green room" in missing.text


def test_a_maze_with_both_ways_drawn_branches():
    maze = samples.draw_one("maze rooms=5 paths=2", 0, 1)
    both = tuple(int(1 in pair) for pair in zip(*maze.solutions.answers, strict=True))
    found = verdict(maze, maze.picture(both, size=48))
    assert not found.valid and "not valid: the path branches in row" in found.text
    spare = [
        i
        for i, value in enumerate(both)
        if not value and not touches(maze, maze.parts[i].name, both)
    ]
    apart = list(maze.solutions.answers[0])
    apart[spare[0]] = 1
    found = verdict(maze, maze.picture(tuple(apart), size=48))
    assert "something that is no part of the path is drawn in row" in found.text


def test_a_path_that_is_whole_but_for_an_undecided_side_is_not_valid():
    maze = samples.draw_one("maze rooms=5 paths=1", 0, 1)
    answer = list(maze.solutions.answers[0])
    part = answer.index(0)
    answer[part] = None
    assert not maze.is_valid(tuple(answer))
    assert reason(maze, tuple(answer)).endswith("one of its sides shows nothing")


def touches(maze, name, answer):
    """Whether a door leads to a room that an answer passes."""
    doors = zip(maze.parts, answer, strict=True)
    passed = {room for part, value in doors if value for room in part.name.split("-")}
    return bool(passed & set(name.split("-")))
