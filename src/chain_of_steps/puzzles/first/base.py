"""What every puzzle shares: a sample, its candidates, how they are drawn, read and scored.

A task module supplies three things and nothing else: `sample(rng, partition)`, `scene(canvas,
state)` (what never changes) and `act(canvas, state, answer, progress)` (what happens, at a progress
in [0, 1]). Everything below is derived from the drawing itself: a frame *shows* a picture if no
cell of the board differs from it by more than a tolerance. So scores need no hand-made detectors,
work at any size, and cannot be won by a frozen or a noisy video.
"""

import functools
import importlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...common.hashing import digest
from ..canvas import Canvas
from . import reading
from .reading import timeline

Partition = Literal["test", "choosing", "training"]
PARTITIONS: tuple[Partition, ...] = ("test", "choosing", "training")


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
        """The frame (size, size, 3), float32 in [0, 1], of a candidate's clip at a progress in [0,
        1]."""
        canvas = self._scene(size).copy()
        _drawing(self.module).act(canvas, self.state, candidate.answer, float(progress))
        return canvas.pixels

    def first_frame(self, size: int = 48) -> np.ndarray:
        """The given frame, (size, size, 3), float32 in [0, 1]."""
        return self.picture(self.candidates[0], 0.0, size)

    def render(
        self, candidate: Candidate | None = None, size: int = 48, frames: int = 13
    ) -> np.ndarray:
        """A candidate's clip, (frames, size, size, 3), uint8; by default of the first valid
        candidate."""
        candidate = candidate or self.candidates[0]
        clip = np.stack([self.picture(candidate, p, size) for p in timeline(frames)])
        return (clip * 255.0 + 0.5).astype(np.uint8)

    def evidence(self, frame: np.ndarray, progress: float = 1.0) -> np.ndarray:
        """See `reading.evidence`."""
        return reading.evidence(self, frame, progress)

    def answer_index(self, frame: np.ndarray) -> int | None:
        """See `reading.answer_index`."""
        return reading.answer_index(self, frame)

    def answer(self, frame: np.ndarray) -> str | None:
        """Name of the candidate whose final picture this frame shows in every cell, or None."""
        index = self.answer_index(frame)
        return None if index is None else self.candidates[index].name

    def score(self, video: np.ndarray) -> float:
        """See `reading.score`."""
        return reading.score(self, video)

    def outcome(self, video: np.ndarray) -> dict:
        """What every row says of a video: `answer` (candidate index, -1 for none), whether it is
        `valid`, and the `score`."""
        answer = self.answer_index(video[-1])
        valid = answer is not None and self.candidates[answer].kind == "valid"
        return {
            "answer": -1 if answer is None else answer,
            "valid": valid,
            "score": self.score(video),
        }

    def solved(self, video: np.ndarray) -> bool:
        """Whether the score is 1."""
        return self.score(video) == 1.0

    def _scene(self, size: int) -> Canvas:
        return _cached_scene(self, size)


def partition_of(canonical: Any) -> Partition:
    """The partition that a canonical symbolic state belongs to: sha256 mod 10; 0 test, 1 choosing,
    else training."""
    bucket = int(digest(canonical), 16) % 10
    return PARTITIONS[min(bucket, 2)]


def draw_until(rng: np.random.Generator, partition: Partition, propose, canonical):
    """Calls `propose(rng)` until it gives a state (not None) whose canonical form lies in
    `partition`."""
    if partition not in PARTITIONS:
        raise ValueError(
            f"unknown partition {partition!r}; expected one of {', '.join(PARTITIONS)}"
        )
    while True:
        state = propose(rng)
        if state is not None and partition_of(canonical(state)) == partition:
            return state


def _drawing(module: str):
    return importlib.import_module(f"{__package__}.{module}")


@functools.lru_cache(maxsize=256)
def _cached_scene(sample: Sample, size: int) -> Canvas:
    canvas = Canvas(size)
    _drawing(sample.module).scene(canvas, sample.state)
    return canvas
