"""Many short runs instead of few long ones: where the answer is there early, more steps gain little
and more seeds gain more.

What picks among them is blind, as all strategies are. *Nearest*: right answers are alike, wrong
ones differ each in its own way. *Recognised*: a clip is noised again, and the model, given the
sample, estimates the clean clip from it; the clip that this changes least is the one that the model
finds most likely. Such denoising errors bound a likelihood, and classify pictures in arXiv
2303.16203.
"""

import numpy as np

from ..agreement import disagreement, nearest_pair
from ..rollouts import Rollouts
from .base import Choice, Kind, Member, Outcome, Strategy


class Nearest(Choice):
    """Of k runs of `steps` steps, the one that has the nearest neighbour."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        finals = [rollouts.final(member, how.steps) for member in how.members]
        return Outcome([finals[nearest_pair(finals)[0]]])

    def rests_on(self, how: Strategy, steps: int) -> tuple[int, int]:
        return how.k, how.steps or steps


class Recognised(Kind):
    """Of k runs of `steps` steps, the one whose clip the model changes least after noising it again
    to the level `amount`.

    All clips get the same noise. As a control, with `company` strangers the model is given the
    unrelated sample instead.
    """

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        finals = [rollouts.final(Member(number), how.steps) for number in range(how.k)]
        judge = Member(0, how.company == "strangers")
        estimates = [rollouts.estimate_of_clip(judge, clip, how.amount) for clip in finals]
        pairs = zip(estimates, finals, strict=True)
        errors = [disagreement(x0_hat, clip) for x0_hat, clip in pairs]
        return Outcome([finals[int(np.argmin(errors))]])

    def rests_on(self, how: Strategy, steps: int) -> tuple[int, int]:
        return how.k, how.steps or steps

    def nfe(self, how: Strategy, steps: int) -> int:
        return how.k
