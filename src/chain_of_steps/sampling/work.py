"""Computes the jobs of a layout."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any

from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import State, Watch, advance, begin
from .interventions import Action, Source
from .layout import After, Combine, Evaluate, Job, Node, OneState, Start, Together, Towards
from .lockstep import layered, take
from .sites import Captured, SiteVisit, in_turn


@dataclass(frozen=True)
class Evaluated:
    """What one evaluation gives.

    Attributes:
        x: `x_s` as the network saw it.
        x0_hat: the clean estimate.
        after: the state after it; of a merge, the state whose dose counts.
        watched: what `watch` returned.
        captured: the hidden states that other runs want.
    """

    x: Tensor
    x0_hat: Tensor
    after: State
    watched: Any = None
    captured: Captured | None = None


@dataclass(frozen=True)
class Work:
    """What the jobs of one sample need.

    Attributes:
        conditions: by the name that a source gives.
        seed: that sources add to.
        watch: called after every evaluation, and for every merged step of a run.
        visit: sees the hidden states of every evaluation.
        count: called after every evaluation.
    """

    model: VideoModel
    conditions: Mapping[str, Condition]
    schedule: Schedule
    seed: int
    watch: Watch | None = None
    visit: SiteVisit | None = None
    count: Callable[[], None] | None = None

    def compute(self, node: Node) -> Any:
        """The value of a node whose needs have theirs."""
        values = [need.value for need in node.needs]
        if isinstance(node.job, Evaluate):
            return self._evaluate(node.job, node.wanted, *values)
        return self.make(node.job, *values)

    @singledispatchmethod
    def make(self, job: Job, *values: Any) -> Any:
        """What a job makes of the values that it needs."""
        raise TypeError(f"{job} is no job")

    @make.register
    def _(self, job: Start) -> State:
        condition, seed = self._condition(job.source), self.seed + job.source.seed
        return begin(self.model, condition, self.schedule, seed)

    @make.register
    def _(self, job: After, evaluation: Evaluated) -> State:
        return evaluation.after

    @make.register
    def _(self, job: Combine, *each: Evaluated) -> list[Evaluated]:
        latents = [evaluation.x for evaluation in each]
        towards = job.merge.combine([evaluation.x0_hat for evaluation in each], latents)
        return self._together(job.step, latents, towards, [e.after for e in each])

    @make.register
    def _(self, job: Together, *states: State) -> list[Evaluated]:
        conditions = [self._condition(source) for source in job.sources]
        towards = layered(self.model, conditions, self.schedule, states, job.merge, self.visit)
        self._tick(job.merge.evaluations(len(states)))
        latents = [state.latents for state in states]
        return self._together(states[0].step, latents, towards, states)

    @make.register
    def _(self, job: Towards, state: State, given: list) -> State:
        seen, after = given[job.place], state.copy()
        after.latents = seen.x  # as interventions left them
        after.cells, after.energy = seen.after.cells, seen.after.energy
        take(self.model, after, seen.x0_hat)
        return after

    @make.register
    def _(self, job: OneState, *states: State) -> State:
        one, sigma = states[0].copy(), float(states[0].scheduler.sigmas[job.step])
        x0_hats = [state.x0_hat for state in states]
        one.latents = job.merge.merged([state.latents for state in states], x0_hats, sigma)
        return one

    def _evaluate(
        self, job: Evaluate, wanted: set[Action], state: State, *donors: Evaluated
    ) -> Evaluated:
        captured = Captured(
            lambda site: site.guided and any(action.wants(site.layer) for action in wanted)
        )
        after = state.copy()
        x, x0_hat = advance(
            self.model,
            self._condition(job.source),
            self.schedule,
            after,
            job.actions,
            visit=in_turn(captured if wanted else None, self.visit),
            donors={d: e.captured for d, e in zip(job.donors, donors, strict=True)},
        )
        self._tick(1)
        watched = self.watch(state.step, x, x0_hat) if self.watch else None
        return Evaluated(x, x0_hat, after, watched, captured)

    def _together(self, step: int, latents, towards, doses) -> list[Evaluated]:
        """What a merged step shows of each generation; only the first is watched."""
        each = [Evaluated(*parts) for parts in zip(latents, towards, doses, strict=True)]
        if self.watch:
            watched = self.watch(step, each[0].x, each[0].x0_hat)
            each[0] = Evaluated(each[0].x, each[0].x0_hat, each[0].after, watched)
        return each

    def _condition(self, source: Source) -> Condition:
        if source.condition not in self.conditions:
            known = ", ".join(self.conditions)
            raise ValueError(f"there is no condition {source.condition!r}; expected one of {known}")
        return self.conditions[source.condition]

    def _tick(self, times: int) -> None:
        for _ in range(times if self.count else 0):
            self.count()
