"""Pictures of one merged run: what each seed shows at an early step, their merge, and the ends."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from ...experiments.lines import key_of
from ...sampling.arms import Merged
from ...sampling.rollouts import Member, Rollouts
from ..showcase import ShownCase, decode_all, kept_clips


@dataclass(frozen=True)
class MergedRun:
    """Seeds alone, one after the other, then merged.

    Attributes:
        steps: whose clean estimates are shown; the first is that of step 0, the last the end.
        cases: the clips (len(steps), P, H, W, 3) of each.
    """

    steps: list[int]
    cases: list[ShownCase]

    @classmethod
    def of(cls, rollouts: Rollouts, arm: Merged, identity: dict, results: str) -> Self:
        """The pictures of a merge, read from the folder `results` or made and kept there."""
        last = rollouts.schedule.steps - 1
        steps = sorted({0, arm.steps // 4, arm.steps // 2, arm.steps - 1, last})
        cases = []
        names = [*(f"seed {j} alone" for j in range(arm.k)), "merged"]
        for number, name in enumerate(names):
            key = key_of(identity | {"showcase": number})

            def make(number: int = number) -> np.ndarray:
                return _clips(rollouts, arm, number)[steps]

            clips = kept_clips(results, key, len(steps), make)
            cases.append(ShownCase(name, rollouts.sample, clips))
        return cls(steps, cases)


@torch.inference_mode()
def _clips(rollouts: Rollouts, arm: Merged, number: int) -> np.ndarray:
    """Decoded clean estimates (S, P, H, W, 3) of a seed; number k is the merge."""
    if number == arm.k:
        return decode_all(rollouts.model, arm.trajectory(rollouts))
    states = [rollouts.at(Member(number), s + 1) for s in range(rollouts.schedule.steps)]
    return np.stack([rollouts.model.decode(state.x0_hat) for state in states])
