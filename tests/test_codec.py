"""The codec must not stand in the model's way: what it decodes still scores 1.0."""

import numpy as np
import pytest
import torch

from chain_of_steps import suites
from chain_of_steps.clips import clip
from chain_of_steps.codec import encode, fit_codec
from chain_of_steps.mini import Recipe, build_codec


@pytest.fixture(scope="module")
def codec():
    codec = build_codec(Recipe())
    fit_codec(codec, [clip(i, 9, seed=1).frames for i in range(200)])
    return codec.half().float().eval()  # as it is stored


@torch.no_grad()
def decode(codec, latents) -> np.ndarray:
    pixels = codec.decode(latents).sample.permute(0, 2, 3, 4, 1)
    return (pixels * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


@pytest.mark.parametrize("task", suites.TASKS)
def test_decoded_ground_truth_scores_one(codec, task):
    samples = suites.draw(task, 4, seed=0)
    clips = np.stack([sample.render(frames=suites.FRAMES) for sample in samples])
    decoded = decode(codec, encode(codec, clips))
    assert [sample.score(video) for sample, video in zip(samples, decoded, strict=True)] == [1.0] * 4


def test_a_cell_is_coded_by_itself(codec):
    frames = suites.draw_one("maze", 0, 0).render(frames=5)
    changed = frames.copy()
    changed[3, 8:16, 16:24] = 0  # one cell of one frame
    difference = (encode(codec, frames[None]) - encode(codec, changed[None])).abs().amax((0, 1))  # (F, 6, 6)
    assert difference[3, 1, 2] > 1.0
    difference[3, 1, 2] = 0.0
    assert difference.max() < 0.02


def test_latents_keep_the_scale_of_pixels(codec):
    frames = suites.draw_one("maze", 0, 0).render(frames=5)
    lighter = (frames.astype(float) * 0.5 + 127.5 * 0.97).astype(np.uint8)
    pixels = np.linalg.norm((frames.astype(float) - lighter) / 127.5)
    assert (encode(codec, frames[None]) - encode(codec, lighter[None])).norm() == pytest.approx(pixels, rel=0.05)
