"""Reads a frame against a sample's own drawings: belief of every part, decided answer, legibility.

A part's own pixels are those where drawing one of its values changes the scene and no value of
another part does. On them a frame is explained as the scene plus each value's change, times an
opacity: the least-squares opacities are the beliefs. A mean of several answers therefore reads as
the share of each, whatever the colours mix to.
"""

import functools
from dataclasses import dataclass

import numpy as np

from .base import Answer, Sample, assignment

CHANGE = 0.02  # a pixel counts as changed if one of its channels changes by more
CONTRAST = 0.1  # RMS over own pixels below which two values are indistinguishable
NOTHING = 0.05  # a part in which no value has this opacity shows nothing
TOLERANCE = 0.12  # RMS difference of a cell, pixel values in [0, 1]: a missing stretch makes 0.25


@dataclass(frozen=True)
class PartReader:
    """How one part is read off the flattened pixels of a frame.

    Attributes:
        pixels: (M,) indices of its own values in the flattened frame.
        base: (M,) what they show if nothing of the part is drawn.
        gauge: (V, M) reads the opacity of each value; zero for a value that draws nothing.
        blank: index of the value that draws nothing, whose belief is the remainder; or None.
    """

    pixels: np.ndarray
    base: np.ndarray
    gauge: np.ndarray
    blank: int | None


def belief(sample: Sample, frames: np.ndarray, progress: float = 1.0) -> np.ndarray:
    """The opacity with which frames show each value of each part, in [0, 1], not normalised.

    Args:
        frames: (..., H, W, 3), uint8 or float in [0, 1].
        progress: of the clip at these frames; 1 is the final picture.

    Returns:
        (..., P, V) float32; NaN for a part whose values look alike at this progress.
    """
    frames = to_float(frames)
    flat = frames.reshape(*frames.shape[:-3], -1)
    readers = part_readers(sample, frames.shape[-3], round(float(progress), 4))
    out = np.full((*flat.shape[:-1], len(readers), len(sample.parts[0].values)), np.nan, np.float32)
    for p, reader in enumerate(readers):
        if reader is not None:
            opacity = (flat[..., reader.pixels] - reader.base) @ reader.gauge.T
            if reader.blank is not None:
                opacity[..., reader.blank] = 1.0 - opacity.sum(-1)
            out[..., p, :] = np.clip(opacity, 0.0, 1.0)
    return out


def decided(sample: Sample, frame: np.ndarray, progress: float = 1.0) -> Answer:
    """The decided answer of one frame (H, W, 3): the value of strongest belief in every part, None
    in a part that shows nothing or cannot be read."""
    return assignment(decide(belief(sample, frame, progress)))


def decide(beliefs: np.ndarray) -> np.ndarray:
    """(..., P, V) beliefs to (..., P) indices of the strongest value; -1 where nothing shows."""
    known = np.nan_to_num(beliefs, nan=0.0)
    return np.where(known.max(-1) < NOTHING, -1, known.argmax(-1))


def drawn(sample: Sample, frame: np.ndarray, progress: float = 1.0) -> bool:
    """Whether a frame shows its decided answer legibly in every cell."""
    answer = decided(sample, frame, progress)
    picture = sample.picture(answer, progress, len(frame))
    error = cell_error(to_float(frame), picture, sample.puzzle.cells)
    return None not in answer and error < TOLERANCE


def to_float(pixels: np.ndarray) -> np.ndarray:
    """uint8 in [0, 255] or float in [0, 1] to float32 in [0, 1]."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.float32) / 255.0
    return pixels.astype(np.float32)


def cell_errors(frame: np.ndarray, picture: np.ndarray, cells: int) -> np.ndarray:
    """The RMS difference of each cell of two frames (H, W, 3), float in [0, 1]; (cells, cells)."""
    high, wide = (side // cells for side in frame.shape[:2])
    difference = (frame - picture)[: high * cells, : wide * cells] ** 2
    return np.sqrt(difference.reshape(cells, high, cells, wide, 3).mean((1, 3, 4)))


def cell_error(frame: np.ndarray, picture: np.ndarray, cells: int) -> float:
    """The largest of `cell_errors`."""
    return float(cell_errors(frame, picture, cells).max())


@functools.lru_cache(maxsize=256)
def part_readers(sample: Sample, size: int, progress: float) -> tuple[PartReader | None, ...]:
    """A reader for each part, None if its values are indistinguishable at this progress."""
    parts = sample.parts
    nothing: list[int | None] = [None] * len(parts)
    base = sample.picture(tuple(nothing), progress, size)
    changes = []  # of each part: (V, size * size, 3)
    for p, part in enumerate(parts):
        drawings = [
            sample.picture((*nothing[:p], v, *nothing[p + 1 :]), progress, size) - base
            for v in range(len(part.values))
        ]
        changes.append(np.stack(drawings).reshape(len(part.values), -1, 3))
    touched = np.stack([np.abs(change).max((0, 2)) > CHANGE for change in changes])  # (P, pixels)
    own = touched & (touched.sum(0) == 1)
    flat = base.reshape(-1, 3)
    return tuple(_reader(change, mask, flat) for change, mask in zip(changes, own, strict=True))


def _reader(change: np.ndarray, mask: np.ndarray, base: np.ndarray) -> PartReader | None:
    values = change[:, mask].reshape(len(change), -1)  # (V, M)
    scale = values.shape[1] ** 0.5
    distance = np.linalg.norm(values[:, None] - values[None], axis=-1) / max(scale, 1.0)
    np.fill_diagonal(distance, np.inf)
    if distance.min() < CONTRAST:
        return None
    empty = np.flatnonzero(np.linalg.norm(values, axis=1) / scale < CONTRAST)
    blank = int(empty[0]) if len(empty) else None
    solid = [v for v in range(len(values)) if v != blank]
    gauge = np.zeros(values.shape, np.float32)
    gauge[solid] = np.linalg.pinv(values[solid].T, rcond=1e-4)
    pixels = (3 * np.flatnonzero(mask)[:, None] + np.arange(3)).ravel()
    return PartReader(pixels, base[mask].ravel(), gauge, blank)
