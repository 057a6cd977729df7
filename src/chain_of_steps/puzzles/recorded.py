"""A sample of a VBVR-Bench folder as a puzzle: either its ground truth happens, or nothing does.

No symbols are known here. Belief is therefore agreement with the ground truth's pictures, where
these change; another valid way to solve the puzzle would count as wrong, and how much has to be
worked out is unknown.

Frames need not be square: a size is their height, and the width follows from their proportions.
"""

import functools
from pathlib import Path

import numpy as np

from ..common.pictures import fitted, read_picture, shape_at
from ..common.video import read_video
from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import Canvas
from .splits import Split

STILL, TRUTH = 0, 1
VALUES = ("nothing happens", "ground truth")


class Recorded(Puzzle):
    """See the module. A state names the `folder`, the hash of its `content`, and the `shape`, [H,
    W], whose proportions the frames have."""

    name = "recorded"

    def sample(self, rng: np.random.Generator, split: Split, **knobs) -> Sample:
        """Recorded samples are numbered, not drawn.

        Raises:
            ValueError: always.
        """
        raise ValueError("recorded samples are numbered, not drawn; name a folder's task")

    def scene(self, canvas: Canvas, state: dict) -> None:
        """The given frame."""
        canvas.pixels = frames_of(state, canvas.size)[0] / np.float32(255.0)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The ground truth at a progress, or nothing."""
        if answer[0] == TRUTH:
            frames = frames_of(state, canvas.size)
            canvas.pixels = frames[round(progress * (len(frames) - 1))] / np.float32(255.0)

    def parts(self, state: dict) -> tuple[Part, ...]:
        return (Part("video", VALUES),)

    def solve(self, state: dict) -> Solutions:
        return Solutions(((TRUTH,),))

    def rounds(self, state: dict) -> str:
        return "unknown"


def sample_of(task: str, folder: Path, prompt: str, content: str, shape: tuple[int, int]) -> Sample:
    """The sample in a folder with first_frame.png and ground_truth.mp4.

    Args:
        content: hash of what the folder holds; it becomes part of the sample's key.
        shape: (H, W) whose proportions its frames get: those of its task, so that samples of a task
            can be compared pixel by pixel.
    """
    state = {"folder": str(folder), "content": content, "shape": list(shape)}
    return Sample(task, Recorded(), state, prompt, ["recorded", content])


def frames_of(state: dict, size: int) -> np.ndarray:
    """The ground truth at a size, (F, size, W, 3), uint8; its first frame is first_frame.png."""
    return _frames(state["folder"], size, tuple(state["shape"]))


@functools.lru_cache(maxsize=16)
def _frames(folder: str, size: int, like: tuple[int, int]) -> np.ndarray:
    first = read_picture(Path(folder) / "first_frame.png")
    clip = read_video(Path(folder) / "ground_truth.mp4")
    return np.stack([fitted(frame, shape_at(size, like), like) for frame in (first, *clip[1:])])
