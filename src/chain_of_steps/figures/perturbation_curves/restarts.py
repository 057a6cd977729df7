"""What the steps before one add to its lower noise: restarts, read at the step itself.

The exact posterior loses something by a restart too: what noise has picked among valid answers is
gone. So its loss at the same states is reported next to the run's. And since one pass on the noised
first estimate is what *one refinement* is, the best of these passes is set against the whole run.
"""

import numpy as np
import pandas as pd

from ...measures.intervals import NOTHING, cluster_numbers
from ...measures.one_pass import middle_of_best
from .shares import contrast, excess, share
from .tables import known, of, pairs


def restarts(lines: pd.DataFrame, sigmas: list[float]) -> dict:
    """The losses, as means over all restarted steps, and each reading by step."""
    restarted, renoised = of(lines, "restart"), of(lines, "renoise")
    exact = known(restarted, "exact_valid")
    both = pairs(renoised, restarted, by=("step",))
    return {
        "restart_loss": contrast(restarted, "own", "valid"),
        "exact_restart_loss": contrast(exact, "exact_own", "exact_valid"),
        "restart_loss_minus_exact": excess(exact, ("own", "valid"), ("exact_own", "exact_valid")),
        "renoise_loss": contrast(renoised, "own", "valid"),
        "renoise_minus_restart": contrast(both, "valid", "valid_other"),
        "restart_at": _by_step(lines, sigmas),
    }


def _by_step(lines: pd.DataFrame, sigmas: list[float]) -> dict:
    restarted, renoised = of(lines, "restart"), of(lines, "renoise")
    exact = known(restarted, "exact_valid")
    steps = sorted(int(step) for step in restarted["step"].unique())
    curves = {
        "own": (restarted, "own"),
        "renoised": (renoised, "valid"),
        "restarted": (restarted, "valid"),
        "exact_own": (exact, "exact_own"),
        "exact_restarted": (exact, "exact_valid"),
    }
    return {"step": steps, "sigma": [round(sigmas[s], 4) for s in steps]} | {
        name: [share(group[group["step"] == step], column) for step in steps]
        for name, (group, column) in curves.items()
    }


def one_refinement(lines: pd.DataFrame) -> dict:
    """F and A_S - F: one pass on the noised first estimate, at the step that is best for the other
    half of the samples (cross-fitted; samples of one state are in one half).

    Returns:
        `one_refinement`, `over_one_refinement`, and `refinement_steps`, those of the two halves.
    """
    restarted = of(lines, "restart")
    number = cluster_numbers(restarted["cluster"].tolist(), len(restarted)) if len(restarted) else 0
    half = np.asarray(number >= (np.max(number) + 1) / 2, int)
    if np.max(number) < 1:  # one state: there is no other half
        none = dict(NOTHING)
        return {"one_refinement": none, "over_one_refinement": none, "refinement_steps": []}
    steps = [_best_step(restarted[half != side]) for side in (0, 1)]
    chosen = restarted[restarted["step"] == np.array(steps)[half]]
    return {
        "one_refinement": share(chosen, "valid"),
        "over_one_refinement": contrast(chosen, "clean", "valid"),
        "refinement_steps": steps,
    }


def _best_step(restarted: pd.DataFrame) -> int:
    by_step = restarted.groupby("step")["valid"].mean()
    return int(by_step.index[middle_of_best(by_step.to_numpy(float))])
