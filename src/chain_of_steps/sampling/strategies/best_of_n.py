"""Many short runs instead of few long ones: steps buy little where the answer is there early, other seeds buy more.

What picks among them is blind, as all strategies are. *Nearest*: right answers are alike, wrong ones differ each in its
own way. *Recognised*: a clip is noised once more, and the model, told the sample, says what it would have been; the
clip that it changes least is the one that it finds most likely. Such denoising errors bound a likelihood, and classify
pictures in arXiv 2303.16203.
"""

import numpy as np

from ..agreement import disagreement, nearest_pair
from ..rollouts import Rollouts
from .base import Kind, Member, Outcome, Strategy


class Nearest(Kind):
    """Of k runs of `steps` steps, the one that has the nearest neighbour."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        finals = [rollouts.final(member, how.steps) for member in how.members]
        return Outcome([finals[nearest_pair(finals)[0]]])

    def nfe(self, how: Strategy, steps: int) -> int:
        return 0


class Recognised(Kind):
    """Of k runs of `steps` steps, the one that the model changes least when asked at the noise level `amount`.

    All clips are asked under one noise. As a control, `company` strangers asks as if the sample were the unrelated one.
    """

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        finals = [rollouts.final(Member(number), how.steps) for number in range(how.k)]
        asked = [
            rollouts.asked(Member(0, how.company == "strangers"), clip, how.amount)
            for clip in finals
        ]
        errors = [disagreement(x0_hat, clip) for x0_hat, clip in zip(asked, finals, strict=True)]
        return Outcome([finals[int(np.argmin(errors))]])

    def nfe(self, how: Strategy, steps: int) -> int:
        return how.k
