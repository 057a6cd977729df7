"""Readouts of trajectories: evidence, presence, leader, commit step, posterior-mean null."""

import numpy as np
import torch
from torch import Tensor

MARGIN = 0.1  # a leader is ahead of the second by this much evidence
ALPHA = 0.95  # quantile of the unrelated control above which a candidate counts as present,
VISIBLE = 0.05  # provided it has this much evidence: over an empty control, specks would count


def nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over an axis without NaN; NaN if nothing is left, without a warning."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis) / np.where(
        known.any(axis), known.sum(axis), np.nan
    )


def net_evidence(raw: np.ndarray, control: np.ndarray) -> np.ndarray:
    """Evidence minus that in clean estimates of unrelated samples, at least 0.

    Args:
        raw: (S, K) evidence of K candidates at S steps, in [0, 1].
        control: (S, U, K), the same for U unrelated samples; NaN where one is not a control for a
            candidate.
    """
    return np.clip(raw - np.nan_to_num(nanmean(control, 1)), 0.0, 1.0)


def presence_threshold(controls: list[np.ndarray]) -> np.ndarray:
    """The 95th percentile of net control evidence at each step, (S,), over all samples of a task.

    Args:
        controls: per sample (S, U, K) with NaN; each unrelated sample is judged against the mean of
            all.
    """
    net = [np.clip(c - nanmean(c, 1)[:, None], 0.0, 1.0).reshape(len(c), -1) for c in controls]
    return np.nan_to_num(np.nanquantile(np.concatenate(net, axis=1), ALPHA, axis=1))


def present(net: np.ndarray, threshold: np.ndarray, floor: float = VISIBLE) -> np.ndarray:
    """Presence (S, ..., K) bool, from net evidence (S, ..., K) and threshold (S,)."""
    return net > np.maximum(threshold, floor).reshape(-1, *[1] * (net.ndim - 1))


def leader(net: np.ndarray, is_present: np.ndarray) -> np.ndarray:
    """Index of the leading candidate at each step, (S,), or -1 for none."""
    best = net.argmax(1)
    ordered = np.sort(net, axis=1)
    second = ordered[:, -2] if net.shape[1] > 1 else np.zeros(len(net))
    clear = (ordered[:, -1] - second >= MARGIN) & is_present[np.arange(len(net)), best]
    return np.where(clear, best, -1)


def commit_step(leaders: np.ndarray, answer: int) -> int | None:
    """First step from which the leader is the final answer to the end; None if it never is."""
    different = np.flatnonzero(leaders != answer)
    first = 0 if len(different) == 0 else int(different[-1]) + 1
    return first if first < len(leaders) else None


def posterior_mean(x: Tensor, sigma: float, candidates: Tensor, prior: np.ndarray) -> Tensor:
    """The null's clean estimate: posterior mean over a sample's candidate clips (paper trap 6).

        weights_i = softmax_i(log pi_i - ||x_s - (1 - sigma) z_i||^2 / (2 sigma^2))
        x0_hat = sum_i weights_i z_i

    Args:
        x: `x_s`, (1, C, F, H, W), taken on the model's own trajectory.
        sigma: its noise level, in (0, 1].
        candidates: (K, C, F, H, W) latents of the rendered candidate clips.
        prior: (K,) prior probabilities, summing to 1; zeros exclude a candidate.
    """
    distance = (x.double() - (1.0 - sigma) * candidates.double()).pow(2).flatten(1).sum(1)  # (K,)
    weights = torch.softmax(
        torch.log(torch.tensor(prior).to(distance)) - distance / (2.0 * sigma**2), dim=0
    )
    return torch.einsum("k,kcfhw->cfhw", weights, candidates.double()).float()[None]


def priors(kinds: list[str], answers: list[int | None]) -> dict[str, np.ndarray]:
    """The null's three named priors over K candidates.

    Args:
        kinds: of the candidates: valid, wrong or illegal.
        answers: candidate index (or None) of the model's final answer under at least 32 other
            seeds.
    """
    valid = np.array([kind == "valid" for kind in kinds], float)
    counts = np.bincount([a for a in answers if a is not None], minlength=len(kinds)) + 0.5 / len(
        kinds
    )
    return {
        "bayes": valid / valid.sum(),
        "ignorant": np.full(len(kinds), 1.0 / len(kinds)),
        "calibrated": counts / counts.sum(),
    }


def cka(a: Tensor, b: Tensor) -> float:
    """Debiased linear CKA of two sets of tokens: 1 if equal up to rotation and scale, 0 on average
    if independent.

        CKA = HSIC(a, b) / sqrt(HSIC(a, a) HSIC(b, b))

    HSIC is the unbiased estimator of Song et al. (2012), eq. 5. Biased CKA of independent Gaussians
    approaches 1 when the features outnumber the tokens (paper section 6).

    Args:
        a: (N, D), the tokens of one sample as examples; N > 3.
        b: (N, D'), the same tokens elsewhere.
    """
    a, b = _centred(a), _centred(b)
    scale = _hsic(a, a) * _hsic(b, b)
    return float(_hsic(a, b) / scale.sqrt()) if scale > 0 else float("nan")


def tokens(latents: Tensor) -> Tensor:
    """Latents (1, C, F, H, W) as tokens (F H W, C)."""
    return latents[0].flatten(1).T


def _centred(values: Tensor) -> Tensor:
    values = values.double()
    return values - values.mean(0)


def _hsic(a: Tensor, b: Tensor) -> Tensor:
    """Unbiased HSIC of linear kernels, from whichever is smaller: features or N x N kernels."""
    n = len(a)
    squares_a, squares_b = a.pow(2).sum(1), b.pow(2).sum(1)  # (N,) diagonals of the kernels K and L
    rows_a, rows_b = (
        a @ a.sum(0) - squares_a,
        b @ b.sum(0) - squares_b,
    )  # (N,) row sums without the diagonal
    products = (a.T @ b).pow(2) if n > min(a.shape[1], b.shape[1]) else (a @ a.T) * (b @ b.T)
    trace = products.sum() - squares_a @ squares_b  # tr(K L)
    sums = rows_a.sum() * rows_b.sum() / ((n - 1) * (n - 2))
    return (trace + sums - 2.0 * (rows_a @ rows_b) / (n - 2)) / (n * (n - 3))
