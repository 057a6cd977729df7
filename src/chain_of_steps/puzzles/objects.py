"""Coloured shapes that prompts can name, and the pairs that training never shows."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from .canvas import COLOURS, Canvas

KINDS = ("circle", "square", "triangle", "diamond")
# One pair per shape, never shown in training: the twist `mark_new_pair` asks for exactly these.
HELD_OUT = (("blue", "circle"), ("green", "square"), ("red", "triangle"), ("yellow", "diamond"))
SEEN = tuple(pair for pair in product(COLOURS, KINDS) if pair not in HELD_OUT)


@dataclass(frozen=True)
class Thing:
    """A coloured shape at (x, y), in cells."""

    colour: str
    shape: str
    x: float
    y: float

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"

    def draw(self, canvas: Canvas, radius: float, dx: float = 0.0, dy: float = 0.0) -> None:
        canvas.shape(self.shape, (self.x + dx, self.y + dy), radius, COLOURS[self.colour])


def different_pairs(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """`count` different (colour, shape) pairs of those that training shows."""
    return [SEEN[i] for i in rng.choice(len(SEEN), count, replace=False)]
