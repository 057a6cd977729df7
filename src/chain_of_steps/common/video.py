"""Video files: clips of uint8 frames in, H.264 out, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from .files import atomic

# CRF 10 is visually lossless. The same frames give the same bytes with one thread and without
# x264's macroblock tree, whose vectorised code gives varying results (measured: up to 15 different
# files in 15 writes).
ENCODER = {"crf": "10", "preset": "medium", "threads": "1", "x264-params": "mbtree=0"}
MUXER = {"movflags": "+faststart", "fflags": "+bitexact"}


def write_video(path: str | Path, frames: np.ndarray, fps: int = 16) -> None:
    """Writes a clip as H.264 in MP4, atomically; the same frames give the same bytes.

    Colour is stored at half the resolution (yuv420p, which every player reads), so `enlarge` a 48
    px clip first, or it loses its fine strokes.

    Args:
        frames: (F, H, W, 3), uint8; H and W even.

    Raises:
        ValueError: if the frames have another shape or type, or an odd side.
    """
    _check(frames)
    with (
        atomic(path) as temporary,
        av.open(_address(temporary), "w", format="mp4", options=MUXER) as container,
    ):
        stream = container.add_stream("libx264", rate=fps, options=ENCODER)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # swscale's default; untagged files of this size would be shown in other colours.
        stream.codec_context.colorspace = Colorspace.ITU601
        stream.codec_context.color_range = ColorRange.MPEG
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def read_video(path: str | Path) -> np.ndarray:
    """Reads the frames of a video file that a player shows, (F, H, W, 3), uint8: those between the
    cuts of its edit list, each once, turned and stretched as its header says.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be decoded or ends early.
    """
    _refuse_cut_short(path)
    with _opened(path) as (container, stream):
        shape = stream.sample_aspect_ratio  # of a pixel; 0 or None if unknown
        frames = [_as_shown(frame, shape) for frame in container.decode(stream)]
    if not frames:
        raise ValueError(f"{path} ends after 0 frames; make or fetch it again")
    return np.stack(frames)


def shape_of(path: str | Path) -> tuple[int, int]:
    """(H, W) of a video file's frames as a player shows them; errors as for `read_video`. Only the
    first frame is decoded."""
    with _opened(path) as (container, stream):
        for frame in container.decode(stream):
            return _as_shown(frame, stream.sample_aspect_ratio).shape[:2]
    raise ValueError(f"{path} ends after 0 frames; make or fetch it again")


def _as_shown(frame: av.VideoFrame, shape: Fraction | None) -> np.ndarray:
    width = round(frame.width * shape) if shape else frame.width
    pixels = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


def frame_count(path: str | Path) -> int:
    """Number of frames that a player shows of a video file; errors as for `read_video`. Nothing is
    decoded."""
    _refuse_cut_short(path)
    with _opened(path) as (container, stream):
        return sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)


def _refuse_cut_short(path: str | Path) -> None:
    """Raises if a file ends before the last frame that its header announces, shown or not."""
    with _opened(path, {"ignore_editlist": "1"}) as (container, stream):
        there = sum(1 for packet in container.demux(stream) if packet.size)
        if there < stream.frames:
            raise ValueError(
                f"{path} ends after {there} of {stream.frames} frames; make or fetch it again"
            )


def enlarge(frames: np.ndarray, at_least: int = 480) -> np.ndarray:
    """Enlarges frames by an integer factor until the shorter side is `at_least`; no smoothing.

    Args:
        frames: (F, H, W, 3).

    Returns:
        (F, k H, k W, 3) with the least integer k; the frames themselves if they are large enough.
    """
    k = -(-at_least // min(frames.shape[1:3]))
    return frames if k == 1 else frames.repeat(k, axis=1).repeat(k, axis=2)


def _address(path: str | Path) -> str:
    """A path as FFmpeg takes it: in a relative one, what precedes a colon would be a protocol."""
    return str(Path(path).absolute())


@contextmanager
def _opened(path: str | Path, options: dict[str, str] | None = None) -> Iterator[tuple]:
    try:
        with av.open(_address(path), options=options or {}) as container:
            if not container.streams.video:
                raise ValueError(f"{path} holds no video stream; expected a video file such as MP4")
            yield container, container.streams.video[0]
    except FileNotFoundError:
        raise
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be decoded as a video ({error.strerror}); make or fetch it again"
        ) from error


def _check(frames: np.ndarray) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not frames.size:
        raise ValueError(
            "frames must be uint8 of shape (F, H, W, 3), "
            f"not {frames.dtype} of shape {frames.shape}"
        )
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(
            f"frames of {width} x {height} pixels cannot be written; H.264 needs even sides"
        )
