"""What a step of training sees: clips of one of three lengths, encoded once and used a few times."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from .clips import LATER_SHARES, SHARES, Clip, Ring, clip
from .codec import encode
from .mini import build_tokenizer

BATCH = 32
REUSE = 8  # how often a clip is used before it leaves its ring
LENGTHS = (5, 9, 13)  # frames
SHORT_STEPS = 16000  # until then mostly the shortest clips: they are cheap
SHARES_AT_FIRST, SHARES_LATER = (0.75, 0.25, 0.0), (0.30, 0.65, 0.05)
MAZE_STEPS = 2500  # until then tasks have their first shares


def length_at(step: int, rng: np.random.Generator) -> tuple[int, int]:
    """Pixel frames of the clips of one step, and how often this length was (about) used before."""
    i = int(rng.choice(3, p=SHARES_AT_FIRST if step < SHORT_STEPS else SHARES_LATER))
    visits = SHARES_AT_FIRST[i] * min(step, SHORT_STEPS) + SHARES_LATER[i] * max(0, step - SHORT_STEPS)
    return LENGTHS[i], int(visits)


@dataclass(frozen=True)
class Example:
    """A clip as the transformer sees it: latents and given-frame latents, both (z, F, 6, 6), and token ids."""

    latents: Tensor
    given: Tensor
    words: Tensor


class Examples:
    """A ring of encoded clips of one length, refilled as training goes on."""

    def __init__(self, codec: AutoencoderKLWan, frames: int, capacity: int = 1024):
        self.codec, self.frames, self.tokenizer = codec, frames, build_tokenizer()
        self.capacity = capacity
        first_visits = SHARES_AT_FIRST[LENGTHS.index(frames)] * MAZE_STEPS
        self.first_clips = capacity + int(first_visits) * (BATCH // REUSE)
        self.ring = Ring(self.capacity, self._make)

    def batch(self, rng: np.random.Generator, visits: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Latents and given-frame latents (B, z, F, 6, 6) and token ids (B, T) for the `visits`-th visit."""
        self.ring.advance(self.capacity + visits * (count // REUSE))
        chosen = self.ring.pick(rng, count)
        return tuple(torch.stack([getattr(e, part) for e in chosen]) for part in ("latents", "given", "words"))

    def _make(self, start: int, stop: int) -> list[Example]:
        examples = []
        for first in range(start, stop, 32):
            examples += self._encode([self._clip(i) for i in range(first, min(first + 32, stop))])
        return examples

    def _clip(self, number: int) -> Clip:
        return clip(number, self.frames, shares=SHARES if number < self.first_clips else LATER_SHARES)

    def _encode(self, clips: list[Clip]) -> list[Example]:
        frames = np.stack([c.frames for c in clips])
        latents, given = encode(self.codec, frames), encode(self.codec, frames, only_first=True)
        words = self.tokenizer([c.prompt for c in clips], padding="max_length", return_tensors="pt").input_ids
        return [Example(*parts) for parts in zip(latents, given, words, strict=True)]
