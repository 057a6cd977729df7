"""Lays runs out as nodes that name what they need; nothing is computed here.

Two runs share a node if everything before it agrees: the start, what interventions did, which
generations were merged or patched from. A node's job says what `work` makes of the values that it
needs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .interventions import Action, Intervention, Merge, Source, actions_at, check

OWN = Source()


@dataclass(frozen=True)
class Branch:
    """One run.

    Attributes:
        interventions: in the order in which they act; none is the clean run.
        until: the run ends before this step, None at the last; so that results can be read on an
            early `x0_hat`.
        source: the generation itself, relative to the one that all branches are about.
    """

    interventions: tuple[Intervention, ...] = ()
    until: int | None = None
    source: Source = OWN


# Jobs: what a node makes of the values of the nodes that it needs. States are `denoise.State`.


@dataclass(frozen=True)
class Start:
    """The state before step 0 of a generation."""

    source: Source


@dataclass(frozen=True)
class Evaluate:
    """One evaluation, from a state and the evaluations of the donors."""

    source: Source
    actions: tuple[Action, ...] = ()
    donors: tuple[Source, ...] = ()


@dataclass(frozen=True)
class After:
    """The state after an evaluation."""


@dataclass(frozen=True)
class Combine:
    """What a merge of clean estimates gives each generation, from the evaluations of all."""

    step: int
    merge: Merge


@dataclass(frozen=True)
class Together:
    """What a merge of hidden states gives each generation, from the states of all."""

    sources: tuple[Source, ...]
    merge: Merge


@dataclass(frozen=True)
class Towards:
    """The state after a step towards what a merge gave one generation, from its state and that."""

    place: int


@dataclass(frozen=True)
class OneState:
    """The state that a merge of latents leaves, from those of all."""

    step: int
    merge: Merge


Job = Start | Evaluate | After | Combine | Together | Towards | OneState


@dataclass(eq=False)
class Node:
    """Something that is computed once.

    Attributes:
        job: what is made of the values of `needs`.
        cost: model evaluations that it takes.
        order: when it was laid out; a node needs only nodes of lower order.
        wanted: actions of other runs that ask for hidden states of this evaluation.
        pending: plans that still need its value.
    """

    job: Job
    needs: tuple["Node", ...]
    cost: int
    order: int
    wanted: set[Action] = field(default_factory=set)
    pending: int = 0
    value: Any = None


@dataclass(frozen=True)
class Seen:
    """A step of a run: the node that holds what is seen, and its place in a merge."""

    node: Node
    place: int | None = None


@dataclass(frozen=True)
class Plan:
    """A branch, laid out.

    Attributes:
        index: of the branch.
        steps: what is seen at each.
        end: the state in which it ends.
        needed: all nodes that it rests on.
        clean: whether it is the clean run itself.
    """

    index: int
    steps: list[Seen]
    end: Node
    needed: set[Node]
    clean: bool


class Layout:
    """The nodes of many runs of one sample.

    Args:
        steps, frames, layers: of schedule, latents and model.
    """

    def __init__(self, steps: int, frames: int, layers: int):
        self.steps, self.frames, self.layers = steps, frames, layers
        self.nodes: dict[tuple, Node] = {}
        self.plans: list[Plan] = []

    def plan(self, branch: Branch) -> Plan:
        """Adds a branch.

        Raises:
            ValueError: for an intervention at a step, frame or layer that there is not, or two merges.
        """
        check(branch.interventions, self.steps, self.frames, self.layers)
        merge = _merge_of(branch)
        sources = [Source(*s) for s in (branch.source, *(merge.company if merge else ()))]
        lanes = [self._node(Start(source)) for source in sources]
        until = self.steps if branch.until is None else branch.until
        merged = {step for step in merge.steps if step < until} if merge else set()
        seen: list[Seen] = []
        for step in range(until):
            if step > max(merged, default=-1):
                lanes = lanes[:1]  # after the last merged step the run goes on alone
            actions = actions_at(branch.interventions, step, self.frames)
            if step in merged:
                lanes, here = self._merged(step, lanes, sources, actions, merge)
            else:
                lanes, here = self._alone(step, lanes, sources, actions)
            seen.append(here)
        needed = _closure([*(here.node for here in seen), lanes[0]])
        for node in needed:
            node.pending += 1
        clean = branch == Branch()
        self.plans.append(Plan(len(self.plans), seen, lanes[0], needed, clean))
        return self.plans[-1]

    def _alone(self, step, lanes, sources, actions) -> tuple[list[Node], Seen]:
        """Each lane takes a step of its own; the actions are those of the first."""
        each = self._evaluations(step, lanes, sources, actions)
        return [self._node(After(), evaluation) for evaluation in each], Seen(each[0])

    def _merged(self, step, lanes, sources, actions, merge) -> tuple[list[Node], Seen]:
        """All lanes take a step towards the clean estimates that a merge gives them."""
        if merge.acts == "before":
            one = self._node(OneState(step, merge), *lanes)
            (evaluation,) = self._evaluations(step, [one], sources, actions)
            return [self._node(After(), evaluation)] * len(lanes), Seen(evaluation)
        if merge.acts == "within" and actions:
            raise ValueError(f"{merge} cannot be combined with {actions[0]} at step {step}")
        if merge.acts == "within":
            cost = merge.evaluations(len(lanes))
            towards = self._node(Together(tuple(sources), merge), *lanes, cost=cost)
        else:
            each = self._evaluations(step, lanes, sources, actions)
            towards = self._node(Combine(step, merge), *each)
        after = [self._node(Towards(i), lane, towards) for i, lane in enumerate(lanes)]
        return after, Seen(towards, 0)

    def _evaluations(self, step, lanes, sources, actions) -> list[Node]:
        """An evaluation of each lane; the actions are those of the first."""
        first = self._evaluate(step, lanes[0], sources[0], actions)
        rest = zip(lanes[1:], sources[1:], strict=False)
        return [first, *(self._evaluate(step, lane, source) for lane, source in rest)]

    def _evaluate(
        self, step: int, lane: Node, source: Source, actions: tuple[Action, ...] = ()
    ) -> Node:
        donors = tuple(dict.fromkeys(d for action in actions for d in action.donors))
        states = [self._donor(step, donor, actions) for donor in donors]
        return self._node(Evaluate(source, actions, donors), lane, *states, cost=1)

    def _donor(self, step: int, donor: Source, actions: tuple[Action, ...]) -> Node:
        """A donor's clean evaluation at a step, which keeps the hidden states that are wanted."""
        lane = self._node(Start(donor))
        for earlier in range(step):
            lane = self._node(After(), self._evaluate(earlier, lane, donor))
        node = self._evaluate(step, lane, donor)
        node.wanted |= {action for action in actions if donor in action.donors}
        return node

    def _node(self, job: Job, *needs: Node, cost: int = 0) -> Node:
        key = (job, *(need.order for need in needs))
        if key not in self.nodes:
            self.nodes[key] = Node(job, needs, cost, len(self.nodes))
        return self.nodes[key]


def evaluations(branches: Sequence[Branch], steps: int, frames: int, layers: int = 1 << 30) -> int:
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
