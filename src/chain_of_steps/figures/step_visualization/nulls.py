"""The null models of a clean estimate: posterior means at the model's own states.

`x0_hat` is close to the mean of all answers that the latents still allow, and such a mean looks
like ghosted answers without any search (`measures.posterior`). So whatever is measured of a run is
measured of two means at the same states as well: *exact*, over all valid answers, and *calibrated*,
over the model's own final latents of other seeds.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...measures.answers import model_encoder, solution_latents
from ...measures.posterior import calibrated, posterior
from ...models.video_model import VideoModel
from ...puzzles.base import Sample
from ...sampling.denoise import Trajectory

TIES = 11  # of the random choice between values that a mean shows equally
SAME = 6  # digits of weights: means that agree in them look alike in 8 bits


def listed(sample: Sample, most: int) -> bool:
    """Whether the valid answers are all known and at most so many: then there is an exact null."""
    return not sample.solutions.more and len(sample.solutions) <= most


def atoms(model: VideoModel, sample: Sample) -> Tensor:
    """The latents (K, C, F, H, W) of all valid answers."""
    return solution_latents(sample, model_encoder(model, sample))


def means(trajectory: Trajectory, atoms: Tensor, own: bool = False) -> tuple[list[Tensor], list]:
    """The posterior mean at every state of a run.

    Late in a run one atom has all the weight, so many of the S means are the same; each is given
    once.

    Args:
        atoms: (K, C, F, H, W).
        own: they are the model's own final latents, of which there must be enough.

    Returns:
        The distinct means, (1, C, F, H, W) each, and which of them belongs to each step, (S,).
    """
    x = torch.cat(trajectory.latents[:-1])  # (S, C, F, H, W)
    sigmas = torch.tensor(trajectory.sigmas[: len(x)]).clamp(0.0, 1.0)
    found = (calibrated if own else posterior)(x, sigmas, atoms)
    weights = found.weights.cpu().numpy().round(SAME)
    _, first, which = np.unique(weights, axis=0, return_index=True, return_inverse=True)
    return [found.mean[i : i + 1] for i in first], which.ravel().tolist()


def lots(sample: Sample) -> np.random.Generator:
    """Breaks the ties of a sample's null: next to sigma = 1 a mean shows several values equally,
    and the first of them would win always."""
    return np.random.default_rng([TIES, int(sample.key, 16)])


def entropy(answers: Sequence[str]) -> float:
    """Of the answers of many seeds, in bits: 0 if all agree."""
    _, counts = np.unique(list(answers), return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0
