"""Bounce (Knowledge): a ball falls along its arrow and bounces off the walls; where does it
land?"""

import numpy as np

from ..canvas import CELLS, COLOURS, INK, Canvas
from .base import Candidate, Partition, Sample, draw_until

PROMPT = "the ball falls along the arrow"
TOP, FLOOR = 0.5, 5.5  # heights of the ball's centre, cells
RADIUS = 0.44


def sample(rng: np.random.Generator, partition: Partition) -> Sample:
    """Draws a throw; the candidates are the six landing places."""
    state = draw_until(rng, partition, _propose, canonical)
    state["colour"] = str(rng.choice(list(COLOURS)))
    landing = round(path(state)[-1] - 0.5)
    candidates = [Candidate(f"place {landing}", "valid", landing)]
    candidates += [
        Candidate(f"place {place}", "wrong", place) for place in range(CELLS) if place != landing
    ]
    return Sample("bounce", "bounce", state, PROMPT, tuple(candidates))


def canonical(state: dict) -> list:
    """The throw up to mirroring; the colour does not count."""
    x, drift, wall = state["x"], state["drift"], state["wall"]
    mirrored = [CELLS - 1 - x, -drift, [CELLS - wall[0], *wall[1:]] if wall else None]
    return ["bounce", min([[x, drift, wall], mirrored], key=str)]


def path(state: dict, pieces: int = 100) -> np.ndarray:
    """The ball's x at `pieces` + 1 equally spaced heights, in cells: straight lines reflected at
    the walls."""
    x, speed = state["x"] + 0.5, state["drift"] / pieces
    positions = [x]
    for piece in range(1, pieces + 1):
        height = TOP + (FLOOR - TOP) * (piece - 0.5) / pieces
        low, high = 0.5, CELLS - 0.5
        if state["wall"] and state["wall"][1] <= height <= state["wall"][2]:
            low, high = (
                (low, state["wall"][0] - 0.5)
                if x < state["wall"][0]
                else (state["wall"][0] + 0.5, high)
            )
        x += speed
        # Only a ball that moves towards a wall is turned back by it.
        if x > high + 1e-6 and speed > 0:
            x, speed = 2 * high - x, -speed
        elif x < low - 1e-6 and speed < 0:
            x, speed = 2 * low - x, -speed
        positions.append(x)
    return np.array(positions)


def scene(canvas: Canvas, state: dict) -> None:
    """Landing places, the inner wall, and the arrow that shows the throw."""
    for edge in range(CELLS + 1):
        canvas.line((edge, 5.75), (edge, 6), 0.16, INK)
    if state["wall"]:
        x, top, bottom = state["wall"]
        canvas.line((x, top), (x, bottom), 0.2, INK)
    start = (state["x"] + 0.5, TOP)
    canvas.line(start, (start[0] + state["drift"] / 5, TOP + 1.0), 0.14, INK)


def act(canvas: Canvas, state: dict, answer: int, progress: float) -> None:
    """The ball on its true path, or on a straight line to a wrong place."""
    positions = path(state)
    if round(positions[-1] - 0.5) == answer:
        x = np.interp(progress, np.linspace(0, 1, len(positions)), positions)
    else:
        x = positions[0] + progress * (answer + 0.5 - positions[0])
    canvas.shape(
        "circle", (float(x), TOP + (FLOOR - TOP) * progress), RADIUS, COLOURS[state["colour"]]
    )


def _propose(rng: np.random.Generator) -> dict | None:
    wall = None
    if rng.random() < 0.7:
        top = 1.5 + 0.5 * int(rng.integers(5))
        wall = [int(rng.integers(1, CELLS)), top, top + 1.0 + 0.5 * int(rng.integers(3))]
    state = {"x": int(rng.integers(CELLS)), "drift": int(rng.integers(-8, 9)), "wall": wall}
    positions = path(state)
    if (
        wall
        and abs(np.interp(wall[1], np.linspace(TOP, FLOOR, len(positions)), positions) - wall[0])
        < 0.5
    ):
        return None  # it would fall onto the wall's upper end
    landing = positions[-1]
    return state if abs(landing - round(landing - 0.5) - 0.5) < 0.05 else None
