"""What a batch of generations shows, and its one-pass controls, as rows hold them: truth values of
n runs are a text of n characters."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...common.hashing import digest
from ...measures.batches import SampleBatch
from ...measures.one_pass import (
    COARSE,
    GRID,
    MOST_PASSES,
    Runs,
    at_level,
    at_levels,
    best_level,
    best_levels,
)
from ...measures.phases import has_room
from ...measures.traces import flags
from ...puzzles.base import Sample, assignment
from ...sampling.denoise import Trajectory

GRIDS = {"B": GRID, "F": GRID, "T": COARSE}
CONTROLS = {"B": "blank", "F": "first", "T": "truth"}  # what one pass starts from


def reading(batch: SampleBatch, trajectory: Trajectory, with_posterior: bool) -> dict:
    """What a batch of n generations shows.

    Returns:
        `sigmas`; `valid_at`, a text of n characters for each step; `exact_at`, the same of the
        exact posterior's mean at the same states (None if it is unknown); `violations` of each
        run at step 0 and at the end; `clusters`, `seen`, `stratum` and `chance` of the samples.
    """
    more = any(sample.solutions.more for sample in batch.samples)
    known = with_posterior and not more
    exact = [flags(step) for step in batch.exact_along(trajectory)] if known else None
    first = batch.samples[0]
    return {
        "sigmas": trajectory.sigmas,
        "valid_at": [flags(step) for step in batch.along(trajectory)],
        "exact_at": exact,
        "violations": {
            "first": violations(batch, trajectory.x0_hats[0]),
            "last": violations(batch, trajectory.x0_hats[-1]),
        },
        "clusters": [digest(sample.canonical)[:8] for sample in batch.samples],
        "seen": flags([sample.seen for sample in batch.samples]),
        "stratum": {"rounds": first.stratum.rounds, "log2": first.stratum.log2},
        "chance": float(np.mean([chance(sample) for sample in batch.samples])),
    }


def chance(sample: Sample) -> float:
    """The probability that an answer of random values is valid."""
    parts = len(sample.parts[0].values) ** len(sample.parts)
    return len(sample.solutions) / parts


def violations(batch: SampleBatch, latents: Tensor) -> list[int]:
    """How many constraints each decided answer violates."""
    pairs = zip(batch.samples, batch.decided(latents), strict=True)
    return [int(sample.violations(assignment(answer))) for sample, answer in pairs]


@dataclass(frozen=True)
class Levels:
    """The noise levels of the controls, chosen on validation samples; and how many answers are
    valid there."""

    one: dict[str, float]
    iterated: list[float]
    at_step_0: int


def choose(runs: Runs, few: Runs) -> Levels:
    """The noise levels that are best on validation runs; those of more than one pass on `few` of
    them, since their search takes many passes. Where there is no room, only one more pass than step
    0 is tried: steps have nothing to add there."""
    valid = runs.valid(runs.first)
    one = {name: best_level(runs, z, GRIDS[name]) for name, z in CONTROLS.items()}
    later = best_levels(few, COARSE, MOST_PASSES)[1:] if has_room(valid) else []
    return Levels(one, [one["F"], *later], int(valid.sum()))


def controls(runs: Runs, levels: Levels) -> dict:
    """The one-pass controls of a batch, each as a text of n characters: B, F and T under their
    letters, I_1, I_2, ... under `I`; with their `levels`, and how many validation samples are
    valid at step 0."""
    one = {name: at_level(runs, z, levels.one[name]) for name, z in CONTROLS.items()}
    return {
        **{name: flags(control.valid) for name, control in one.items()},
        "I": [flags(control.valid) for control in at_levels(runs, levels.iterated)],
        "levels": levels.one | {"I": [1.0, *levels.iterated]},
        "valid_on_validation": levels.at_step_0,
    }
