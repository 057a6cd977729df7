"""What every puzzle shares: a sample, its parts, its valid answers, how it is drawn and read.

A puzzle supplies `sample`, `scene` (the fixed part of the drawing), `act` (the drawing of an
answer, at a progress in [0, 1]), `parts` and `solve`. An answer gives each part one of its values,
as an index, or None where nothing is drawn. Beliefs, the decided answer and the score follow from
the drawing itself (`reading`, `scoring`): there are no hand-written detectors, and any frame size
works.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..common.hashing import digest
from .canvas import CELLS, Canvas
from .splits import Split

Answer = tuple[int | None, ...]  # the index of a value for each part; None: not drawn
HOLD = 0.2  # share of a clip, at its end, that holds the answer
MOST_ANSWERS = 5_000  # the search for answers ends here, where they are not all listed


@dataclass(frozen=True)
class Part:
    """A part of an answer: its name, and the names of the values that it can take."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Solutions:
    """All valid answers of a sample or, if `more`, the first of them."""

    answers: tuple[Answer, ...]
    more: bool = False

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True)
class Stratum:
    """The stratum of a sample: samples of one stratum may be pooled.

    Attributes:
        rounds: of propagation until the unique answer is known (0: it can be read off); `search` if
            propagation does not suffice; None if several answers are valid.
        log2: of the number of valid answers, rounded down; None for one answer; `more` if not
            counted.
    """

    rounds: int | str | None
    log2: int | str | None

    @property
    def label(self) -> str:
        if self.rounds is not None:
            return f"unique/{self.rounds}"
        return f"several/{self.log2}"


class Puzzle(ABC):
    """A kind of puzzle. `state` is plain JSON data; `answer` is an `Answer`.

    Attributes:
        name: of the puzzle; a task of the suite may fix some knobs under a name of its own.
        cells: side of its board, in cells.
    """

    name: str
    cells: int = CELLS

    def __repr__(self) -> str:
        return type(self).__name__

    @abstractmethod
    def sample(self, rng: np.random.Generator, split: Split, **knobs) -> "Sample":
        """Draws a sample of a split. A knob that is not given is drawn at random."""

    @abstractmethod
    def scene(self, canvas: Canvas, state: dict) -> None:
        """Paints the fixed part."""

    @abstractmethod
    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """Paints an answer, or those of its parts that are drawn, at a progress in [0, 1]."""

    @abstractmethod
    def parts(self, state: dict) -> tuple[Part, ...]:
        """The parts of an answer; all have equally many values."""

    @abstractmethod
    def solve(self, state: dict) -> Solutions:
        """All valid answers."""

    def training_sample(self, rng: np.random.Generator, **knobs) -> tuple["Sample", Answer]:
        """A sample of the training split and one of its valid answers at random."""
        sample = self.sample(rng, "training", **knobs)
        answers = sample.solutions.answers
        return sample, answers[rng.integers(len(answers))]

    def rounds(self, state: dict) -> int | str:
        """Rounds of propagation that a unique answer needs, or `search`. Here 0: a glance."""
        return 0

    def violations(self, sample: "Sample", answer: Answer) -> int:
        """How much of a fully or partly decided answer is wrong: its distance in parts from the
        nearest valid answer. For one part it is 0 or 1."""
        valid = np.array(sample.solutions.answers)
        decided = np.array([-1 if value is None else value for value in answer])
        return int((valid != decided).sum(1).min())


@dataclass(frozen=True, eq=False)
class Sample:
    """One instance of a task, with its exact answers.

    Attributes:
        task: name in the suite, e.g. `latin`.
        puzzle: draws and solves it.
        state: its symbolic state, plain JSON data.
        prompt: the text that the model is conditioned on.
        canonical: what the given frame shows; samples that share it form a cluster.
        knobs: the values of its knobs, by name; plain JSON data.
        seen: whether the same given frame also occurs in training, with some valid answer.
    """

    task: str
    puzzle: Puzzle
    state: dict
    prompt: str
    canonical: Any
    knobs: dict = field(default_factory=dict)
    seen: bool = False

    @functools.cached_property
    def parts(self) -> tuple[Part, ...]:
        return self.puzzle.parts(self.state)

    @functools.cached_property
    def solutions(self) -> Solutions:
        return self.puzzle.solve(self.state)

    @functools.cached_property
    def rounds(self) -> int | str | None:
        """Rounds of propagation, or `search`; None if several answers are valid."""
        return self.puzzle.rounds(self.state) if len(self.solutions) == 1 else None

    @property
    def stratum(self) -> Stratum:
        if len(self.solutions) == 1:
            return Stratum(self.rounds, None)
        known = len(self.solutions).bit_length() - 1
        return Stratum(None, "more" if self.solutions.more else known)

    @property
    def key(self) -> str:
        """Content hash of what defines the sample, 16 hex digits."""
        return digest([self.task, self.state, self.prompt])[:16]

    @property
    def side(self) -> int:
        """Side of its frame at 8 px a cell."""
        return 8 * self.puzzle.cells

    def is_valid(self, answer: Answer) -> bool:
        """Whether an answer is one of the solutions."""
        return None not in answer and self.puzzle.violations(self, answer) == 0

    def violations(self, answer: Answer) -> int:
        """See `Puzzle.violations`."""
        return self.puzzle.violations(self, answer)

    def named(self, answer: Answer) -> dict[str, str | None]:
        """An answer in words: the name of its value by the name of each part."""
        pairs = zip(self.parts, answer, strict=True)
        return {part.name: None if v is None else part.values[v] for part, v in pairs}

    def picture(self, answer: Answer, progress: float = 1.0, size: int | None = None) -> np.ndarray:
        """The frame (size, size, 3), float32 in [0, 1], that shows an answer at a progress."""
        canvas = _scene(self, size or self.side).copy()
        self.puzzle.act(canvas, self.state, answer, float(progress))
        return canvas.pixels

    def first_frame(self, size: int | None = None) -> np.ndarray:
        """The given frame, (size, size, 3), float32 in [0, 1]."""
        return self.picture(self.solutions.answers[0], 0.0, size)

    def render(
        self, answer: Answer | None = None, size: int | None = None, frames: int = 9
    ) -> np.ndarray:
        """An answer's clip, (frames, size, size, 3), uint8; by default of the first valid one."""
        answer = answer or self.solutions.answers[0]
        clip = np.stack([self.picture(answer, p, size) for p in timeline(frames)])
        return (clip * 255.0 + 0.5).astype(np.uint8)


def timeline(frames: int) -> np.ndarray:
    """Progress in [0, 1] of each of a clip's pixel frames: it ends early and holds the answer."""
    return np.clip(np.linspace(0.0, 1.0, frames) / (1.0 - HOLD), 0.0, 1.0)


def assignment(values: Sequence[int | None] | np.ndarray) -> Answer:
    """An `Answer` of plain integers; negative ones become None."""
    return tuple(None if v is None or v < 0 else int(v) for v in values)


@functools.lru_cache(maxsize=64)
def _scene(sample: Sample, size: int) -> Canvas:
    canvas = Canvas(size, sample.puzzle.cells)
    sample.puzzle.scene(canvas, sample.state)
    return canvas
