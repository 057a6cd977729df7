"""What a frame answers, in words for a reader: is it valid, which answer is it, how well is it
drawn, and what is the first reason if it is not valid.

Valid is a property of the decided answer, drawn one of the picture; the two are never mixed.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ..puzzles import reading
from ..puzzles.base import Answer, Sample

LOOKS = {"red": "orange"}  # the palette's vermilion is called red in prompts, and looks orange


@dataclass(frozen=True)
class Verdict:
    """What one frame shows of a sample's answer.

    Attributes:
        valid: whether the decided answer is one of the solutions.
        drawn: whether the frame shows the decided answer legibly in every cell.
        answer: the decided answer.
        text: a sentence: valid or not, which answer or the first reason, how well drawn.
    """

    valid: bool
    drawn: bool
    answer: Answer
    text: str

    def __str__(self) -> str:
        return self.text


def verdict(sample: Sample, frame: np.ndarray) -> Verdict:
    """The verdict on the last frame of a clip.

    Args:
        frame: (H, W, 3), uint8 or float in [0, 1].
    """
    answer = reading.decided(sample, frame)
    valid, drawn = sample.is_valid(answer), reading.drawn(sample, frame)
    found = f"valid: {which(sample, answer)}" if valid else f"not valid: {reason(sample, answer)}"
    return Verdict(valid, drawn, answer, f"{found}; {_drawing(sample, frame, answer, drawn)}")


def looks(value: str) -> str:
    """The name of a colour as it looks."""
    return LOOKS.get(value, value)


def which(sample: Sample, answer: Answer) -> str:
    """Which of the solutions a valid answer is."""
    answers, more = sample.solutions.answers, sample.solutions.more
    if len(answers) == 1 and not more:
        return "the only answer"
    number = answers.index(answer) + 1 if answer in answers else None
    if number is None:  # the list of solutions ends before it
        return f"one of more than {len(answers)} answers"
    return f"answer {number} of {'more than ' if more else ''}{len(answers)}"


def reason(sample: Sample, answer: Answer) -> str:
    """The first reason why an answer is not valid."""
    if sample.puzzle.name == "latin":
        return _of_square(sample, answer)
    if sample.puzzle.name == "maze":
        return _of_maze(sample, answer)
    valid = np.array(sample.solutions.answers)
    decided = np.array([-1 if value is None else value for value in answer])
    nearest = valid[(valid != decided).sum(1).argmin()]
    part = int((nearest != decided).argmax())
    shown = sample.named(answer)[sample.parts[part].name]
    return f"{sample.parts[part].name} shows {looks(shown) if shown else 'nothing'}"


def _of_square(sample: Sample, answer: Answer) -> str:
    clues = np.array(sample.state["clues"])
    names = [looks(value) for value in sample.parts[0].values]
    square = np.array([-1 if value is None else value for value in answer]).reshape(clues.shape)
    for row, column in np.argwhere((clues >= 0) & (square != clues)):
        shown = names[square[row, column]] if square[row, column] >= 0 else "nothing"
        given = names[clues[row, column]]
        return f"{_place(row, column)} was given as {given} and shows {shown}"
    for row, column in np.argwhere(square < 0):
        return f"{_place(row, column)} shows nothing"
    for line, rows in (("row", square), ("column", square.T)):
        for number, values in enumerate(rows, 1):
            counts = np.bincount(values, minlength=len(names))
            if counts.max() > 1:
                times = {2: "twice"}.get(counts.max(), f"{counts.max()} times")
                return f"{line} {number} has {names[counts.argmax()]} {times}"
    raise ValueError("the answer is valid, so there is no reason why it is not")


def _of_maze(sample: Sample, answer: Answer) -> str:
    """Follows what is drawn from the start: it breaks off, it branches, or a piece lies apart."""
    on = [name.split("-") for name, value in sample.named(answer).items() if value == "on"]
    start, goal = (",".join(map(str, sample.state[end])) for end in ("start", "goal"))
    near = defaultdict(list)
    for a, b in on:
        near[a].append(b)
        near[b].append(a)
    if not near[start]:
        return "no path leaves the green room"
    reached = [start]
    for room in reached:  # it grows on the way
        reached += [other for other in near[room] if other not in reached]
    if goal not in reached:
        return f"the path from the green room breaks off in {_room(reached[-1])}"
    for room in reached:
        if len(near[room]) > (1 if room in (start, goal) else 2):
            return f"the path branches in {_room(room)}"
    apart = next((room for door in on for room in door if room not in reached), None)
    if apart:
        return f"something that is no part of the path is drawn in {_room(apart)}"
    empty = next(name for name, value in sample.named(answer).items() if value is None)
    return f"{_room(empty.split('-')[0])}: one of its sides shows nothing"


def _room(name: str) -> str:
    column, row = map(int, name.split(","))
    return _place(row, column)


def _drawing(sample: Sample, frame: np.ndarray, answer: Answer, drawn: bool) -> str:
    if drawn:
        return "drawn clearly"
    picture = sample.picture(answer, 1.0, len(frame))
    errors = reading.cell_errors(reading.to_float(frame), picture, sample.puzzle.cells)
    if errors.max() < reading.TOLERANCE:
        return "drawn in part only"
    worst, most = errors.max(), reading.TOLERANCE
    return f"not drawn clearly (its worst cell is off by {worst:.2f}; {most:.2f} is legible)"


def _place(row: int, column: int) -> str:
    return f"row {row + 1}, column {column + 1}"
