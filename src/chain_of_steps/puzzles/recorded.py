"""A sample of a VBVR-Bench folder as a puzzle: either its ground truth happens, or nothing does.

No symbols are known here. Belief is therefore agreement with the ground truth's pictures, where
these change; another valid way to solve the puzzle would count as wrong, and how much has to be
worked out is unknown.
"""

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from ..common.pictures import read_picture
from ..common.video import read_video
from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import Canvas
from .splits import Split

STILL, TRUTH = 0, 1
VALUES = ("nothing happens", "ground truth")


class Recorded(Puzzle):
    """See the module. A state names the `folder` and the hash of its `content`."""

    name = "recorded"

    def sample(self, rng: np.random.Generator, split: Split, **knobs) -> Sample:
        """Recorded samples are numbered, not drawn.

        Raises:
            ValueError: always.
        """
        raise ValueError("recorded samples are numbered, not drawn; name a folder's task")

    def scene(self, canvas: Canvas, state: dict) -> None:
        """The given frame."""
        canvas.pixels[:] = _frames(state["folder"], canvas.size)[0] / np.float32(255.0)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The ground truth at a progress, or nothing."""
        if answer[0] == TRUTH:
            frames = _frames(state["folder"], canvas.size)
            canvas.pixels[:] = frames[round(progress * (len(frames) - 1))] / np.float32(255.0)

    def parts(self, state: dict) -> tuple[Part, ...]:
        return (Part("video", VALUES),)

    def solve(self, state: dict) -> Solutions:
        return Solutions(((TRUTH,),))

    def rounds(self, state: dict) -> str:
        return "unknown"


def sample_of(task: str, folder: Path, prompt: str, content: str) -> Sample:
    """The sample in a folder with first_frame.png and ground_truth.mp4.

    Args:
        content: hash of what the folder holds; it becomes part of the sample's key.
    """
    state = {"folder": str(folder), "content": content}
    return Sample(task, Recorded(), state, prompt, ["recorded", content])


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
    return np.stack([np.asarray(p.resize((size, size), Image.Resampling.BOX)) for p in pictures])
