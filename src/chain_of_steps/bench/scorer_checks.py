"""How far the scorer can be trusted: scores of videos that solve their puzzle and of videos that do
not, by task and clip length."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ..puzzles import suite
from ..puzzles.base import Answer, Sample
from ..puzzles.scoring import score

SOLVED = "ground truth"


def scorer_table(
    tasks: Sequence[str] = (), frames: int = 9, size: int | None = None, count: int = 8
) -> pd.DataFrame:
    """Mean score in [0, 1] by task (rows) and kind of video (columns).

    Args:
        tasks: all by default.
        frames: length of the clips, pixel frames.
        size: side of a frame, 8 px a cell by default.
        count: samples of each task.
    """
    found = {}
    for task in tasks or suite.TASKS:
        pairs = pairwise(suite.draw(task, count + 1, seed=5))
        scores = [
            {kind: score(one, video) for kind, video in trials(one, other, frames, size).items()}
            for one, other in pairs
        ]
        found[task] = pd.DataFrame(scores).mean()
    return pd.DataFrame(found).T.rename_axis("task")


def trials(
    sample: Sample, other: Sample, frames: int, size: int | None = None
) -> dict[str, np.ndarray]:
    """Videos (frames, size, size, 3) uint8 of a sample: the ground truth, and those that do not
    solve it.

    Args:
        other: a sample of the same task; its clip is one of the videos, unless it begins alike.
    """
    truth = sample.render(size=size, frames=frames)
    frozen = np.repeat(truth[:1], frames, axis=0)
    rng = np.random.default_rng(0)
    videos = {
        SOLVED: truth,
        "frozen first frame": frozen,
        "noise": rng.integers(0, 256, truth.shape, dtype=np.uint8),
        "black": np.zeros_like(truth),
        "answer at once": np.concatenate([frozen[:-1], truth[-1:]]),
        "still of the answer": np.repeat(truth[-1:], frames, axis=0),
    }
    if other.canonical != sample.canonical:
        videos["another sample's answer"] = other.render(size=size, frames=frames)
    if (wrong := wrong_answer(sample)) is not None:
        videos["wrong answer"] = sample.render(wrong, size=size, frames=frames)
    return videos


def wrong_answer(sample: Sample) -> Answer | None:
    """A valid answer with one part changed, so that it is not valid; in a maze that is a line
    through a wall, or a gap. None where every change of one part is valid."""
    answer = sample.solutions.answers[0]
    for p, part in reversed(list(enumerate(sample.parts))):
        for value in range(len(part.values)):
            changed = (*answer[:p], value, *answer[p + 1 :])
            if not sample.is_valid(changed):
                return changed
    return None
