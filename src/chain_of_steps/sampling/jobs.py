"""Jobs: what a node of a layout makes of the values of the nodes that it needs. States are
`state.State`."""

from dataclasses import dataclass

from .interventions import Action, Merge, Source


@dataclass(frozen=True)
class Start:
    """The state before step 0 of a generation."""

    source: Source


@dataclass(frozen=True)
class Evaluate:
    """A step with one evaluation, from a state and the evaluations of the donors.

    Attributes:
        condition: name of what the generation is conditioned on.
    """

    condition: str
    actions: tuple[Action, ...] = ()
    donors: tuple[Source, ...] = ()


@dataclass(frozen=True)
class After:
    """The state after a step."""


@dataclass(frozen=True)
class Combine:
    """The clean estimates that a merge gives each generation, from the evaluations of all."""

    merge: Merge


@dataclass(frozen=True)
class Batch:
    """The clean estimates of all generations from one batch in which a merge acts on their hidden
    states, from the states of all."""

    conditions: tuple[str, ...]
    merge: Merge


@dataclass(frozen=True)
class Towards:
    """A step towards the clean estimate that a merge gave the generation at `place`, from all
    these estimates, its state, and its own evaluation if it has one."""

    place: int
    condition: str


@dataclass(frozen=True)
class OneState:
    """The state that a merge of latents leaves, from the states of all."""

    step: int
    merge: Merge


Job = Start | Evaluate | After | Combine | Batch | Towards | OneState
