"""A sample of a VBVR-Bench folder as a puzzle: its ground-truth video is the valid answer, a still
the wrong one.

No symbols are known here. Evidence is therefore agreement with the ground truth's pictures, within
the region that changes; one other valid way to solve the puzzle would count as wrong.
"""

from pathlib import Path

import numpy as np

from ..canvas import Canvas
from ..recorded import frames_of
from .base import Candidate, Sample

TRUTH, STILL = "ground truth", "nothing happens"


def sample_of(task: str, folder: Path, prompt: str, content: str, shape: tuple[int, int]) -> Sample:
    """See `puzzles.recorded.sample_of`."""
    candidates = (Candidate(TRUTH, "valid", TRUTH), Candidate(STILL, "wrong", STILL))
    state = {"folder": str(folder), "content": content, "shape": list(shape)}
    return Sample(task, "recorded", state, prompt, candidates)


def scene(canvas: Canvas, state: dict) -> None:
    """The given frame."""
    canvas.pixels = frames_of(state, canvas.size)[0] / np.float32(255.0)


def act(canvas: Canvas, state: dict, answer: str, progress: float) -> None:
    """The ground truth at a progress, or nothing."""
    if answer == TRUTH:
        frames = frames_of(state, canvas.size)
        canvas.pixels = frames[round(progress * (len(frames) - 1))] / np.float32(255.0)
