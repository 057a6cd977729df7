"""Perception, reasoning, consolidation? Linear probes on hidden states, by layer and step, against
named floors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...bench import tasklist
from ...experiments.base import UNREAD, Experiment
from ...experiments.parameters import checked
from ...measures.linear_probes import FLOORS, features, look, needs_random, probe, shaken
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.first.base import Sample
from ...puzzles.first.reading import own_pixels, to_float

LABELS = {"maze": ("wall", "marked"), "mark_object": ("named", "marked")}
TOUCHED = 0.15  # share of a cell's pixels that a thing must cover


@dataclass(frozen=True)
class ProbeRun:
    """What determines one row, apart from model and schedule: one source, probed along the steps.

    Attributes:
        task, samples, suite_seed, partition: the samples whose tokens are probed; noise seeds are
            their indices.
        label: `wall`, the cell holds a wall; `named`, it holds the thing that the prompt names;
            `marked`, it will be changed in this run's own final answer.
        step_stride: every which step is probed, from step 0.
        source: a layer's number as text, or a floor: `x`, `x0_hat`, `input` (of the first block),
            `shuffled` labels on the last layer, or the middle layer of a `random network`.
    """

    task: str
    samples: int
    suite_seed: int
    label: str
    step_stride: int
    source: str
    partition: str = "test"

    @property
    def base(self) -> tuple:
        """Runs of equal base probe the same generations."""
        return self.task, self.samples, self.suite_seed, self.step_stride, self.partition


class LayerProbes(Experiment[ProbeRun]):
    """The experiment: per-token labels read off the tokens of the last latent frame by logistic
    regression.

    Args:
        model, schedule: what generates.
    """

    name = "4_layer_probes"
    run_type = ProbeRun

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.layers = model.layers

    @checked
    def plan(
        self, tasks: list[str], samples: int, step_stride: int, suite_seed: int
    ) -> list[ProbeRun]:
        """All runs: every label at every layer and floor, at every `step_stride`-th step."""
        sources = [*map(str, range(self.layers)), *FLOORS]
        return [
            ProbeRun(task, samples, suite_seed, label, step_stride, source)
            for task in tasklist.task_names(tasks)
            for label in LABELS[task]
            for source in sources
        ]

    def evaluations(self, runs: list[ProbeRun]) -> int:
        """How many model evaluations `results` makes: with the trained network and, for one floor,
        a random one."""
        return (1 + needs_random(runs)) * runs[0].samples * self.schedule.steps

    def results(
        self, runs: list[ProbeRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[ProbeRun, dict]]:
        """Yields the result of every probe; all share a base.

        Fields: `step` of the probes; by step and sample, read off a probe that never saw the
        sample, `hits` of `positives` and `rejections` of `negatives`; and `right`, whether the
        sample's run ended with the right answer.
        """
        run, steps = runs[0], range(0, self.schedule.steps, runs[0].step_stride)
        samples = [
            tasklist.draw_one(run.task, i, run.suite_seed, run.partition)
            for i in range(run.samples)
        ]
        watch = partial(look, self.model, self.schedule, steps=steps, count=count)
        seen = [watch(sample, i) for i, sample in enumerate(samples)]
        with shaken(self.model):
            blind = (
                [watch(sample, i) for i, sample in enumerate(samples)]
                if needs_random(runs)
                else seen
            )
        finals = [self.model.decode(one["final"])[-1] for one in seen]
        right = [
            sample.answer_index(final) == 0 for sample, final in zip(samples, finals, strict=True)
        ]
        for r in runs:
            labels = np.stack(
                [self._labels(r.label, s, f) for s, f in zip(samples, finals, strict=True)]
            )  # (n, h w)
            if r.source == "shuffled":
                labels = labels[np.random.default_rng(0).permutation(len(labels))]
            counts = []
            for step in steps:
                place = (step, r.source, self.layers // 2, self.layers - 1)
                states = np.stack(
                    [features(one, other, *place) for one, other in zip(seen, blind, strict=True)]
                )
                counts.append(probe(states, labels))
            by_step = {name: [count[name] for count in counts] for name in counts[0]}
            yield r, UNREAD | {"step": list(steps), "right": right} | by_step

    def _labels(self, label: str, sample: Sample, final: np.ndarray) -> np.ndarray:
        """Which cells carry the label, (h w,) bool."""
        given = sample.first_frame(self.model.size)
        if label == "wall":
            return self._cells(given.max(2) < 0.5)
        if label == "named":
            return self._cells(own_pixels(sample, self.model.size, 1.0)[0].mask)
        return self._cells(np.abs(to_float(final) - given).max(2) > 0.25)

    def _cells(self, pixels: np.ndarray) -> np.ndarray:
        patch, count = self.model.patch, self.model.size // self.model.patch
        share = pixels.reshape(count, patch, count, patch).mean((1, 3))
        return share.flatten() > TOUCHED
