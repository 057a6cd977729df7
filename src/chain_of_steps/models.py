"""VideoModel: a diffusers image-to-video pipeline, seen as a velocity field that can be asked at any step."""

import functools
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import WanImageToVideoPipeline
from PIL import Image
from torch import Tensor

from . import suites
from .schedule import Schedule
from .tasks.base import Sample
from .weights import check_device, check_dtype, refuse_code_and_strays, refuse_gaps

# PyTorch's AVX-512 kernels round differently from its AVX2 ones: with these alone, machines that have AVX-512 and
# machines that do not give the same rows. It works before torch's first computation; a setting of the user's wins.
if getattr(torch.cpu, "get_capabilities", dict)().get("avx512_f"):
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
    # Kernels that torch.compile kept from a time without this setting are of the other width and corrupt memory.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/torchinductor_avx2_{os.getuid()}")

SIZE, FRAMES = 480, 49  # of the clips in which a model of somebody else's is given the mini suite


@dataclass(frozen=True)
class Condition:
    """What one sample tells the model; encoded once and used at every step.

    Attributes:
        prompt: (1, T, D) text states.
        negative: (1, T, D) text states of the empty prompt, used under guidance only.
        image: (1, mask + C, F, H, W) mask and latents of the given frame, concatenated to the noisy latents; where
            `free` is set, (1, C, 1, H, W), the given frame's latents, which take their place in the noisy ones.
        image_tokens: (1, 257, D) CLIP states where the model has an image encoder (Wan 2.1), else None.
        shape: (1, C, F, H, W) of the latents.
        free: (1, 1, F, H, W), 0 in the given frame and 1 elsewhere, in models whose time is told by token (Wan 2.2
            5B, `expand_timesteps`), else None.
    """

    prompt: Tensor
    negative: Tensor
    image: Tensor
    image_tokens: Tensor | None
    shape: tuple[int, ...]
    free: Tensor | None = None


@dataclass
class Place:
    """Where a running forward pass belongs; the loop and the model write it, hooks read it."""

    step: int = 0
    guided: bool = True


