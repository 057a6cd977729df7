"""Which evaluations come next: those of the earliest runs whose needs are known, many at a time."""

import gc
import heapq
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .denoise import Trajectory
from .jobs import Evaluate
from .layout import Branch, Layout, Node, Plan
from .samplers import sampler_of
from .state import State
from .steps import take
from .work import StepOutput, Work

BUDGET = 8 << 30  # bytes that tensors may take that later runs still need


@dataclass
class _Run:
    """A plan of a tree; `rank` is its turn among all."""

    tree: int
    plan: Plan
    work: Work
    rank: int


class _Ready(NamedTuple):
    """A node that takes evaluations and whose needs are known; the smallest comes first."""

    rank: int
    order: int
    node: Node
    run: _Run

    @property
    def alone(self) -> bool:
        """Whether it is more than one evaluation, which shares no forward pass."""
        return not isinstance(self.node.job, Evaluate)

    @property
    def visited_tree(self) -> int | None:
        """The tree of an evaluation that a visitor sees, else None."""
        return self.run.tree if self.run.work.visit is not None and self.node.visited else None


class Forest:
    """Trees that grow together; see `prefix_tree.grow_all`."""

    def __init__(self, model: VideoModel, schedule: Schedule, batch: int, budget: int):
        self.model, self.schedule, self.batch, self.budget = model, schedule, batch, budget
        self.trees: deque[tuple] = deque()  # trees that have not been laid out, in order
        self.waiting: deque[_Run] = deque()  # runs that have not begun, in order
        self.turns: list[deque[_Run]] = []  # of each tree, its runs that have not been yielded
        self.rank = itertools.count()
        self.ready: list[_Ready] = []  # a heap
        self.held = 0  # bytes

    def plant(self, work: Work, branches: Sequence[Branch], frames: int) -> None:
        """Adds a tree, which is laid out when its turn comes.

        Raises:
            ValueError: see `Layout.plan`.
        """
        layout = Layout(self.schedule.steps, frames, self.model.layers)
        for branch in branches:
            layout.check(branch)
        self.trees.append((len(self.turns), layout, work, branches))
        self.turns.append(deque())

    def _lay_out(self) -> None:
        """Makes the runs of the next tree."""
        tree, layout, work, branches = self.trees.popleft()
        for branch in branches:
            layout.plan(branch)
        for plan in sorted(layout.plans, key=_clean_first_then_by_path):
            run = _Run(tree, plan, work, next(self.rank))
            self.turns[tree].append(run)
            self.waiting.append(run)

    def grow(self) -> Iterator[tuple[int, int, Trajectory]]:
        """Computes everything; yields (tree, index of the branch, trajectory)."""
        while True:
            with torch.inference_mode(), _without_collector():  # not the caller's own code
                touched = self._advance()
            for tree in touched:
                yield from self._ended(tree)
            if not touched:
                return

    def _advance(self) -> list[int]:
        """Begins runs until a batch is full and computes it; returns the trees in which a run may
        have ended, none when everything is done."""
        touched = []
        while (self.waiting or self.trees) and len(self.ready) < self.batch:
            if not self.waiting:
                self._lay_out()
            touched.append(self._begin(self.waiting.popleft()))
        if self.ready:
            touched += self._compute(self._next())
        return list(dict.fromkeys(touched))

    def _begin(self, run: _Run) -> int:
        """A run's turn has come: what it needs may be computed."""
        first = []
        for node in run.plan.needed:
            if not node.demanded:
                node.demanded = True
                node.missing = sum(need.value is None for need in set(node.needs))
                if not node.missing:
                    first.append(node)
        self._settle(first, run)
        return run.tree

    def _next(self) -> list[_Ready]:
        """The evaluations that share the next forward pass. They have one expert; a tree whose
        hidden states are visited has one among them, so that a visitor sees one run at a time; and
        where much is held already, the earliest run goes alone, so that it ends and lets go."""
        first = heapq.heappop(self.ready)
        if first.alone or self.held > self.budget // 2:
            return [first]
        chosen, later, visited = [first], [], {first.visited_tree} - {None}
        while self.ready and len(chosen) < self.batch:
            entry = heapq.heappop(self.ready)
            other = entry.alone or self._expert(entry.node) != self._expert(first.node)
            if other or entry.visited_tree in visited:
                later.append(entry)
                continue
            chosen.append(entry)
            visited |= {entry.visited_tree} - {None}
        for entry in later:
            heapq.heappush(self.ready, entry)
        return chosen

    def _expert(self, node: Node) -> int:
        if self.model.experts == 1:
            return 0
        state = node.needs[0].value
        return self.model.expert_at(state.sampler.timesteps[state.step], self.schedule)

    def _compute(self, chosen: list[_Ready]) -> list[int]:
        """Computes evaluations and what follows from them; returns their trees."""
        if chosen[0].alone:
            (entry,) = chosen
            values = [entry.run.work.compute(entry.node)]
        else:
            moves = [entry.run.work.move(entry.node) for entry in chosen]
            each = zip(chosen, moves, take(self.model, self.schedule, moves), strict=True)
            values = [e.run.work.output(e.node, move, *made) for e, move, made in each]
        for entry, value in zip(chosen, values, strict=True):
            self._settle(self._set(entry.node, value), entry.run)
        return [entry.run.tree for entry in chosen]

    def _settle(self, nodes: list[Node], run: _Run) -> None:
        """Computes nodes that take no evaluation, and those that they make possible; an evaluation
        becomes ready."""
        while nodes:
            node = nodes.pop()
            if node.cost:
                heapq.heappush(self.ready, _Ready(run.rank, node.order, node, run))
            else:
                nodes += self._set(node, run.work.compute(node))

    def _set(self, node: Node, value: Any) -> list[Node]:
        """Gives a node its value; returns the nodes that lack nothing now."""
        node.value = value
        self.held += _bytes(value)
        if self.held > self.budget:
            raise MemoryError(
                f"the runs hold {self.held / 1e6:.0f} MB, more than their budget of "
                f"{self.budget / 1e6:.0f} MB; watch fewer layers, or raise `budget`"
            )
        for user in node.users:
            user.missing -= user.demanded
        return [user for user in node.users if user.demanded and not user.missing]

    def _ended(self, tree: int) -> Iterator[tuple[int, int, Trajectory]]:
        """The runs of a tree that have ended and whose turn it is; lets go of what they held."""
        runs = self.turns[tree]
        while runs and runs[0].plan.end.value is not None:
            run = runs.popleft()
            yield tree, run.plan.index, self._trajectory(run)
            for node in run.plan.needed:
                node.pending -= 1
                if node.pending == 0:
                    self.held -= _bytes(node.value)
                    node.release()

    def _trajectory(self, run: _Run) -> Trajectory:
        outputs, end = [node.value for node in run.plan.steps], run.plan.end.value
        sigmas = sampler_of(self.schedule, self.model.prediction).sigmas
        return Trajectory(
            sigmas.tolist(),
            latents=[*(output.x for output in outputs), end.latents],
            x0_hats=[output.x0_hat for output in outputs],
            watched=[output.watched for output in outputs] if run.work.watch else [],
            cells=end.cells,
            energy=end.energy,
            audio=None if end.audio is None else end.audio.latents,
        )


@contextmanager
def _without_collector() -> Iterator[None]:
    """No search for cycles meanwhile: nodes leave none behind, and each search goes through all
    objects of torch, which takes longer than a small network's forward pass."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _clean_first_then_by_path(plan: Plan) -> tuple:
    """Plans that share most stand next to each other, so that little has to be held."""
    return not plan.clean, [node.order for node in plan.steps]


def _bytes(value: Any) -> int:
    """What a node's own tensors take; a state shares its clean estimate with its step."""
    if isinstance(value, State):
        return value.latents.nbytes
    if isinstance(value, list):  # what a merge gives each generation, often one tensor for all
        return sum(each.nbytes for each in {id(each): each for each in value}.values())
    assert isinstance(value, StepOutput)
    watched = value.watched if isinstance(value.watched, tuple) else ()
    captured = value.captured.values() if value.captured else ()
    return value.x0_hat.nbytes + sum(part.nbytes for part in (*watched, *captured))
