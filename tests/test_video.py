"""Clips survive the round trip to a video file and back."""

import struct
from fractions import Fraction

import av
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


# Videos as people have them. The boxes of an MP4 header are changed in place, as cutting without
# encoding again does it.


def box(data: bytes, *path: bytes) -> int:
    """Where the content of a box begins, by the names of the boxes around it."""
    at = 0
    for name in path:
        at = data.index(name, at) + 4
    return at


def edited(data: bytes, first: int, count: int) -> bytes:
    """A clip of 16 frames a second whose edit list shows `count` frames from number `first` on."""
    found, entry = bytearray(data), box(data, b"elst") + 8
    ticks = struct.unpack(">I", data[box(data, b"mdhd") + 12 :][:4])[0] // 16  # a frame, of media
    movie = struct.unpack(">I", data[box(data, b"mvhd") + 12 :][:4])[0]  # ticks a second
    begin = struct.unpack(">i", data[entry + 4 :][:4])[0]
    struct.pack_into(">I", found, entry, count * movie // 16)
    struct.pack_into(">i", found, entry + 4, begin + first * ticks)
    return bytes(found)


def turned(data: bytes, quarter_turns: int) -> bytes:
    """A clip that a player turns clockwise, as phones store it."""
    found, matrix = bytearray(data), box(data, b"tkhd") + 40
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter_turns % 4]
    struct.pack_into(">4i", found, matrix, cos << 16, sin << 16, 0, -sin << 16)
    struct.pack_into(">i", found, matrix + 16, cos << 16)
    return bytes(found)


@pytest.fixture
def counted() -> np.ndarray:
    """24 frames of 64 x 32, each of a grey of its own, with a white corner."""
    frames = np.repeat(10 * np.arange(24, dtype=np.uint8)[:, None, None, None], 32, axis=1)
    frames = frames.repeat(64, axis=2).repeat(3, axis=3)
    frames[:, :8, :8] = 255
    return frames


@pytest.mark.parametrize(("first", "count"), [(0, 24), (0, 14), (5, 14), (10, 14)])
def test_frames_outside_of_the_edit_list_are_not_shown(tmp_path, counted, first, count):
    video.write_video(tmp_path / "clip.mp4", counted)
    data = (tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(edited(data, first, count))
    shown = video.read_video(tmp_path / "cut.mp4")
    assert len(shown) == count == video.frame_count(tmp_path / "cut.mp4")
    assert np.abs(shown[:, 20, 40, 0].astype(int) - counted[first:, 20, 40, 0][:count]).max() <= 3


def test_a_truncated_file_is_named_in_spite_of_its_edit_list(tmp_path, counted):
    video.write_video(tmp_path / "clip.mp4", counted)
    data = edited((tmp_path / "clip.mp4").read_bytes(), 0, 14)
    (tmp_path / "cut.mp4").write_bytes(data[: int(0.95 * len(data))])
    for read in (video.read_video, video.frame_count):
        with pytest.raises(ValueError, match=r"ends after \d+ of 24 frames"):
            read(tmp_path / "cut.mp4")


@pytest.mark.parametrize("quarter_turns", range(4))
def test_turned_videos_are_read_upright(tmp_path, counted, quarter_turns):
    video.write_video(tmp_path / "clip.mp4", counted)
    data = (tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "turned.mp4").write_bytes(turned(data, quarter_turns))
    expected = np.rot90(video.read_video(tmp_path / "clip.mp4"), -quarter_turns, axes=(1, 2))
    assert (video.read_video(tmp_path / "turned.mp4") == expected).all()


def test_pixels_that_are_not_square_are_stretched(tmp_path, counted):
    with av.open(str(tmp_path / "wide.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=16)
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        for pixels in counted:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    assert video.read_video(tmp_path / "wide.mp4").shape == (24, 32, 96, 3)


def test_a_variable_frame_rate_gives_every_frame_once(tmp_path, counted):
    with av.open(str(tmp_path / "variable.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=16)
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for i, pixels in enumerate(counted):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = 20 * i + 300 * (i > 12), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    shown = video.read_video(tmp_path / "variable.mp4")
    assert len(shown) == 24 == video.frame_count(tmp_path / "variable.mp4")


@pytest.mark.parametrize("name", ["clip.mkv", "clip.webm", "clip.gif", "clip.avi"])
def test_other_containers_are_read_and_counted(tmp_path, counted, name):
    codecs = {"webm": "libvpx-vp9", "gif": "gif", "avi": "mpeg4", "mkv": "ffv1"}
    formats = {"gif": "rgb8", "mkv": "yuv420p"}
    kind = name.split(".")[1]
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codecs[kind], rate=16)
        stream.height, stream.width = 32, 64
        stream.pix_fmt = formats.get(kind, "yuv420p")
        for pixels in counted:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    assert video.read_video(tmp_path / name).shape == (24, 32, 64, 3)
    assert video.frame_count(tmp_path / name) == 24


def test_odd_sides_are_read(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (5, 31, 33, 3), dtype=np.uint8)
    with av.open(str(tmp_path / "odd.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=16)
        stream.height, stream.width, stream.pix_fmt = 31, 33, "bgr0"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    assert (video.read_video(tmp_path / "odd.mkv") == frames).all()
