"""VideoModel: a diffusers image-to-video pipeline as a velocity field, evaluated at any step."""

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_dispatch import attention_backend
from PIL import Image
from torch import Tensor, nn

from ..puzzles import reading
from ..puzzles.base import Sample, timeline
from . import conditions
from .conditions import Condition
from .families import Passes, Streams
from .hooks import FromLayer, Visit, skipped, visited
from .pipeline import LoadedPipeline
from .schedule import Schedule


class VideoModel(LoadedPipeline):
    """A pipeline behind one interface: conditions, predictions, decoding.

    What differs between kinds of models is in the family table (`families`).
    """

    @torch.no_grad()
    def prepare(self, prompt: str, image: np.ndarray | Image.Image, frames: int) -> Condition:
        """Encodes prompt and given frame exactly as the stock pipeline does.

        Args:
            prompt: what to do.
            image: the first frame, (H, W, 3), uint8 or float in [0, 1]; H and W multiples of
                `side`.
            frames: number of pixel frames, 4 k + 1 or as the family requires.

        Raises:
            ValueError: if the size or the number of frames does not fit the model.
        """
        if self.family.encode_sample is not None:
            raise ValueError(f"{self.name} takes no pictures and no prompts; pass a sample")
        picture = conditions.picture(image)
        self.check_clip(*picture.size, frames)
        if self.kept is None:
            return self._encode(prompt, picture, frames)
        inputs = (self.fingerprint, prompt, frames, np.asarray(picture))
        return conditions.kept(
            Path(self.kept), inputs, lambda: self._encode(prompt, picture, frames), self.device
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
        """`prepare` for a sample of the mini suite, by default for a clip of the model's own
        length."""
        if self.family.encode_sample is not None:
            return self.family.encode_sample(sample, self.device)
        return self.prepare(sample.prompt, sample.first_frame(self.size), frames or self.frames)

    def noise(self, condition: Condition, seed: int) -> Tensor:
        """Initial latents (1, C, F, H, W) of a seed, drawn on the CPU: equal on all devices."""
        return torch.randn(condition.shape, generator=_generator(seed)).to(self.device)

    def audio_noise(self, condition: Condition, seed: int) -> Tensor | None:
        """The initial latents of the audio stream (LTX-2); None for models without one."""
        if self.family.audio_noise is None:
            return None
        generator = _generator(seed)
        torch.randn(condition.shape, generator=generator)  # the video's come first
        return self.family.audio_noise(self.pipe, condition, generator).to(self.device)

    @torch.no_grad()
    def predict(
        self,
        x: Tensor,
        timestep: Tensor,
        condition: Condition,
        schedule: Schedule,
        visit: Visit | None = None,
        start: FromLayer | None = None,
    ) -> Tensor:
        """The network's output at latents `x` (B, C, F, H, W), guided as the schedule says; the
        same shape.

        Args:
            timestep: 1000 sigma, as the scheduler gives it: a scalar tensor, or (B,) of each, all
                in the range of one expert.
            visit: reads and may replace the hidden states, see `hooks`.
            start: starts after a block, from stored states.

        Raises:
            ValueError: if the model has an audio stream; it would have to be passed too.
            RuntimeError: if states are read while a cache of diffusers skips blocks.
        """
        if self.family.audio_noise is not None:
            raise ValueError(
                f"{self.name} denoises an audio stream with the video and cannot predict the video "
                f"alone; take steps with denoise, or use predict_both"
            )
        return self._predict((x,), timestep, condition, schedule, visit, start)[0]

    @torch.no_grad()
    def predict_both(
        self,
        x: Tensor,
        audio: Tensor,
        timestep: Tensor,
        condition: Condition,
        schedule: Schedule,
        visit: Visit | None = None,
        start: FromLayer | None = None,
    ) -> Streams:
        """`predict` for the video (1, C, F, H, W) and the audio stream (1, T, D) together."""
        return self._predict((x, audio), timestep, condition, schedule, visit, start)

    def _predict(
        self,
        streams: Streams,
        timestep: Tensor,
        condition: Condition,
        schedule: Schedule,
        visit: Visit | None,
        start: FromLayer | None,
    ) -> Streams:
        number = self.expert_at(timestep.flatten()[0], schedule)  # one for the whole batch
        scales = schedule.guidance, schedule.guidance_2
        guidance = scales[0] if number == 0 or scales[1] is None else scales[1]
        expert = self.transformers[number]
        x, *audio = streams
        streams = (self.hold(x, condition), *audio)
        if visit is not None or start is not None:
            self._refuse_caches()

        def forward(passes: Passes) -> Streams:
            with self._attention(), self._watched(expert, number, passes, visit, start):
                return self.family.forward(expert, streams, timestep, condition, passes, self.dtype)

        return self.family.guide(forward, guidance)

    def _watched(
        self,
        expert: nn.Module,
        number: int,
        passes: Passes,
        visit: Visit | None,
        start: FromLayer | None,
    ) -> AbstractContextManager:
        """The hooks of one forward pass."""
        blocks, stream = self.family.blocks(expert), self.family.stream
        if start is None:
            if visit is None:
                return nullcontext()
            return visited(blocks, stream, number, passes, visit)
        if not -1 <= start.layer < self.layers:
            raise ValueError(f"there is no layer {start.layer}; expected -1 to {self.layers - 1}")
        if stream is None and len(self.family.stacks) == 1 and visit is None:
            (stack,) = self.family.stacks
            return skipped(expert, stack, start.layer, passes, start.states)

        # With an audio stream the earlier blocks have to run; their video states are then replaced.
        def replace_state(e: int, guided: bool, layer: int, hidden: Tensor) -> Tensor | None:
            if layer == start.layer:
                hidden = start.states[guided][None].to(hidden)
            seen = None if visit is None else visit(e, guided, layer, hidden)
            return seen if seen is not None or layer != start.layer else hidden

        return visited(blocks, stream, number, passes, replace_state)

    def _refuse_caches(self) -> None:
        if any(getattr(expert, "is_cache_enabled", False) for expert in self.transformers):
            raise RuntimeError(
                "a diffusers cache is on, so blocks are skipped and their states would be wrong; "
                "disable the cache first"
            )

    def clean_estimate(
        self, output: Tensor, x: Tensor, sigma: float | Tensor, condition: Condition
    ) -> Tensor:
        """`x0_hat` (B, C, F, H, W), float32, from the network's output at `x` (paper eq. 2)."""
        x0_hat = output.float() if self.prediction == "sample" else x - sigma * output.float()
        return self.hold(x0_hat, condition)

    @torch.no_grad()
    def without(self, condition: Condition, given: bool, prompt: bool) -> Condition:
        """A condition without the given frame, the prompt, or both."""
        if prompt:
            empty = [name for name in condition.more if name.endswith("_negative")]
            plain = {name.removesuffix("_negative"): condition.more[name] for name in empty}
            more = condition.more | plain
            condition = replace(condition, prompt=condition.negative, more=more)
        if given and condition.free is not None:
            condition = replace(condition, free=torch.ones_like(condition.free))
        elif given:
            tokens = condition.image_tokens
            none = None if tokens is None else torch.zeros_like(tokens)
            blank = self._blank_image(condition.shape)
            condition = replace(condition, image=blank, image_tokens=none)
        return condition

    @functools.lru_cache(maxsize=4)  # noqa: B019  (a model lives as long as its process)
    def _blank_image(self, shape: tuple[int, ...]) -> Tensor:
        return self.family.blank_image(self.pipe, shape, self.device)

    @staticmethod
    def hold(x: Tensor, condition: Condition) -> Tensor:
        """Latents (1, C, F, H, W) with the given frame inserted, for models that need it there."""
        return (
            x
            if condition.free is None
            else (1 - condition.free) * condition.image + condition.free * x
        )

    @torch.no_grad()
    def decode(self, latents: Tensor) -> np.ndarray:
        """Decodes (1, C, F, H, W) latents to a clip (pixel frames, H, W, 3), uint8."""
        return self.family.decode(self.pipe, self.family.statistics, latents, self.device)[0]

    @torch.no_grad()
    def decode_all(self, latents: Sequence[Tensor], batch: int = 16) -> np.ndarray:
        """`decode` of many latents (1, C, F, H, W), so many at a time: (B, frames, H, W, 3)."""
        packs = [torch.cat(tuple(latents[i : i + batch])) for i in range(0, len(latents), batch)]
        parts = (self.pipe, self.family.statistics)
        return np.concatenate([self.family.decode(*parts, pack, self.device) for pack in packs])

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

    def _attention(self) -> AbstractContextManager:
        return attention_backend(self.how.attention) if self.how.attention else nullcontext()

    @property
    def _text_length(self) -> int:
        return min(self.family.text, self.pipe.tokenizer.model_max_length)

    def expert_at(self, timestep: Tensor, schedule: Schedule) -> int:
        """The index of the transformer in charge at a timestep."""
        if self.experts == 1:
            return 0
        boundary = (schedule.boundary or self.pipe.config.boundary_ratio) * 1000
        return int(timestep < boundary)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)
