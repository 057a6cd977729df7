"""What a strategy is: a record that rows name, a kind that runs it, and what it leaves."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from ..rollouts import Member, Rollouts


@dataclass(frozen=True)
class Strategy:
    """One row of the table, with all its settings.

    Attributes:
        name: of its kind in `STRATEGIES`.
        k: how many generations take part.
        steps: how many of the first steps are merged, or come before a choice or a branch; of short
            runs, how many they have, 0 for as many as the schedule.
        merge: what is merged, see `merge_of`; a variant of `MergeLayers`, `MergeEstimates` or
            `MergeLatents`.
        layers: of a merge of layers.
        company: what joins generation 0: `seeds`, other seeds; `strangers`, generations of an
            unrelated sample; `repeated`, itself; the last two are controls.
        amount: the share of the noise that is redrawn, the step of a soft merge, or the noise level
            to which finished clips are noised again.
    """

    name: str
    k: int = 3
    steps: int = 0
    merge: str = ""
    layers: tuple[int, ...] = ()
    company: str = "seeds"
    amount: float = 0.0

    @property
    def members(self) -> list[Member]:
        """The generations that take part."""
        if self.company == "repeated":
            return [Member(0)] * self.k
        return [Member(j, unrelated=j > 0 and self.company == "strangers") for j in range(self.k)]


@dataclass(frozen=True)
class Outcome:
    """What a strategy leaves.

    Attributes:
        finals: final latents (1, C, F, H, W); several where all generations count.
        early: where a strategy acts on the first steps, generation 0's clean estimate at the last
            of them.
        shared: how many steps these were.
        cost: model evaluations; a batch of k counts k.
    """

    finals: list[Tensor]
    early: Tensor | None = None
    shared: int = 0
    cost: float = 0.0


class Kind(ABC):
    """A kind of strategy. `how` is its record."""

    @abstractmethod
    def run(self, rollouts: Rollouts, how: Strategy) -> Outcome:
        """What it leaves of the clean generations of one sample, see `Rollouts`."""

    def rests_on(self, how: Strategy, steps: int) -> tuple[int, int]:
        """The clean generations that it takes from the rollouts, which other strategies may share:
        how many at most, and of how many steps. By default none.

        Args:
            steps: of the schedule.
        """
        return 0, steps

    @abstractmethod
    def nfe(self, how: Strategy, steps: int) -> int:
        """How many evaluations it makes at most beyond these clean generations.

        Args:
            steps: of the schedule.
        """


class Choice(Kind):
    """A kind that chooses among k clean generations and evaluates nothing else."""

    def rests_on(self, how: Strategy, steps: int) -> tuple[int, int]:
        return how.k, steps

    def nfe(self, how: Strategy, steps: int) -> int:
        return 0
