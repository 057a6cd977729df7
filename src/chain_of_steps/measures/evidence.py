"""Evidence for every candidate in a generation's clean estimates, and in an unrelated sample's."""

from dataclasses import dataclass

import numpy as np

from ..puzzles.first import maze
from ..puzzles.first.base import Sample
from ..puzzles.first.reading import timeline, to_float
from .presence import nanmean

UNTOUCHED = 0.1  # evidence below which an unrelated sample's own answer does not cover a candidate


@dataclass(frozen=True)
class Control:
    """An unrelated sample: given frame and true final frame (H, W, 3), float, and decoded clean
    estimates at every latent frame (S, F, H, W, 3), uint8."""

    first: np.ndarray
    final: np.ndarray
    clips: np.ndarray


def read(sample: Sample, clips: np.ndarray, controls: list[Control], stride: int) -> dict:
    """Reads a generation's clean estimates.

    The unrelated control is what the generation of another sample adds to its given frame, laid on
    this sample's given frame. It is not a control for a candidate that the other sample's true
    answer would cover.

    Args:
        clips: (S, P, H, W, 3), uint8; the last is the final video.
        controls: U unrelated samples of the same task.
        stride: pixel frames per latent frame.

    Returns:
        `kinds` of the K candidates; `score_at` every step; `answer_at` every step (candidate index,
        -1 for none); `evidence` (S, F, K); `control` (S, U, K) on the last frame, None without a
        control; `control_mean` (S, F, K); for mazes also `rooms`.
    """
    frames = clips[:, ::stride]
    progress = timeline(clips.shape[1])[::stride]
    given = sample.first_frame(clips.shape[2])
    evidence = [
        [sample.evidence(frame, p) for frame, p in zip(clip, progress, strict=True)]
        for clip in frames
    ]
    control = np.stack(
        [_control_evidence(sample, given, c, progress) for c in controls], axis=1
    )  # (S, U, F, K)
    answers = [sample.answer_index(clip[-1]) for clip in clips]
    result = sample.outcome(clips[-1]) | {
        "kinds": [c.kind for c in sample.candidates],
        "score_at": [sample.score(clip) for clip in clips],
        "answer_at": [-1 if a is None else a for a in answers],
        "evidence": np.array(evidence),
        "control": control[:, :, -1],
        "control_mean": np.nan_to_num(nanmean(control, 1)),
    }
    if sample.module == "maze":
        result["rooms"] = _rooms(sample, clips)
    return result


def _control_evidence(
    sample: Sample, given: np.ndarray, control: Control, progress: np.ndarray
) -> np.ndarray:
    """Evidence in an unrelated generation's additions, (S, F, K); NaN where its answer is one."""

    def laid_on(frame: np.ndarray) -> np.ndarray:
        return np.clip(given + to_float(frame) - control.first, 0.0, 1.0)

    values = np.array(
        [
            [sample.evidence(laid_on(f), p) for f, p in zip(clip, progress, strict=True)]
            for clip in control.clips
        ]
    )
    covered = sample.evidence(laid_on(control.final)) > UNTOUCHED
    values[:, :, covered] = np.nan
    return values


def _rooms(sample: Sample, clips: np.ndarray) -> dict:
    """How much of the path's colour each room except start and goal shows in the last frame, by
    step, and the room's distance from the start."""
    distances = maze.distances(sample.state)
    rooms = sorted(distances.keys() - {tuple(sample.state["start"]), tuple(sample.state["goal"])})
    path = {tuple(room) for candidate in sample.valid for room in candidate.answer}
    return {
        "distance": [distances[room] for room in rooms],
        "on_path": [room in path for room in rooms],
        "ink": [[maze.ink(sample.state, clip[-1], room) for room in rooms] for clip in clips],
    }
