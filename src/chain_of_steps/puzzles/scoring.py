"""Scores a whole video: does it carry out the answer that its last frame decides?"""

import functools

import numpy as np

from .base import Answer, Sample, timeline
from .reading import TOLERANCE, cell_error, cell_errors, decided, to_float

MOVING_TOLERANCE = 0.20  # while things still move, where half a pixel of displacement costs 0.1
FADING_TOLERANCE = 0.25  # in cells that change, as a share of that change: faint is not yet drawn
FINEST = 0.06  # but no finer: a video codec may cause as much
LONGEST_JUMP = 0.4  # progress that may pass unread between two legible frames; more is a teleport
NEARLY_DONE = 0.8  # from here on a last frame that shows the final picture counts as done


def score(sample: Sample, video: np.ndarray) -> float:
    """The share of a valid answer that a video really carries out, in [0, 1]; 1 is solved.

    The last frame decides which answer; if that is not valid, the score is 0. Then the frames are
    followed along that answer's own clip: a frame that shows none of it within reach is passed
    over, progress never falls and never jumps by more than `LONGEST_JUMP` (or the clip's own
    spacing), and the last frame must show the state reached in every cell.

    Args:
        video: (F, H, W, 3), uint8 or float in [0, 1], any number of frames.
    """
    answer = decided(sample, video[-1])
    if not sample.is_valid(answer):
        return 0.0
    return _carried_out(sample, to_float(video), answer)


def _carried_out(sample: Sample, video: np.ndarray, answer: Answer) -> float:
    frames, size = video.shape[:2]
    grid, pictures = _course(sample, answer, frames, size)
    cells, jump = sample.puzzle.cells, max(LONGEST_JUMP, 1.5 * np.diff(timeline(frames)).max())
    last = np.array([cell_error(video[-1], picture, cells) for picture in pictures])
    if last.min() >= TOLERANCE:
        return 0.0  # most failures show here already
    changes = np.max([cell_errors(picture, pictures[0], cells) for picture in pictures], axis=0)
    fading = np.clip(FADING_TOLERANCE * changes.max(), FINEST, MOVING_TOLERANCE)
    tolerance = np.where(changes > FINEST, fading, MOVING_TOLERANCE)  # of each cell
    reached = grid == 0.0  # every progress that the frames so far may have reached
    for frame in video[:-1]:
        within = _within(grid, reached, jump)
        shown = np.zeros(len(grid), bool)
        for i in np.flatnonzero(within):
            shown[i] = (cell_errors(frame, pictures[i], cells) < tolerance).all()
        reached = shown if shown.any() else reached
    ended = _within(grid, reached, jump) & (last < TOLERANCE) & (last < last.min() + 0.02)
    if not ended.any():
        return 0.0
    done = grid[ended].max()
    return 1.0 if done >= NEARLY_DONE and last[-1] < TOLERANCE else float(done)


def _within(grid: np.ndarray, reached: np.ndarray, jump: float) -> np.ndarray:
    """(P,) bool: which progresses follow one of the reached ones without a jump."""
    ahead = grid[None] - grid[reached][:, None]
    return ((ahead >= 0.0) & (ahead <= jump)).any(0)


@functools.lru_cache(maxsize=2)  # several videos of one sample are scored in a row
def _course(
    sample: Sample, answer: Answer, frames: int, size: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Progresses (P,) at which a clip of so many frames is compared, and the pictures there."""
    grid = np.union1d(np.linspace(0.0, 1.0, 33), timeline(frames))
    return grid, [sample.picture(answer, p, size) for p in grid]
