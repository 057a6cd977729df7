"""The mini model's codec as matrices, for explorer/engine/codec.js.

Its autoencoder sees each cell of 8 x 8 pixels alone (see training/codec.py): a matrix, an RMS norm,
SiLU, a matrix. So a page needs two matrices each way instead of convolutions, which are all zeros.
"""

from typing import Any

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify
from torch import Tensor, nn

CLOSE = 1e-3  # of latents and pixels in [-1, 1]: what counts as the same code
FRAMES, CELLS = 5, 3  # of the clip with which that is checked


def matrices(codec: AutoencoderKLWan) -> dict[str, Tensor]:
    """`encode.*` and `decode.*`: `inner` (M, I), `inner_bias` (M,), `gain` (M,), `outer` (O, M) and
    `outer_bias` (O,), so that a cell x becomes `outer silu(gain y / |y|) + outer_bias` with
    `y = inner x + inner_bias`. Pixels of a cell are in the order row, column, colour.

    Raises:
        ValueError: for a codec that is not of this form.
    """
    order = _pixel_order(codec.config.patch_size)
    encode = _half(codec.encoder)
    quantised = _matrix(codec.quant_conv)[: codec.config.z_dim]  # the rest is the log variance
    bias = codec.quant_conv.bias[: codec.config.z_dim]
    encode["inner"] = encode["inner"][:, order]
    encode["outer_bias"] = quantised @ encode["outer_bias"] + bias
    encode["outer"] = quantised @ encode["outer"]
    decode = _half(codec.decoder)
    before = _matrix(codec.post_quant_conv)
    decode["inner_bias"] = decode["inner"] @ codec.post_quant_conv.bias + decode["inner_bias"]
    decode["inner"] = decode["inner"] @ before
    decode["outer"], decode["outer_bias"] = decode["outer"][order], decode["outer_bias"][order]
    found = {f"encode.{name}": tensor for name, tensor in encode.items()}
    found |= {f"decode.{name}": tensor for name, tensor in decode.items()}
    found = {name: tensor.detach().float().contiguous() for name, tensor in found.items()}
    _check(codec, found)
    return found


def _half(half: Any) -> dict[str, Tensor]:
    """Encoder or decoder."""
    gain = half.norm_out.scale * half.norm_out.gamma.flatten()
    return {
        "inner": _matrix(half.conv_in),
        "inner_bias": half.conv_in.bias,
        "gain": gain,
        "outer": _matrix(half.conv_out),
        "outer_bias": half.conv_out.bias,
    }


def _matrix(layer: nn.Module) -> Tensor:
    """What a causal convolution does within a cell: its middle tap at the current frame."""
    middle = layer.kernel_size[1] // 2
    return layer.weight[:, :, -1, middle, middle]


def _pixel_order(patch: int) -> Tensor:
    """For each (row, column, colour) of a cell, its channel in diffusers' order."""
    channels = torch.arange(3 * patch * patch).float()
    pixels = torch.zeros(1, 3, 1, patch, patch)
    pixels.view(-1)[:] = channels
    natural = pixels[0, :, 0].permute(1, 2, 0).flatten()  # the place of each (row, column, colour)
    folded = patchify(pixels, patch).flatten()  # the place that each channel was taken from
    return torch.argsort(folded)[natural.long()]


def coded(tables: dict[str, Tensor], way: str, cells: Tensor) -> Tensor:
    """Cells (N, I) coded or decoded, (N, O); what explorer/engine/codec.js computes."""
    inner, bias, gain, outer, last = (
        tables[f"{way}.{name}"] for name in ("inner", "inner_bias", "gain", "outer", "outer_bias")
    )
    hidden = cells @ inner.T + bias
    return nn.functional.silu(gain * hidden / hidden.norm(dim=1, keepdim=True)) @ outer.T + last


@torch.no_grad()
def _check(codec: AutoencoderKLWan, tables: dict[str, Tensor]) -> None:
    patch, generator = codec.config.patch_size, torch.Generator().manual_seed(0)
    side = CELLS * patch
    clip = torch.rand((1, 3, FRAMES, side, side), generator=generator) * 2.0 - 1.0
    latents = codec.encode(clip).latent_dist.mode()  # (1, C, F, 3, 3)
    cells = clip.view(3, FRAMES, CELLS, patch, CELLS, patch).permute(1, 2, 4, 3, 5, 0)
    ours = coded(tables, "encode", cells.reshape(-1, 3 * patch * patch))
    theirs = latents[0].flatten(1).T
    pixels = codec.decode(latents).sample  # clamped to [-1, 1]
    shown = coded(tables, "decode", theirs).clamp(-1.0, 1.0)
    shown = shown.view(FRAMES, CELLS, CELLS, patch, patch, 3).permute(5, 0, 1, 3, 2, 4)
    far = max(
        float((ours - theirs).abs().max()),
        float((shown.reshape(pixels.shape) - pixels).abs().max()),
    )
    if not far < CLOSE:
        raise ValueError(
            "the page needs the mini model's codec, which treats each cell alone; this model's "
            f"codec differs from its matrices by {far:.2g}"
        )
