"""The clean generations of one sample, which all strategies share, and what each strategy adds."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ..models.schedule import Schedule
from ..models.video_model import Condition, VideoModel
from ..puzzles.base import Sample
from .denoise import Trajectory, advance, denoise, estimate
from .interventions import Merge, Source, generator
from .prefix_tree import Branch, grow
from .samplers import sampler_of
from .state import State, begin

APART = 1000  # distance between the seeds of one sample's generations


class Member(NamedTuple):
    """A generation: its number among the seeds, and whether it belongs to the unrelated sample."""

    number: int
    unrelated: bool = False

    @property
    def source(self) -> Source:
        return Source(APART * self.number, "unrelated" if self.unrelated else "own")


class Rollouts:
    """The clean generations of one sample, each computed as far as it was needed so far; strategies
    share them.

    Args:
        sample, unrelated: what is generated, and the unrelated sample.
        seed: generation j starts from the noise of seed + 1000 j.
        count: called after every evaluation.
    """

    def __init__(
        self,
        model: VideoModel,
        schedule: Schedule,
        sample: Sample,
        unrelated: Sample,
        seed: int,
        count: Callable[[], None] | None = None,
    ):
        self.model, self.schedule, self.sample, self.unrelated = model, schedule, sample, unrelated
        self.seed, self.count = seed, count
        self.clean: dict[tuple[Member, int], list[State]] = {}  # by member and number of steps
        # clean evaluations that the running strategy rests on, and the number of its others
        self.used: set[tuple[Member, int, int]] = set()
        self.spent = 0

    @cached_property
    def condition(self) -> Condition:
        return self.model.prepare_sample(self.sample)

    @cached_property
    def foreign(self) -> Condition:
        return self.model.prepare_sample(self.unrelated)

    def condition_of(self, member: Member) -> Condition:
        return self.foreign if member.unrelated else self.condition

    def at(self, member: Member, step: int, of: int | None = None) -> State:
        """The state of a clean generation before a step, bitwise as `denoise` leaves it; its final
        one at step S.

        Args:
            of: how many steps the generation has; as many as the schedule if None or 0.
        """
        condition = self.condition_of(member)
        of = of or self.schedule.steps
        schedule = replace(self.schedule, steps=of)
        if (member, of) not in self.clean:
            seed = self.seed + member.source.seed
            self.clean[member, of] = [begin(self.model, condition, schedule, seed)]
        states = self.clean[member, of]
        while len(states) <= step:
            state = states[-1].copy()
            advance(self.model, condition, schedule, state)
            states.append(state)
            self._tick(1)
        self.used |= {(member, of, s) for s in range(step)}
        return states[step].copy()

    def final(self, member: Member, of: int | None = None) -> Tensor:
        """The final latents of a clean generation."""
        return self.at(member, of or self.schedule.steps, of).latents

    def spend(self, evaluations: int) -> None:
        """Counts evaluations that a strategy shares with no other."""
        self.spent += evaluations
        self._tick(evaluations)

    def renoised(self, state: State, number: int) -> State:
        """A copy of a state with fresh noise of the same level on its newest clean estimate."""
        sigma = state.sigma
        new = state.copy()
        new.latents = (1.0 - sigma) * state.x0_hat + sigma * self.noise(state.step, number)
        return new

    def estimate_of_clip(self, member: Member, clip: Tensor, level: float) -> Tensor:
        """The clean estimate of a clip (1, C, F, H, W) that is noised again, at the step whose
        noise level is nearest to `level`.

        Args:
            member: whose condition the model is given.
        """
        sampler = sampler_of(self.schedule, self.model.prediction)
        step = int((sampler.sigmas[:-1] - level).abs().argmin())
        state = self.renoised(State(step, clip, sampler, x0_hat=clip), 0)
        self.spend(1)
        return estimate(self.model, self.condition_of(member), self.schedule, state)

    def noise(self, step: int, number: int) -> Tensor:
        """Noise (1, C, F, H, W) number `number` of a step; no generation starts from it."""
        eps = torch.randn(
            self.condition.shape, generator=generator("pool", self.seed, step, number)
        )
        return eps.to(self.model.device)

    def merged(self, members: list[Member], merge: Merge, followed: int = 1) -> list[Trajectory]:
        """The first `followed` of several generations that are merged; after the last merged step
        each of these goes on alone.

        Raises:
            ValueError: under a sampler that is not Euler.
        """
        source, *company = (member.source for member in members)
        merge = replace(merge, company=tuple(company))
        branches = [Branch((merge,), source=source, place=place) for place in range(followed)]
        away = any(member.unrelated for member in members)
        grown = grow(
            self.model,
            self.condition,
            self.schedule,
            self.seed,
            branches,
            count=lambda: self.spend(1),
            others={"unrelated": self.foreign} if away else None,
        )
        trajectories = dict(grown)
        return [trajectories[place] for place in range(followed)]

    def estimate(self, state: State) -> Tensor:
        """The clean estimate of the own sample at a state, (1, C, F, H, W)."""
        self.spend(1)
        return estimate(self.model, self.condition, self.schedule, state)

    def finish(self, state: State) -> Tensor:
        """The final latents of a generation that goes on alone from `state`."""
        self.spend(self.schedule.steps - state.step)
        return denoise(self.model, self.condition, self.schedule, state).latents[-1]

    def _tick(self, times: int) -> None:
        for _ in range(times if self.count else 0):
            self.count()
