"""Loads pipelines: from a folder or the hub, with LoRAs, and with options that save memory."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, GGUFQuantizationConfig, WanTransformer3DModel
from diffusers.models.attention_dispatch import AttentionBackendName
from diffusers.utils import logging as diffusers_log
from transformers.utils import logging as transformers_log

from . import cpu, families, lora
from .weights import (
    again,
    check_device,
    check_dtype,
    refuse_gaps,
    refuse_missing,
    refuse_strays,
    refuse_wrong_boundary,
)

OFFLOADS = ("none", "model", "group")
STORAGES = ("full", "fp8")
BACKENDS = ("", *(backend.value for backend in AttentionBackendName))
EXPERTS = ("transformer", "transformer_2")
SLOW = 10**9  # bytes of weights from which on loading shows progress bars


@dataclass(frozen=True)
class Loading:
    """Options of `load`.

    Attributes:
        device: where the model computes, e.g. `cpu` or `cuda`.
        dtype: of weights and activations, e.g. `bfloat16`; latents stay in float32.
        offload: `model` keeps one component at a time on the device, `group` one layer; else
            `none`.
        storage: `fp8` keeps the experts' weights in 8 bits and computes in `dtype`; else `full`.
        attention: name of an attention backend of diffusers; the default if empty.
        compile: compile every block with torch.compile; hooks stay outside of the compiled code.
        tiling: decode in tiles.
        lora: safetensors of LoRAs, for the first expert and, if given, the second; merged into the
            weights, each with a strength if that is not 1 (`high.safetensors@0.8`).
        gguf: files with quantised weights, for the first expert and, if given, the second (extra
            `large`).
        download: download a model from the hub if `source` is not a folder; without it the network
            is not used.
    """

    device: str = "cpu"
    dtype: str = "float32"
    offload: str = "none"
    storage: str = "full"
    attention: str = ""
    compile: bool = False
    tiling: bool = False
    lora: tuple[str, ...] = ()
    gguf: tuple[str, ...] = ()
    download: bool = False

    def __post_init__(self):
        for name, known in (("offload", OFFLOADS), ("storage", STORAGES), ("attention", BACKENDS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}; "
                    f"expected one of {', '.join(filter(None, known))}"
                )
        check_dtype(self.dtype)
        check_device(self.device)
        for text in self.lora:
            lora.Lora.named(text)
        for file in self.gguf:
            if not Path(file).is_file():
                raise FileNotFoundError(
                    f"{file} is not a file; expected GGUF weights, first expert first"
                )


def parse(text: str) -> dict[str, Any]:
    """Options of `Loading` from text such as `offload=group storage=fp8
    lora=high.safetensors,low.safetensors`. Names of files may have spaces.

    Raises:
        ValueError: for an unknown option or a value that it does not take.
    """
    known = {field.name: field.default for field in fields(Loading) if field.name != "device"}
    found: dict[str, Any] = {}
    words = re.split(r"\s+(?=[a-z_]+=)", text.strip())
    for word in filter(None, words):
        name, is_, value = word.partition("=")
        if not is_ or name not in known:
            raise ValueError(f"unknown loading option {word!r}; expected {'=... '.join(known)}=...")
        if isinstance(known[name], bool):
            if value not in ("true", "false"):
                raise ValueError(f"loading option {name!r} is {value!r}; expected true or false")
            found[name] = value == "true"
        else:
            found[name] = (
                value if isinstance(known[name], str) else [_absolute(f) for f in value.split(",")]
            )
    Loading(**found)  # names and values are checked there
    return found


def _absolute(file: str) -> str:
    """A file name that means the same in any folder; a strength after it stays."""
    return str(Path(file).absolute())


def load(source: str | Path, how: Loading) -> DiffusionPipeline:
    """Loads a stock diffusers pipeline: safetensors only, no code from the checkpoint.

    Args:
        source: a folder written by `save_pretrained`, or the name of a model on the hub.

    Raises:
        FileNotFoundError: if it is not such a folder and downloading is not allowed.
        ConnectionError: if it cannot be downloaded.
        ValueError: if blocks cannot be compiled, if a weight file is missing or unreadable, if
            memory does not suffice, if the experts do not fit their boundary, or if the model
            belongs to no family in the table.
    """
    folder = Path(source)
    if how.download and not folder.exists():
        folder = _fetch(str(source))
    if not (folder / "model_index.json").is_file():
        raise FileNotFoundError(
            f"{source} is not a model folder (no model_index.json); fetch the mini model with "
            "`dvc pull`, or allow downloading a model of the hub with download=true"
        )
    if how.compile and how.device == "cpu" and not cpu.can_compile():
        raise ValueError(
            "compile=true needs a C++ compiler, and PyTorch in a folder without spaces in its name "
            f"(it is in {Path(torch.__file__).parent})"
        )
    refuse_strays(folder)
    refuse_missing(folder, EXPERTS[: len(how.gguf)])
    refuse_wrong_boundary(folder)
    try:
        family = families.named(DiffusionPipeline.load_config(folder)["_class_name"])
        with _bars(folder):
            pipe = family.pipeline.from_pretrained(
                folder,
                dtype=getattr(torch, how.dtype),
                use_safetensors=True,
                local_files_only=True,
                **_quantised(folder, how),
            )
        if "text_encoder" in family.encoders:
            refuse_gaps(pipe.text_encoder, folder / "text_encoder")
    except families.UnknownFamily as error:
        raise ValueError(f"the model in {source} cannot be loaded: {error}") from error
    except Exception as error:
        raise _explained(error, source, how) from error
    _merge_loras(pipe, how.lora)
    try:
        _place(pipe, how)
    except Exception as error:
        raise _explained(error, source, how) from error
    return pipe


@contextmanager
def _bars(folder: Path) -> Iterator[None]:
    """Progress bars only for models that take a while to load."""
    libraries = (diffusers_log, transformers_log)
    libraries = [each for each in libraries if each.is_progress_bar_enabled()]
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    if size < SLOW:
        for library in libraries:
            library.disable_progress_bar()
    try:
        yield
    finally:
        for library in libraries:
            library.enable_progress_bar()


def experts(pipe: DiffusionPipeline) -> list:
    """The transformers of a pipeline, in the order in which they denoise."""
    return [
        part
        for part in (pipe.transformer, getattr(pipe, "transformer_2", None))
        if part is not None
    ]


def _fetch(name: str) -> Path:
    """The cached folder of a model of the hub, downloaded if necessary: safetensors only."""
    try:
        return Path(DiffusionPipeline.download(name, use_safetensors=True))
    except (OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise ConnectionError(
            f"{name} is not a folder and cannot be downloaded from the hub: {reason}"
        ) from error


def _place(pipe: DiffusionPipeline, how: Loading) -> None:
    """Moves all components to their devices, and applies the options."""
    for expert in experts(pipe):
        if how.storage == "fp8":
            expert.enable_layerwise_casting(torch.float8_e4m3fn, getattr(torch, how.dtype))
        for block in families.of(pipe).blocks(expert) if how.compile else ():
            block.forward = torch.compile(block.forward)
    if how.tiling:
        pipe.vae.enable_tiling()
    if how.offload == "model":
        pipe.enable_model_cpu_offload(device=how.device)
    elif how.offload == "group":
        pipe.enable_group_offload(torch.device(how.device), offload_type="leaf_level")
    else:
        pipe.to(how.device)


def _quantised(folder: Path, how: Loading) -> dict:
    """Experts read from GGUF files, with the configurations of the experts that they replace."""
    dtype = getattr(torch, how.dtype)
    return {
        name: WanTransformer3DModel.from_single_file(
            file,
            config=str(folder),
            subfolder=name,
            quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
            torch_dtype=dtype,
            local_files_only=True,
        )
        for name, file in zip(EXPERTS, how.gguf, strict=False)
    }


def _merge_loras(pipe: DiffusionPipeline, texts: tuple[str, ...]) -> None:
    """Adds each LoRA to the weights of its expert."""
    there = experts(pipe)
    if len(texts) > len(there):
        count = "one expert" if len(there) == 1 else f"{len(there)} experts"
        raise ValueError(
            f"{len(texts)} LoRA files are given, but the model has {count}; name one for each"
        )
    for number, (text, expert) in enumerate(zip(texts, there, strict=False)):
        lora.merge(lora.Lora.named(text), expert, second=number == 1)


def _explained(error: Exception, source: str | Path, how: Loading) -> ValueError:
    """Why a model cannot be loaded, and what to do."""
    memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    if memory or "allocate memory" in str(error):
        return ValueError(
            f"the model in {source} does not fit into the memory of {how.device} "
            f"({str(error).split('. ')[0]}); try dtype bfloat16, offload model or group, "
            "storage fp8, or GGUF weights"
        )
    return ValueError(f"the model in {source} cannot be loaded: {error}; {again(source)}")
