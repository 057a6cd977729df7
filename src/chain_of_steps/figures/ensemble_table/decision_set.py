"""The decision set: samples that leave something to decide."""

import itertools

from ...bench import tasklist
from ...puzzles.first.base import Sample

LONG = 12  # a maze whose solution has so many steps counts as hard; threshold of arXiv 2603.30043


def is_hard(sample: Sample) -> bool:
    """Whether a sample belongs to the decision set: out of domain, or a maze whose solution has 12
    steps or more."""
    if tasklist.find(sample.task).split == "out-of-domain":
        return True
    return sample.module == "maze" and len(sample.valid[0].answer) - 1 >= LONG


def hard(task: str, start: int, count: int, suite_seed: int) -> list[int]:
    """The first `count` samples of the decision set from index `start` on."""
    hard = (i for i in itertools.count(start) if is_hard(tasklist.draw_one(task, i, suite_seed)))
    return list(itertools.islice(hard, count))
