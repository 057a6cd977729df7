"""Perception before action: from which step on can it be read which things fit the prompt, and
from which, which of them will be marked?

Several things fit "mark a red one", and one of them is marked in this run: the two labels differ.
Where only one thing fits they are the same pixels, so the two onsets cannot differ; that is the
control.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...bench import samples
from ...experiments.base import UNREAD, Experiment
from ...experiments.parameters import checked
from ...measures import linear_probes as probes
from ...measures import traces
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.base import Sample
from ...puzzles.splits import Split
from ...sampling.denoise import Trajectory, advance, generate
from ...sampling.sites import Captured
from ...sampling.state import begin
from ..names import broken
from ..showcase import ShownCase
from .pictures import case

QUESTIONS = ("perception", "action")
BELIEF, RANDOM, SHUFFLED = "belief", "random network", "shuffled"
UNLEARNED = ("input", SHUFFLED, RANDOM)  # know nothing of the network's work at step 0
FLOORS = ("x0_hat", *UNLEARNED)
SOURCES = (*FLOORS, BELIEF)
Count = Callable[[], None] | None


@dataclass(frozen=True)
class OnsetRun:
    """What determines one row, apart from model and schedule: one question, asked of one source.

    Attributes:
        cell, samples, suite_seed, split: the first samples of a list; noise seeds are their
            indices.
        every_until, step_stride: which steps are read: all up to the first of these, then every
            which one, and the last one.
        question: `perception`, which things fit the prompt; `action`, which one will be marked.
        source: the number of a block as text, a floor, or `belief`: the ring's opacity in the clean
            estimate, which needs no probe.
    """

    cell: str
    samples: int
    suite_seed: int
    every_until: int
    step_stride: int
    question: str
    source: str
    split: Split = "test"

    @property
    def base(self) -> "OnsetRun":
        """Runs of equal base read the same generations."""
        return replace(self, question="", source="")


@dataclass(frozen=True)
class Look:
    """What is seen of one generation: features (K, D) of its K things, by step and source; and
    which thing is marked in the end, -1 for none."""

    features: dict[tuple[int, str], np.ndarray]
    marked: int


class Onsets(Experiment[OnsetRun]):
    """The experiment. A row has `concordance` (steps x samples): how often a thing for which the
    answer is yes gets a higher score than one for which it is no, within a sample; .5 by chance.
    None where a run ends without marking a thing that fits: there is no action to foresee.

    Scores come from a linear probe that has not seen the sample, on the mean of a thing's tokens in
    the last latent frame. The random network is given the states of the trained one.
    """

    name = "3_onsets"
    run_type = OnsetRun
    showcases = ("showcase",)

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.middle = model.layers // 2  # fixed beforehand

    @checked
    def plan(
        self,
        cells: list[str],
        samples_per_cell: int,
        every_until: int,
        step_stride: int,
        suite_seed: int,
        split: Split = "test",
    ) -> list[OnsetRun]:
        """All runs: both questions, asked of the middle block and of all other sources.

        Raises:
            ValueError: for cells of another task than `mark`.
        """
        if strange := [cell for cell in samples.cells(cells) if samples.task_of(cell) != "mark"]:
            raise ValueError(f"onsets are measured on cells of mark; {strange[0]!r} is none")
        read = suite_seed, every_until, step_stride
        return [
            OnsetRun(cell, samples_per_cell, *read, question, source, split)
            for cell in cells
            for question in QUESTIONS
            for source in (str(self.middle), *SOURCES)
        ]

    def steps(self, run: OnsetRun) -> list[int]:
        """The steps that are read."""
        last = self.schedule.steps - 1
        chosen = {*range(run.every_until + 1), *range(0, last, run.step_stride), last}
        return sorted(step for step in chosen if step <= last)

    def evaluations(self, runs: list[OnsetRun]) -> int:
        """See `Experiment`."""
        blind = len(self.steps(runs[0])) if probes.needs_random(runs) else 0
        return runs[0].samples * (self.schedule.steps + blind)

    def results(self, runs: list[OnsetRun], count: Count = None) -> Iterator[tuple[OnsetRun, dict]]:
        """See `Experiment`."""
        run, steps = runs[0], self.steps(runs[0])
        drawn = samples.draw(run.cell, run.samples, run.suite_seed, run.split)
        blind = probes.needs_random(runs)
        looks = [self.look(s, i, steps, blind, count) for i, s in enumerate(drawn)]
        facts = {"step": steps, "cluster": [traces.facts(sample)["cluster"] for sample in drawn]}
        for run in runs:
            labels = [
                labels_of(s, o.marked, run.question) for s, o in zip(drawn, looks, strict=True)
            ]
            rows = [self._concordances(run, step, looks, labels) for step in steps]
            yield run, UNREAD | facts | {"concordance": rows}

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """Pictures of the first sample of each cell."""
        first = {row["run"]["cell"]: self.run_of(row["run"]) for row in rows}
        return [
            case(
                self,
                broken(cell),
                samples.draw_one(cell, 0, run.suite_seed, run.split),
                0,
                results,
            )
            for cell, run in first.items()
        ]

    def _concordances(
        self, run: OnsetRun, step: int, looks: list[Look], labels: list[np.ndarray]
    ) -> list[float | None]:
        """Of each sample at one step."""
        if run.source == BELIEF:
            scores = [look.features[step, BELIEF][:, 0] for look in looks]
        else:
            if run.source == SHUFFLED:
                labels = shuffled(labels)
            source = str(self.middle) if run.source == SHUFFLED else run.source
            scores = probes.held_out_scores([look.features[step, source] for look in looks], labels)
        found = [concordance(*pair) for pair in zip(scores, labels, strict=True)]
        return [None if np.isnan(value) else value for value in found]

    @torch.inference_mode()
    def look(self, sample: Sample, seed: int, steps: list[int], blind: bool, count: Count) -> Look:
        """Generates once and keeps what is read of it.

        Args:
            blind: whether the random network looks at its states too.
        """
        condition, watch = (
            self.model.prepare_sample(sample),
            (lambda *_: count()) if count else None,
        )
        tokens = self._last_frame(condition.shape[2])
        seen = Captured(lambda site: self._wanted(site, steps), tokens)
        clean = generate(self.model, condition, self.schedule, seed, watch=watch, visit=seen)
        places = thing_places(sample, self.model.size, self.model.patch)
        features = {
            (site.step, _source(site.layer)): places @ _numpy(h) for site, h in seen.items()
        }
        patch = self.model.transformers[0].config.patch_size
        for step in steps:
            x0_hat = clean.x0_hats[step]
            belief = self.model.beliefs(sample, x0_hat)[0, : len(places)]
            features[step, BELIEF] = np.nan_to_num(belief)[:, None]
            features[step, "x0_hat"] = places @ _numpy(probes.cells_of(x0_hat, patch)[tokens])
            if blind:
                state = self._untrained(condition, clean, step, tokens)
                features[step, RANDOM] = places @ _numpy(state)
                if count:
                    count()
        answer = traces.outcome(self.model, sample, clean.latents[-1])["answer"]
        return Look(features, _marked(sample, answer))

    def _wanted(self, site, steps: list[int]) -> bool:
        return site.step in steps and site.guided and site.layer in (-1, self.middle)

    def _last_frame(self, frames: int) -> Tensor:
        """(N,) bool, the tokens of the last latent frame."""
        cells = (self.model.size // self.model.patch) ** 2
        return torch.arange(frames * cells) >= (frames - 1) * cells

    def _untrained(self, condition, clean: Trajectory, step: int, tokens: Tensor) -> Tensor:
        """The middle block's tokens of a network with random weights, at a state of a run."""
        start = begin(self.model, condition, self.schedule, seed=0)
        state = replace(start, step=step, latents=clean.latents[step])
        seen = Captured(lambda site: self._wanted(site, [step]) and site.layer >= 0, tokens)
        with probes.shaken(self.model):
            advance(self.model, condition, self.schedule, state, visit=seen)
        return next(iter(seen.values()))


