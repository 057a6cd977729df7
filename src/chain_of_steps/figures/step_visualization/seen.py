"""What clean estimates show: decoded once, read in the last frame and in every latent frame."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ...measures import decisions, traces
from ...models.video_model import VideoModel
from ...puzzles import reading
from ...puzzles.base import Sample, timeline
from .pruning import Reading


class Seen(NamedTuple):
    """What S clean estimates show in the last frame.

    Attributes:
        beliefs: (S, P, V).
        drawn: (S,) bool, whether the decided answer is legible in every cell.
        clips: (S, frames, H, W, 3), uint8; None for symbols, which are always legible.
    """

    beliefs: np.ndarray
    drawn: np.ndarray
    clips: np.ndarray | None

    def at(self, which: Sequence[int]) -> "Seen":
        """The estimates of these numbers, (S',), with repeats."""
        clips = None if self.clips is None else self.clips[which]
        return Seen(self.beliefs[which], self.drawn[which], clips)


def seen(model: VideoModel, sample: Sample, x0_hats: Sequence[Tensor]) -> Seen:
    """Reads clean estimates (1, C, F, H, W) of a sample."""
    if model.family.beliefs is not None:
        beliefs = traces.beliefs_along(model, sample, x0_hats)
        return Seen(beliefs, np.ones(len(beliefs), bool), None)
    clips = model.decode_all(x0_hats)
    drawn = np.array([reading.drawn(sample, clip[-1]) for clip in clips])
    return Seen(reading.belief(sample, clips[:, -1]), drawn, clips)


def trace(
    sample: Sample,
    found: Seen,
    floor: float,
    readings: Mapping[str, Reading],
    rng: np.random.Generator | None = None,
) -> dict:
    """`traces.trace`; `drawn_at`, whether the decided answer of each step is legible; and the share
    of parts that each of the readings prunes."""
    result = traces.trace(sample, found.beliefs, floor, rng)
    result["drawn_at"] = traces.flags(found.drawn)
    return result | {name: reading.share(found.beliefs) for name, reading in readings.items()}


def by_frame(model: VideoModel, sample: Sample, found: Seen) -> list[list[str]]:
    """The decided answer of each latent frame (its last pixel frame) at each step, as text. A dot
    is a part that shows nothing there, or cannot be read: early in a clip its values may look
    alike."""
    if found.clips is None:
        return [[traces.encoded(answer) for answer in reading.decide(found.beliefs)]]
    progress = timeline(model.frames)
    texts = []
    for f in range(0, model.frames, model.stride):
        beliefs = reading.belief(sample, found.clips[:, f], progress[f])
        texts.append([traces.encoded(answer) for answer in decisions.decide(beliefs)])
    return texts
