"""What every puzzle shares: a sample, its candidates, how they are drawn, read and scored.

A task module supplies three things and nothing else: `sample(rng, partition)`, `scene(canvas, state)` (what never
changes) and `act(canvas, state, answer, progress)` (what happens, at a progress in [0, 1]). Everything below is
derived from the drawing itself: a frame *shows* a picture if no cell of the board differs from it by more than a
tolerance. So scores need no hand-made detectors, work at any size, and cannot be won by a frozen or a noisy video.
"""

import functools
import hashlib
import importlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .canvas import CELLS, Canvas

Partition = Literal["test", "choosing", "training"]
PARTITIONS: tuple[Partition, ...] = ("test", "choosing", "training")

HOLD = 0.2  # the last fifth of a clip rests on the answer
TOLERANCE = 0.12  # RMS difference of one cell, pixel values in [0, 1]: a missing stretch of path makes 0.25
MOVING_TOLERANCE = 0.20  # the same while things still move, where half a pixel of displacement costs 0.1
LONGEST_JUMP = 0.4  # progress that may pass unread between two legible frames; more is a teleport
NEARLY_DONE = 0.8  # from here on a last frame that shows the final picture counts as done
OWN_PIXEL = 0.2  # two pictures differ at a pixel if a channel differs by more than this


@dataclass(frozen=True)
class Candidate:
    """One possible answer of a sample.

    Attributes:
        name: short and unique within the sample.
        kind: `valid`, `wrong` (follows the rules but misses the goal) or `illegal` (breaks them).
        answer: what the task's `act` draws; plain JSON data.
    """

    name: str
    kind: Literal["valid", "wrong", "illegal"]
    answer: Any = field(hash=False)


