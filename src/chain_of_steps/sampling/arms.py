"""Arms: ways to spend evaluations on one sample, as records that rows name.

An arm leaves the final latents of one or several runs. Which of several counts is not its business:
a row keeps what each of them answers, and choices are made from rows. So a vote, a checker and
recognition share the same runs.
"""

from dataclasses import replace
from typing import Any, Literal

from pydantic.dataclasses import dataclass
from torch import Tensor

from ..common import tagged
from .denoise import Trajectory, denoise
from .interventions import Merge, MergeEstimates, MergeLayers
from .refined import Refined
from .rollouts import Member, Rollouts
from .state import begin


@dataclass(frozen=True)
class Runs:
    """Several runs, each alone; run j starts from the noise of seed + 1000 j.

    Attributes:
        k: how many.
        steps: how many steps each has; 0 for as many as the schedule.
        sampler: `stochastic`, or the schedule's own if empty.
        levels: noise levels at which finished runs are recognised; one evaluation of each run for
            each level.
        early: the step before which plans are read, 0 for none.
    """

    k: int
    steps: int = 0
    sampler: Literal["", "stochastic"] = ""
    levels: tuple[float, ...] = ()
    early: int = 0

    def shared(self, steps: int) -> tuple[int, int]:
        """The runs that arms of one sample share: how many, and of how many steps.

        Args:
            steps: of the schedule.
        """
        return (0 if self.sampler else self.k), self.steps or steps

    def more(self, steps: int) -> int:
        """How many evaluations it makes beyond them, at most."""
        own = self.k * (self.steps or steps) if self.sampler else 0
        return own + self.k * len(self.levels)

    def finals(self, rollouts: Rollouts) -> list[Tensor]:
        """Final latents, (1, C, F, H, W) each."""
        if not self.sampler:
            return [rollouts.final(Member(j), self.steps) for j in range(self.k)]
        steps = self.steps or rollouts.schedule.steps
        schedule = replace(rollouts.schedule, sampler=self.sampler, steps=steps)
        finals = []
        for j in range(self.k):
            seed = rollouts.seed + Member(j).source.seed
            state = begin(rollouts.model, rollouts.condition, schedule, seed)
            run = denoise(rollouts.model, rollouts.condition, schedule, state)
            rollouts.spend(steps)
            finals.append(run.latents[-1])
        return finals


@dataclass(frozen=True)
class Merged:
    """Several runs merged over the first steps; then run 0 goes on alone, or several do.

    Attributes:
        what: `x0_hat`, their clean estimates; or their hidden states, see `MergeLayers`.
        k: how many.
        steps: how many of the first steps are merged.
        layers: whose hidden states.
        company: empty for other seeds of the sample; or the cell of an unrelated sample, whose
            seeds join run 0 (a control).
        followed: how many of them go on to their end, each alone.
    """

    what: Literal["x0_hat", "lock_step", "delta", "soft"]
    k: int = 3
    steps: int = 1
    layers: tuple[int, ...] = ()
    company: str = ""
    followed: int = 1

    @property
    def members(self) -> list[Member]:
        """The runs that are merged."""
        return [Member(j, unrelated=j > 0 and bool(self.company)) for j in range(self.k)]

    @property
    def merge(self) -> Merge:
        """The intervention, without its company."""
        steps = tuple(range(self.steps))
        if self.what == "x0_hat":
            return MergeEstimates(steps, "x0_hat")
        return MergeLayers(self.layers, steps, self.what)

    def shared(self, steps: int) -> tuple[int, int]:
        """See `Runs.shared`: a merge shares nothing."""
        return 0, steps

    def more(self, steps: int) -> int:
        """See `Runs.more`."""
        return self.k * self.steps + self.followed * (steps - self.steps)

    def trajectory(self, rollouts: Rollouts) -> Trajectory:
        """Run 0, merged and then alone."""
        return rollouts.merged(self.members, self.merge)[0]

    def finals(self, rollouts: Rollouts) -> list[Tensor]:
        """See `Runs.finals`: of the runs that are followed."""
        runs = rollouts.merged(self.members, self.merge, self.followed)
        return [run.latents[-1] for run in runs]


Arm = Runs | Merged | Refined
KINDS: dict[str, type] = {kind.__name__: kind for kind in (Runs, Merged, Refined)}


def from_record(data: dict[str, Any]) -> Arm:
    """The arm that `record` wrote down; errors as for `tagged.from_record`."""
    return tagged.from_record(data, KINDS, "arm")


def evaluations(arms: list[Arm], steps: int) -> int:
    """How many evaluations arms of one sample make at most: what they share once, and the rest.

    Args:
        steps: of the schedule.
    """
    shared: dict[int, int] = {}  # how many runs, by their number of steps
    for arm in arms:
        count, of = arm.shared(steps)
        shared[of] = max(shared.get(of, 0), count)
    return sum(of * count for of, count in shared.items()) + sum(arm.more(steps) for arm in arms)


def denoising_error(rollouts: Rollouts, latents: Tensor, level: float) -> float:
    """How much the network changes finished latents (1, C, F, H, W) that are noised again: the RMS
    difference of its clean estimate from them. All runs of a sample get the same noise.

    The right answers of a flow model are fixed points of this (Flow Reasoning Models, arXiv
    2606.29150).

    Args:
        level: of the noise; that of the nearest step is taken.
    """
    x0_hat = rollouts.estimate_of_clip(Member(0), latents, level)
    return float((x0_hat - latents).pow(2).mean().sqrt())
