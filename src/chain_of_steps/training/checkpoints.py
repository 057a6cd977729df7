"""Tensors on disk: written whole or not at all, as safetensors; what is damaged or does not fit is
refused."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor

from ..common.files import atomic

ANEW = "move its folder away to go on from the finished model, or to begin anew"


def save_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file atomically.

    Raises:
        OSError: if the disk is full or closed; an earlier file stays as it was.
    """
    with atomic(file) as temporary:
        temporary.write_bytes(serialize(tensors))


def load_tensors(file: Path) -> dict[str, Tensor]:
    """Reads what `save_tensors` wrote.

    Raises:
        ValueError: if the file is missing or damaged.
    """
    try:
        return load_file(file)
    except (SafetensorError, FileNotFoundError) as error:
        raise ValueError(
            f"the checkpoint {file} is missing or damaged ({error}); {ANEW}"
        ) from error


def check_fit(file: Path, tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Refuses a checkpoint that lacks a tensor, or holds one of another shape.

    Args:
        wanted: tensors of the names and shapes that there should be.

    Raises:
        ValueError: that names the first of them.
    """
    for name, like in wanted.items():
        if name not in tensors or tensors[name].shape != like.shape:
            shape = f"has shape {tuple(tensors[name].shape)}" if name in tensors else "is missing"
            raise ValueError(
                f"the checkpoint {file} is of another model: {name} {shape}; "
                f"expected {tuple(like.shape)}; {ANEW}"
            )
