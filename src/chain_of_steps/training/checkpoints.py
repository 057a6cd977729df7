"""Checkpoints: tensors as safetensors, written atomically; damaged files are refused."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor

from ..common.files import atomic

START_OVER = "move its folder away to continue from the finished model or to start over"


def save_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file atomically.

    Raises:
        OSError: if the disk is full or read-only; an earlier file is left untouched.
    """
    with atomic(file) as temporary:
        temporary.write_bytes(serialize(tensors))


def load_tensors(file: Path) -> dict[str, Tensor]:
    """Reads a file that `save_tensors` wrote.

    Raises:
        ValueError: if the file is missing or damaged.
    """
    try:
        return load_file(file)
    except (SafetensorError, FileNotFoundError) as error:
        raise ValueError(
            f"the checkpoint {file} is missing or damaged ({error}); {START_OVER}"
        ) from error


def check_fit(file: Path, tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Raises if a checkpoint lacks a tensor, or holds one of another shape.

    Args:
        wanted: tensors with the expected names and shapes.

    Raises:
        ValueError: with the name of the first such tensor.
    """
    for name, like in wanted.items():
        if name not in tensors or tensors[name].shape != like.shape:
            shape = f"has shape {tuple(tensors[name].shape)}" if name in tensors else "is missing"
            raise ValueError(
                f"the checkpoint {file} belongs to another model: {name} {shape}; "
                f"expected {tuple(like.shape)}; {START_OVER}"
            )
