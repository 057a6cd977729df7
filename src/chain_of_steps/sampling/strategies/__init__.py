"""Strategies: how k generations of one sample are turned into an answer.

They are *blind*: they use latents, how far these agree, and what the model estimates from them, not
the puzzle's rules.

To add one: a `Kind`, whose `run` gives an outcome and whose `rests_on` and `nfe` say what that
costs; its name in `STRATEGIES`; and a row in one of the groups of `variants`, which puts it into
the ensemble table. Its runs are then planned, counted and compared like all others.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..rollouts import Rollouts
from . import best_of_n, branch, choose, hypotheses, merged
from .base import Choice, Kind, Member, Outcome, Strategy

STRATEGIES: dict[str, Kind] = {
    "single": choose.Single(),
    "vote": choose.Vote(),
    "best_agreed": choose.BestAgreed(),
    "early_plan": choose.EarlyPlan(),
    "early_steady": choose.EarlySteady(),
    "merge": merged.MergeFirst(),
    "merge_all": merged.MergeAll(),
    "merge_vote": merged.MergeVote(),
    "merge_until_agreed": merged.MergeUntilAgreed(),
    "random_layers": merged.RandomLayers(),
    "branch_late": branch.BranchLate(),
    "nearest": best_of_n.Nearest(),
    "recognised": best_of_n.Recognised(),
    "noisy_mean": hypotheses.NoisyMean(),
    "linger": hypotheses.Linger(),
    "vote_midway": hypotheses.VoteMidway(),
}

__all__ = [
    "STRATEGIES",
    "Choice",
    "Kind",
    "Member",
    "Outcome",
    "Strategy",
    "evaluations",
    "nfe",
    "run",
]


def run(how: Strategy, rollouts: Rollouts) -> Outcome:
    """The outcome of a strategy on rollouts; its cost is what it costs alone, even where it shares
    evaluations with other strategies.

    Raises:
        ValueError: if there is no strategy of that name.
    """
    kind = _kind(how)
    rollouts.used, rollouts.spent = set(), 0
    with torch.inference_mode():
        outcome = kind.run(rollouts, how)
    runs = how.k if how.name == "single" else 1  # the mean over k single runs is worth one run
    return replace(outcome, cost=(len(rollouts.used) + rollouts.spent) / runs)


def nfe(how: Strategy, steps: int) -> int:
    """How many evaluations a strategy makes at most beyond clean generations; see `Kind.nfe`."""
    return _kind(how).nfe(how, steps)


def evaluations(strategies: Sequence[Strategy], steps: int) -> int:
    """How many evaluations strategies make at most on the same rollouts: each clean generation that
    one of them rests on once, and everything else.

    Args:
        steps: of the schedule.
    """
    clean: dict[int, int] = {}  # how many clean generations, by their number of steps
    for how in strategies:
        count, of = _kind(how).rests_on(how, steps)
        clean[of] = max(clean.get(of, 0), count)
    shared = sum(of * count for of, count in clean.items())
    return shared + sum(nfe(how, steps) for how in strategies)


def _kind(how: Strategy) -> Kind:
    if how.name not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise ValueError(f"unknown strategy {how.name!r}; expected one of {known}")
    return STRATEGIES[how.name]
