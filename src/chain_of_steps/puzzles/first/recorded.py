"""A sample of a VBVR-Bench folder as a puzzle: its ground-truth video is the valid answer, a still
the wrong one.

No symbols are known here. Evidence is therefore agreement with the ground truth's pictures, within
the region that changes; one other valid way to solve the puzzle would count as wrong.
"""

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from ...common.pictures import read_picture
from ...common.video import read_video
from ..canvas import Canvas
from .base import Candidate, Sample

TRUTH, STILL = "ground truth", "nothing happens"


def sample_of(task: str, folder: Path, prompt: str, content: str) -> Sample:
    """The sample in a folder with first_frame.png and ground_truth.mp4.

    Args:
        content: hash of what the folder holds; it becomes part of the sample's key.
    """
    candidates = (Candidate(TRUTH, "valid", TRUTH), Candidate(STILL, "wrong", STILL))
    return Sample(task, "recorded", {"folder": str(folder), "content": content}, prompt, candidates)


def scene(canvas: Canvas, state: dict) -> None:
    """The given frame."""
    canvas.pixels[:] = _frames(state["folder"], canvas.size)[0] / np.float32(255.0)


def act(canvas: Canvas, state: dict, answer: str, progress: float) -> None:
    """The ground truth at a progress, or nothing."""
    if answer == TRUTH:
        frames = _frames(state["folder"], canvas.size)
        canvas.pixels[:] = frames[round(progress * (len(frames) - 1))] / np.float32(255.0)


@functools.lru_cache(maxsize=16)
def _frames(folder: str, size: int) -> np.ndarray:
    """The ground truth at a size, (F, size, size, 3), uint8; its first frame is first_frame.png.

    Raises:
        ValueError: if it is not square, or the two are of different shapes.
    """
    clip = read_video(Path(folder) / "ground_truth.mp4")
    first = Image.fromarray(read_picture(Path(folder) / "first_frame.png"))
    if clip.shape[1] != clip.shape[2] or first.size != (clip.shape[2], clip.shape[1]):
        raise ValueError(
            f"{folder} holds a ground truth of {clip.shape[2]} x {clip.shape[1]} pixels and a "
            f"first frame of {first.size[0]} x {first.size[1]}; expected both square and of one "
            "size, as in VBVR-Bench"
        )
    pictures = [first, *map(Image.fromarray, clip[1:])]
    return np.stack(
        [np.asarray(picture.resize((size, size), Image.Resampling.BOX)) for picture in pictures]
    )
