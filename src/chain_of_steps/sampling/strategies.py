"""Strategies: what can be made of k generations of one sample, none of them with a look at the task's rules.

They are *blind*: they see latents, how far these agree, and what the model says of them. Selection by a checker is no
strategy but a readout, see `readouts.ensemble`. Short runs are in `short_runs`; what only explains why merging helps is
in `accounts`.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from . import best_of_n as short_runs
from . import hypotheses as accounts
from .agreement import SAME, disagreement, disagreements, majority, medoid
from .denoise import State
from .interventions import Merge, MergeEstimates, MergeLatents, MergeLayers
from .interventions.merge import mean
from .lockstep import take
from .rollouts import Member, Outcome, Pool, Strategy


def run(strategy: Strategy, pool: Pool) -> Outcome:
    """What a strategy makes of a pool; its cost is what it would cost alone, shared or not.

    Raises:
        ValueError: if there is no strategy of that name.
    """
    if strategy.name not in STRATEGIES:
        raise ValueError(
            f"unknown strategy {strategy.name!r}; expected one of {', '.join(STRATEGIES)}"
        )
    pool.used, pool.spent = set(), 0
    with torch.inference_mode():
        outcome = STRATEGIES[strategy.name](pool, strategy)
    runs = (
        strategy.k if strategy.name == "single" else 1
    )  # the mean over k single runs is worth one run
    return replace(outcome, cost=(len(pool.used) + pool.spent) / runs)


def single(pool: Pool, how: Strategy) -> Outcome:
    """Every generation alone."""
    return Outcome([pool.final(member) for member in how.members])


def vote(pool: Pool, how: Strategy) -> Outcome:
    """The final clip that most others agree with; generation 0 where all differ."""
    finals = single(pool, how).finals
    return Outcome([finals[majority(finals)]])


def best_agreed(pool: Pool, how: Strategy) -> Outcome:
    """The final clip that disagrees least with the others."""
    finals = single(pool, how).finals
    return Outcome([finals[medoid(finals)]])


def early_plan(pool: Pool, how: Strategy) -> Outcome:
    """Chooses after `steps` steps the clean estimate that agrees best with the others, finishes only that generation.

    As in arXiv 2603.30043, which scores early plans with a verifier; this score is blind.
    """
    early = [pool.at(member, how.steps).x0_hat for member in how.members]
    return Outcome([pool.final(how.members[medoid(early)])])


def early_steady(pool: Pool, how: Strategy) -> Outcome:
    """The same, by the clean estimate that changed least in its last step: the most decided one."""
    pairs = [(pool.at(m, how.steps).x0_hat, pool.at(m, how.steps - 1).x0_hat) for m in how.members]
    steadiest = int(np.argmin([disagreement(now, before) for now, before in pairs]))
    return Outcome([pool.final(how.members[steadiest])])


def merge(pool: Pool, how: Strategy) -> Outcome:
    """Merges over the first steps, then generation 0 goes on alone."""
    states = _merged(pool, how)
    return Outcome([pool.finish(states[0])], states[0].x0_hat, how.steps)


def merge_all(pool: Pool, how: Strategy) -> Outcome:
    """Merges over the first steps, then all go on; each counts."""
    states = _merged(pool, how)
    return Outcome([pool.finish(state) for state in states], states[0].x0_hat, how.steps)


def merge_vote(pool: Pool, how: Strategy) -> Outcome:
    """Merges over the first steps, then all go on and vote."""
    outcome = merge_all(pool, how)
    return Outcome([outcome.finals[majority(outcome.finals)]], outcome.early, how.steps)


def merge_until_agreed(pool: Pool, how: Strategy) -> Outcome:
    """Merges clean estimates until the generations' own agree, for `steps` steps at most, then stops paying for k."""
    states, agreed = [pool.at(member, 0) for member in how.members], False
    while states[0].step < how.steps and not agreed:
        own = [pool.estimate(state) for state in states]
        for state in states:
            take(pool.model, state, mean(own))
        agreed = float(disagreements(own).max()) < SAME
    early, shared = states[0].x0_hat, states[0].step
    return Outcome([pool.finish(states[0])], early, shared)


def branch_late(pool: Pool, how: Strategy) -> Outcome:
    """One generation for `steps` steps; then k of its level go on with fresh noise, and vote."""
    trunk = pool.at(Member(0), how.steps)
    branches = [trunk, *(pool.renoised(trunk, j) for j in range(1, how.k))]
    finals = [pool.finish(branch) for branch in branches]
    return Outcome([finals[majority(finals)]], trunk.x0_hat, how.steps)


def random_layers(pool: Pool, how: Strategy) -> Outcome:
    """A merge in as many layers, drawn at random."""
    blocks = pool.model.layers
    drawn = np.random.default_rng([pool.seed, 9]).choice(blocks, len(how.layers), replace=False)
    return merge(pool, replace(how, layers=tuple(sorted(map(int, drawn)))))


def merge_of(how: Strategy) -> Merge:
    """The merge that a strategy names."""
    steps = tuple(range(how.steps))
    if how.merge in ("latents", "rescaled"):
        return MergeLatents((how.steps - 1,), how.merge == "rescaled")
    if how.layers:
        return MergeLayers(how.layers, steps, how.merge, how.amount)
    return MergeEstimates(steps, how.merge)


def at_most(how: Strategy, steps: int) -> int:
    """How many evaluations a strategy makes beside clean generations, long or short.

    Only `merge_until_agreed` may make fewer.

    Args:
        steps: of the schedule.
    """
    k, left = how.k, steps - how.steps
    if how.name in ("single", "vote", "best_agreed", "early_plan", "early_steady", "nearest"):
        return 0
    if how.name == "vote_midway":
        return left
    if how.name == "recognised":
        return k
    if how.name == "branch_late":
        return k * left
    if how.name in ("merge", "merge_all", "merge_vote", "random_layers"):
        kind = merge_of(how)
        merged = sum(kind.evaluations(k) if s in kind.steps else k for s in range(how.steps))
        return merged + left * (1 if how.name in ("merge", "random_layers") else k)
    return k * how.steps + left


def _merged(pool: Pool, how: Strategy) -> list[State]:
    """All members, merged over the first steps."""
    states = [pool.at(member, 0) for member in how.members]
    pool.merge(how.members, states, merge_of(how), how.steps)
    return states


STRATEGIES: dict[str, Callable[[Pool, Strategy], Outcome]] = {
    function.__name__: function
    for function in (
        *(
            single,
            vote,
            best_agreed,
            early_plan,
            early_steady,
            merge,
            merge_all,
            merge_vote,
            merge_until_agreed,
        ),
        *(branch_late, random_layers, short_runs.nearest, short_runs.recognised),
        *(accounts.noisy_mean, accounts.linger, accounts.vote_midway),
    )
}