def thing_places(sample: Sample, size: int, patch: int) -> np.ndarray:
    """Weights (K, h w) of the tokens at each of the K things, which sum to 1: within a cell of its
    centre, where its ring would be."""
    at = (np.arange(size) + 0.5) * sample.puzzle.cells / size
    masks = [
        (np.abs(at - y) < 1.0)[:, None] & (np.abs(at - x) < 1.0)[None]
        for *_, x, y in sample.state["things"]
    ]
    return np.stack([probes.share(mask, patch) for mask in masks])


def labels_of(sample: Sample, marked: int, question: str) -> np.ndarray:
    """(K,) float: 1 or 0 for each thing that the question is about, NaN for others.

    `perception`: all things, and whether each fits the prompt. `action`: those that fit (all, if
    only one does), and which one is marked in the end. All NaN for a run that marks none that fits.
    """
    fits = np.zeros(len(sample.state["things"]), bool)
    fits[[answer[0] for answer in sample.solutions.answers]] = True
    if marked < 0 or not fits[marked]:
        return np.full(len(fits), np.nan)
    if question == "perception":
        return fits.astype(float)
    about = fits if fits.sum() > 1 else np.ones_like(fits)
    return np.where(about, np.arange(len(fits)) == marked, np.nan)


def shuffled(labels: list[np.ndarray]) -> list[np.ndarray]:
    """Labels in random order among the things of a sample that have one."""
    rng, found = np.random.default_rng(0), []
    for own in labels:
        known, new = ~np.isnan(own), own.copy()
        new[known] = rng.permutation(own[known])
        found.append(new)
    return found


def concordance(scores: np.ndarray, labels: np.ndarray) -> float:
    """The share of pairs of a yes and a no in which the yes has the higher score; ties count half
    (the area under the ROC curve). NaN if there is no such pair, or no score."""
    yes, no = scores[labels == 1], scores[labels == 0]
    difference = np.sign(yes[:, None] - no[None])
    return float((difference.mean() + 1) / 2) if difference.size else float("nan")


def _marked(sample: Sample, answer: str) -> int:
    """The index of the thing that an answer marks; -1 for none, or the empty place."""
    (value,) = traces.decoded([answer])[0]
    return int(value) if value < len(sample.state["things"]) else -1


def _source(layer: int) -> str:
    return "input" if layer < 0 else str(layer)


def _numpy(state: Tensor) -> np.ndarray:
    return state.float().cpu().numpy()
