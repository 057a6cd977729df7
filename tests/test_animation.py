"""The moving picture of the README: every step of every case, the same bytes each time."""

import io

import numpy as np
import pytest
from PIL import Image

from chain_of_steps.bench import samples
from chain_of_steps.figures.step_visualization import pictures
from chain_of_steps.figures.step_visualization.animation import GAP, HOLD, SCALE, TOP, animation

SIGMAS = [1.0, 0.7, 0.3, 0.0]
STEPS = len(SIGMAS) - 1


@pytest.fixture(scope="module")
def cases() -> list[pictures.Case]:
    found = []
    for clues in (4, 12):
        sample = samples.draw_one(f"latin order=4 clues={clues}", 0, 1)
        clip = sample.render(size=48, frames=5)
        clips = np.stack([clip[:1].repeat(5, 0)] * (STEPS - 1) + [clip])  # answered at the end
        found.append(pictures.case_of(f"{clues} clues", sample, clips))
    return found


@pytest.fixture(scope="module")
def moving(cases) -> Image.Image:
    return Image.open(io.BytesIO(animation(cases, SIGMAS, milliseconds=100)))


def frame(moving: Image.Image, step: int) -> np.ndarray:
    moving.seek(step)
    return np.asarray(moving.convert("RGB")).astype(int)


def test_every_step_is_a_frame_and_the_last_is_held(moving):
    assert moving.n_frames == STEPS
    times = [moving.seek(step) or moving.info["duration"] for step in range(STEPS)]
    assert times == [100] * (STEPS - 1) + [100 * HOLD]


def test_each_case_shows_its_own_estimate_at_that_step(moving, cases):
    side = SCALE * 48
    for step in (0, STEPS - 1):
        whole = frame(moving, step)
        for number, case in enumerate(cases):
            x = GAP + number * (side + GAP)
            shown = whole[TOP : TOP + side : SCALE, x : x + side : SCALE]
            assert np.abs(shown - case.clips[step, -1]).mean() < 6, "but for the palette"


def test_right_and_wrong_look_different(moving):
    below = [frame(moving, step)[TOP + SCALE * 48 :] for step in range(STEPS)]
    assert np.array_equal(below[0], below[1]), "nothing is answered yet"
    assert not np.array_equal(below[1], below[2])


def test_the_same_cases_give_the_same_bytes(cases):
    assert animation(cases, SIGMAS) == animation(cases, SIGMAS)
