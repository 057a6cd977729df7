"""Perception, reasoning, consolidation? Linear probes on hidden states, by layer and step, against named floors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from .. import suites
from ..denoise import EXPERIMENT_VERSION, generate
from ..models import VideoModel
from ..probes import tokens
from ..schedule import Schedule
from ..sites import capture
from ..suites import FRAMES, SIZE
from ..tasks.base import Sample
from ..tasks.reading import own_pixels, to_float

LABELS = {"maze": ("wall", "marked"), "mark_object": ("named", "marked")}
FLOORS = ("x", "x0_hat", "input", "shuffled", "random network")
FOLDS = 5
TOUCHED = 0.15  # share of a cell's pixels that a thing must cover


@dataclass(frozen=True)
class Run:
    """What determines one row, apart from model and schedule: one probe.

    Attributes:
        task, samples, suite_seed, partition: the samples whose tokens are probed; noise seeds are their indices.
        label: `wall`, the cell holds a wall; `named`, it holds the thing that the prompt names; `marked`, it will be
            changed in this run's own final answer.
        step: index s.
        source: a layer's number as text, or a floor: `x`, `x0_hat`, `input` (of the first block), `shuffled` labels on
            the last layer, or the middle layer of a `random network`.
    """

    task: str
    samples: int
    suite_seed: int
    label: str
    step: int
    source: str
    partition: str = "test"
    frames: int = FRAMES

    @property
    def base(self) -> tuple:
        """Runs of equal base look at the same generations."""
        return self.task, self.samples, self.suite_seed, self.partition, self.frames


class LayerProbes:
    """The experiment: per-token labels read off the tokens of the last latent frame by logistic regression.

    Args:
        model, schedule: what generates.
    """

    name = "4_layer_probes"

    def __init__(self, model: VideoModel, schedule: Schedule):
        self.model, self.schedule = model, schedule
        self.layers = len(model.transformers[0].blocks)
        self._common = {
            "experiment": self.name,
            "version": EXPERIMENT_VERSION,
            "model": model.fingerprint,
            "schedule": schedule.record(),
        }

    def plan(self, tasks: list[str], samples: int, step_stride: int, suite_seed: int) -> list[Run]:
        """All runs: every label at every layer and floor, at every `step_stride`-th step."""
        sources = [*map(str, range(self.layers)), *FLOORS]
        return [
            Run(task, samples, suite_seed, label, step, source)
            for task in suites.task_names(tasks)
            for label in LABELS[task]
            for step in range(0, self.schedule.steps, step_stride)
            for source in sources
        ]

    def identity(self, run: Run) -> dict:
        """Everything that determines a row, as plain JSON data."""
        return self._common | asdict(run)

    def evaluations(self, runs: list[Run]) -> int:
        """How many model evaluations `results` makes: with the trained network and with a random one."""
        return 2 * runs[0].samples * self.schedule.steps

    def results(self, runs: list[Run], count: Callable[[], None] | None = None) -> Iterator[tuple[Run, dict]]:
        """Yields the result of every probe; all share a base.

        Fields, lists over samples, read off a probe that never saw the sample: `hits` of `positives` and
        `rejections` of `negatives`; and `right`, whether the sample's run ended with the right answer.
        """
        run, steps = runs[0], sorted({r.step for r in runs})
        samples = [suites.draw_one(run.task, i, run.suite_seed, run.partition) for i in range(run.samples)]
        seen = [self._look(sample, i, run.frames, steps, count) for i, sample in enumerate(samples)]
        with shaken(self.model):
            blind = [self._look(sample, i, run.frames, steps, count) for i, sample in enumerate(samples)]
        finals = [self.model.decode(one["final"])[-1] for one in seen]
        right = [sample.answer_index(final) == 0 for sample, final in zip(samples, finals, strict=True)]
        for r in runs:
            labels = np.stack([self._labels(r.label, s, f) for s, f in zip(samples, finals, strict=True)])  # (n, h w)
            features = np.stack([self._features(r, one, other) for one, other in zip(seen, blind, strict=True)])
            if r.source == "shuffled":
                labels = labels[np.random.default_rng(0).permutation(len(labels))]
            yield r, probe(features, labels) | {"right": right}

    def measure(self, identity: dict) -> dict:
        """Computes one row by itself."""
        run = Run(**{name: identity[name] for name in Run.__dataclass_fields__})
        return next(result for _, result in self.results([run]))

    def _look(self, sample: Sample, seed: int, frames: int, steps: list[int], count: Callable | None) -> dict:
        """Tokens (h w, D) of the last latent frame by (step, source), and the final latents."""
        condition = self.model.prepare_sample(sample, frames=frames)
        cells = (SIZE // self.model.patch) ** 2
        last = torch.arange(condition.shape[2] * cells) >= (condition.shape[2] - 1) * cells
        watch = (lambda *_: count()) if count else None
        with capture(self.model, lambda site: site.step in steps and site.guided, tokens=last) as states:
            clean = generate(self.model, condition, self.schedule, seed, watch=watch)
        found: dict = {"final": clean.latents[-1]}
        for site, state in states.items():
            found[site.step, "input" if site.layer < 0 else str(site.layer)] = state
        for step in steps:
            found[step, "x"], found[step, "x0_hat"] = (
                tokens(values[step])[last] for values in (clean.latents, clean.x0_hats)
            )
        return found

    def _features(self, run: Run, seen: dict, blind: dict) -> np.ndarray:
        if run.source == "random network":
            return _numpy(blind[run.step, str(self.layers // 2)])
        return _numpy(seen[run.step, str(self.layers - 1) if run.source == "shuffled" else run.source])

    def _labels(self, label: str, sample: Sample, final: np.ndarray) -> np.ndarray:
        """Which cells carry the label, (h w,) bool."""
        given = sample.first_frame()
        if label == "wall":
            return self._cells(given.max(2) < 0.5)
        if label == "named":
            return self._cells(own_pixels(sample, SIZE, 1.0)[0].mask)
        return self._cells(np.abs(to_float(final) - given).max(2) > 0.25)

    def _cells(self, pixels: np.ndarray) -> np.ndarray:
        side = self.model.patch
        share = pixels.reshape(SIZE // side, side, SIZE // side, side).mean((1, 3))
        return share.flatten() > TOUCHED


def probe(features: np.ndarray, labels: np.ndarray) -> dict:
    """Cross-validated logistic regression; folds split by sample.

    Args:
        features: (n samples, T tokens, D).
        labels: (n, T) bool.

    Returns:
        `hits`, `positives`, `rejections`, `negatives` of every sample, from the fold that did not train on it.
    """
    guesses = np.zeros_like(labels)
    for fold in range(FOLDS):
        held = np.arange(len(labels)) % FOLDS == fold
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=300))
        classifier.fit(features[~held].reshape(-1, features.shape[2]), labels[~held].ravel())
        guesses[held] = classifier.predict(features[held].reshape(-1, features.shape[2])).reshape(labels[held].shape)
    counts = {
        "hits": guesses & labels,
        "positives": labels,
        "rejections": ~guesses & ~labels,
        "negatives": ~labels,
    }
    return {name: values.sum(1).tolist() for name, values in counts.items()}


@contextmanager
@torch.no_grad()
def shaken(model: VideoModel, seed: int = 0) -> Iterator[None]:
    """Gives the transformer random weights of the same sizes for a while: the floor that its shape alone gives."""
    transformer, generator = model.transformers[0], torch.Generator("cpu").manual_seed(seed)
    kept = {name: p.detach().clone() for name, p in transformer.named_parameters()}
    for parameter in transformer.parameters():
        noise = torch.randn(parameter.shape, generator=generator).to(parameter)
        parameter.copy_(parameter.mean() + parameter.std(unbiased=False) * noise)
    try:
        yield
    finally:
        for name, parameter in transformer.named_parameters():
            parameter.copy_(kept[name])


def _numpy(state: Tensor) -> np.ndarray:
    return state.float().cpu().numpy()
