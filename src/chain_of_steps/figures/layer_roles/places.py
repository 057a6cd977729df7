"""Where the values of an answer's parts stand: pixels of the frame, tokens of the network."""

import numpy as np
import torch

from ...models.video_model import VideoModel
from ...puzzles.base import Sample
from ...puzzles.reading import CHANGE
from ...sampling.sites import region

Values = list[tuple[int, int]]  # (part, value)


def pixels(sample: Sample, values: Values, size: int) -> np.ndarray:
    """The pixels that drawing these values of these parts changes, (size, size) bool."""
    nothing = [None] * len(sample.parts)
    base, changed = sample.picture(tuple(nothing), size=size), np.zeros((size, size), bool)
    for part, value in values:
        drawn = sample.picture((*nothing[:part], value, *nothing[part + 1 :]), size=size)
        changed |= np.abs(drawn - base).max(2) > CHANGE
    return changed


def tokens(model: VideoModel, sample: Sample, values: Values) -> tuple[int, ...]:
    """The tokens under these values in all latent frames but the given one."""
    later = torch.arange(model.latent_frames) > 0
    mask = torch.from_numpy(pixels(sample, values, model.size))
    return tuple(torch.nonzero(region(mask, later, model.patch)).flatten().tolist())


def open_parts(sample: Sample) -> np.ndarray:
    """Which parts are not given, (P,) bool: in a Latin square those without a clue."""
    if sample.puzzle.name == "latin":
        return np.array(sample.state["clues"]).ravel() < 0
    return np.ones(len(sample.parts), bool)
