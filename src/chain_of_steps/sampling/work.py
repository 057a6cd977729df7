"""Computes the jobs of a layout."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from typing import Any

from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import Watch, step_towards
from .layer_merge import merged_layers
from .layout import After, Batch, Combine, Job, Node, OneState, Start, Towards
from .sites import Captured, SiteVisit, in_turn
from .state import State, begin
from .steps import Move


@dataclass(frozen=True)
class StepOutput:
    """What one step of one generation gives.

    Attributes:
        x: `x_s` as the network saw it.
        x0_hat: the clean estimate, after a merge of estimates or hidden states if there is one.
        after: the state after the step.
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
        watch: called after every step of a run.
        visit: sees the hidden states of a run's own evaluations.
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
        """The value of a node other than an evaluation, whose needs have theirs."""
        return self._watched(node, self.make(node.job, *(need.value for need in node.needs)))

    def move(self, node: Node) -> Move:
        """The step that an evaluation takes, alone or together with others."""
        job, (state, *donors) = node.job, (need.value for need in node.needs)
        captured = Captured(lambda site: any(action.wants(site) for action in node.wanted))
        return Move(
            self._condition(job.condition),
            state.copy(),
            job.actions,
            in_turn(captured if node.wanted else None, self.visit if node.visited else None),
            {d: each.captured for d, each in zip(job.donors, donors, strict=True)},
            captured,
        )

    def output(self, node: Node, move: Move, x: Tensor, x0_hat: Tensor) -> StepOutput:
        """The value of an evaluation whose step has been taken."""
        self._tick(1)
        return self._watched(node, StepOutput(x, x0_hat, move.state, captured=move.captured))

    def _watched(self, node: Node, value: Any) -> Any:
        if not (node.watched and self.watch):
            return value
        watched = self.watch(value.after.step - 1, value.x, value.x0_hat)
        return replace(value, watched=watched)

    @singledispatchmethod
    def make(self, job: Job, *values: Any) -> Any:
        """What a job other than `Evaluate` makes of the values that it needs."""
        raise TypeError(f"{job} is no job")

    @make.register
    def _(self, job: Start) -> State:
        condition, seed = self._condition(job.source.condition), self.seed + job.source.seed
        return begin(self.model, condition, self.schedule, seed)

    @make.register
    def _(self, job: After, output: StepOutput) -> State:
        return output.after

    @make.register
    def _(self, job: Combine, *each: StepOutput) -> list[Tensor]:
        return job.merge.combine([output.x0_hat for output in each], [output.x for output in each])

    @make.register
    def _(self, job: Batch, *states: State) -> list[Tensor]:
        conditions = [self._condition(name) for name in job.conditions]
        parts = (self.model, conditions, self.schedule, states, job.merge, self.visit)
        estimates = merged_layers(*parts)
        self._tick(job.merge.evaluations(len(states)))
        return estimates

    @make.register
    def _(
        self, job: Towards, estimates: list, state: State, own: StepOutput | None = None
    ) -> StepOutput:
        after = state.copy()
        if own is not None:  # latents and dose as interventions left them; sound goes its own way
            after.latents, after.audio = own.x, own.after.audio
            after.cells, after.energy = own.after.cells, own.after.energy
        x, x0_hat = after.latents, estimates[job.place]
        step_towards(self.model, self._condition(job.condition), after, x0_hat)
        return StepOutput(x, x0_hat, after)

    @make.register
    def _(self, job: OneState, *states: State) -> State:
        one, sigma = states[0].copy(), float(states[0].sampler.sigmas[job.step])
        x0_hats = [state.x0_hat for state in states]
        one.latents = job.merge.merged([state.latents for state in states], x0_hats, sigma)
        return one

    def _condition(self, name: str) -> Condition:
        if name not in self.conditions:
            known = ", ".join(self.conditions)
            raise ValueError(f"there is no condition {name!r}; expected one of {known}")
        return self.conditions[name]

    def _tick(self, times: int) -> None:
        for _ in range(times if self.count else 0):
            self.count()
