"""Pictures of chosen generations, stored next to the rows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...experiments.base import Experiment
from ...experiments.lines import key_of
from ...puzzles.base import Sample
from ...sampling.denoise import generate
from ...sampling.interventions import Intervention, record
from ..showcase import ShownCase, decode_all, kept_clips


def case(
    experiment: Experiment,
    label: str,
    sample: Sample,
    seed: int,
    results: str | Path,
    interventions: Sequence[Intervention] = (),
) -> ShownCase:
    """One generation of a sample with its clean estimates as pictures.

    Args:
        results: folder of the rows, where the pictures are found or put.
    """
    model, schedule = experiment.model, experiment.schedule

    def clips() -> np.ndarray:
        condition = model.prepare_sample(sample)
        return decode_all(
            model, generate(model, condition, schedule, seed, interventions=interventions)
        )

    what = {"showcase": sample.key, "seed": seed}
    what["interventions"] = [record(intervention) for intervention in interventions]
    key = key_of(experiment.header | what)
    return ShownCase(label, sample, kept_clips(results, key, schedule.steps, clips))
