"""Does a model give all valid answers? Entropy of its decided answers over seeds."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..measures.intervals import clustered
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles import reading, suite
from ..puzzles.base import Answer, Sample
from ..puzzles.splits import Split
from ..sampling.denoise import generate

SEEDS = 32


def diversity(
    model: VideoModel,
    schedule: Schedule,
    tasks: Sequence[str],
    samples_per_task: int,
    seed: int,
    split: Split = "test",
    seeds: int = SEEDS,
    progress: Callable[[list], Iterable] = iter,
) -> dict[str, dict[str, Any]]:
    """How evenly the valid answers of a sample come up over `seeds` seeds, by task.

    Returns:
        Of each task {mean, low, high, n, clusters}: the entropy of the valid answers that were
        decided, as a share of the largest possible, over the samples with several valid answers.
        One that was never solved counts 0.
    """
    several = {
        task: [
            sample
            for sample in (suite.draw_one(task, i, seed, split) for i in range(samples_per_task))
            if len(sample.solutions) > 1
        ]
        for task in tasks
    }
    entropy = {
        sample: relative_entropy(sample, _answers(model, schedule, sample, seeds))
        for sample in progress([sample for samples in several.values() for sample in samples])
    }
    return {
        task: clustered(
            [entropy[sample] for sample in samples], [str(sample.canonical) for sample in samples]
        )
        for task, samples in several.items()
    }


def _answers(model: VideoModel, schedule: Schedule, sample: Sample, seeds: int) -> list[Answer]:
    """The decided answer of each seed."""
    condition = model.prepare_sample(sample)
    runs = (generate(model, condition, schedule, 10_000 + k) for k in range(seeds))
    return [reading.decided(sample, model.decode(run.x0_hats[-1])[-1]) for run in runs]


def relative_entropy(sample: Sample, answers: Sequence[Answer]) -> float:
    """Entropy of the valid ones among these answers, as a share of the largest that so many of
    them could have: 0 if one answer always comes up, 1 if all come up equally often."""
    counts = Counter(answer for answer in answers if sample.is_valid(answer))
    total, kinds = counts.total(), min(len(sample.solutions), len(answers))
    if not total or kinds < 2:
        return 0.0
    shares = np.array(list(counts.values())) / total
    return float(-(shares * np.log(shares)).sum() / np.log(kinds))
