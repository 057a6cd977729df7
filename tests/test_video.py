"""Clips survive the round trip to a video file and back."""

import numpy as np
import pytest

from chain_of_steps.common import video
from chain_of_steps.puzzles import suite
from chain_of_steps.puzzles.scoring import score


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """A maze being solved, (13, 48, 48, 3) uint8."""
    return suite.draw_one("maze", 0, seed=0).render(frames=13)


def test_a_written_clip_is_read_back_visually_the_same(tmp_path, clip):
    large = video.enlarge(clip)
    video.write_video(tmp_path / "clip.mp4", large)
    back = video.read_video(tmp_path / "clip.mp4")
    assert back.shape == large.shape and back.dtype == np.uint8
    assert np.abs(back.astype(int) - large).mean() < 2
    assert video.frame_count(tmp_path / "clip.mp4") == len(clip)


def test_a_solved_puzzle_stays_solved_in_its_file(tmp_path):
    sample = suite.draw_one("maze", 0, seed=1)
    video.write_video(tmp_path / "clip.mp4", sample.render(size=480))
    assert score(sample, video.read_video(tmp_path / "clip.mp4")) == 1.0


def test_colours_come_back_without_a_cast(tmp_path):
    for colour in ((214, 94, 0), (0, 158, 115), (0, 115, 179), (247, 247, 247)):
        video.write_video(tmp_path / "flat.mp4", np.full((5, 32, 32, 3), colour, np.uint8))
        assert np.abs(video.read_video(tmp_path / "flat.mp4").astype(int) - colour).max() <= 4


def test_the_same_frames_give_the_same_bytes(tmp_path, clip):
    noise = np.random.default_rng(0).normal(128, 60, (9, 24, 24, 3)).clip(0, 255).astype(np.uint8)
    for frames in (video.enlarge(clip, 240), video.enlarge(noise, 240)):
        contents = set()
        for i in range(6):
            video.write_video(tmp_path / f"{i}.mp4", frames)
            contents.add((tmp_path / f"{i}.mp4").read_bytes())
        assert len(contents) == 1


def test_enlarging_repeats_pixels_and_adds_no_borders(clip):
    large = video.enlarge(clip, at_least=100)
    assert large.shape == (13, 144, 144, 3)
    assert all(np.array_equal(large[:, i::3, j::3], clip) for i in range(3) for j in range(3))
    wide = video.enlarge(np.zeros((1, 20, 40, 3), np.uint8), at_least=50)
    assert wide.shape == (1, 60, 120, 3)
    assert video.enlarge(large, at_least=144) is large


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((5, 32, 32, 3), np.float32),
        np.zeros((5, 32, 32), np.uint8),
        np.zeros((5, 32, 32, 4), np.uint8),
        np.zeros((0, 32, 32, 3), np.uint8),
    ],
)
def test_frames_of_another_kind_are_refused(tmp_path, frames):
    with pytest.raises(ValueError, match=r"frames must be uint8 of shape \(F, H, W, 3\), not"):
        video.write_video(tmp_path / "clip.mp4", frames)


def test_odd_sides_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"33 x 32 pixels cannot be written; H\.264 needs even sides"
    ):
        video.write_video(tmp_path / "clip.mp4", np.zeros((5, 32, 33, 3), np.uint8))


@pytest.mark.parametrize("read", [video.read_video, video.frame_count])
@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_a_file_that_is_no_video_is_named(tmp_path, read, content):
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.mp4 cannot be decoded as a video"):
        read(tmp_path / "bad.mp4")


def test_a_truncated_file_is_named(tmp_path, clip):
    video.write_video(tmp_path / "clip.mp4", video.enlarge(clip))
    whole = (tmp_path / "clip.mp4").read_bytes()
    for share in (0.3, 0.6, 0.9):
        (tmp_path / "cut.mp4").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(
            ValueError, match=r"cut\.mp4 (cannot be decoded|ends after \d+ of 13 frames)"
        ):
            video.read_video(tmp_path / "cut.mp4")


def test_a_missing_file_is_a_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        video.read_video(tmp_path / "absent.mp4")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, clip, monkeypatch):
    video.write_video(tmp_path / "clip.mp4", clip)
    before = (tmp_path / "clip.mp4").read_bytes()
    monkeypatch.setattr(video.av.VideoFrame, "from_ndarray", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        video.write_video(tmp_path / "clip.mp4", clip[::-1])
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == before
