"""Three explanations of why merging clean estimates helps, and strategies that isolate each one.

*Noise reduction*: the mean of k estimates is nearer to what one exact estimate would be. *Voting*:
the merge finds what most generations would answer. *Superposition*: a merged generation commits
later, so it decides with more evidence.

From step 0 on, merging clean estimates over seeds is the same as one generation
`x_s = (1 - sigma) m + sigma eps_0` whose belief m is estimated under k noises eps_j that never
change: from the first merge on, the generations have one belief and differ in noise alone. So the
strategies here, and the medoid in `MergeEstimates`, vary what is averaged:

    noisy_mean, small amount    estimates close by: noise reduction alone
    noisy_mean, amount 1        estimates of one belief under fresh noise; with k = 1, not averaged
                                within a step
    linger                      nothing; as many evaluations, one after the other at the same level:
                                superposition alone
    medoid at every step        nothing; one of k estimates is chosen: voting alone
    vote_midway                 nothing; one vote on drawn candidates: voting alone
"""

from collections import Counter
from dataclasses import replace

import numpy as np
from torch import Tensor

from ..denoise import step_towards
from ..interventions.merge import mean
from ..rollouts import Rollouts
from ..state import State
from .base import Kind, Member, Outcome, Strategy


class NoisyMean(Kind):
    """One generation; each of its estimates is the mean over k copies of its latents in which the
    noise is partly redrawn.

    With `x_s = (1 - sigma) m + sigma eps`, the share `amount` of eps is replaced: with 1, only the
    belief m is kept. The generation itself keeps eps.
    """

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        state = rollouts.at(Member(0), 0)
        initial = state.latents
        for s in range(how.steps):
            fresh = [rollouts.noise(s, j) for j in range(how.k)]
            own = [estimate_under(rollouts, state, initial, eps, how.amount) for eps in fresh]
            step_towards(rollouts.model, rollouts.condition, state, mean(own))
        return Outcome([rollouts.finish(state)], state.x0_hat, how.steps)

    def nfe(self, how: Strategy, steps: int) -> int:
        return how.k * how.steps + steps - how.steps


class Linger(Kind):
    """One generation that is noised again to the level of its step k - 1 times before it goes on:
    k evaluations at every level and no average."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        state = rollouts.at(Member(0), 0)
        for _ in range(how.steps):
            for j in range(1, how.k):
                state.x0_hat = rollouts.estimate(state)
                state = rollouts.renoised(state, j)
            step_towards(rollouts.model, rollouts.condition, state, rollouts.estimate(state))
        return Outcome([rollouts.finish(state)], state.x0_hat, how.steps)

    def nfe(self, how: Strategy, steps: int) -> int:
        return how.k * how.steps + steps - how.steps


class VoteMidway(Kind):
    """Votes on candidates after `steps` steps; generation 0 goes on with the winner's drawing as
    its clean part.

    Each generation votes for the candidate with most evidence in its clean estimate; of equal
    candidates the one with more evidence wins.
    """

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        states = [rollouts.at(member, how.steps) for member in how.members]
        clips = [rollouts.model.decode(state.x0_hat) for state in states]
        evidence = np.stack([rollouts.sample.evidence(clip[-1]) for clip in clips])  # (k, K)
        votes = Counter(evidence.argmax(1).tolist())
        winner = max(votes, key=lambda index: (votes[index], evidence[:, index].sum()))
        candidate, first = rollouts.sample.candidates[winner], states[0]
        drawn = rollouts.model.encode(
            rollouts.sample.render(candidate, clips[0].shape[1], rollouts.model.frames)
        )
        sigma = first.sigma
        first.latents = first.latents + (1.0 - sigma) * (drawn - first.x0_hat)
        return Outcome([rollouts.finish(first)], first.x0_hat, how.steps)

    def rests_on(self, how: Strategy, steps: int) -> tuple[int, int]:
        return how.k, steps

    def nfe(self, how: Strategy, steps: int) -> int:
        return steps - how.steps


def estimate_under(
    rollouts: Rollouts, state: State, initial: Tensor, noise: Tensor, amount: float
) -> Tensor:
    """The clean estimate of a state (1, C, F, H, W) with part of its noise replaced; the variance
    of the noise stays the same.

    Args:
        initial: the noise that the generation started from, and carries as `sigma initial`.
        noise: what replaces the share `amount` of it.
    """
    sigma = state.sigma
    mixed = (1.0 - amount**2) ** 0.5 * initial + amount * noise
    return rollouts.estimate(replace(state, latents=state.latents + sigma * (mixed - initial)))
