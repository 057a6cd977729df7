"""Working memory: is the start state readable from the tokens of a frame that does not show it?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...bench import tasklist
from ...experiments.base import UNREAD, Experiment
from ...experiments.parameters import checked
from ...measures.linear_probes import (
    FLOORS,
    features,
    look,
    needs_random,
    pick,
    shaken,
    share,
    tell,
)
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.first.base import Sample
from .memory import places, with_hidden


@dataclass(frozen=True)
class MemoryProbeRun:
    """What determines one row, apart from model and schedule: one source, probed along the steps.

    Attributes:
        task, samples, suite_seed, partition: the first samples of the list that hide their start
            state; noise seeds are their indices.
        step_stride: every which step is probed, from step 0.
        source: a layer's number as text, or a floor, see `linear_probes`.
    """

    task: str
    samples: int
    suite_seed: int
    step_stride: int
    source: str
    partition: str = "test"

    @property
    def base(self) -> tuple:
        """Runs of equal base probe the same generations."""
        return self.task, self.samples, self.suite_seed, self.step_stride, self.partition


class MemoryProbes(Experiment[MemoryProbeRun]):
    """The experiment: the start state of a sample, read off the tokens of one latent frame in
    which it is hidden.

    Out and back: which of the candidates' rows is home? One reader serves all rows. Occlusion:
    which of six colours has the thing? Read off the place where it is hidden. Both mean tokens
    over a place, so a few dozen samples do.

    Args:
        model, schedule: what generates.
    """

    name = "3_memory_probes"
    run_type = MemoryProbeRun

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.layers = model.layers

    @checked
    def plan(
        self, tasks: list[str], samples: int, step_stride: int, suite_seed: int
    ) -> list[MemoryProbeRun]:
        """All runs: every layer and floor, at every `step_stride`-th step."""
        return [
            MemoryProbeRun(task, samples, suite_seed, step_stride, source)
            for task in tasklist.task_names(tasks)
            for source in [*map(str, range(self.layers)), *FLOORS]
        ]

    def evaluations(self, runs: list[MemoryProbeRun]) -> int:
        """How many model evaluations `results` makes: with the trained network and, for one floor,
        a random one."""
        return (1 + needs_random(runs)) * runs[0].samples * self.schedule.steps

    def results(
        self, runs: list[MemoryProbeRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[MemoryProbeRun, dict]]:
        """Yields the result of every probe; all share a base.

        Fields: `index` of the samples, `step` of the probes, and `read`, by step and sample: 1
        where the start state was read off correctly by a probe that never saw the sample, 0 where
        not, None where there were too few.
        """
        run, steps = runs[0], range(0, self.schedule.steps, runs[0].step_stride)
        model = self.model
        chosen = with_hidden(
            run.task, run.samples, run.suite_seed, run.partition, model.frames, model.stride
        )
        samples = [sample for _, sample, _ in chosen]

        def watch(index: int, sample: Sample, hidden: tuple[int, ...]) -> dict:
            frame = hidden[len(hidden) // 2]
            return look(model, self.schedule, sample, index, steps, frame, count=count)

        seen = [watch(*one) for one in chosen]
        with shaken(model):
            blind = [watch(*one) for one in chosen] if needs_random(runs) else seen
        weights = [
            np.stack([share(mask, model.patch) for mask in places(s, model.size)]) for s in samples
        ]  # (K, h w) each
        for r in runs:
            hits = []
            for step in steps:
                place = (step, r.source, self.layers // 2, self.layers - 1)
                states = [
                    features(one, other, *place) for one, other in zip(seen, blind, strict=True)
                ]
                parts = [w @ state for w, state in zip(weights, states, strict=True)]  # (K, D) each
                hits.append(read(samples, parts, r.source == "shuffled"))
            probed = {"index": [index for index, *_ in chosen], "step": list(steps)}
            yield r, UNREAD | probed | {"read": hits}


def read(samples: list[Sample], parts: list[np.ndarray], shuffled: bool) -> list[int | None]:
    """Whether the start state of each sample is read off its places' features, (K, D) each.

    Args:
        shuffled: train the readers on shuffled labels: the floor of chance.
    """
    rng = np.random.default_rng(0)
    if samples[0].module == "occlusion":
        labels = [sample.state["thing"][0] for sample in samples]
        return tell(np.concatenate(parts), rng.permutation(labels) if shuffled else labels)
    return pick(parts, [int(rng.integers(len(part))) if shuffled else 0 for part in parts])
