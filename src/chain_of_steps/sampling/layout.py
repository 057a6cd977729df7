"""Lays runs out as nodes that name what they need; nothing is computed here.

Two runs share a node if everything before it agrees: the start, what interventions did, which
generations were merged or patched from. A node's job says what `work` makes of the values that it
needs.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .interventions import Action, Intervention, Merge, Source, actions_at, check
from .jobs import After, Batch, Combine, Evaluate, Job, OneState, Start, Towards

OWN = Source()


@dataclass(frozen=True)
class Branch:
    """One run.

    Attributes:
        interventions: in the order in which they act; none is the clean run.
        until: the run ends before this step, None at the last; so that results can be read on an
            early `x0_hat`.
        source: seed offset and condition name of the generation.
        place: which of the merged generations the run follows: 0 is `source`, 1 the first of the
            merge's company. The other interventions act on the generation that is followed.
    """

    interventions: tuple[Intervention, ...] = ()
    until: int | None = None
    source: Source = OWN
    place: int = 0


@dataclass(eq=False)
class Node:
    """Something that is computed once.

    Attributes:
        job: what is made of the values of `needs`.
        cost: model evaluations that it takes.
        order: when it was laid out; a node needs only nodes of lower order.
        wanted: actions of other runs that ask for hidden states of this evaluation.
        visited: whether `visit` sees the hidden states of this evaluation or batch: it belongs to a
            run itself, not only to a donor or to the company of a merge.
        watched: whether `watch` sees this step: it is one of a run.
        users: the nodes that need it.
        pending: plans that still need its value.
        demanded: whether a plan that needs it has begun.
        missing: how many of its needs have no value yet, once it is demanded.
    """

    job: Job
    needs: tuple["Node", ...]
    cost: int
    order: int
    wanted: set[Action] = field(default_factory=set)
    visited: bool = False
    watched: bool = False
    users: list["Node"] = field(default_factory=list)
    pending: int = 0
    demanded: bool = False
    missing: int = 0
    value: Any = None

    def release(self) -> None:
        """Lets go of the value and of other nodes, so that no cycles are left to collect."""
        self.value, self.needs, self.users = None, (), []


class Lane(NamedTuple):
    """One of the generations of a run: where it comes from, and its state before the next step."""

    source: Source
    state: Node


@dataclass(frozen=True)
class Plan:
    """A branch, laid out.

    Attributes:
        index: of the branch.
        steps: the node of each step, whose value is a `StepOutput`.
        end: the state in which it ends.
        needed: all nodes that it rests on.
        clean: whether it is the clean run itself.
    """

    index: int
    steps: list[Node]
    end: Node
    needed: set[Node]
    clean: bool


class Layout:
    """The nodes of many runs of one sample.

    Args:
        steps, frames, layers: of schedule, latents and model; infinitely many layers if it does
            not matter whether those that interventions name exist.
    """

    def __init__(self, steps: int, frames: int, layers: float):
        self.steps, self.frames, self.layers = steps, frames, layers
        self.nodes: dict[tuple, Node] = {}
        self.plans: list[Plan] = []

    def plan(self, branch: Branch) -> Plan:
        """Adds a branch.

        Raises:
            ValueError: for an intervention at a step, frame or layer that does not exist, for two
                merges, a place that the merge does not have, or a merge of layers together with
                another intervention at that step.
        """
        self.check(branch)
        steps, end = self._run(branch, _merge_of(branch))
        for node in steps:
            node.watched = True
        needed = _closure([*steps, end])
        for node in needed:
            node.pending += 1
        clean = branch == Branch()
        self.plans.append(Plan(len(self.plans), steps, end, needed, clean))
        return self.plans[-1]

    def check(self, branch: Branch) -> None:
        """Raises what `plan` would; lays nothing out."""
        check(branch.interventions, self.steps, self.frames, self.layers)
        merge = _merge_of(branch)
        count = 1 + len(merge.company if merge else ())
        if not 0 <= branch.place < count:
            raise ValueError(f"there is no place {branch.place} among {count} generations")
        if merge and merge.acts == "within":
            for step in (s for s in merge.steps if s < self._until(branch)):
                if actions := actions_at(branch.interventions, step, self.frames):
                    raise ValueError(f"{merge} cannot be combined with {actions[0]} at step {step}")

    def _until(self, branch: Branch) -> int:
        return self.steps if branch.until is None else branch.until

    def _run(self, branch: Branch, merge: Merge | None) -> tuple[list[Node], Node]:
        """The nodes of its steps, and the state in which it ends."""
        sources = [branch.source, *(merge.company if merge else ())]
        lanes, place = [Lane(s, self._node(Start(s))) for s in sources], branch.place
        until = self._until(branch)
        merged = {step for step in merge.steps if step < until} if merge else set()
        steps: list[Node] = []
        for step in range(until):
            if step > max(merged, default=-1):
                lanes, place = [lanes[place]], 0  # after the last merged step the run is alone
            actions = actions_at(branch.interventions, step, self.frames)
            if step in merged:
                outputs = self._merged(step, lanes, place, actions, merge)
            else:
                outputs = self._evaluations(step, lanes, place, actions)
            steps.append(outputs[place])
            states = [self._node(After(), output) for output in outputs]
            lanes = [Lane(lane.source, state) for lane, state in zip(lanes, states, strict=True)]
        return steps, lanes[place].state

    def _merged(
        self,
        step: int,
        lanes: list[Lane],
        place: int,
        actions: tuple[Action, ...],
        merge: Merge,
    ) -> list[Node]:
        """The step of each lane towards the clean estimate that a merge gives it."""
        states = [lane.state for lane in lanes]
        if merge.acts == "before":
            one = Lane(lanes[0].source, self._node(OneState(step, merge), *states))
            return self._evaluations(step, [one], 0, actions) * len(lanes)
        if merge.acts == "within":
            job = Batch(tuple(lane.source.condition for lane in lanes), merge)
            estimates = self._node(job, *states, cost=merge.evaluations(len(lanes)))
            estimates.visited = True
            own = [(state,) for state in states]
        else:
            each = self._evaluations(step, lanes, place, actions)
            estimates = self._node(Combine(merge), *each)
            own = list(zip(states, each, strict=True))
        jobs = [Towards(i, lane.source.condition) for i, lane in enumerate(lanes)]
        return [self._node(job, estimates, *needs) for job, needs in zip(jobs, own, strict=True)]

    def _evaluations(
        self, step: int, lanes: list[Lane], place: int, actions: tuple[Action, ...]
    ) -> list[Node]:
        """An evaluation of each lane; the actions are those of the lane at `place`."""
        nodes = [
            self._evaluate(step, lane, actions if i == place else ())
            for i, lane in enumerate(lanes)
        ]
        nodes[place].visited = True
        return nodes

    def _evaluate(self, step: int, lane: Lane, actions: tuple[Action, ...] = ()) -> Node:
        donors = tuple(dict.fromkeys(d for action in actions for d in action.donors))
        states = [self._donor(step, donor, actions) for donor in donors]
        job = Evaluate(lane.source.condition, actions, donors)
        return self._node(job, lane.state, *states, cost=1)

    def _donor(self, step: int, donor: Source, actions: tuple[Action, ...]) -> Node:
        """A donor's clean evaluation at a step, which keeps the hidden states that are wanted."""
        lane = Lane(donor, self._node(Start(donor)))
        for earlier in range(step):
            lane = Lane(donor, self._node(After(), self._evaluate(earlier, lane)))
        node = self._evaluate(step, lane)
        node.wanted |= {action for action in actions if donor in action.donors}
        return node

    def _node(self, job: Job, *needs: Node, cost: int = 0) -> Node:
        key = (job, *(need.order for need in needs))
        if key not in self.nodes:
            self.nodes[key] = node = Node(job, needs, cost, len(self.nodes))
            for need in dict.fromkeys(needs):  # repeated members of a merge are one
                need.users.append(node)
        return self.nodes[key]


def evaluations(
    branches: Sequence[Branch], steps: int, frames: int, layers: float = math.inf
) -> int:
    """How many model evaluations branches take together, each different one once."""
    layout = Layout(steps, frames, layers)
    return sum(node.cost for node in set().union(*(layout.plan(b).needed for b in branches)))


def _merge_of(branch: Branch) -> Merge | None:
    merges = [each for each in branch.interventions if isinstance(each, Merge)]
    if len(merges) > 1:
        raise ValueError(f"a run has one merge; {merges[1]} comes after {merges[0]}")
    return merges[0] if merges else None


def _closure(nodes: Iterable[Node]) -> set[Node]:
    """These nodes and all that they rest on."""
    found: set[Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += node.needs
    return found
