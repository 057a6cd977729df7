"""Showcase pictures are stored without loss, and computed only once."""

import numpy as np

from chain_of_steps.figures.showcase import kept_clips, read_clips, write_clips


def test_clips_are_stored_without_loss(tmp_path):
    clips = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16, 3), dtype=np.uint8)
    write_clips(tmp_path / "a.png", clips)
    assert np.array_equal(read_clips(tmp_path / "a.png", steps=4), clips)


def test_kept_clips_are_made_once(tmp_path):
    clips, calls = np.zeros((4, 3, 16, 16, 3), np.uint8), []
    for _ in range(2):
        found = kept_clips(tmp_path, "key", 4, lambda: calls.append(1) or clips)
        assert np.array_equal(found, clips)
    assert len(calls) == 1