@dataclass(frozen=True, eq=False)
class Sample:
    """One instance of a task with its exact symbolic answer.

    Attributes:
        task: name in `suites.TASKS`, e.g. `maze`.
        module: the module of `tasks` that draws it (a twist shares its task's module).
        state: the symbolic state, plain JSON data.
        prompt: what the model is told.
        candidates: all possible answers, valid ones first; they exclude one another.
    """

    task: str
    module: str
    state: dict
    prompt: str
    candidates: tuple[Candidate, ...]

    @property
    def valid(self) -> tuple[Candidate, ...]:
        return tuple(c for c in self.candidates if c.kind == "valid")

    @property
    def key(self) -> str:
        """Content hash of what defines the sample, 16 hex digits."""
        return digest([self.task, self.state, self.prompt])[:16]

    def picture(self, candidate: Candidate, progress: float = 1.0, size: int = 48) -> np.ndarray:
        """The frame (size, size, 3), float32 in [0, 1], of a candidate's clip at a progress in [0, 1]."""
        canvas = self._scene(size).copy()
        _drawing(self.module).act(canvas, self.state, candidate.answer, float(progress))
        return canvas.pixels

    def first_frame(self, size: int = 48) -> np.ndarray:
        """The given frame, (size, size, 3), float32 in [0, 1]."""
        return self.picture(self.candidates[0], 0.0, size)

    def render(self, candidate: Candidate | None = None, size: int = 48, frames: int = 13) -> np.ndarray:
        """A candidate's clip, (frames, size, size, 3), uint8; by default of the first valid candidate."""
        candidate = candidate or self.candidates[0]
        clip = np.stack([self.picture(candidate, p, size) for p in timeline(frames)])
        return (clip * 255.0 + 0.5).astype(np.uint8)

    def evidence(self, frame: np.ndarray, progress: float = 1.0) -> np.ndarray:
        """How strongly a frame shows what belongs to each candidate alone, (candidates,), each in [0, 1].

        On a candidate's own pixels, 0 is the mean picture of its rivals and 1 the candidate itself; a ghost drawn
        at opacity a scores a. A candidate without own pixels at this progress scores 0.

        Args:
            frame: (H, H, 3), uint8 or float in [0, 1].
            progress: of the clip at this frame; 1 is the final picture.
        """
        frame = to_float(frame)
        values = []
        for target, rivals, own in self._own_pixels(frame.shape[0], round(float(progress), 4)):
            distance, unit = np.linalg.norm((frame - target)[own]), np.linalg.norm((rivals - target)[own])
            values.append(np.clip(1.0 - distance / unit, 0.0, 1.0) if own.any() else 0.0)
        return np.array(values, np.float32)

    def answer_index(self, frame: np.ndarray) -> int | None:
        """Index of the candidate whose final picture this frame shows in every cell, or None."""
        frame = to_float(frame)
        errors = [cell_error(frame, self.picture(c, 1.0, frame.shape[0])) for c in self.candidates]
        best = int(np.argmin(errors))
        return best if errors[best] < TOLERANCE else None

    def answer(self, frame: np.ndarray) -> str | None:
        """Name of the candidate whose final picture this frame shows in every cell, or None."""
        index = self.answer_index(frame)
        return None if index is None else self.candidates[index].name

    def score(self, video: np.ndarray) -> float:
        """The share of a valid solution that the video really carries out, in [0, 1]; 1 is solved.

        Follows the progress of each valid candidate through the frames: it may not run backwards nor jump by more
        than `LONGEST_JUMP`, and the last frame must show the state reached in every cell. A video whose last frame
        shows another candidate's final picture scores 0.

        Args:
            video: (F, H, H, 3), uint8 or float in [0, 1], any number of frames and any size that the task draws.
        """
        shown = self.answer_index(video[-1])
        if shown is not None and self.candidates[shown].kind != "valid":
            return 0.0
        return max(self._progress(to_float(video), c) for c in self.valid)

    def solved(self, video: np.ndarray) -> bool:
        """Whether the score is 1."""
        return self.score(video) == 1.0

    def _progress(self, video: np.ndarray, candidate: Candidate) -> float:
        grid = np.union1d(np.linspace(0.0, 1.0, 49), timeline(len(video)))
        pictures = [self.picture(candidate, p, video.shape[1]) for p in grid]
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

    def _scene(self, size: int) -> Canvas:
        return _cached_scene(self, size)

    def _own_pixels(self, size: int, progress: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        return _cached_own_pixels(self, size, progress)


def timeline(frames: int) -> np.ndarray:
    """Progress in [0, 1] of each of a clip's `frames` pixel frames: it ends early and holds the answer."""
    return np.clip(np.linspace(0.0, 1.0, frames) / (1.0 - HOLD), 0.0, 1.0)


def cell_error(frame: np.ndarray, picture: np.ndarray) -> float:
    """The largest RMS difference over the board's cells of two frames (H, H, 3), float in [0, 1]."""
    side = frame.shape[0] // CELLS
    difference = (frame - picture)[: side * CELLS, : side * CELLS] ** 2
    return float(np.sqrt(difference.reshape(CELLS, side, CELLS, side, 3).mean((1, 3, 4)).max()))


def to_float(pixels: np.ndarray) -> np.ndarray:
    """uint8 in [0, 255] or float in [0, 1] to float32 in [0, 1]."""
    return pixels.astype(np.float32) / 255.0 if pixels.dtype == np.uint8 else pixels.astype(np.float32)


def digest(data: Any) -> str:
    """sha256 of plain JSON data, in hex."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def partition_of(canonical: Any) -> Partition:
    """The partition that a canonical symbolic state belongs to: sha256 mod 10; 0 test, 1 choosing, else training."""
    bucket = int(digest(canonical), 16) % 10
    return PARTITIONS[min(bucket, 2)]


def draw_until(rng: np.random.Generator, partition: Partition, propose, canonical):
    """Calls `propose(rng)` until it gives a state (not None) whose canonical form lies in `partition`."""
    if partition not in PARTITIONS:
        raise ValueError(f"unknown partition {partition!r}; expected one of {', '.join(PARTITIONS)}")
    while True:
        state = propose(rng)
        if state is not None and partition_of(canonical(state)) == partition:
            return state


def _advance(frame, grid, pictures, reached: int, tolerance: float) -> int:
    """The best-fitting progress that this frame shows within reach, or the old one if it shows none."""
    within = np.flatnonzero((grid >= grid[reached]) & (grid <= grid[reached] + LONGEST_JUMP))
    errors = np.array([cell_error(frame, pictures[i]) for i in within])
    best = int(np.argmin(errors))
    return int(within[best]) if errors[best] < tolerance else reached


def _drawing(module: str):
    return importlib.import_module(f"{__package__}.{module}")


@functools.lru_cache(maxsize=256)
def _cached_scene(sample: Sample, size: int) -> Canvas:
    canvas = Canvas(size)
    _drawing(sample.module).scene(canvas, sample.state)
    return canvas


@functools.lru_cache(maxsize=512)
def _cached_own_pixels(sample: Sample, size: int, progress: float):
    """For each candidate: its picture, the mean picture of the others, and the mask of pixels that are its own."""
    pictures = np.stack([sample.picture(c, progress, size) for c in sample.candidates])
    result = []
    for i, picture in enumerate(pictures):
        others = np.delete(pictures, i, axis=0)
        own = (np.abs(others - picture).max(-1) > OWN_PIXEL).all(0)
        result.append((picture, others.mean(0), own))
    return result
