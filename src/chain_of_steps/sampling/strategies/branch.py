"""One generation that branches late."""

from ..agreement import majority
from ..rollouts import Rollouts
from .base import Kind, Member, Outcome, Strategy


class BranchLate(Kind):
    """One generation for `steps` steps; then k of its level go on with fresh noise, and vote."""

    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        trunk = rollouts.at(Member(0), how.steps)
        branches = [trunk, *(rollouts.renoised(trunk, j) for j in range(1, how.k))]
        finals = [rollouts.finish(branch) for branch in branches]
        return Outcome([finals[majority(finals)]], trunk.x0_hat, how.steps)

    def rests_on(self, how: Strategy, steps: int) -> tuple[int, int]:
        return 1, steps

    def nfe(self, how: Strategy, steps: int) -> int:
        return how.k * (steps - how.steps)
