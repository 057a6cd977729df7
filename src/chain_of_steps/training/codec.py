"""Fits the mini model's codec: the principal components of the world's 8 x 8 pixel cells, inside a
Wan autoencoder.

The autoencoder's residual branches start at zero, which leaves convolution, norm, SiLU,
convolution. On a cell's components, lifted by a constant and accompanied by one large constant
channel, norm and SiLU are the identity to one part in a thousand. So the best linear code of a cell
has a closed form. Latents keep the scale of pixels, so that noise levels mean the same for both.
"""

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify
from torch import Tensor, nn

LIFT, ANCHOR = 30.0, 3000.0  # SiLU(y) = y to 1e-9 around 30; the anchor makes the norm constant


@torch.no_grad()
def fit_codec(codec: AutoencoderKLWan, clips: list[np.ndarray]) -> None:
    """Sets the codec's weights from example clips, each (F, 48, 48, 3) uint8."""
    cells = torch.cat([_cells(clip) for clip in clips])  # (N, 192) in [-1, 1]
    paper = cells.median(0).values
    drawn = (cells[(cells - paper).abs().amax(1) > 0.05] - paper).double()
    _, vectors = torch.linalg.eigh(drawn.T @ drawn)
    components = vectors.flip(1)[
        :, : codec.config.z_dim
    ].T.float()  # (z, 192), most important first
    z = codec.config.z_dim
    _set(codec.encoder.conv_in, components, LIFT - components @ paper)
    _set(codec.encoder.conv_out, torch.eye(z), torch.full((z,), -LIFT))
    codec.encoder.conv_out.bias[z:] = -12.0  # log variance: the code is deterministic
    _set(codec.decoder.conv_in, torch.eye(z), torch.full((z,), LIFT))
    _set(codec.decoder.conv_out, components.T, paper - LIFT * components.sum(0))
    _set(codec.quant_conv, torch.eye(2 * z), torch.zeros(2 * z))
    _set(codec.post_quant_conv, torch.eye(z), torch.zeros(z))
    for half in (codec.encoder, codec.decoder):
        half.conv_in.bias[z] = ANCHOR
        norm = (ANCHOR**2 + z * LIFT**2) ** 0.5
        half.norm_out.gamma.fill_(norm / len(half.norm_out.gamma) ** 0.5)


def to_pixels(clips: np.ndarray) -> Tensor:
    """(B, F, H, W, 3) uint8 to (B, 3, F, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float() / 127.5 - 1.0


@torch.no_grad()
def encode(codec: AutoencoderKLWan, clips: np.ndarray, only_first: bool = False) -> Tensor:
    """Latents (B, z, F, h, w) of uint8 clips (B, F, 8 h, 8 w, 3); with `only_first` all later
    frames are grey, as in the image-to-video pipeline's condition."""
    pixels = to_pixels(clips)
    if only_first:
        pixels[:, :, 1:] = 0.0
    return codec.encode(pixels).latent_dist.mode()


@torch.no_grad()
def encode_blank(codec: AutoencoderKLWan, frames: int, side: int = 48) -> Tensor:
    """Latents (1, z, F, h, w) of a grey clip: the replacement of a given frame that is dropped."""
    grey = torch.zeros(1, 3, frames, side, side)
    return codec.encode(grey).latent_dist.mode()


def _cells(clip: np.ndarray) -> Tensor:
    folded = patchify(to_pixels(clip[None]), 8)  # (1, 192, F, 6, 6)
    return folded[0].flatten(1).T


def _set(layer: nn.Module, matrix: Tensor, bias: Tensor) -> None:
    """Makes a causal convolution act on each cell alone: `matrix` at the middle tap of the current
    frame."""
    rows, columns = matrix.shape
    middle = layer.kernel_size[1] // 2
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    layer.weight[:rows, :columns, -1, middle, middle] = matrix
    layer.bias[: len(bias)] = bias
