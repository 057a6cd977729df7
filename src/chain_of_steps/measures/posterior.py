"""The posterior over a list of answers and its mean: the null model of what an estimate shows.

If the clean latents are one of K atoms z_i, each equally likely, then given
x_s = (1 - sigma) z + sigma eps the posterior and its mean, the best clean estimate, are

    weights_i = softmax_i(-||x_s - (1 - sigma) z_i||^2 / (2 sigma^2)),
    x0_hat = sum_i weights_i z_i

(paper section 6). *Exact*: the atoms are the latents of all valid answers
(`answers.solution_latents`). *Calibrated*: they are the model's own final latents of other seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST = 1e-4  # noise level below which the nearest atom has all the weight anyway
TIE = 1e-9  # weights closer than this share of the largest are equal but for rounding
LEAST_SEEDS = 32  # for a calibrated posterior


@dataclass(frozen=True)
class Posterior:
    """The posterior at B states.

    Attributes:
        mean: (B, C, F, H, W) float32, the clean estimate.
        weights: (B, K) float64, of the atoms; they sum to 1.
        decided: (B,) int, the atom of largest weight; ties are broken at random.
    """

    mean: Tensor
    weights: Tensor
    decided: Tensor


def posterior(x: Tensor, sigma: Tensor | float, atoms: Tensor, seed: int = 0) -> Posterior:
    """The posterior over one sample's atoms at each of B states.

    Args:
        x: (B, C, F, H, W), e.g. `x_s` on the model's own trajectory.
        sigma: noise levels in [0, 1], (B,) or one for all. At 1 all atoms are equally likely;
            towards 0 the nearest gets all the weight.
        atoms: (K, C, F, H, W), the possible clean latents.
        seed: of the random choice among equal weights.

    Raises:
        ValueError: for no atoms, shapes that do not fit, or a noise level outside [0, 1].
    """
    if x.ndim != 5 or atoms.ndim != 5 or not len(atoms) or x.shape[1:] != atoms.shape[1:]:
        raise ValueError(
            f"states are {tuple(x.shape)} and atoms {tuple(atoms.shape)}; expected (B, C, F, H, W) "
            f"and (K, C, F, H, W) with K of 1 or more"
        )
    weights = _weights(x, torch.as_tensor(sigma, dtype=torch.float64), atoms)
    mean = (weights @ atoms.double().flatten(1)).view(-1, *atoms.shape[1:])
    lots = torch.rand(weights.shape, generator=torch.Generator().manual_seed(seed))
    tied = weights >= weights.amax(1, keepdim=True) * (1.0 - TIE)
    decided = torch.where(tied.cpu(), lots, -1.0).argmax(1)
    return Posterior(mean.float(), weights, decided)


def _weights(x: Tensor, sigma: Tensor, atoms: Tensor) -> Tensor:
    """(B, K). ||x||^2 is common to all atoms and left out; the largest exponent is subtracted
    before the division by sigma^2, so that nothing overflows."""
    if not ((sigma >= 0) & (sigma <= 1)).all():
        raise ValueError(f"a noise level is {sigma.tolist()}; expected 0 to 1")
    sigma = sigma.to(x.device).expand(len(x))[:, None]  # (B, 1)
    z = atoms.to(x.device).double().flatten(1)  # (K, D)
    near = (1 - sigma) * (x.double().flatten(1) @ z.T)  # (B, K)
    near = near - (1 - sigma) ** 2 * z.pow(2).sum(1) / 2
    off = near - near.amax(1, keepdim=True)
    return torch.softmax(off / sigma.clamp_min(SMALLEST) ** 2, 1)


def calibrated(x: Tensor, sigma: Tensor | float, finals: Tensor, seed: int = 0) -> Posterior:
    """The posterior over the model's own final latents of at least 32 other seeds, so an answer
    weighs as much as the model ends on it; other arguments as for `posterior`.

    Args:
        finals: (K, C, F, H, W), without the final latents of the run under study.

    Raises:
        ValueError: for fewer seeds.
    """
    if len(finals) < LEAST_SEEDS:
        raise ValueError(
            f"{len(finals)} final latents were given; a calibrated posterior needs those of at "
            f"least {LEAST_SEEDS} other seeds"
        )
    return posterior(x, sigma, finals, seed)


@dataclass(frozen=True)
class ExactDenoiser:
    """The posterior mean as a denoiser of B runs, each with atoms of its own.

    Attributes:
        atoms: of each run, (K, C, F, H, W).
    """

    atoms: Sequence[Tensor]

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """The clean estimates (B, C, F, H, W) of states (B, C, F, H, W) at one noise level."""
        if all(len(atoms) == 1 for atoms in self.atoms):  # a unique answer is certain anywhere
            return torch.cat(list(self.atoms))
        rows = zip(x.split(1), self.atoms, strict=True)
        return torch.cat([posterior(row, sigma, atoms).mean for row, atoms in rows])
