"""Computes the jobs of a layout."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import Watch, step_towards
from .interventions import Merge, Source
from .jobs import After, Batch, Combine, OneState, Start, Towards
from .layer_merge import merged_layers
from .layout import Node
from .sites import CAPTURE_BUDGET, Captured, SiteVisit, in_turn
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
        budget: bytes that the hidden states captured for others in one evaluation may take.
    """

    model: VideoModel
    conditions: Mapping[str, Condition]
    schedule: Schedule
    seed: int
    watch: Watch | None = None
    visit: SiteVisit | None = None
    count: Callable[[], None] | None = None
    budget: int = CAPTURE_BUDGET

    def compute(self, node: Node) -> Any:
        """The value of a node other than an evaluation, whose needs have theirs."""
        values = [need.value for need in node.needs]
        match node.job:
            case Start(source):
                value = self._start(source)
            case After():
                value = values[0].after
            case Combine(merge):
                value = merge.combine([each.x0_hat for each in values], [each.x for each in values])
            case Batch(conditions, merge):
                value = self._batch(conditions, merge, values, self.visit if node.visited else None)
            case Towards(place, condition):
                value = self._towards(place, condition, *values)
            case OneState(step, merge):
                value = _one_state(step, merge, values)
            case job:
                raise TypeError(f"{job} is not computed on its own")
        return self._watched(node, value)

    def move(self, node: Node) -> Move:
        """The step that an evaluation takes, alone or together with others."""
        job, (state, *donors) = node.job, (need.value for need in node.needs)
        captured = Captured(
            lambda site: any(action.wants(site) for action in node.wanted), budget=self.budget
        )
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

    def _start(self, source: Source) -> State:
        condition = self._condition(source.condition)
        return begin(self.model, condition, self.schedule, self.seed + source.seed)

    def _batch(
        self, names: Sequence[str], merge: Merge, states: list[State], visit: SiteVisit | None
    ) -> list[Tensor]:
        conditions = [self._condition(name) for name in names]
        estimates = merged_layers(self.model, conditions, self.schedule, states, merge, visit)
        self._tick(merge.evaluations(len(states)))
        return estimates

    def _towards(
        self,
        place: int,
        condition: str,
        estimates: list[Tensor],
        state: State,
        own: StepOutput | None = None,
    ) -> StepOutput:
        after = state.copy()
        if own is not None:  # latents and dose as interventions left them; sound goes its own way
            after.latents, after.audio = own.x, own.after.audio
            after.cells, after.energy = own.after.cells, own.after.energy
        x, x0_hat = after.latents, estimates[place]
        step_towards(self.model, self._condition(condition), after, x0_hat)
        return StepOutput(x, x0_hat, after)

    def _condition(self, name: str) -> Condition:
        if name not in self.conditions:
            known = ", ".join(self.conditions)
            raise ValueError(f"there is no condition {name!r}; expected one of {known}")
        return self.conditions[name]

    def _tick(self, times: int) -> None:
        for _ in range(times if self.count else 0):
            self.count()


def _one_state(step: int, merge: Merge, states: list[State]) -> State:
    one, sigma = states[0].copy(), float(states[0].sampler.sigmas[step])
    x0_hats = [state.x0_hat for state in states]
    one.latents = merge.merged([state.latents for state in states], x0_hats, sigma)
    return one
