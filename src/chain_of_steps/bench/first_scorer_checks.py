"""Checks of the scorers: scores of videos that solve their puzzle and of videos that do not."""

from itertools import pairwise

import numpy as np
import pandas as pd

from ..puzzles.first import suites
from ..puzzles.first.base import Candidate, Sample
from . import tasklist

FRAMES, SIZE = 13, 48


def scorer_table(per_task: int = 8, seed: int = 0) -> pd.DataFrame:
    """Mean score in [0, 1] by task (rows) and kind of video (columns), of `per_task` samples."""
    return pd.DataFrame(
        {task: _mean_scores(task, per_task, seed) for task in suites.TASKS}
    ).T.rename_axis("task")


def trial_videos(sample: Sample, other: Sample, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Videos of `sample`, (FRAMES, SIZE, SIZE, 3) uint8 each: the ground truth, half of it, and six
    that do not solve the puzzle.

    Args:
        other: a sample of the same task; its answer is one of the videos, unless it is the same
            puzzle.
    """
    truth = sample.render(size=SIZE, frames=FRAMES)
    still = np.repeat(truth[:1], FRAMES, axis=0)
    middle = FRAMES // 2
    videos = {
        "ground truth": truth,
        "half done": np.concatenate(
            [truth[:middle], np.repeat(truth[middle : middle + 1], FRAMES - middle, axis=0)]
        ),
        "frozen first frame": still,
        "noise": rng.integers(0, 256, truth.shape, dtype=np.uint8),
        "black": np.zeros_like(truth),
    }
    if other.state != sample.state:
        videos["another sample's answer"] = other.render(size=SIZE, frames=FRAMES)
    if (wrong := wrong_answer(sample)) is not None:
        videos["straight line / wrong answer"] = sample.render(wrong, size=SIZE, frames=FRAMES)
    videos["teleport"] = np.concatenate([still[:-2], truth[-1:], truth[-1:]])
    return videos


def wrong_answer(sample: Sample) -> Candidate | None:
    """The first wrong candidate; for mazes a straight line through walls, None if that is legal."""
    if sample.module != "maze":
        return next(c for c in sample.candidates if c.kind != "valid")
    start, goal = sample.state["start"], sample.state["goal"]
    straight = abs(start[0] - goal[0]) + abs(start[1] - goal[1])
    if 0 in (start[0] - goal[0], start[1] - goal[1]) and any(
        len(c.answer) - 1 == straight for c in sample.valid
    ):
        return None
    return Candidate("straight line", "illegal", [start, goal])


def _mean_scores(task: str, count: int, seed: int) -> pd.Series:
    rng = np.random.default_rng(seed)
    scores = [
        {kind: sample.score(video) for kind, video in trial_videos(sample, other, rng).items()}
        for sample, other in pairwise(tasklist.draw(task, count + 1, seed))
    ]
    return pd.DataFrame(scores).mean()
