"""The exact posterior at a run's own states: what noise does where nothing is worked out.

It knows all valid answers and turns noise into one of them. So whatever noise costs or changes in a
run is measured of the exact posterior at the same states as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...measures import decisions, traces
from ...measures.posterior import posterior
from ...models.video_model import VideoModel
from ...puzzles.base import Sample
from ..step_visualization import nulls

MOST = 64  # valid answers, beyond which it is not computed


@dataclass(frozen=True)
class Exact:
    """The exact posterior of one sample.

    Attributes:
        atoms: (K, C, F, H, W), the latents of all valid answers.
        sigmas: the S + 1 noise levels of the schedule.
    """

    model: VideoModel
    sample: Sample
    atoms: Tensor
    sigmas: Sequence[float]

    def valid(self, states: Sequence[Tensor], first: int) -> list[bool]:
        """Whether its mean shows a valid answer at each state (1, C, F, H, W); the states are those
        of consecutive steps from `first` on. Values shown equally are chosen from at random."""
        levels = torch.tensor(self.sigmas[first : first + len(states)]).clamp(0.0, 1.0)
        means = posterior(torch.cat(list(states)), levels, self.atoms).mean
        beliefs = traces.beliefs_along(self.model, self.sample, list(means.split(1)))
        decided = decisions.decide(beliefs, nulls.lots(self.sample))
        return decisions.valid(self.sample, decided).tolist()

    def ends(self, states: Sequence[Tensor], first: int) -> list[int]:
        """Which answer (its index) it ends with if it takes over at each state, with the remaining
        Euler steps; states as for `valid`."""
        x = torch.empty(0, *self.atoms.shape[1:])
        for s in range(first, len(self.sigmas) - 1):
            if s - first < len(states):
                x = torch.cat([x.to(states[0]), states[s - first]])
            now, then = min(self.sigmas[s], 1.0), self.sigmas[s + 1]
            mean = posterior(x, now, self.atoms).mean.to(x)
            x = then / now * x + (1.0 - then / now) * mean
        return posterior(x, 0.0, self.atoms).decided.tolist()


def exact_of(model: VideoModel, sample: Sample, sigmas: Sequence[float]) -> Exact | None:
    """The exact posterior of a sample; None if its valid answers are unknown or too many."""
    if not nulls.listed(sample, MOST):
        return None
    return Exact(model, sample, nulls.atoms(model, sample), sigmas)
