"""What generation is conditioned on: encoded once per sample, cached on disk on request."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..common.files import atomic
from ..common.pictures import as_shown


@dataclass(frozen=True)
class Condition:
    """What a generation is conditioned on; encoded once per sample and used at every step.

    Attributes:
        prompt: (1, T, D) text states.
        negative: (1, T, D) text states of the empty prompt, used under guidance only.
        image: (1, mask + C, F, H, W) mask and latents of the given frame, concatenated to the noisy
            latents; where `free` is set, (1, C, 1, H, W), the given frame's latents, which replace
            that frame of the noisy ones.
        image_tokens: (1, 257, D) CLIP states if the model has an image encoder (Wan 2.1), else
            None.
        shape: (1, C, F, H, W) of the latents.
        free: (1, 1, F, H, W), 0 in the given frame and 1 elsewhere, in models with one timestep per
            token (Wan 2.2 5B, `expand_timesteps`; LTX-2), else None.
        more: tensors that only this family needs, by name (LTX-2: text states for the audio stream,
            and masks of both texts).
    """

    prompt: Tensor
    negative: Tensor
    image: Tensor
    image_tokens: Tensor | None
    shape: tuple[int, ...]
    free: Tensor | None = None
    more: dict[str, Tensor] = field(default_factory=dict)


def picture(image: np.ndarray | Image.Image) -> Image.Image:
    """A given frame as an RGB picture, as a viewer shows it.

    Args:
        image: a picture, or an array (H, W, 3), or (H, W) for grey, uint8 or float in [0, 1].

    Raises:
        ValueError: for an array of another shape, type or range.
    """
    if isinstance(image, Image.Image):
        return as_shown(image)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    floats = np.issubdtype(image.dtype, np.floating)
    if image.ndim != 3 or image.shape[2] != 3 or not (floats or image.dtype == np.uint8):
        raise ValueError(
            f"the given frame is {image.dtype} of shape {image.shape}; expected (H, W, 3), uint8 "
            "or float in [0, 1]"
        )
    if floats:
        if not (image.min() >= 0.0 and image.max() <= 1.0):  # NaN is refused as well
            raise ValueError(
                f"the given frame has values from {image.min():g} to {image.max():g}; floats must "
                "lie in [0, 1]"
            )
        image = (image * 255.0 + 0.5).astype(np.uint8)
    return Image.fromarray(image)


def kept(
    folder: Path, inputs: tuple, make: Callable[[], Condition], device: str | torch.device
) -> Condition:
    """The condition of prompt and given frame: read from `folder`, or encoded and stored there.

    Args:
        inputs: everything that determines it: fingerprint of the weights, prompt, number of frames,
            and last the given frame, (H, W, 3), uint8.
    """
    *words, pixels = inputs
    key = hashlib.sha256(repr((words, pixels.shape)).encode() + pixels.tobytes()).hexdigest()[:16]
    file = folder / f"{key}.safetensors"
    if not file.exists():
        write(make(), file)
    return read(file, device)


def write(condition: Condition, file: Path) -> None:
    """Writes a condition atomically."""
    parts = {f.name: getattr(condition, f.name) for f in fields(condition)}
    parts |= {f"more.{name}": part for name, part in condition.more.items()}
    tensors = {
        name: part.contiguous().cpu() for name, part in parts.items() if isinstance(part, Tensor)
    }
    with atomic(file) as temporary:
        save_file(tensors, temporary, metadata={"shape": ",".join(map(str, condition.shape))})


def read(file: Path, device: str | torch.device = "cpu") -> Condition:
    """Reads a condition that `write` wrote.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        with safe_open(file, "pt", device=str(device)) as stored:
            shape = tuple(map(int, stored.metadata()["shape"].split(",")))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except Exception as error:
        raise ValueError(
            f"{file} cannot be read ({error}); delete it, and it will be written again"
        ) from error
    more = {
        name.removeprefix("more."): tensors.pop(name)
        for name in list(tensors)
        if name.startswith("more.")
    }
    return Condition(shape=shape, more=more, **{"image_tokens": None} | tensors)
