"""Choices among clean generations; none of them uses the puzzle's rules."""

import numpy as np

from ..agreement import disagreement, majority, medoid
from ..rollouts import Rollouts
from .base import Choice, Outcome, Strategy


class Single(Choice):
    """Every generation alone."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        return Outcome([rollouts.final(member) for member in how.members])


class Vote(Choice):
    """The final clip that most others agree with; generation 0 where all differ."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        finals = Single().run(rollouts, how).finals
        return Outcome([finals[majority(finals)]])


class BestAgreed(Choice):
    """The final clip that disagrees least with the others."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        finals = Single().run(rollouts, how).finals
        return Outcome([finals[medoid(finals)]])


class EarlyPlan(Choice):
    """Chooses after `steps` steps the clean estimate that agrees best with the others, and finishes
    only that generation.

    As in arXiv 2603.30043, which scores early plans with a verifier; this score is blind.
    """

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        early = [rollouts.at(member, how.steps).x0_hat for member in how.members]
        return Outcome([rollouts.final(how.members[medoid(early)])])


class EarlySteady(Choice):
    """As `EarlyPlan`, but chooses the clean estimate that changed least in its last step: the most
    decided one."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        pairs = [
            (rollouts.at(m, how.steps).x0_hat, rollouts.at(m, how.steps - 1).x0_hat)
            for m in how.members
        ]
        steadiest = int(np.argmin([disagreement(now, before) for now, before in pairs]))
        return Outcome([rollouts.final(how.members[steadiest])])
