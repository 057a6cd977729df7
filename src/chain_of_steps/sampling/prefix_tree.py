"""Many runs of one sample: what they share is computed once.

A run is a path through evaluations of the network. All runs are laid out first (`layout`), then
computed one after the other, each evaluation once, and dropped when no run is left that needs it.
Every number is the same, bit by bit, as if each run had been made alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import State, Trajectory, Watch
from .interventions import Merge
from .layout import Branch, Layout, Plan, evaluations
from .sites import SiteVisit
from .work import Work

__all__ = ["Branch", "evaluations", "grow"]

BUDGET = 8 << 30  # bytes that tensors may take that later runs still need


def grow(
    model: VideoModel,
    condition: Condition,
    schedule: Schedule,
    seed: int,
    branches: Sequence[Branch],
    watch: Watch | None = None,
    budget: int = BUDGET,
    count: Callable[[], None] | None = None,
    visit: SiteVisit | None = None,
    others: Mapping[str, Condition] | None = None,
) -> Iterator[tuple[int, Trajectory]]:
    """Yields (index of the branch, its trajectory) as each branch ends, the clean one first.

    Trajectories share their tensors where their pasts are shared: read them, do not write to them.

    Args:
        condition: of the generations named `own`.
        watch: called as in `denoise` as soon as a step of a run is computed, once where runs share
            it, and not for donors and the company of a merge; if it returns a tuple of tensors and
            arrays, these count towards the budget.
        budget: bytes that tensors may take that later runs still need.
        count: called after every evaluation, those of donors and company included.
        visit: sees the hidden states of the same steps, after their interventions; where layers are
            merged, those of all generations, (k, N, D), the run of place 0 first.
        others: conditions of the generations that are not named `own`, by name.

    Raises:
        MemoryError: if the runs do not fit the budget.
        ValueError: for an intervention at a step, frame or layer that does not exist, or a merge
            under a sampler that is not Euler.
    """
    _check_sampler(schedule, branches)
    layout = Layout(schedule.steps, condition.shape[2], model.layers)
    for branch in branches:
        layout.plan(branch)
    conditions = {**(others or {}), "own": condition}
    work = Work(model, conditions, schedule, seed, watch, visit, count)
    with torch.inference_mode():
        yield from _run(layout, work, budget)


def _run(layout: Layout, work: Work, budget: int) -> Iterator[tuple[int, Trajectory]]:
    held = 0
    for plan in sorted(layout.plans, key=_clean_first_then_by_path):
        for node in sorted(plan.needed, key=lambda node: node.order):
            if node.value is None:
                node.value = work.compute(node)
                held += _bytes(node.value)
                _check(held, budget)
        yield plan.index, _trajectory(plan, work)
        for node in plan.needed:
            node.pending -= 1
            if node.pending == 0:
                held -= _bytes(node.value)
                node.value = None


def _clean_first_then_by_path(plan: Plan) -> tuple:
    """Plans that share most stand next to each other, so that little has to be held."""
    return not plan.clean, [node.order for node in plan.steps]


def _trajectory(plan: Plan, work: Work) -> Trajectory:
    outputs, end = [node.value for node in plan.steps], plan.end.value
    sigmas = work.schedule.scheduler(work.model.prediction).sigmas
    return Trajectory(
        [float(sigma) for sigma in sigmas],
        latents=[*(output.x for output in outputs), end.latents],
        x0_hats=[output.x0_hat for output in outputs],
        watched=[output.watched for output in outputs] if work.watch else [],
        cells=end.cells,
        energy=end.energy,
        audio=None if end.audio is None else end.audio.latents,
    )


def _check_sampler(schedule: Schedule, branches: Sequence[Branch]) -> None:
    merges = any(isinstance(i, Merge) for branch in branches for i in branch.interventions)
    if merges and schedule.sampler != "euler":
        raise ValueError(
            f"merging needs an Euler preset; {schedule.sampler} rebuilds latents from its history"
        )


def _bytes(value: Any) -> int:
    """What a node's own tensors take; a state shares its clean estimate with its step."""
    if isinstance(value, State):
        return value.latents.nbytes
    if isinstance(value, list):  # what a merge gives each generation, often one tensor for all
        return sum(each.nbytes for each in {id(each): each for each in value}.values())
    watched = value.watched if isinstance(value.watched, tuple) else ()
    captured = value.captured.values() if value.captured else ()
    return value.x0_hat.nbytes + sum(part.nbytes for part in (*watched, *captured))


def _check(held: int, budget: int) -> None:
    if held > budget:
        raise MemoryError(
            f"the runs of one sample hold {held / 1e6:.0f} MB, more than their budget of "
            f"{budget / 1e6:.0f} MB; watch fewer layers, or raise `budget`"
        )
