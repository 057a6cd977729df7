"""A small anti-aliased canvas: shapes as signed distances, in units of cells.

A puzzle is drawn on a board of 6 x 6 cells, or of 4 x 4 for the smallest models. Distances are
measured in cells, so the same drawing code gives a 48 px frame for the mini model and a 480 px
frame for a large one. At 8 px a cell is one latent token.
"""

from collections.abc import Callable

import numpy as np

CELLS = 6

# Okabe and Ito's palette: distinguishable with all common kinds of colour blindness.
PAPER = (0.97, 0.97, 0.97)
INK = (0.15, 0.15, 0.18)
GREY = (0.62, 0.62, 0.66)
COLOURS = {
    "red": (0.84, 0.37, 0.00),
    "yellow": (0.94, 0.83, 0.16),
    "green": (0.00, 0.62, 0.45),
    "blue": (0.00, 0.45, 0.70),
    "pink": (0.80, 0.47, 0.65),
    "cyan": (0.45, 0.77, 0.95),
}

# (x, y) relative to the centre -> signed distance, all in cells
Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x, y) - 1.0


def square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) - 0.88


def diamond(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (np.abs(x) + np.abs(y) - 1.2) * 0.7071


def triangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(0.8660 * np.abs(x) - 0.5 * y - 0.55, y - 0.85)


def cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = np.abs(x), np.abs(y)
    return np.maximum(np.minimum(x, y) - 0.36, np.maximum(x, y) - 1.0)


def bars(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(np.abs(y) - 0.62) - 0.34, np.abs(x) - 0.96)


SHAPES: dict[str, Distance] = {
    "circle": circle,
    "square": square,
    "triangle": triangle,
    "diamond": diamond,
    "cross": cross,
    "bars": bars,
}


class Canvas:
    """An RGB picture of `size` x `size` pixels (float32 in [0, 1]) to paint shapes on, in cells.

    Args:
        size: side of the square picture in pixels, a multiple of 16.
        cells: side of the board in cells.
    """

    def __init__(self, size: int, cells: int = CELLS):
        self.size = size
        self.scale = size / cells  # pixels per cell
        self.pixels = np.empty((size, size, 3), np.float32)
        self.pixels[:] = PAPER
        centres = (np.arange(size, dtype=np.float32) + 0.5) / self.scale
        self.x, self.y = centres[None, :], centres[:, None]

    def copy(self) -> "Canvas":
        """A second canvas with the same pixels, so that a static scene is drawn once per clip."""
        other = object.__new__(Canvas)
        other.__dict__.update(self.__dict__, pixels=self.pixels.copy())
        return other

    def paint(
        self, distance: Distance, centre: tuple, reach: float, colour: tuple, alpha: float = 1.0
    ) -> None:
        """Blends `colour` where `distance < 0`, within `reach` cells of `centre` (x, y)."""
        (cx, cy), margin = centre, reach + 1.0 / self.scale
        left, right = self._span(cx - margin), self._span(cx + margin)
        top, bottom = self._span(cy - margin), self._span(cy + margin)
        if left >= right or top >= bottom or alpha <= 0.0:
            return
        inside = distance(self.x[:, left:right] - cx, self.y[top:bottom] - cy)
        cover = (alpha * np.clip(0.5 - inside * self.scale, 0.0, 1.0))[..., None]
        patch = self.pixels[top:bottom, left:right]
        patch += cover * (np.asarray(colour, np.float32) - patch)

    def shape(
        self, name: str, centre: tuple, radius: float, colour: tuple, alpha: float = 1.0
    ) -> None:
        """Paints a named shape of `SHAPES` with a dark outline; `radius` in cells."""

        def outer(x, y):
            return radius * SHAPES[name](x / radius, y / radius)

        self.paint(outer, centre, 1.25 * radius, INK, alpha)
        self.paint(lambda x, y: outer(x, y) + 0.13, centre, 1.25 * radius, colour, alpha)

    def ring(
        self, centre: tuple, radius: float, width: float, colour: tuple, alpha: float = 1.0
    ) -> None:
        """Paints a circle's outline."""

        def distance(x, y):
            return np.abs(np.hypot(x, y) - radius) - width / 2

        self.paint(distance, centre, radius + width, colour, alpha)

    def line(
        self, start: tuple, end: tuple, width: float, colour: tuple, alpha: float = 1.0
    ) -> None:
        """Paints a segment with round ends; `width` in cells."""
        (ax, ay), (bx, by) = start, end
        dx, dy = (bx - ax) / 2, (by - ay) / 2  # half the segment, seen from its middle
        length2 = max(dx * dx + dy * dy, 1e-9)

        def distance(x, y):
            along = np.clip((x * dx + y * dy) / length2, -1.0, 1.0)
            return np.hypot(x - along * dx, y - along * dy) - width / 2

        middle = ((ax + bx) / 2, (ay + by) / 2)
        self.paint(distance, middle, max(abs(dx), abs(dy)) + width, colour, alpha)

    def box(
        self,
        centre: tuple,
        half_width: float,
        half_height: float,
        colour: tuple,
        alpha: float = 1.0,
    ) -> None:
        """Paints an axis-aligned rectangle."""

        def distance(x, y):
            return np.maximum(np.abs(x) - half_width, np.abs(y) - half_height)

        self.paint(distance, centre, max(half_width, half_height), colour, alpha)

    def _span(self, cells: float) -> int:
        return int(min(max(round(cells * self.scale), 0), self.size))
