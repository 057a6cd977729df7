"""VideoModel: a diffusers image-to-video pipeline, seen as a velocity field that can be asked at any step."""

import functools
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.models.attention_dispatch import attention_backend
from PIL import Image
from torch import Tensor, nn

from ..puzzles import reading
from ..puzzles.base import Sample, timeline
from . import conditions, cpu, families
from .conditions import Condition
from .families import Passes, Streams
from .loading import Loading, experts, load
from .schedule import Schedule
from .weights import check_device, fingerprint

cpu.use_common_kernels()

SIZE, FRAMES = 480, 49  # of the clips in which third-party models are given the mini suite
MINI_SIZE, MINI_FRAMES = 48, 9  # of the project's own model, unless its record says otherwise


@dataclass
class Place:
    """Where a running forward pass belongs; the loop and the model write it, hooks read it."""

    step: int = 0
    passes: Passes = (True,)


class VideoModel:
    """An image-to-video pipeline of stock diffusers: what to feed it, what it predicts, how to decode it.

    What differs between kinds of models is told by the family table (`families`).

    Args:
        pipe: the loaded pipeline.
        name: recorded with results.
        size: side in pixels at which samples of the mini suite are drawn for it, a multiple of the family's.
        frames: pixel frames of a clip, 4 k + 1 or what else the family asks for.
        fixed: whether it knows frames of that size only.
        how: how it was loaded.
        kept: folder in which encoded conditions are kept; by default they are not.
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
        self.how, self.kept, self.place = how or Loading(), kept, Place()
        self.origin: dict | None = None  # the arguments of `load`, if it came from there
        self.family = families.of(pipe)
        # Asked once: each answer walks over all parameters. What is offloaded lies elsewhere between passes.
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
    ) -> "VideoModel":
        """Loads a folder written by `save_pretrained`, safetensors only, without touching the network unless asked.

        Args:
            source: the folder, or the name of a model on the hub.
            size, frames, kept: as for the class; a model trained by this project has its own size and length.
            device, dtype, how: see `loading.Loading`.

        Raises:
            FileNotFoundError, ValueError: see `loading.load`.
        """
        told = {"device": device, "dtype": dtype, **how}
        pipe, name = load(source, Loading(**told)), Path(source).name
        own = _own_clip(Path(source))
        clip = own or {"size": size, "frames": frames}
        model = cls(pipe, name, **clip, fixed=bool(own), how=Loading(**told), kept=kept)
        place = Path(source).resolve() if Path(source).exists() else source
        model.origin = {"source": place, "size": size, "frames": frames, "kept": kept, **told}
        return model

    def to(self, device: str) -> "VideoModel":
        """Moves the model to a device, in place."""
        check_device(device)
        self.how = replace(self.how, device=device)
        self.pipe.to(device)
        self.device = torch.device(device)
        return self

    def __reduce__(self) -> tuple:
        """For another process (a Ray worker): a model of a folder is loaded from there again, not sent."""
        if self.origin is None:
            return super().__reduce__()
        return _load_again, (self.origin, self.fingerprint)

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
        """Sides of a clip are multiples of so many pixels."""
        return max(self.family.side, self.patch)

    @property
    def prediction(self) -> str:
        """What the network predicts: `flow_prediction` (the velocity) or `sample` (the clean estimate)."""
        return getattr(self.pipe.scheduler.config, "prediction_type", self.family.prediction)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all weights, which results carry, see `weights.fingerprint`."""
        return fingerprint([getattr(self.pipe, name) for name in self.family.weights])

    @property
    def transformers(self) -> list[Any]:
        """One transformer, or the two experts in the order in which they work."""
        return experts(self.pipe)

    @property
    def experts(self) -> int:
        """How many transformers share the work: 1, or 2 with a boundary between them."""
        return len(self.transformers)

    @property
    def layers(self) -> int:
        """How many blocks a transformer has, L."""
        return len(self.family.blocks(self.transformers[0]))

    @torch.no_grad()
    def prepare(self, prompt: str, image: np.ndarray | Image.Image, frames: int) -> Condition:
        """Encodes prompt and given frame exactly as the stock pipeline does.

        Args:
            prompt: what to do.
            image: the first frame, (H, W, 3), uint8 or float in [0, 1]; H and W multiples of `side`.
            frames: number of pixel frames, 4 k + 1 or what else the family asks for.

        Raises:
            ValueError: if the size or the number of frames does not fit the model.
        """
        if self.family.encode_sample is not None:
            raise ValueError(f"{self.name} knows no pictures and no prompts; give it a sample")
        picture = conditions.picture(image)
        self.check_clip(*picture.size, frames)
        if self.kept is None:
            return self._encode(prompt, picture, frames)
        told = (self.fingerprint, prompt, frames, np.asarray(picture))
        return conditions.kept(
            Path(self.kept), told, lambda: self._encode(prompt, picture, frames), self.device
        )

    def _encode(self, prompt: str, picture: Image.Image, frames: int) -> Condition:
        self._move_encoders(self.device)
        words = self.family.encode_prompt(
            self.pipe, prompt, picture, self._text_length, self.device
        )
        self._move_encoders(torch.device("cpu"))  # they are large, and needed once per sample
        return Condition(
            **words, **self.family.encode_image(self.pipe, picture, frames, self.device)
        )

    def _move_encoders(self, device: torch.device) -> None:
        if self.how.offload == "none" and self.device.type != "cpu":
            for part in (getattr(self.pipe, name) for name in self.family.encoders):
                if part is not None:
                    part.to(device)

    def prepare_sample(self, sample: Sample, frames: int | None = None) -> Condition:
        """`prepare` for a sample of the mini suite, by default for a clip of the model's own length."""
        if self.family.encode_sample is not None:
            return self.family.encode_sample(sample, self.device)
        return self.prepare(sample.prompt, sample.first_frame(self.size), frames or self.frames)

    def noise(self, condition: Condition, seed: int) -> Tensor:
        """The initial latents (1, C, F, H, W) of a seed, drawn on the CPU so that every device gets the same."""
        return torch.randn(condition.shape, generator=_generator(seed)).to(self.device)

    def audio_noise(self, condition: Condition, seed: int) -> Tensor | None:
        """The initial latents of the audio stream (LTX-2), None for models without one."""
        if self.family.audio_noise is None:
            return None
        generator = _generator(seed)
        torch.randn(condition.shape, generator=generator)  # the video's come first
        return self.family.audio_noise(self.pipe, condition, generator).to(self.device)

    @torch.no_grad()
    def predict(
        self, x: Tensor, timestep: Tensor, condition: Condition, schedule: Schedule
    ) -> Tensor:
        """The network's output at latents `x` (1, C, F, H, W), guided as the schedule says; the same shape.

        Args:
            timestep: scalar tensor, 1000 sigma, as the scheduler gives it.

        Raises:
            ValueError: if the model has an audio stream, which has to be given too.
        """
        if self.family.audio_noise is not None:
            raise ValueError(
                f"{self.name} denoises an audio stream with the video and cannot predict the video alone; "
                f"take steps with denoise, or use predict_both"
            )
        return self._predict((x,), timestep, condition, schedule)[0]

    @torch.no_grad()
    def predict_both(
        self, x: Tensor, audio: Tensor, timestep: Tensor, condition: Condition, schedule: Schedule
    ) -> Streams:
        """`predict` for the video (1, C, F, H, W) and the audio stream (1, T, D) together."""
        return self._predict((x, audio), timestep, condition, schedule)

    def _predict(
        self, streams: Streams, timestep: Tensor, condition: Condition, schedule: Schedule
    ) -> Streams:
        expert, guidance = self._expert(timestep, schedule)
        x, *audio = streams
        streams = (self.hold(x, condition), *audio)

        def forward(passes: Passes) -> Streams:
            self.place.passes = passes
            with self._attention():
                return self.family.forward(expert, streams, timestep, condition, passes, self.dtype)

        return self.family.guide(forward, guidance)

    def clean_estimate(
        self, output: Tensor, x: Tensor, sigma: float, condition: Condition
    ) -> Tensor:
        """`x0_hat` (1, C, F, H, W), float32, from the network's output at `x` (paper eq. 2)."""
        x0_hat = output.float() if self.prediction == "sample" else x - sigma * output.float()
        return self.hold(x0_hat, condition)

    @staticmethod
    def hold(x: Tensor, condition: Condition) -> Tensor:
        """Latents (1, C, F, H, W) with the given frame put in its place, in models that ask for it."""
        return (
            x
            if condition.free is None
            else (1 - condition.free) * condition.image + condition.free * x
        )

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Decodes (1, C, F, H, W) latents to a clip (pixel frames, H, W, 3), uint8."""
        return self.family.decode(self.pipe, self.family.statistics, latents, self.device)

    @torch.no_grad()
    def encode(self, clip: np.ndarray) -> Tensor:
        """Encodes a clip (pixel frames, H, W, 3), uint8, to latents (1, C, F, H, W), noise-free."""
        self.check_clip(clip.shape[2], clip.shape[1], len(clip))
        return self.family.encode(self.pipe, self.family.statistics, clip, self.device)

    @torch.no_grad()
    def beliefs(self, sample: Sample, latents: Tensor, frame: int = -1) -> np.ndarray:
        """How strongly latents (1, C, F, H, W) show each value of each part of a sample, (P, V).

        Args:
            frame: the pixel frame that is read, by default the last.
        """
        if self.family.beliefs is not None:
            return self.family.beliefs(sample, latents)
        progress = timeline(self.frames)[frame]
        return reading.belief(sample, self.decode(latents)[frame], progress)

    def check_clip(self, width: int, height: int, frames: int) -> None:
        """Raises if the model takes no clips of that size, in pixels, and length."""
        n, side = self.family.frames, self.side
        if min(width, height) < side or width % side or height % side:
            told = f"frames of {width} x {height} pixels do not fit the model"
            raise ValueError(f"{told}; both sides must be multiples of {side}")
        if frames < 1 or frames % n != 1 % n:  # the codec itself would silently drop the rest
            counts = ", ".join(str(k * n + 1) for k in (1, 2, 3))
            raise ValueError(
                f"{frames} frames do not fit the video codec; it takes {n} k + 1 frames: {counts}, ..."
            )

    def _attention(self) -> AbstractContextManager:
        return attention_backend(self.how.attention) if self.how.attention else nullcontext()

    @property
    def _text_length(self) -> int:
        return min(self.family.text, self.pipe.tokenizer.model_max_length)

    def _expert(self, timestep: Tensor, schedule: Schedule) -> tuple[Any, float]:
        pipe = self.pipe
        if (
            self.experts == 1
            or timestep >= (schedule.boundary or pipe.config.boundary_ratio) * 1000
        ):
            return pipe.transformer, schedule.guidance
        return (
            pipe.transformer_2,
            schedule.guidance if schedule.guidance_2 is None else schedule.guidance_2,
        )


def _own_clip(folder: Path) -> dict[str, int]:
    """Size and frames of a model that this project trained; nothing for any other."""
    record = folder / "training.json"
    if not record.exists():
        return {}
    recipe = json.loads(record.read_text()).get("recipe", {})
    return {
        "size": recipe.get("size", MINI_SIZE),
        "frames": recipe.get("frames", MINI_FRAMES),
    }


def _load_again(origin: dict, fingerprint: str) -> VideoModel:
    model = VideoModel.load(**origin)
    if model.fingerprint != fingerprint:
        raise ValueError(
            f"{origin['source']} holds other weights here than where the sweep was started; copy them"
        )
    return model


def _generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)
