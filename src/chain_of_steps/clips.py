"""An endless, reproducible stream of training clips of the mini world."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import suites

# Shares of the in-domain tasks in training. Mazes come first; once they are learned, what is still hard.
SHARES = {
    "maze": 0.44,
    "tic_tac_toe": 0.05,
    "size_pattern": 0.10,
    "rotate": 0.11,
    "out_and_back": 0.07,
    "mark_object": 0.08,
    "occlusion": 0.05,
    "bounce": 0.10,
}
LATER_SHARES = {
    "maze": 0.50,
    "tic_tac_toe": 0.04,
    "size_pattern": 0.03,
    "rotate": 0.10,
    "out_and_back": 0.03,
    "mark_object": 0.03,
    "occlusion": 0.05,
    "bounce": 0.22,
}


@dataclass(frozen=True)
class Clip:
    """One training example: the frames of a valid answer, (F, 48, 48, 3) uint8, and its prompt."""

    prompt: str
    frames: np.ndarray


def clip(index: int, frames: int, seed: int = 0, shares: dict[str, float] = SHARES) -> Clip:
    """Clip number `index` of the stream; a sample of several valid answers shows one of them at random."""
    rng = np.random.default_rng([seed, frames, index])
    task = suites.TASKS[rng.choice(list(shares), p=list(shares.values()))]
    sample = task.sample(rng, "training")
    answer = sample.valid[rng.integers(len(sample.valid))]
    return Clip(sample.prompt, sample.render(answer, frames=frames))


class Ring:
    """The newest `capacity` items of a stream; what it holds after n items depends on n alone, so it can be resumed.

    Args:
        make: makes items number `start` to `stop` of the stream, as a list.
    """

    def __init__(self, capacity: int, make: Callable[[int, int], list]):
        self.capacity, self.make = capacity, make
        self.items: list = []
        self.end = 0

    def advance(self, end: int) -> None:
        """Brings the ring to item number `end`."""
        if end - self.end > self.capacity or end < self.end:
            self.items, self.end = [], max(0, end - self.capacity)
        self.items = (self.items + self.make(self.end, end))[-self.capacity :]
        self.end = end

    def pick(self, rng: np.random.Generator, count: int) -> list:
        """`count` items at random."""
        return [self.items[i] for i in rng.integers(len(self.items), size=count)]
