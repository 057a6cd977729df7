"""A diffusers image-to-video pipeline in memory, and its properties."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import nn

from . import cpu, families
from .loading import Loading, experts, load
from .weights import check_device, fingerprint

cpu.use_common_kernels()

SIZE, FRAMES = 480, 49  # of mini-suite clips for third-party models
MINI_SIZE, MINI_FRAMES = 48, 9  # for the project's own model, unless its record says otherwise


SMALL = 100_000_000  # parameters; a larger model gains nothing from a batch


class LoadedPipeline:
    """A pipeline with what is known about it: its family, sizes, weights, and how it was loaded.

    Args:
        pipe: the loaded pipeline.
        name: recorded with results.
        size: side in pixels at which samples of the mini suite are drawn for it, a multiple of the
            family's `side`.
        frames: pixel frames of a clip, 4 k + 1 or as the family requires.
        fixed: whether it takes frames of that size only.
        how: how it was loaded.
        kept: folder in which encoded conditions are cached; by default they are not.
    """

    def __init__(
        self,
        pipe: DiffusionPipeline,
        name: str = "model",
        size: int = MINI_SIZE,
        frames: int = MINI_FRAMES,
        fixed: bool = False,
        how: Loading | None = None,
        kept: str | Path | None = None,
    ):
        self.pipe, self.name, self.size, self.frames, self.fixed = pipe, name, size, frames, fixed
        self.how, self.kept = how or Loading(), kept
        self.origin: dict | None = None  # the arguments of `load`, if it came from there
        self.family = families.of(pipe)
        # Read once, since each look-up walks over all parameters, and offloaded components move
        # between passes.
        self.device = torch.device(how.device) if how else pipe.transformer.device
        self.dtype = pipe.transformer.dtype
        pipe.set_progress_bar_config(disable=True)
        for part in pipe.components.values():
            if isinstance(part, nn.Module):
                part.eval().requires_grad_(False)

    @classmethod
    def load(
        cls,
        source: str | Path,
        device: str = "cpu",
        dtype: str = "float32",
        size: int = SIZE,
        frames: int = FRAMES,
        kept: str | Path | None = None,
        **how: Any,
    ) -> "LoadedPipeline":
        """Loads a `save_pretrained` folder: safetensors only, no network unless requested.

        Args:
            source: the folder, or the name of a model on the hub.
            size, frames, kept: as for the class; a model trained by this project has its own size
                and length.
            device, dtype, how: see `loading.Loading`.

        Raises:
            FileNotFoundError, ValueError: see `loading.load`.
        """
        options = {"device": device, "dtype": dtype, **how}
        if device == "cpu":
            cpu.use_free_cores()
        pipe, name = load(source, Loading(**options)), Path(source).resolve().name
        own = own_clip(Path(source))
        clip = own or {"size": size, "frames": frames}
        model = cls(pipe, name, **clip, fixed=bool(own), how=Loading(**options), kept=kept)
        place = Path(source).resolve() if Path(source).exists() else source
        model.origin = {"source": place, "size": size, "frames": frames, "kept": kept, **options}
        return model

    @property
    def batch(self) -> int:
        """How many evaluations in a forward pass are fastest: the kernels of a small network are
        small, except for pictures on a CPU; a large model fills its device by itself."""
        if self.family.encode_sample is not None:
            return 64
        small = sum(p.numel() for p in self.transformers[0].parameters()) < SMALL
        return 16 if small and self.device.type != "cpu" else 1

    def to(self, device: str) -> "LoadedPipeline":
        """Moves the model to a device, in place."""
        check_device(device)
        self.how = replace(self.how, device=device)
        self.pipe.to(device)
        self.device = torch.device(device)
        return self

    def __reduce__(self) -> tuple:
        """For pickling (Ray workers): a model that was loaded from a folder is loaded again, not
        sent."""
        if self.origin is None:
            return super().__reduce__()
        return _load_again, (type(self), self.origin, self.fingerprint)

    @property
    def stride(self) -> int:
        """Pixel frames per latent frame."""
        return self.family.scales(self.pipe)[0]

    @property
    def latent_frames(self) -> int:
        """Latent frames F of a clip."""
        return 1 + (self.frames - 1) // self.stride

    @property
    def patch(self) -> int:
        """Pixels per side of a token."""
        return self.family.scales(self.pipe)[1]

    @property
    def side(self) -> int:
        """Sides of a clip are multiples of this many pixels."""
        return max(self.family.side, self.patch)

    def check_clip(self, width: int, height: int, frames: int) -> None:
        """Raises if the model cannot take clips of that size, in pixels, and length."""
        n, side = self.family.frames, self.side
        if min(width, height) < side or width % side or height % side:
            refusal = f"frames of {width} x {height} pixels do not fit the model"
            raise ValueError(f"{refusal}; both sides must be multiples of {side}")
        if frames < 1 or frames % n != 1 % n:  # the codec would silently drop the rest
            counts = ", ".join(str(k * n + 1) for k in (1, 2, 3))
            raise ValueError(
                f"{frames} frames do not fit the video codec; "
                f"it takes {n} k + 1 frames: {counts}, ..."
            )
        self._check_positions(width, height, frames)

    def _check_positions(self, width: int, height: int, frames: int) -> None:
        """Raises if a clip has more tokens along an axis than the network has positions for."""
        most = getattr(self.transformers[0].config, "rope_max_seq_len", None)
        longest = max(width // self.patch, height // self.patch, 1 + (frames - 1) // self.stride)
        if most is not None and longest > most:
            raise ValueError(
                f"a clip of {width} x {height} pixels and {frames} frames has {longest} tokens "
                f"along an axis, and the model takes {most}; make it smaller"
            )

    @property
    def prediction(self) -> str:
        """What the network predicts: `flow_prediction` (the velocity) or `sample` (the clean
        estimate)."""
        return getattr(self.pipe.scheduler.config, "prediction_type", self.family.prediction)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all weights, stored with results; see `weights.fingerprint`."""
        return fingerprint([getattr(self.pipe, name) for name in self.family.weights])

    def unknown_words(self, prompt: str) -> list[str]:
        """The words of a prompt that the tokenizer does not have, so that the network is not told
        them; none without a tokenizer, or with one that spells words out."""
        tokenizer = getattr(self.pipe, "tokenizer", None)
        unknown = getattr(tokenizer, "unk_token_id", None)
        words = prompt.split() if unknown is not None else []
        return [word for word in words if unknown in tokenizer(word).input_ids]

    @property
    def transformers(self) -> list[Any]:
        """One transformer, or the two experts in the order in which they denoise."""
        return experts(self.pipe)

    @property
    def experts(self) -> int:
        """Number of transformers that share the denoising: 1, or 2 with a boundary between them."""
        return len(self.transformers)

    @property
    def layers(self) -> int:
        """Number of blocks of a transformer, L."""
        return len(self.family.blocks(self.transformers[0]))


def own_clip(folder: Path) -> dict[str, int]:
    """Size and frames of a model that this project trained; empty for any other."""
    record = folder / "training.json"
    if not record.exists():
        return {}
    recipe = json.loads(record.read_text(encoding="utf-8")).get("recipe", {})
    return {
        "size": recipe.get("size", MINI_SIZE),
        "frames": recipe.get("frames", MINI_FRAMES),
    }


def _load_again(kind: type[LoadedPipeline], origin: dict, fingerprint: str) -> LoadedPipeline:
    model = kind.load(**origin)
    if model.fingerprint != fingerprint:
        raise ValueError(
            f"{origin['source']} holds other weights here than where the sweep was started; "
            "copy that folder to this machine"
        )
    return model
