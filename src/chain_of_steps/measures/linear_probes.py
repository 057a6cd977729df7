"""Linear probes: the tokens of one latent frame by step and layer, probes of them, and the floors
to compare with.

A probe is a logistic regression that never saw the sample it judges: folds are split by sample.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles.base import Sample
from ..sampling.denoise import generate
from ..sampling.sites import Captured

FLOORS = ("x", "x0_hat", "input", "shuffled", "random network")
FOLDS = 5

Tokens = dict  # {"final": latents (1, C, F, H, W), (step, source): tokens (h w, D)}


def look(
    model: VideoModel,
    schedule: Schedule,
    sample: Sample,
    seed: int,
    steps: Collection[int],
    frame: int = -1,
    layers: Collection[int] | None = None,
    count: Callable[[], None] | None = None,
) -> Tokens:
    """Generates once; the tokens (h w, D) of one latent frame by (step, source), and the final
    latents.

    Args:
        steps: at which to look.
        frame: the latent frame; -1 is the last.
        layers: to keep, -1 for the input of the first; all by default.
    """
    condition = model.prepare_sample(sample)
    cells, length = (model.size // model.patch) ** 2, condition.shape[2]
    chosen = torch.arange(length * cells) // cells == frame % length
    watch = (lambda *_: count()) if count else None

    def wanted(site) -> bool:
        return site.step in steps and site.guided and (layers is None or site.layer in layers)

    states = Captured(wanted, tokens=chosen)
    clean = generate(model, condition, schedule, seed, watch=watch, visit=states)
    found: Tokens = {"final": clean.latents[-1]}
    for site, state in states.items():
        found[site.step, "input" if site.layer < 0 else str(site.layer)] = state
    for step in steps:
        found[step, "x"], found[step, "x0_hat"] = (
            cells_of(values[step], model.transformers[0].config.patch_size)[chosen]
            for values in (clean.latents, clean.x0_hats)
        )
    return found


def cells_of(latents: Tensor, patch: Sequence[int]) -> Tensor:
    """Latents (1, C, F, H, W) as what each token covers of them, (F h w, C p q), for patches of
    (1, p, q)."""
    _, p, q = patch
    split = latents[0].unflatten(3, (-1, q)).unflatten(2, (-1, p))  # (C, F, h, p, w, q)
    return split.permute(1, 2, 4, 0, 3, 5).flatten(3).flatten(0, 2)


def features(
    seen: Tokens, blind: Tokens, step: int, source: str, middle: int, shuffled: int
) -> np.ndarray:
    """The tokens (h w, D) that a source names: a layer's number as text, or a floor.

    Args:
        seen, blind: of the trained and of the random network.
        middle: the layer that the random network is read at.
        shuffled: the layer that shuffled labels are read off.
    """
    if source == "random network":
        return _numpy(blind[step, str(middle)])
    return _numpy(seen[step, str(shuffled) if source == "shuffled" else source])


def needs_random(runs: Iterable) -> bool:
    """Whether any run of a probing experiment reads the random network."""
    return any(run.source == "random network" for run in runs)


def share(mask: np.ndarray, patch: int) -> np.ndarray:
    """A pixel mask (H, H) as weights of the tokens (h w,), which sum to 1; all 0 for an empty
    mask."""
    side = mask.shape[0] // patch
    weights = mask.reshape(side, patch, side, patch).mean((1, 3)).flatten()
    return weights / max(weights.sum(), 1e-9)


def probe(tokens: np.ndarray, labels: np.ndarray) -> dict:
    """Which tokens carry a label? Cross-validated; classes weighted to balance.

    Args:
        tokens: (n samples, T, D).
        labels: (n, T) bool.

    Returns:
        `hits`, `positives`, `rejections`, `negatives` of every sample, from the fold that did not
        train on it.
    """
    guesses = np.zeros_like(labels)
    for train, held in _folds(len(labels)):
        known = labels[train].ravel()
        if known.all() or not known.any():
            guesses[held] = known[0]  # nothing to tell apart
            continue
        fitted = _classifier().fit(tokens[train].reshape(-1, tokens.shape[2]), known)
        found = fitted.predict(tokens[held].reshape(-1, tokens.shape[2]))
        guesses[held] = found.reshape(labels[held].shape)
    counts = {
        "hits": guesses & labels,
        "positives": labels,
        "rejections": ~guesses & ~labels,
        "negatives": ~labels,
    }
    return {name: values.sum(1).tolist() for name, values in counts.items()}


def pick(parts: Sequence[np.ndarray], right: Sequence[int]) -> list[int | None]:
    """Which of a sample's parts is the right one? The one that looks most like the right parts of
    other samples.

    Args:
        parts: of each of n samples the features (K_i, D) of its K_i parts.
        right: index of the right part of each, -1 if there is none.

    Returns:
        1 where the right part was picked, 0 where not (a tie is a miss), None where there is none,
        or too few samples.
    """
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    is_right = np.concatenate(
        [np.arange(len(part)) == index for part, index in zip(parts, right, strict=True)]
    )
    known, everything = np.array(right)[owner] >= 0, np.concatenate(parts)
    picked: list[int | None] = [None] * len(parts)
    for train, held in _folds(len(parts)):
        rows = known & np.isin(owner, train)
        if len(set(is_right[rows])) < 2:
            continue
        fitted = _classifier().fit(everything[rows], is_right[rows])
        for i in (i for i in held if right[i] >= 0):
            scores = fitted.decision_function(parts[i])
            picked[i] = int(scores[right[i]] > np.delete(scores, right[i]).max(initial=-np.inf))
    return picked


def tell(values: np.ndarray, labels: Sequence[str]) -> list[int | None]:
    """Which of several classes is it? 1 where the class (n,) is read off the features (n, D), 0
    where not."""
    names = np.array(labels)
    right: list[int | None] = [None] * len(labels)
    for train, held in _folds(len(names)):
        if len(set(names[train])) < 2:
            continue
        guesses = _classifier().fit(values[train], names[train]).predict(values[held])
        for i, guess in zip(held, guesses, strict=True):
            right[i] = int(guess == names[i])
    return right


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


def _numpy(state: Tensor) -> np.ndarray:
    return state.float().cpu().numpy()
