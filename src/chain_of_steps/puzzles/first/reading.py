"""Reading a frame or a video against a sample's own drawings: evidence, answer, score.

A frame *shows* a picture if no cell of the board differs from it by more than a tolerance. So
scores need no hand-made detectors, work at any size, and cannot be won by a frozen or a noisy
video.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..canvas import CELLS

Sample = Candidate = Any  # of `base`, which rests on this file

HOLD = 0.2  # the last fifth of a clip rests on the answer
TOLERANCE = (
    0.12  # RMS difference of one cell, pixel values in [0, 1]: a missing stretch of path makes 0.25
)
MOVING_TOLERANCE = (
    0.20  # the same while things still move, where half a pixel of displacement costs 0.1
)
LONGEST_JUMP = 0.4  # progress that may pass unread between two legible frames; more is a teleport
NEARLY_DONE = 0.8  # from here on a last frame that shows the final picture counts as done
OWN_PIXEL = 0.2  # two pictures differ at a pixel if a channel differs by more than this


@dataclass(frozen=True)
class Own:
    """What belongs to one candidate alone, at one progress.

    Attributes:
        mask: (H, H) bool, the pixels where its picture differs from every rival's.
        target: (M, 3), its own picture there.
        base: (M, 3), the mean picture of its rivals there.
        gauge: (M, 3), reads opacity: `((frame - base) * gauge).sum()` is 1 for its picture and 0
            for every rival's.
    """

    mask: np.ndarray
    target: np.ndarray
    base: np.ndarray
    gauge: np.ndarray


def timeline(frames: int) -> np.ndarray:
    """Progress in [0, 1] of each of a clip's `frames` pixel frames: it ends early and holds the
    answer."""
    return np.clip(np.linspace(0.0, 1.0, frames) / (1.0 - HOLD), 0.0, 1.0)


def to_float(pixels: np.ndarray) -> np.ndarray:
    """uint8 in [0, 255] or float in [0, 1] to float32 in [0, 1]."""
    return (
        pixels.astype(np.float32) / 255.0 if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    )


def cell_error(frame: np.ndarray, picture: np.ndarray) -> float:
    """The largest RMS difference over the board's cells of two frames (H, W, 3), float in [0,
    1]."""
    high, wide = (side // CELLS for side in frame.shape[:2])
    difference = (frame - picture)[: high * CELLS, : wide * CELLS] ** 2
    return float(np.sqrt(difference.reshape(CELLS, high, CELLS, wide, 3).mean((1, 3, 4)).max()))


def evidence(sample: Sample, frame: np.ndarray, progress: float = 1.0) -> np.ndarray:
    """How strongly a frame shows what belongs to each candidate alone, (candidates,), each in [0,
    1].

    On a candidate's own pixels, 0 is what its rivals show there and 1 the candidate itself; a ghost
    drawn at opacity a scores a. The lower of two readings counts: closeness to its picture, and
    opacity with all rivals projected out. A candidate without own pixels at this progress scores 0.

    Args:
        frame: (H, H, 3), uint8 or float in [0, 1].
        progress: of the clip at this frame; 1 is the final picture.
    """
    frame = to_float(frame)
    return np.array(
        [_presence(frame, own) for own in own_pixels(sample, len(frame), round(float(progress), 4))]
    )


def answer_index(sample: Sample, frame: np.ndarray) -> int | None:
    """Index of the candidate whose final picture this frame shows in every cell, or None."""
    best, shown = _best_fit(
        to_float(frame), [sample.picture(c, 1.0, len(frame)) for c in sample.candidates], TOLERANCE
    )
    return best if shown else None


def score(sample: Sample, video: np.ndarray) -> float:
    """The share of a valid solution that the video really carries out, in [0, 1]; 1 is solved.

    Follows the progress of each valid candidate through the frames: a frame that shows none within
    reach is passed over, progress never jumps by more than `LONGEST_JUMP`, and the last frame must
    show the state reached in every cell. A video whose last frame shows another candidate's final
    picture scores 0.

    Args:
        video: (F, H, H, 3), uint8 or float in [0, 1], any number of frames and any size that the
            task draws.
    """
    shown = answer_index(sample, video[-1])
    if shown is not None and sample.candidates[shown].kind != "valid":
        return 0.0
    return max(_carried_out(sample, to_float(video), c) for c in sample.valid)


@functools.lru_cache(maxsize=1024)
def own_pixels(sample: Sample, size: int, progress: float) -> list[Own]:
    """What belongs to each candidate alone, at a frame size and a progress."""
    pictures = np.stack([sample.picture(c, progress, size) for c in sample.candidates])
    return [_own(picture, np.delete(pictures, i, axis=0)) for i, picture in enumerate(pictures)]


def _own(picture: np.ndarray, rivals: np.ndarray) -> Own:
    mask = (np.abs(rivals - picture).max(-1) > OWN_PIXEL).all(0)
    target, base = picture[mask], rivals.mean(0)[mask]
    away = (target - base).ravel()
    others = (rivals[:, mask] - base).reshape(len(rivals), -1)  # (K - 1, 3 M)
    if len(away) and np.abs(others).max() > 1e-6:
        away = away - others.T @ np.linalg.lstsq(others.T, away, rcond=1e-6)[0]
    unit = float(away @ (target - base).ravel()) or 1.0
    return Own(mask, target, base, (away / unit).reshape(target.shape))


def _presence(frame: np.ndarray, own: Own) -> float:
    if not own.mask.any():
        return 0.0
    seen = frame[own.mask]
    closeness = 1.0 - np.linalg.norm(seen - own.target) / np.linalg.norm(own.base - own.target)
    opacity = float(((seen - own.base) * own.gauge).sum())
    return float(np.clip(min(closeness, opacity), 0.0, 1.0))


def _carried_out(sample: Sample, video: np.ndarray, candidate: Candidate) -> float:
    grid, pictures = _course(sample, candidate, *video.shape[:2])
    last = np.array([cell_error(video[-1], picture) for picture in pictures])
    if last.min() >= TOLERANCE:
        return 0.0  # most failures show here already
    reached = 0  # index into the grid
    for frame in video[:-1]:
        reached = _advance(frame, grid, pictures, reached, MOVING_TOLERANCE)
    reached = _advance(video[-1], grid, pictures, reached, TOLERANCE)
    if grid[reached] >= NEARLY_DONE and last[-1] < TOLERANCE:
        return 1.0
    shown = last[reached] < TOLERANCE and last[reached] < last.min() + 0.02
    return float(grid[reached]) if shown else 0.0


@functools.lru_cache(maxsize=2)  # many videos of one sample are scored in a row
def _course(
    sample: Sample, candidate: Candidate, frames: int, size: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Progresses at which a clip of so many frames is compared, (P,), and the candidate's picture
    at each."""
    grid = np.union1d(np.linspace(0.0, 1.0, 49), timeline(frames))
    return grid, [sample.picture(candidate, p, size) for p in grid]


def _advance(
    frame: np.ndarray, grid: np.ndarray, pictures: list, reached: int, tolerance: float
) -> int:
    """The best-fitting progress that this frame shows within reach, or the old one if it shows
    none."""
    within = np.flatnonzero((grid >= grid[reached]) & (grid <= grid[reached] + LONGEST_JUMP))
    best, shown = _best_fit(frame, [pictures[i] for i in within], tolerance)
    return int(within[best]) if shown else reached


def _best_fit(frame: np.ndarray, pictures: list, tolerance: float) -> tuple[int, bool]:
    """Index of the picture that is nearest to the frame as a whole, and whether the frame shows it
    in every cell."""
    best = int(np.argmin([np.square(frame - picture).sum() for picture in pictures]))
    return best, cell_error(frame, pictures[best]) < tolerance
