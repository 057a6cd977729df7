"""The codec must not limit the model: decoded clips are read and scored like the original ones."""

import numpy as np
import pytest
import torch

from chain_of_steps.puzzles import reading, scoring, suite
from chain_of_steps.puzzles.base import Sample
from chain_of_steps.training.codec import encode, encode_blank, fit_codec
from chain_of_steps.training.data import clip
from chain_of_steps.training.recipe import Recipe, build_codec


@pytest.fixture(scope="module")
def codec():
    codec = build_codec(Recipe())
    fit_codec(codec, [clip(i, 9, seed=1).frames for i in range(300)])
    return codec.half().float().eval()  # as it is stored


@torch.no_grad()
def decode(codec, latents) -> np.ndarray:
    pixels = codec.decode(latents).sample.permute(0, 2, 3, 4, 1)
    return (pixels * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def decoded(codec, task: str, frames: int) -> list[tuple[Sample, np.ndarray]]:
    samples = suite.draw(task, 4, seed=0)
    clips = np.stack([sample.render(frames=frames) for sample in samples])
    return list(zip(samples, decode(codec, encode(codec, clips)), strict=True))


@pytest.mark.parametrize("frames", [5, 9])
@pytest.mark.parametrize("task", suite.TASKS)
def test_decoded_ground_truth_shows_its_valid_answer_legibly(codec, task, frames):
    for sample, video in decoded(codec, task, frames):
        answer = reading.decided(sample, video[-1])
        assert answer == sample.solutions.answers[0] and sample.is_valid(answer)
        assert reading.drawn(sample, video[-1])


@pytest.mark.parametrize("frames", [5, 9])
@pytest.mark.parametrize("task", suite.TASKS)
def test_decoded_ground_truth_scores_one(codec, task, frames):
    for sample, video in decoded(codec, task, frames):
        assert scoring.score(sample, video) == 1.0


def test_a_cell_is_coded_by_itself(codec):
    frames = suite.draw_one("maze", 0, 0).render(frames=5)
    changed = frames.copy()
    changed[3, 8:16, 16:24] = 0  # one cell of one frame
    latents = encode(codec, np.stack([frames, changed]))
    difference = (latents[0] - latents[1]).abs().amax(0)  # (F, 6, 6)
    assert difference[3, 1, 2] > 1.0
    difference[3, 1, 2] = 0.0
    assert difference.max() < 0.02


def test_latents_keep_the_scale_of_pixels(codec):
    frames = suite.draw_one("maze", 0, 0).render(frames=5)
    lighter = (frames.astype(float) * 0.5 + 127.5 * 0.97).astype(np.uint8)
    pixels = np.linalg.norm((frames.astype(float) - lighter) / 127.5)
    latents = encode(codec, np.stack([frames, lighter]))
    assert (latents[0] - latents[1]).norm() == pytest.approx(pixels, rel=0.05)


def test_given_latents_hold_the_first_frame_and_grey(codec):
    frames = suite.draw_one("maze", 0, 0).render(frames=5)[None]
    whole, given = encode(codec, frames), encode(codec, frames, only_first=True)
    blank = encode_blank(codec, 5)
    torch.testing.assert_close(given[:, :, 0], whole[:, :, 0])
    torch.testing.assert_close(given[:, :, 1:], blank[:, :, 1:])
    assert (given - blank)[:, :, 0].abs().max() > 1.0
