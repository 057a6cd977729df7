"""Answers as latents: the valid ones, and the blend that is uninformative about the open parts.

An encoder maps one answer of a sample to its latents (1, C, F, H, W). For symbols it is a table
look-up (`symbol_encoder`); for pictures it renders and encodes (`model_encoder`).
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..models.symbols import boards
from ..models.video_model import VideoModel
from ..puzzles.base import Answer, Sample

Encoder = Callable[[Answer], Tensor]


def symbol_encoder(sample: Sample) -> Encoder:
    """The encoder of a puzzle in symbols; its latents are (1, C, 1, h, w)."""
    return lambda answer: boards([sample], [answer]).latents()


def model_encoder(model: VideoModel, sample: Sample) -> Encoder:
    """The encoder of a model's latents."""
    if model.family.encode_sample is not None:
        return symbol_encoder(sample)
    return lambda answer: model.encode(sample.render(answer, model.size, model.frames))


def solution_latents(sample: Sample, encode: Encoder) -> Tensor:
    """The latents of all valid answers, (K, C, F, H, W), in the order of `sample.solutions`.

    Raises:
        ValueError: if the sample does not list all of its valid answers.
    """
    if sample.solutions.more:
        raise ValueError(
            f"{sample.task} {sample.key} has more than {len(sample.solutions)} valid answers, too "
            f"many to list, so its exact posterior is unknown; use a sample with more clues"
        )
    return torch.cat([encode(answer) for answer in sample.solutions.answers])


def uninformative(sample: Sample, encode: Encoder) -> Tensor:
    """The mean of all values in each open part, with given parts as they are, (1, C, F, H, W).

    The parts of a drawing do not interact, so this is the mean of V answers, each with one value in
    all open parts. Those answers need not be valid.
    """
    known = given(sample)
    values = range(len(sample.parts[0].values))
    blends = [encode(tuple(np.where(known < 0, v, known).tolist())) for v in values]
    return torch.cat(blends).mean(0, keepdim=True)


def given(sample: Sample) -> np.ndarray:
    """The value of each part that the given frame shows, (P,) int; -1 for an open part."""
    if sample.puzzle.name == "latin":
        return np.array(sample.state["clues"]).ravel()
    return np.full(len(sample.parts), -1)
