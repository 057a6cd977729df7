"""A video model as files for a page: its transformer as ONNX, its codec as matrices, and the text
states of some prompts. `manifest.json` says what is in them; explorer/engine/onnx_model.js reads
it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from ..common.files import atomic, check_place
from .onnx_export import check_packages, exported
from .video_model import VideoModel
from .web_codec import matrices

FORMAT = 1  # of the manifest
TRANSFORMER, CODEC, PROMPTS, MANIFEST = (
    "transformer.onnx",
    "codec.bin",
    "prompts.bin",
    "manifest.json",
)


def export(model: VideoModel, prompts: Sequence[str], out: Path) -> dict:
    """Writes the files of a folder and returns their manifest.

    Args:
        prompts: those that the page can use; the empty one is added.

    Raises:
        ImportError: if a package that the export needs is not installed.
        ValueError: for another model than the mini model: the page runs one transformer on frames
            of its own size, which predicts the clean estimate, and its codec treats each cell
            alone.
    """
    check_packages()
    check_place(out)
    _check(model)
    known = dict.fromkeys(["", *prompts])
    blank = np.zeros((model.size, model.size, 3), np.uint8)
    conditions = {prompt: model.prepare(prompt, blank, model.frames) for prompt in known}
    (shape, text, image), *others = {
        (each.shape, tuple(each.prompt.shape), tuple(each.image.shape))
        for each in conditions.values()
    }
    assert not others
    tables = matrices(model.pipe.vae)
    states = {prompt: each.prompt for prompt, each in conditions.items()}
    graph = exported(model.pipe.transformer, shape, text[1:])
    parts = {TRANSFORMER: graph, CODEC: _joined(tables), PROMPTS: _joined(states)}
    manifest = {
        "format": FORMAT,
        "model": {"name": model.name, "fingerprint": model.fingerprint, "layers": model.layers},
        "size": model.size,
        "frames": model.frames,
        "shapes": {"latents": shape, "image": image, "text": text},
        "schedule": {"sampler": "euler", "shift": 5.0},
        "codec": {name: list(table.shape) for name, table in tables.items()},
        "prompts": list(known),
        "files": {name: _described(data) for name, data in parts.items()},
    }
    text = json.dumps(manifest, indent=1) + "\n"
    for name, data in {**parts, MANIFEST: text.encode()}.items():
        with atomic(out / name) as file:
            file.write_bytes(data)
    return manifest


def _check(model: VideoModel) -> None:
    """Raises ValueError unless the model is like data/mini."""
    if model.family.encode_sample is not None:
        raise ValueError(f"{model.name} takes no pictures; export a model like data/mini")
    wanted = {
        "a latent frame for every frame": model.stride == 1,
        "one transformer": model.experts == 1,
        "predictions of the clean estimate": model.prediction == "sample",
    }
    if missing := [what for what, there in wanted.items() if not there]:
        raise ValueError(
            f"a page runs models like data/mini; {model.name} does not have {missing[0]}"
        )
    mean, std = model.family.statistics(model.pipe.vae)
    if mean.any() or not (std == 1.0).all():
        raise ValueError(f"a page runs models like data/mini; {model.name} normalises its latents")


def _joined(tensors: dict[str, Tensor]) -> bytes:
    """The numbers of all, one after the other, as little-endian float32."""
    return b"".join(tensor.float().numpy().astype("<f4").tobytes() for tensor in tensors.values())


def _described(data: bytes) -> dict:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
