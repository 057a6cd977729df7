"""The runs that take part in a swap: receiver and donors."""

from dataclasses import dataclass

from torch import Tensor

from ...models.video_model import Condition
from ...sampling.sites import Site


@dataclass(frozen=True)
class SwapRun:
    """What determines one row, apart from model and schedule.

    Attributes:
        task, index, suite_seed, partition: name the receiver's sample.
        seed: of the noise of both runs.
        step: at which the swap is made.
        variant: of the swap, see `Patch`; or `held`, the donor's state at this and every later
            step, each time that of the donor's own run.
        where: which tokens are swapped: all; `cause`: the given frame where the two boards or
            their named things differ; `answer`: all later frames where the two answers differ.
        donor: `twin`, the same board with another answer; `exchanged`, the same prompt, the named
            thing and another in each other's place; `stranger`, an unrelated sample: the null.
        final: also read the final video.
        random: in a network of random weights. It never answers; only how far its clean estimate
            moves is read.
    """

    task: str
    index: int
    suite_seed: int
    seed: int
    step: int
    variant: str = "state"
    where: str = "all"
    donor: str = "twin"
    final: bool = False
    random: bool = False
    partition: str = "test"

    @property
    def base(self) -> tuple:
        """Runs of equal base share receiver, donors and their states."""
        return (
            self.task,
            self.index,
            self.suite_seed,
            self.partition,
            self.seed,
            self.step,
            self.random,
        )


@dataclass(frozen=True)
class Party:
    """A run at the step of the swap.

    Attributes:
        captured: hidden states (N, D) of that step and, where swaps are held, of all later ones.
        x0_hat: the clean estimate of that step.
        answer: index of the receiver's candidate that its final video shows, -1 for none.
    """

    condition: Condition
    captured: dict[Site, Tensor]
    x0_hat: Tensor
    answer: int

    def states(self, step: int, guided: bool = True) -> dict[int, Tensor]:
        """Those of one step and pass by layer, -1 to L - 1."""
        return {
            s.layer: state
            for s, state in self.captured.items()
            if (s.step, s.guided) == (step, guided)
        }


@dataclass(frozen=True)
class Patched:
    """A swapped run: that step's clean estimate unless the swap is held, and the final latents if
    needed; each (1, C, F, H, W)."""

    x0_hat: Tensor | None
    final: Tensor | None
