"""Many interventions on one generation: what their pasts share is computed once.

Runs are paths in a tree. All start from the same noise; two part where their edits first differ.
The tree is walked depth first, the clean path before its neighbours, so only the states along one
path are held at a time. Every number is the same, bit by bit, as if each run had been made alone
with `denoise`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import State, Trajectory, Watch, advance, begin, edits_at
from .interventions import Edit, Intervention, check_cells

BUDGET = 8 << 30  # bytes that the states along one path may take


@dataclass(frozen=True)
class Branch:
    """One run of a tree.

    Attributes:
        interventions: in the order in which they act; none is the clean run.
        until: the run ends before this step, None at the last; so that results can be read on an early `x0_hat`.
    """

    interventions: tuple[Intervention, ...] = ()
    until: int | None = None


def grow(
    model: VideoModel,
    condition: Condition,
    schedule: Schedule,
    seed: int,
    branches: Sequence[Branch],
    watch: Watch | None = None,
    budget: int = BUDGET,
    count: Callable[[], None] | None = None,
) -> Iterator[tuple[int, Trajectory]]:
    """Yields (index of the branch, its trajectory) as each branch ends, the clean one first if it is among them.

    Trajectories share their tensors where their pasts are shared: read them, do not write to them.

    Args:
        watch: called once per evaluation, as in `denoise`; a tuple of tensors and arrays counts towards the budget.
        budget: bytes that the tensors along one path may take.
        count: called after every evaluation.

    Raises:
        MemoryError: if a path does not fit the budget.
        ValueError: for an intervention at a step or in a frame that there is not.
    """
    for branch in branches:
        check_cells(branch.interventions, schedule.steps, condition.shape[2])
    tree = _Tree(model, condition, schedule, watch, budget, count)
    state = begin(model, condition, schedule, seed)
    path = Trajectory([float(sigma) for sigma in state.scheduler.sigmas])
    with torch.inference_mode():
        yield from tree.descend(state, path, dict(enumerate(branches)))


def evaluations(branches: Sequence[Branch], steps: int, frames: int) -> int:
    """How many model evaluations `grow` makes: the number of different (state, step) of all branches together."""

    def below(step: int, members: list[Branch]) -> int:
        groups = _groups(step, dict(enumerate(members)), steps, frames).values()
        return sum(1 + below(step + 1, list(group.values())) for group in groups)

    return below(0, list(branches))


@dataclass(frozen=True)
class _Tree:
    model: VideoModel
    condition: Condition
    schedule: Schedule
    watch: Watch | None
    budget: int
    count: Callable[[], None] | None

    def descend(
        self, state: State, path: Trajectory, members: dict[int, Branch]
    ) -> Iterator[tuple[int, Trajectory]]:
        """Runs all members, which have agreed so far, from `state` on; `path` is what they have seen."""
        groups = _groups(state.step, members, self.schedule.steps, self.condition.shape[2])
        going_on = {index for group in groups.values() for index in group}
        for index in sorted(members.keys() - going_on):
            audio = None if state.audio is None else state.audio.latents
            ends = replace(path, latents=[*path.latents, state.latents], audio=audio)
            ends.cells, ends.energy = state.cells, state.energy
            yield index, ends
        for number, (edits, group) in enumerate(groups.items()):
            here = (
                state if number == len(groups) - 1 else state.copy()
            )  # the last may use the state up
            yield from self.descend(*self._step(here, path, edits), group)

    def _step(
        self, state: State, path: Trajectory, edits: tuple[Edit, ...]
    ) -> tuple[State, Trajectory]:
        x, x0_hat = advance(self.model, self.condition, self.schedule, state, edits)
        seen = (
            [*path.watched, self.watch(state.step - 1, x, x0_hat)] if self.watch else path.watched
        )
        longer = replace(
            path, latents=[*path.latents, x], x0_hats=[*path.x0_hats, x0_hat], watched=seen
        )
        _check_budget(longer, self.budget)
        if self.count is not None:
            self.count()
        return state, longer


def _groups(
    step: int, members: dict[int, Branch], steps: int, frames: int
) -> dict[tuple[Edit, ...], dict[int, Branch]]:
    """Members that go on at a step, by what happens to them before it; the untouched ones first."""
    groups: dict[tuple[Edit, ...], dict[int, Branch]] = {}
    for index, branch in members.items():
        if step < (steps if branch.until is None else branch.until):
            edits = edits_at(branch.interventions, step, frames)
            groups.setdefault(edits, {})[index] = branch
    return dict(sorted(groups.items(), key=lambda item: len(item[0])))


def _check_budget(path: Trajectory, budget: int) -> None:
    seen = [part for watched in path.watched if isinstance(watched, tuple) for part in watched]
    held = sum(array.nbytes for array in [*path.latents, *path.x0_hats, *seen])
    if held > budget:
        raise MemoryError(
            f"one path of the sweep holds {held / 1e6:.0f} MB after {len(path.x0_hats)} steps, more than its budget of "
            f"{budget / 1e6:.0f} MB; watch fewer layers, or raise `budget`"
        )
