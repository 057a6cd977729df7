"""Many runs at once: what they share is computed once, and what is ready is computed together.

A run is a path through evaluations of the network. The runs of one generation form a tree, laid out
first (`layout`). Then all trees grow together: of the evaluations whose needs are known, up to
`batch` share a forward pass, those of the earliest runs first, and a value is dropped when no run
is left that needs it. With a batch of one, every number is the same, bit by bit, as if each run had
been made alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import Trajectory, Watch
from .forest import BUDGET, Forest
from .interventions import Merge
from .layout import Branch, evaluations
from .sites import SiteVisit
from .work import Work

__all__ = ["Branch", "Tree", "evaluations", "grow", "grow_all"]


@dataclass(frozen=True)
class Tree:
    """The runs of one generation.

    Attributes:
        condition: of the generations named `own`.
        seed: of the generation.
        branches: its runs.
        watch: called as in `denoise` as soon as a step of a run is computed, once where runs share
            it, and not for donors and the company of a merge; if it returns a tuple of tensors and
            arrays, these count towards the budget.
        visit: sees the hidden states of the same steps, after their interventions; where layers are
            merged, those of all generations, (k, N, D), the run of place 0 first.
        others: conditions of the generations that are not named `own`, by name.
    """

    condition: Condition
    seed: int
    branches: Sequence[Branch]
    watch: Watch | None = None
    visit: SiteVisit | None = None
    others: Mapping[str, Condition] = field(default_factory=dict)


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
    batch: int = 1,
) -> Iterator[tuple[int, Trajectory]]:
    """`grow_all` for one tree: yields (index of the branch, its trajectory)."""
    tree = Tree(condition, seed, branches, watch, visit, others or {})
    for _, index, trajectory in grow_all(model, schedule, [tree], batch, budget, count):
        yield index, trajectory


def grow_all(
    model: VideoModel,
    schedule: Schedule,
    trees: Sequence[Tree],
    batch: int = 1,
    budget: int = BUDGET,
    count: Callable[[], None] | None = None,
) -> Iterator[tuple[int, int, Trajectory]]:
    """Yields (index of the tree, index of the branch, its trajectory) as branches end; of each tree
    the clean one first, then in an order that does not depend on `batch`.

    Trajectories share their tensors where their pasts are shared: read them, do not write to them.

    Args:
        batch: how many evaluations share a forward pass, at most; of a tree with a `visit`, one.
        budget: bytes that tensors may take that later runs still need.
        count: called after every evaluation, those of donors and company included.

    Raises:
        MemoryError: if the runs do not fit the budget.
        ValueError: for an intervention at a step, frame or layer that does not exist, a merge under
            a sampler that is not Euler, or a batch below 1.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}; expected 1 or more")
    _check_sampler(schedule, trees)
    forest = Forest(model, schedule, batch, budget)
    for tree in trees:
        conditions = {**tree.others, "own": tree.condition}
        parts = (model, conditions, schedule, tree.seed, tree.watch, tree.visit, count, budget)
        forest.plant(Work(*parts), tree.branches, tree.condition.shape[2])
    yield from forest.grow()


def _check_sampler(schedule: Schedule, trees: Sequence[Tree]) -> None:
    branches = (branch for tree in trees for branch in tree.branches)
    merges = any(isinstance(i, Merge) for branch in branches for i in branch.interventions)
    if merges and schedule.sampler != "euler":
        raise ValueError(
            f"merging needs an Euler preset; {schedule.sampler} rebuilds latents from its history"
        )
