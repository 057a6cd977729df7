"""Tasks in which something goes out of sight: in which frames, and what has to be remembered.

A frame hides the start state if its picture would be the same whichever candidate were right.
"""

from dataclasses import replace

import numpy as np

from ...bench import tasklist
from ...puzzles.canvas import CELLS
from ...puzzles.first import suites
from ...puzzles.first.base import Candidate, Partition, Sample
from ...puzzles.first.reading import timeline

MODULES = ("out_and_back", "occlusion")
VISIBLE = 0.02  # a pixel value that differs by more can be seen


def begun_as(sample: Sample, candidate: Candidate) -> Sample:
    """The sample with the start state under which that candidate would be right: another home row,
    another thing.

    Raises:
        ValueError: for a task without hidden things.
    """
    if sample.module not in MODULES:
        raise ValueError(
            f"nothing is hidden in {sample.task}; expected a task of {' or '.join(MODULES)}"
        )
    if sample.module == "occlusion":
        return replace(sample, state=sample.state | {"thing": candidate.answer})
    named, *others = sample.state["things"]
    return replace(
        sample, state=sample.state | {"things": [[*named[:3], candidate.answer + 0.5], *others]}
    )


def hidden_frames(
    sample: Sample, frames: int, stride: int, size: int = suites.SIZE
) -> tuple[int, ...]:
    """Latent frames in which the start state is out of sight in every pixel frame.

    Args:
        frames: pixel frames of the clip.
        stride: pixel frames per latent frame; the first latent frame is the given picture alone.
    """
    starts = [(begun_as(sample, candidate), candidate) for candidate in sample.candidates]
    hides = []
    for progress in timeline(frames):
        pictures = np.stack(
            [start.picture(candidate, progress, size) for start, candidate in starts]
        )
        hides.append(bool(np.abs(pictures - pictures[0]).max() < VISIBLE))
    latent = [
        hides[max(0, stride * (f - 1) + 1) : stride * f + 1]
        for f in range(1 + (frames - 1) // stride)
    ]
    return tuple(f for f, pixel_frames in enumerate(latent) if all(pixel_frames))


def with_hidden(
    task: str, count: int, suite_seed: int, partition: Partition, frames: int, stride: int
) -> list[tuple[int, Sample, tuple[int, ...]]]:
    """The first `count` samples of a task's list that hide their start state for at least one
    latent frame: index, sample, hidden frames.

    Raises:
        ValueError: if too few of them do, because clips are too short.
    """
    found = []
    for index in range(20 * (count + 1)):
        sample = tasklist.draw_one(task, index, suite_seed, partition)
        hidden = hidden_frames(sample, frames, stride)
        if hidden:
            found.append((index, sample, hidden))
        if len(found) == count:
            return found
    raise ValueError(
        f"{task} hardly ever hides its start state for a whole latent frame of {stride} pixel "
        f"frames in a clip of {frames}; use longer clips"
    )


def places(sample: Sample, size: int = suites.SIZE) -> list[np.ndarray]:
    """The places of a frame that may show the start state, pixel masks (size, size).

    Out and back: the row of every candidate, the right one first. Occlusion: one mask, the place
    of the thing.
    """
    if sample.module == "occlusion":
        gone = next(candidate for candidate in sample.candidates if candidate.answer is None)
        return [
            np.abs(
                sample.picture(sample.candidates[0], 1.0, size) - sample.picture(gone, 1.0, size)
            ).max(2)
            > 0.05
        ]
    rows = np.arange(size)[:, None] * CELLS // size
    return [
        np.broadcast_to(rows == candidate.answer, (size, size)) for candidate in sample.candidates
    ]
