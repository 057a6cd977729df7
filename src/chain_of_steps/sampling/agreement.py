"""How far clips agree, from their latents alone: nothing here knows a task, its rules or drawings.

Clips of one sample share the given frame, so most of what they show is the same in all. What counts
is what happens: the change against the clip's first latent frame.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SAME = 0.5  # two clips with less disagreement than this show the same answer
SHARPNESS = 4.0  # of the weights by agreement: 0 is the plain mean, infinity the medoid


def change(clip: Tensor) -> Tensor:
    """What happens in a clip, (1, C, F, H, W): its difference to its first latent frame."""
    return clip - clip[:, :, :1]


def contrast(clip: Tensor) -> float:
    """How strongly anything happens in a clip: RMS of its change. The mean of clips with different
    answers has less than each of them."""
    return float(change(clip).pow(2).mean().sqrt())


def disagreement(a: Tensor, b: Tensor) -> float:
    """Distance of two clips as a share of what happens in them: 0 for equal clips, about 1.4 for
    unrelated changes."""
    happens = (change(a).norm() + change(b).norm()) / 2.0
    return float((a - b).norm() / happens.clamp_min(1e-6))


def disagreements(clips: Sequence[Tensor]) -> Tensor:
    """All pairs, (k, k)."""
    values = torch.zeros(len(clips), len(clips))
    for i in range(len(clips)):
        for j in range(i):
            values[i, j] = values[j, i] = disagreement(clips[i], clips[j])
    return values


def medoid(clips: Sequence[Tensor]) -> int:
    """Index of the clip that disagrees least with all others; the first of equals."""
    return int(disagreements(clips).sum(1).argmin())


def majority(clips: Sequence[Tensor], same: float = SAME) -> int:
    """Index of the first clip of the largest group that shows one answer; 0 where all differ."""
    return int((disagreements(clips) < same).sum(1).argmax())


def nearest_pair(clips: Sequence[Tensor]) -> tuple[int, int]:
    """Indices of the two clips that disagree least, the lower first; (0, 0) for a single clip."""
    if len(clips) == 1:
        return 0, 0
    pairs = disagreements(clips)
    first, second = divmod(int(pairs.fill_diagonal_(float("inf")).argmin()), len(clips))
    return first, second


def weights(pairs: Tensor) -> list[float]:
    """Weights (k) that sum to 1, larger for clips that agree with the others:
    `softmax(-4 d_i / mean(d))`.

    Args:
        pairs: disagreements, (k, k); `d_i` is the sum of row i.
    """
    distance = pairs.sum(1)
    return torch.softmax(-SHARPNESS * distance / distance.mean().clamp_min(1e-6), 0).tolist()
