"""Linear probes of tokens, and the floors to compare with.

A probe is a logistic regression that never saw the sample it judges: folds are split by sample.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ..models.video_model import VideoModel

FLOORS = ("x", "x0_hat", "input", "shuffled", "random network")
FOLDS = 5


def cells_of(latents: Tensor, patch: Sequence[int]) -> Tensor:
    """Latents (1, C, F, H, W) as what each token covers of them, (F h w, C p q), for patches of
    (1, p, q)."""
    _, p, q = patch
    split = latents[0].unflatten(3, (-1, q)).unflatten(2, (-1, p))  # (C, F, h, p, w, q)
    return split.permute(1, 2, 4, 0, 3, 5).flatten(3).flatten(0, 2)


def needs_random(runs: Iterable) -> bool:
    """Whether any run of a probing experiment reads the random network."""
    return any(run.source == "random network" for run in runs)


def share(mask: np.ndarray, patch: int) -> np.ndarray:
    """A pixel mask (H, H) as weights of the tokens (h w,), which sum to 1; all 0 for an empty
    mask."""
    side = mask.shape[0] // patch
    weights = mask.reshape(side, patch, side, patch).mean((1, 3)).flatten()
    return weights / max(weights.sum(), 1e-9)


def held_out_scores(parts: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """How much each of a sample's parts looks like the parts that are labelled 1 in other samples.

    Args:
        parts: of each of n samples the features (K_i, D) of its K_i parts.
        labels: of each (K_i,): 1, 0, or NaN for a part that does not count.

    Returns:
        Of each sample the scores (K_i,) by a probe that never saw it; NaN where it could not be
        fitted.
    """
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    everything, known = np.concatenate(parts), np.concatenate(labels)
    scores = np.full(len(owner), np.nan)
    for train, held in _folds(len(parts)):
        rows, asked = ~np.isnan(known) & np.isin(owner, train), np.isin(owner, held)
        if len(set(known[rows])) == 2 and asked.any():
            fitted = _classifier().fit(everything[rows], known[rows])
            scores[asked] = fitted.decision_function(everything[asked])
    return [scores[owner == i] for i in range(len(parts))]


def guessed(parts: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The class that a probe reads off each of a sample's parts, without having seen that sample.

    Args:
        parts: of each of n samples the features (K_i, D) of its K_i parts; K_i may be 0.
        labels: of each the classes (K_i,) int, at least 0.

    Returns:
        Of each sample (K_i,) int; -1 where there was nothing to train on.
    """
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    everything, known = np.concatenate(parts), np.concatenate(labels)
    found = np.full(len(owner), -1)
    for train, held in _folds(len(parts)):
        rows, asked = np.isin(owner, train), np.isin(owner, held)
        if not rows.any() or not asked.any():
            continue
        if len(set(known[rows])) == 1:
            found[asked] = known[rows][0]  # nothing to tell apart
            continue
        found[asked] = _classifier().fit(everything[rows], known[rows]).predict(everything[asked])
    return [found[owner == i] for i in range(len(parts))]


@contextmanager
@torch.no_grad()
def shaken(model: VideoModel, seed: int = 0) -> Iterator[None]:
    """Gives the transformers random weights of the same sizes for a while: the floor that their
    shape alone gives."""
    parameters = [p for transformer in model.transformers for p in transformer.parameters()]
    kept, generator = (
        [p.detach().clone() for p in parameters],
        torch.Generator("cpu").manual_seed(seed),
    )
    for parameter in parameters:
        noise = torch.randn(parameter.shape, generator=generator).to(parameter)
        parameter.copy_(parameter.mean() + parameter.std(unbiased=False) * noise)
    try:
        yield
    finally:
        for parameter, before in zip(parameters, kept, strict=True):
            parameter.copy_(before)


def _folds(samples: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of the samples to train on and of those that are held out, fold by fold."""
    return PredefinedSplit(np.arange(samples) % FOLDS).split()


def _classifier() -> Pipeline:
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=300)
    )
