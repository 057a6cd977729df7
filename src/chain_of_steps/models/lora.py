"""LoRAs, added to the weights of an expert: W + s (alpha / r) B A, so that no module is wrapped.

Trainers name the same tensors in many ways. Here every tensor of a file finds its place, or the
file is refused with the names that found none: a LoRA that is used in part, or not at all, would be
taken for one.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

PREFIXES = (
    "base_model.model.",
    "pipe.dit.",
    "model.diffusion_model.",
    "diffusion_model.",
    "transformer.",
)
SECOND = "transformer_2."  # what diffusers puts before names of the second expert
KOHYA = "lora_unet_"  # names in which dots are underscores
KINDS = {
    "down": r"\.lora_(?:A|down)(?:\.default)?(?:\.weight)?$",
    "up": r"\.lora_(?:B|up)(?:\.default)?(?:\.weight)?$",
    "up_bias": r"\.lora_(?:B|up)(?:\.default)?\.bias$",
    "alpha": r"\.alpha$",
    "diff": r"\.diff$",
    "diff_bias": r"\.diff_b$",
}
# The names of the Wan authors, and those of diffusers.
WAN = (
    (r"self_attn\.(q|k|v)$", r"attn1.to_\1"),
    (r"self_attn\.o$", "attn1.to_out.0"),
    (r"cross_attn\.(q|k|v)$", r"attn2.to_\1"),
    (r"cross_attn\.o$", "attn2.to_out.0"),
    (r"cross_attn\.(k|v)_img$", r"attn2.add_\1_proj"),
    (r"self_attn\.norm_(q|k)$", r"attn1.norm_\1"),
    (r"cross_attn\.norm_(q|k)$", r"attn2.norm_\1"),
    (r"cross_attn\.norm_k_img$", "attn2.norm_added_k"),
    (r"ffn\.0$", "ffn.net.0.proj"),
    (r"ffn\.2$", "ffn.net.2"),
    (r"(blocks\.\d+)\.norm3$", r"\1.norm2"),
    (r"^text_embedding\.0$", "condition_embedder.text_embedder.linear_1"),
    (r"^text_embedding\.2$", "condition_embedder.text_embedder.linear_2"),
    (r"^time_embedding\.0$", "condition_embedder.time_embedder.linear_1"),
    (r"^time_embedding\.2$", "condition_embedder.time_embedder.linear_2"),
    (r"^time_projection\.1$", "condition_embedder.time_proj"),
    (r"^img_emb\.proj\.1$", "condition_embedder.image_embedder.ff.net.0.proj"),
    (r"^img_emb\.proj\.3$", "condition_embedder.image_embedder.ff.net.2"),
    (r"^head\.head$", "proj_out"),
)


@dataclass(frozen=True)
class Lora:
    """A LoRA file, and how strongly it is added."""

    file: Path
    strength: float = 1.0

    @classmethod
    def named(cls, text: str) -> "Lora":
        """`high.safetensors`, or with a strength `high.safetensors@0.8`.

        Raises:
            FileNotFoundError: if there is no such file.
        """
        if Path(text).is_file():
            return cls(Path(text))
        name, at, strength = text.rpartition("@")
        try:
            found = cls(Path(name), float(strength)) if at else cls(Path(text))
        except ValueError:
            found = cls(Path(text))
        if not found.file.is_file():
            raise FileNotFoundError(
                f"{found.file} is not a file; expected LoRA weights, first expert first, each with "
                "a strength if that is not 1: high.safetensors@0.8"
            )
        return found


def merge(lora: Lora, expert: nn.Module, second: bool = False) -> None:
    """Adds a LoRA to the weights of an expert, in place.

    Args:
        second: whether it is the second of two experts.

    Raises:
        ValueError: if the file is no LoRA, if a tensor finds no place or does not fit, or if the
            weights are stored in a way to which nothing can be added. The weights are as before.
    """
    changes = _changes(lora.file, dict(expert.named_modules()), second)
    parameters = dict(expert.named_parameters())
    added = {}
    for (module, kind), change in changes.items():
        name = f"{module}.{kind}"
        if name not in parameters or not parameters[name].is_floating_point():
            raise ValueError(
                f"{lora.file} changes {name}, which the model does not have in a form to which it "
                "can be added; use full weights instead of quantised ones, or another file"
            )
        old = parameters[name]
        if change.numel() != old.numel() or len(change) != len(old):
            raise ValueError(
                f"{lora.file} changes {name} by a tensor of shape {tuple(change.shape)}, but the "
                f"model's is {tuple(old.shape)}: it was made for another model"
            )
        added[name] = change.view(old.shape)
    for name, change in added.items():
        old = parameters[name]
        with torch.no_grad():
            old.copy_(old.float() + lora.strength * change.to(old.device))


def _changes(
    file: Path, modules: dict[str, nn.Module], second: bool
) -> dict[tuple[str, str], Tensor]:
    """The changes in a file, by module and `weight` or `bias`, float32."""
    by_module: dict[str, dict[str, Tensor]] = defaultdict(dict)
    tensors, strays = _read(file), []
    known = {name.replace(".", "_"): name for name in modules}
    for key, tensor in tensors.items():
        kind = next((kind for kind, end in KINDS.items() if re.search(end, key)), None)
        path = key if kind is None else re.sub(KINDS[kind], "", key)
        module = _module(path, known, second)
        if kind is None or module not in modules:
            strays.append(key)
        else:
            by_module[module][kind] = tensor.float()
    if len(strays) == len(tensors):
        raise ValueError(_no_place(file, tensors, strays, second))
    if strays:
        raise ValueError(
            f"{len(strays)} of {len(tensors)} tensors of {file} find no place in the model, such "
            f"as {', '.join(strays[:3])}; it was made for another model, or for the other expert"
        )
    found: dict[tuple[str, str], Tensor] = {}
    for module, parts in by_module.items():
        found |= {(module, kind): change for kind, change in _of(file, module, parts).items()}
    return found


def _read(file: Path) -> dict[str, Tensor]:
    try:
        tensors = load_file(file)
    except Exception as error:
        raise ValueError(f"{file} is not a safetensors file ({error}); fetch it again") from error
    if not tensors:
        raise ValueError(f"{file} holds no tensors; fetch it again")
    return tensors


def _no_place(file: Path, tensors: dict, strays: list[str], second: bool) -> str:
    if not any(re.search(end, key) for key in tensors for end in KINDS.values()):
        return (
            f"{file} is no LoRA: none of its {len(tensors)} tensors, such as {strays[0]}, is a "
            "change of weights; a whole model is loaded as a folder"
        )
    if not second and any(key.startswith(SECOND) for key in tensors):
        return f"{file} is for the second expert; name the first expert's file before it"
    return (
        f"none of the {len(tensors)} tensors of {file}, such as {strays[0]}, finds a place in the "
        "model; it was made for another one"
    )


def _module(path: str, known: dict[str, str], second: bool) -> str:
    """The name of the module in diffusers."""
    if path.startswith(KOHYA):
        flat = path.removeprefix(KOHYA)
        for theirs, ours in WAN:  # underscores stand for dots, so the patterns are flattened too
            pattern = theirs.replace(r"\.", "_")
            flat = re.sub(pattern, ours.replace(".", "_"), flat)
        return known.get(flat, path)
    stripped = True
    while stripped:
        prefixes = (*PREFIXES, SECOND) if second else PREFIXES
        stripped = next((p for p in prefixes if path.startswith(p)), None)
        path = path.removeprefix(stripped or "")
    for theirs, ours in WAN:
        path = re.sub(theirs, ours, path)
    return path


def _of(file: Path, module: str, parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The changes of one module, `weight` and `bias`."""
    found = {}
    if ("down" in parts) != ("up" in parts):
        raise ValueError(f"{file} has only one half of a change of {module}; fetch it again")
    if "down" in parts:
        down, up = parts["down"], parts["up"]  # (r, in, ...), (out, r, ...)
        rank = len(down)
        if up.flatten(1).shape[1] != rank:
            raise ValueError(
                f"the two halves of the change of {module} in {file} do not fit: "
                f"{tuple(down.shape)} and {tuple(up.shape)}"
            )
        scale = float(parts["alpha"]) / rank if "alpha" in parts else 1.0
        found["weight"] = scale * up.flatten(1) @ down.flatten(1)
        if "up_bias" in parts:
            found["bias"] = scale * parts["up_bias"]
    elif "alpha" in parts:
        raise ValueError(f"{file} has a scale but no change of {module}; fetch it again")
    for kind, name in (("weight", "diff"), ("bias", "diff_bias")):
        if name in parts:
            diff = parts[name].flatten(1) if parts[name].ndim > 1 else parts[name]
            found[kind] = found.get(kind, 0.0) + diff
    return found
