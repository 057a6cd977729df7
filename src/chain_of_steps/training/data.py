"""Training data: an endless, reproducible stream of clips, each used a few times."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from ..puzzles import suite
from .codec import encode
from .recipe import build_tokenizer

BATCH = 32
REUSE = 8  # how often a clip is used before it leaves its ring
CODEC_CLIPS = 1200  # the codec is fitted to their cells


@dataclass(frozen=True)
class World:
    """What a model is trained on.

    Attributes:
        shares: of the tasks of the suite, by name.
        lengths: shares of clip lengths, by frames.
        side: of the frames, pixels.
    """

    shares: dict[str, float]
    lengths: dict[int, float]
    side: int = 48

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self.shares)


# The generalist: squares and mazes are hardest to learn, short clips are cheap.
GENERALIST = World(
    {
        "latin": 0.30,
        "latin_staged": 0.05,
        "relay": 0.12,
        "relay_end": 0.04,
        "maze": 0.25,
        "mark": 0.04,
        "tic_tac_toe": 0.03,
        "size_pattern": 0.03,
        "rotate": 0.05,
        "bounce": 0.06,
        "out_and_back": 0.015,
        "occlusion": 0.015,
    },
    {5: 0.60, 9: 0.35, 13: 0.05},
)
# The depth pair: only squares of order 4, on the smallest board.
SMALL_SQUARES = World({"latin_small": 1.0}, {5: 1.0}, side=32)


@dataclass(frozen=True)
class Clip:
    """One training example: the frames of a valid answer, (F, H, H, 3) uint8, and its prompt."""

    prompt: str
    frames: np.ndarray


def clip(index: int, frames: int, seed: int = 0, world: World = GENERALIST) -> Clip:
    """Clip number `index` of the stream; it shows one of the valid answers at random."""
    rng = np.random.default_rng([seed, frames, index])
    weights = np.array(list(world.shares.values()))
    task = suite.find(rng.choice(list(world.shares), p=weights / weights.sum()))
    sample, answer = task.training_sample(rng)
    return Clip(sample.prompt, sample.render(answer, frames=frames))


class Ring:
    """The newest `capacity` items of a stream. Its content after n items depends only on n, so that
    it can be resumed.

    Args:
        make: makes items number `start` to `stop` of the stream, as a list.
    """

    def __init__(self, capacity: int, make: Callable[[int, int], list]):
        self.capacity, self.make = capacity, make
        self.items: list = []
        self.end = 0

    def advance(self, end: int) -> None:
        """Advances the ring to item number `end`."""
        if end - self.end > self.capacity or end < self.end:
            self.items, self.end = [], max(0, end - self.capacity)
        self.items = (self.items + self.make(self.end, end))[-self.capacity :]
        self.end = end

    def pick(self, rng: np.random.Generator, count: int) -> list:
        """`count` items at random."""
        return [self.items[i] for i in rng.integers(len(self.items), size=count)]


@dataclass(frozen=True)
class Example:
    """A clip as input of the transformer: latents and given-frame latents, both (z, F, h, w), and
    token ids (T,)."""

    latents: Tensor
    given: Tensor
    words: Tensor


class Examples:
    """A ring of encoded clips of one length, refilled during training."""

    def __init__(
        self,
        codec: AutoencoderKLWan,
        frames: int,
        world: World = GENERALIST,
        capacity: int = 1024,
    ):
        self.codec, self.frames, self.world = codec, frames, world
        self.tokenizer = build_tokenizer()
        self.ring = Ring(capacity, self._make)

    def batch(self, rng: np.random.Generator, visits: int, count: int) -> tuple[Tensor, ...]:
        """Latents and given-frame latents (B, z, F, h, w) and token ids (B, T) for a visit."""
        self.ring.advance(self.ring.capacity + visits * (count // REUSE))
        chosen = self.ring.pick(rng, count)
        parts = ("latents", "given", "words")
        return tuple(torch.stack([getattr(e, part) for e in chosen]) for part in parts)

    def _make(self, start: int, stop: int) -> list[Example]:
        examples = []
        for first in range(start, stop, 32):
            numbers = range(first, min(first + 32, stop))
            examples += self._encode([clip(i, self.frames, world=self.world) for i in numbers])
        return examples

    def _encode(self, clips: list[Clip]) -> list[Example]:
        frames = np.stack([c.frames for c in clips])
        latents, given = encode(self.codec, frames), encode(self.codec, frames, only_first=True)
        prompts = [c.prompt for c in clips]
        words = self.tokenizer(prompts, padding="max_length", return_tensors="pt").input_ids
        return [Example(*parts) for parts in zip(latents, given, words, strict=True)]


def length_at(step: int, rng: np.random.Generator, world: World = GENERALIST) -> tuple[int, int]:
    """Frames of the clips of one step, and how often this length was (about) used before."""
    lengths = list(world.lengths)
    frames = lengths[int(rng.choice(len(lengths), p=list(world.lengths.values())))]
    return frames, int(world.lengths[frames] * step)
