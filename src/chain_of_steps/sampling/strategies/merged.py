"""Merges over the first steps, and what goes on after them."""

from dataclasses import replace

import numpy as np

from ..agreement import SAME, disagreements, majority
from ..denoise import step_towards
from ..interventions import Merge, MergeEstimates, MergeLatents, MergeLayers
from ..interventions.merge import mean
from ..rollouts import Rollouts
from .base import Kind, Outcome, Strategy


class MergeFirst(Kind):
    """Merges over the first steps, then generation 0 goes on alone."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        return _outcome(rollouts, how, followed=1)

    def nfe(self, how: Strategy, steps: int) -> int:
        return _merged_steps(how) + steps - how.steps


class MergeAll(Kind):
    """Merges over the first steps, then all go on; each counts."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        return _outcome(rollouts, how, followed=how.k)

    def nfe(self, how: Strategy, steps: int) -> int:
        return _merged_steps(how) + how.k * (steps - how.steps)


class MergeVote(Kind):
    """Merges over the first steps, then all go on and vote."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        outcome = MergeAll().run(rollouts, how)
        return Outcome([outcome.finals[majority(outcome.finals)]], outcome.early, how.steps)

    def nfe(self, how: Strategy, steps: int) -> int:
        return _merged_steps(how) + how.k * (steps - how.steps)


class MergeUntilAgreed(Kind):
    """Merges clean estimates until the generations' own agree, for `steps` steps at most; then
    generation 0 goes on alone, at the cost of one."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        states, agreed = [rollouts.at(member, 0) for member in how.members], False
        while states[0].step < how.steps and not agreed:
            own = [rollouts.estimate(state) for state in states]
            for member, state in zip(how.members, states, strict=True):
                condition = rollouts.condition_of(member)
                step_towards(rollouts.model, condition, state, mean(own))
            agreed = float(disagreements(own).max()) < SAME
        early, shared = states[0].x0_hat, states[0].step
        return Outcome([rollouts.finish(states[0])], early, shared)

    def nfe(self, how: Strategy, steps: int) -> int:
        return how.k * how.steps + steps - how.steps


class RandomLayers(Kind):
    """A merge in as many layers, drawn at random."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        blocks = rollouts.model.layers
        drawn = np.random.default_rng([rollouts.seed, 9]).choice(
            blocks, len(how.layers), replace=False
        )
        return MergeFirst().run(rollouts, replace(how, layers=tuple(sorted(map(int, drawn)))))

    def nfe(self, how: Strategy, steps: int) -> int:
        return _merged_steps(how) + steps - how.steps


def merge_of(how: Strategy) -> Merge:
    """The merge that a strategy names."""
    steps = tuple(range(how.steps))
    if how.merge in ("latents", "rescaled"):
        return MergeLatents((how.steps - 1,), how.merge == "rescaled")
    if how.layers:
        return MergeLayers(how.layers, steps, how.merge, how.amount)
    return MergeEstimates(steps, how.merge)


def _merged_steps(how: Strategy) -> int:
    """Evaluations of the first steps, some of which are merged."""
    kind = merge_of(how)
    return sum(kind.evaluations(how.k) if s in kind.steps else how.k for s in range(how.steps))


def _outcome(rollouts: Rollouts, how: Strategy, followed: int) -> Outcome:
    """All members merged over the first steps; so many of them go on and count."""
    runs = rollouts.merged(how.members, merge_of(how), followed)
    early = runs[0].x0_hats[how.steps - 1] if how.steps else None
    return Outcome([run.latents[-1] for run in runs], early, how.steps)