class VideoModel:
    """A Wan image-to-video pipeline of stock diffusers: what to feed it, what it predicts, how to decode it.

    Args:
        pipe: the loaded pipeline.
        name: recorded with results.
        size: side in pixels at which samples of the mini suite are drawn for it, a multiple of 16.
        frames: pixel frames of a clip, 4 k + 1.
        fixed: whether it knows frames of that size only.
    """

    def __init__(
        self,
        pipe: WanImageToVideoPipeline,
        name: str = "model",
        size: int = suites.SIZE,
        frames: int = suites.FRAMES,
        fixed: bool = False,
    ):
        self.pipe, self.name, self.size, self.frames, self.fixed = pipe, name, size, frames, fixed
        self.place = Place()
        self.origin: dict | None = None  # the arguments of `load`, if it came from there
        # Asked once: each answer walks over all parameters.
        self.device, self.dtype = pipe.transformer.device, pipe.transformer.dtype
        pipe.set_progress_bar_config(disable=True)
        for part in (pipe.transformer, pipe.transformer_2, pipe.vae, pipe.text_encoder):
            if part is not None:
                part.eval().requires_grad_(False)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        device: str = "cpu",
        dtype: str = "float32",
        size: int = SIZE,
        frames: int = FRAMES,
    ) -> "VideoModel":
        """Loads a folder written by `save_pretrained`, safetensors only, without touching the network.

        Args:
            dtype: of weights and activations, e.g. `bfloat16`; latents stay in float32.
            size, frames: as for the class; a model trained by this project has its own.

        Raises:
            FileNotFoundError: if the folder is no diffusers pipeline.
            ValueError: for an unknown device or dtype, or if a weight file is missing, unreadable or of another shape.
        """
        folder = Path(folder)
        check_device(device)
        check_dtype(dtype)
        if not (folder / "model_index.json").is_file():
            raise FileNotFoundError(
                f"{folder} is not a model folder (no model_index.json); fetch the mini model with `dvc pull`"
            )
        refuse_code_and_strays(folder)
        try:
            pipe = WanImageToVideoPipeline.from_pretrained(
                folder, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True
            )
            refuse_gaps(pipe.text_encoder, folder / "text_encoder")
            pipe.to(device)
        except torch.OutOfMemoryError:
            raise  # the weights are sound
        except Exception as error:
            raise ValueError(
                f"the model in {folder} cannot be loaded: {error}; `dvc pull --force` restores the project's own"
            ) from error
        ours = (folder / "training.json").exists()
        model = cls(pipe, folder.name, fixed=True) if ours else cls(pipe, folder.name, size, frames)
        model.origin = {"folder": folder.resolve(), "device": device, "dtype": dtype, "size": size, "frames": frames}
        return model

    def to(self, device: str) -> "VideoModel":
        """Moves the model to a device, in place."""
        check_device(device)
        self.pipe.to(device)
        self.device = self.pipe.transformer.device
        return self

    def __reduce__(self) -> tuple:
        """For another process (a Ray worker): a model of a folder is loaded from there again, not sent."""
        if self.origin is None:
            return super().__reduce__()
        return _load_again, (self.origin, self.fingerprint)

    @property
    def stride(self) -> int:
        """Pixel frames per latent frame."""
        return self.pipe.vae.config.scale_factor_temporal

    @property
    def latent_frames(self) -> int:
        """Latent frames F of a clip."""
        return 1 + (self.frames - 1) // self.stride

    @property
    def patch(self) -> int:
        """Pixels per side of a token."""
        return self.pipe.vae_scale_factor_spatial * self.pipe.transformer.config.patch_size[1]

    @property
    def prediction(self) -> str:
        """What the network predicts: `flow_prediction` (the velocity) or `sample` (the clean estimate)."""
        return getattr(self.pipe.scheduler.config, "prediction_type", "flow_prediction")

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all weights, 16 hex digits: results carry it."""
        total = hashlib.sha256()
        for part in (self.pipe.text_encoder, self.pipe.vae, self.pipe.transformer, self.pipe.transformer_2):
            for name, tensor in sorted(part.state_dict().items()) if part is not None else []:
                total.update(name.encode())
                total.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return total.hexdigest()[:16]

    @property
    def transformers(self) -> list[Any]:
        """One transformer, or the two experts in the order in which they work."""
        return [part for part in (self.pipe.transformer, self.pipe.transformer_2) if part is not None]

    @property
    def experts(self) -> int:
        """How many transformers share the work: 1, or 2 with a boundary between them."""
        return len(self.transformers)

    @torch.no_grad()
    def prepare(self, prompt: str, image: np.ndarray | Image.Image, frames: int) -> Condition:
        """Encodes prompt and given frame exactly as the stock pipeline does.

        Args:
            prompt: what to do.
            image: the first frame, (H, W, 3), uint8 or float in [0, 1]; H and W multiples of 16 and of `patch`.
            frames: number of pixel frames, 4 k + 1.

        Raises:
            ValueError: if the size or the number of frames does not fit the model.
        """
        pipe, picture = self.pipe, _picture(image)
        width, height = picture.size
        side = max(16, self.patch)
        if height % side or width % side:
            raise ValueError(f"the given frame is {width} x {height} pixels; both sides must be multiples of {side}")
        _check_frames(frames)
        states, negative = pipe.encode_prompt(
            prompt, negative_prompt="", max_sequence_length=self._text_length, device=self.device
        )
        tokens = None
        if pipe.transformer.config.image_dim is not None:
            tokens = pipe.encode_image(picture, self.device).to(pipe.transformer.dtype)
        pixels = pipe.video_processor.preprocess(picture, height=height, width=width)
        pixels = pixels.to(self.device, dtype=torch.float32)
        latents, condition, *free = pipe.prepare_latents(
            pixels, 1, pipe.vae.config.z_dim, height, width, frames, torch.float32, self.device, _generator(0)
        )
        dtype = pipe.transformer.dtype
        return Condition(states.to(dtype), negative.to(dtype), condition, tokens, tuple(latents.shape), *free)

    def prepare_sample(self, sample: Sample, frames: int | None = None) -> Condition:
        """`prepare` for a sample of the mini suite, by default for a clip of the model's own length."""
        return self.prepare(sample.prompt, sample.first_frame(self.size), frames or self.frames)

    def noise(self, condition: Condition, seed: int) -> Tensor:
        """The initial latents (1, C, F, H, W) of a seed, drawn on the CPU so that every device gets the same."""
        return torch.randn(condition.shape, generator=_generator(seed)).to(self.device)

    @torch.no_grad()
    def predict(self, x: Tensor, timestep: Tensor, condition: Condition, schedule: Schedule) -> Tensor:
        """The network's output at latents `x` (1, C, F, H, W), guided as the schedule says; the same shape.

        Args:
            timestep: scalar tensor, 1000 sigma, as the scheduler gives it.
        """
        expert, guidance = self._expert(timestep, schedule)
        if condition.free is None:
            inputs = torch.cat([x, condition.image], dim=1)  # (B, 2 C + mask, F, H, W)
            times = timestep.expand(x.shape[0])
        else:
            inputs, (_, p, q) = self.hold(x, condition), expert.config.patch_size
            times = (
                (condition.free[0, 0, :, ::p, ::q].to(x.device) * timestep).flatten().expand(x.shape[0], -1)
            )  # (B, N)
        inputs, times = inputs.to(self.dtype), times.to(x.device)

        def ask(text: Tensor, guided: bool) -> Tensor:
            self.place.guided = guided
            with expert.cache_context("cond" if guided else "uncond"):
                return expert(inputs, times, text, condition.image_tokens, return_dict=False)[0]

        output = ask(condition.prompt, guided=True)
        if guidance > 1.0:
            unguided = ask(condition.negative, guided=False)
            output = unguided + guidance * (output - unguided)
        return output

    def clean_estimate(self, output: Tensor, x: Tensor, sigma: float, condition: Condition) -> Tensor:
        """`x0_hat` (1, C, F, H, W), float32, from the network's output at `x` (paper eq. 2)."""
        x0_hat = output.float() if self.prediction == "sample" else x - sigma * output.float()
        return self.hold(x0_hat, condition)

    @staticmethod
    def hold(x: Tensor, condition: Condition) -> Tensor:
        """Latents (1, C, F, H, W) with the given frame put in its place, in models that ask for it."""
        return x if condition.free is None else (1 - condition.free) * condition.image + condition.free * x

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Decodes (1, C, F, H, W) latents to a clip (pixel frames, H, W, 3), uint8."""
        vae = self.pipe.vae
        mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1).to(latents.device, latents.dtype)
        std = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1).to(latents.device, latents.dtype)
        video = vae.decode((latents * std + mean).to(vae.device, vae.dtype), return_dict=False)[0]  # (1, 3, F', H', W')
        video = (video[0].float().permute(1, 2, 3, 0) * 127.5 + 127.5).round().clamp(0, 255)
        return video.to(torch.uint8).cpu().numpy()

    @torch.no_grad()
    def encode(self, clip: np.ndarray) -> Tensor:
        """Encodes a clip (4 k + 1 pixel frames, H, W, 3), uint8, to latents (1, C, F, H, W), noise-free."""
        _check_frames(len(clip))
        vae = self.pipe.vae
        pixels = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].to(vae.device, vae.dtype) / 127.5 - 1.0
        mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1).to(vae.device)
        std = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1).to(vae.device)
        return (vae.encode(pixels).latent_dist.mode() - mean) / std

    @property
    def _text_length(self) -> int:
        return min(512, self.pipe.tokenizer.model_max_length)

    def _expert(self, timestep: Tensor, schedule: Schedule) -> tuple[Any, float]:
        pipe = self.pipe
        boundary = schedule.boundary or pipe.config.boundary_ratio
        if self.experts == 1 or timestep >= boundary * 1000:
            return pipe.transformer, schedule.guidance
        return pipe.transformer_2, schedule.guidance if schedule.guidance_2 is None else schedule.guidance_2


def _picture(image: np.ndarray | Image.Image) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    if image.dtype != np.uint8:
        image = (image * 255.0 + 0.5).astype(np.uint8)
    return Image.fromarray(image).convert("RGB")


def _check_frames(frames: int) -> None:
    if frames < 1 or frames % 4 != 1:  # the codec itself would silently drop the rest
        raise ValueError(f"{frames} frames do not fit the video codec; it takes 4 k + 1 frames: 5, 9, 13, ...")


def _load_again(origin: dict, fingerprint: str) -> VideoModel:
    model = VideoModel.load(**origin)
    if model.fingerprint != fingerprint:
        raise ValueError(f"{origin['folder']} holds other weights here than where the sweep was started; copy them")
    return model


def _generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)
