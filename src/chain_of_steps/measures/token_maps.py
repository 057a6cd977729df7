"""Hidden states as maps over the tokens of a frame: their norms, and their directions as
colours."""

import torch
from torch import Tensor


def maps_of(states: Tensor, side: int) -> dict[str, Tensor]:
    """Norms and principal components of hidden states (S, 1 + L, F, h w, D), as maps of `side`
    tokens a side.

    Returns:
        `norm` (S, 1 + L, F, h, w), float32, since those of late layers may exceed what fp16 holds;
        `colours` (S, 1 + L, F, h, w, 3), fp16, the first three principal components of all tokens
        together, so that colours compare across maps.
    """
    flat = states.flatten(0, 3)
    lengths = flat.norm(dim=1, keepdim=True).clamp_min(1e-6)
    centred = flat / lengths  # direction only: norms have their own map
    centred = centred - centred.mean(0)
    _, vectors = torch.linalg.eigh((centred.T @ centred).double())
    axes = vectors[:, -3:].flip(1).float()  # (D, 3), the largest first
    axes = axes * axes.sum(0).sign()  # eigenvectors have no sign of their own
    colours = (centred @ axes).unflatten(0, (*states.shape[:3], side, side))
    return {
        "norm": states.norm(dim=-1).unflatten(3, (side, side)).float(),
        "colours": colours.half().contiguous(),
    }
