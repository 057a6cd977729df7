"""Checks of a model folder, before and after its weights are read: nothing outside, no gaps."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

# Weight files of a component that has no index.
WHOLE = ("diffusion_pytorch_model.safetensors", "model.safetensors")
# Components that name tied tensors twice, but store them once.
TIED = ("text_encoder",)


def again(folder: str | Path) -> str:
    """How to get a damaged model folder again; those that this project made have a record."""
    ours = (Path(folder) / "training.json").is_file()
    return "restore it with `dvc pull --force`" if ours else "fetch the model again"


def check_device(device: str) -> None:
    """Raises if a device does not exist here."""
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ValueError(
            f"unknown device {device!r}; expected cpu, cuda, or cuda:1 and so on"
        ) from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"there is no GPU for device {device!r} that torch {torch.__version__} can use; use cpu"
        )


def refuse_gaps(module: torch.nn.Module, folder: Path) -> None:
    """Raises if a tensor is missing, which transformers would fill with random numbers."""
    stored: set[str] = set()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            stored |= set(tensors.keys())
    names: dict[int, set[str]] = {}  # for tied weights one name is enough
    for name, tensor in module.state_dict().items():
        names.setdefault(tensor.data_ptr(), set()).add(name)
    if not any(group & stored for group in names.values()):
        return  # stored under names that transformers translates
    if gaps := [min(group) for group in names.values() if not group & stored]:
        raise ValueError(f"{folder} lacks {len(gaps)} tensors, such as {gaps[0]}")


def fingerprint(modules: Iterable[torch.nn.Module | None]) -> str:
    """Hash of the names and bytes of all tensors, 16 hex digits."""
    total = hashlib.sha256()
    for module in (each for each in modules if each is not None):
        for name, tensor in sorted(module.state_dict().items()):
            total.update(name.encode())
            total.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:16]


def refuse_missing(folder: Path, given: tuple[str, ...] = ()) -> None:
    """Raises if a model folder lacks a component that its model_index.json names, or a weight file,
    or if one is cut short or lacks a tensor.

    Args:
        given: components whose weights come from elsewhere.
    """
    try:
        index = dict(json.loads((folder / "model_index.json").read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{folder / 'model_index.json'} cannot be read ({error}); {again(folder)}"
        ) from error
    for name in (
        name for name, kind in index.items() if isinstance(kind, list) and kind[:1] != [None]
    ):
        if not (folder / name).is_dir():
            raise ValueError(
                f"{folder} lacks the folder {name!r}, which its model_index.json names; "
                f"{again(folder)}"
            )
        if name not in given:
            _refuse_incomplete(folder / name, check_names=name not in TIED)


def _refuse_incomplete(component: Path, check_names: bool) -> None:
    """Raises if a component lacks a weight file, or one is cut short or lacks a tensor. Only
    headers are read."""
    for index in component.glob("*.index.json"):
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        wanted: dict[str, set[str]] = {}
        for tensor, file in places.items():
            wanted.setdefault(file, set()).add(tensor)
        if gone := sorted(file for file in wanted if not (component / file).is_file()):
            raise ValueError(
                f"{component} lacks {len(gone)} of {len(wanted)} weight files, "
                f"first {gone[0]}; {again(component.parent)}"
            )
        for file, names in sorted(wanted.items()):
            if file.endswith(".safetensors"):
                _refuse_damaged(component / file, names if check_names else set())
    for file in WHOLE:
        if (component / file).is_file():
            _refuse_damaged(component / file, set())


def _refuse_damaged(file: Path, names: set[str]) -> None:
    try:
        with safe_open(file, "pt") as tensors:
            lacking = sorted(names - set(tensors.keys()))
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{file} is damaged or cut short ({error}); {again(file.parent.parent)}"
        ) from error
    if lacking:
        raise ValueError(
            f"{file} lacks the tensor {lacking[0]}, which its index names; "
            f"{again(file.parent.parent)}"
        )


def refuse_wrong_boundary(folder: Path) -> None:
    """Raises if a model folder has a boundary between two experts but one expert, or two experts
    and none."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    second = (index.get("transformer_2") or [None])[0] is not None
    boundary = index.get("boundary_ratio")
    if second and boundary is None:
        raise ValueError(
            f"{folder} has two experts, but its model_index.json has no boundary_ratio, which says "
            f"where the second one takes over; {again(folder)}"
        )
    if boundary is not None and not second:
        raise ValueError(
            f"{folder} has one expert, but its model_index.json has boundary_ratio {boundary}, "
            f"which divides the steps between two; {again(folder)}"
        )


def check_dtype(dtype: str) -> None:
    """Raises if `dtype` does not name a number format."""
    if not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise ValueError(f"unknown dtype {dtype!r}; expected float32, bfloat16 or float16")


def refuse_strays(folder: Path) -> None:
    """Raises if a model folder lists weight files outside of itself. Code in it is never run.

    Raises:
        ValueError: with the name of the file.
    """
    for index in sorted(folder.rglob("*.index.json")):
        try:
            files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{index} is not a list of weight files; {again(folder)}") from error
        if strays := sorted(str(name) for name in files if Path(str(name)).name != name):
            raise ValueError(
                f"{index} names {strays[0]!r}, which lies outside of its folder; {again(folder)}"
            )
