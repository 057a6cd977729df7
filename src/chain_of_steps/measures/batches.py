"""Many samples as one batch: through the denoising loop, and into the one-pass controls.

One by one, the small networks of the phase diagram would spend most of their time on overhead.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.symbols import beliefs, encode_sample
from ..models.video_model import VideoModel
from ..puzzles import reading
from ..puzzles.base import Sample
from ..sampling.denoise import Trajectory, denoise
from ..sampling.samplers import sampler_of
from ..sampling.state import State
from ..sampling.steps import joined
from .answers import Encoder, model_encoder, solution_latents, symbol_encoder, uninformative
from .decisions import decide
from .one_pass import Estimate, Runs
from .posterior import ExactDenoiser


@dataclass(frozen=True)
class SampleBatch(ABC):
    """B runs on samples of one puzzle and one size.

    Attributes:
        samples: one for each run; they may repeat.
        seeds: of the initial noise of each run.
        ties: seed of the random choice among equal beliefs; None for the plain argmax.
    """

    samples: Sequence[Sample]
    seeds: Sequence[int]
    ties: int | None = 0

    @abstractmethod
    def encoder(self, sample: Sample) -> Encoder:
        """What maps an answer to latents (1, C, F, h, w)."""

    @abstractmethod
    def conditions(self) -> list[Condition]:
        """What each run is conditioned on."""

    @abstractmethod
    def shown(self, latents: Tensor) -> list[np.ndarray]:
        """The beliefs (P, V) of each run from latents (B, C, F, h, w)."""

    @cached_property
    def names(self) -> list[str]:
        """A name for each run, of its sample's key and its seed."""
        return [f"{s.key}/{seed}" for s, seed in zip(self.samples, self.seeds, strict=True)]

    @property
    def clusters(self) -> list[str]:
        """The canonical state of each run."""
        return [str(sample.canonical) for sample in self.samples]

    @cached_property
    def condition(self) -> Condition:
        """The conditions of all runs as one."""
        return joined(self.conditions())

    @cached_property
    def exact(self) -> ExactDenoiser:
        """The exact posterior of each run's sample.

        Raises:
            ValueError: if a sample does not list all of its valid answers.
        """
        return ExactDenoiser([solution_latents(s, self.encoder(s)) for s in self.samples])

    @cached_property
    def _answers(self) -> list[frozenset]:
        return [frozenset(sample.solutions.answers) for sample in self.samples]

    def noise(self) -> Tensor:
        """The initial latents (B, C, F, h, w); each seed gives the same as it gives alone."""
        shape = self.condition.shape[1:]
        drawn = [torch.Generator("cpu").manual_seed(seed) for seed in self.seeds]
        return torch.stack([torch.randn(shape, generator=g) for g in drawn])

    def decided(self, latents: Tensor) -> list[np.ndarray]:
        """The decided answer (P,) of each run from latents (B, C, F, h, w). A run's ties are broken
        alike in any batch."""
        shown = self.shown(latents)
        if self.ties is None:
            return [decide(one) for one in shown]
        seeds = [[self.ties, zlib.crc32(name.encode())] for name in self.names]
        return [
            decide(one, np.random.default_rng(seed)) for one, seed in zip(shown, seeds, strict=True)
        ]

    def valid(self, latents: Tensor) -> np.ndarray:
        """Whether the decided answers of latents (B, C, F, h, w) are valid, (B,) bool."""
        answers = (tuple(one.tolist()) for one in self.decided(latents))
        rows = zip(answers, self._answers, self.samples, strict=True)
        return np.array(
            [a in listed or (s.solutions.more and _solves(s, a)) for a, listed, s in rows]
        )

    def blank(self) -> Tensor:
        """(B, C, F, h, w), see `answers.uninformative`."""
        return torch.cat([uninformative(s, self.encoder(s)) for s in self.samples])

    def truth(self) -> Tensor:
        """(B, C, F, h, w), the first valid answer of each sample."""
        return torch.cat([self.encoder(s)(s.solutions.answers[0]) for s in self.samples])

    def generate(self, model: VideoModel, schedule: Schedule) -> Trajectory:
        """All runs together through the denoising loop; latents and estimates are
        (B, C, F, h, w)."""
        state = State(0, self.noise(), sampler_of(schedule, model.prediction))
        with torch.inference_mode():
            return denoise(model, self.condition, schedule, state)

    def along(self, trajectory: Trajectory) -> np.ndarray:
        """Validity of the runs' own clean estimates at every step, (S, B) bool."""
        return np.array([self.valid(x0_hat) for x0_hat in trajectory.x0_hats])

    def exact_along(self, trajectory: Trajectory) -> np.ndarray:
        """Validity of the exact posterior's mean at the runs' own states, (S, B) bool."""
        levels = zip(trajectory.latents, trajectory.sigmas[:-1], strict=False)
        return np.array([self.valid(self.exact(x, sigma)) for x, sigma in levels])

    def runs(self, estimate: Estimate, first: Tensor) -> Runs:
        """The runs as the one-pass controls take them.

        Args:
            first: (B, C, F, h, w), the clean estimates of step 0.
        """
        return Runs(self.names, estimate, self.valid, self.blank(), first, self.truth())


@dataclass(frozen=True)
class SymbolBatch(SampleBatch):
    """B runs in symbols; F = 1."""

    def encoder(self, sample: Sample) -> Encoder:
        return symbol_encoder(sample)

    def conditions(self) -> list[Condition]:
        return [encode_sample(sample, torch.device("cpu")) for sample in self.samples]

    def shown(self, latents: Tensor) -> list[np.ndarray]:
        if self.samples[0].puzzle.name == "latin":  # all samples have the same parts
            return list(beliefs(self.samples[0], latents).numpy())
        pairs = zip(self.samples, latents, strict=True)
        return [beliefs(sample, one).numpy() for sample, one in pairs]


@dataclass(frozen=True)
class PictureBatch(SampleBatch):
    """B runs of one picture model, read in the last frame.

    Attributes:
        model: whose codec makes the latents.
    """

    model: VideoModel = field(kw_only=True)

    def encoder(self, sample: Sample) -> Encoder:
        return model_encoder(self.model, sample)

    def conditions(self) -> list[Condition]:
        return [self.model.prepare_sample(sample) for sample in self.samples]

    def shown(self, latents: Tensor) -> list[np.ndarray]:
        clips = self.model.decode_all(latents.split(1))
        return [
            reading.belief(sample, clip[-1])
            for sample, clip in zip(self.samples, clips, strict=True)
        ]


def estimate_of(model: VideoModel, condition: Condition, schedule: Schedule) -> Estimate:
    """A model as a function of states (B, C, F, H, W) and one noise level in (0, 1]."""

    def estimate(x: Tensor, sigma: float) -> Tensor:
        output = model.predict(x, torch.tensor(1000.0 * sigma), condition, schedule)
        return model.clean_estimate(output, x, sigma, condition)

    return estimate


def _solves(sample: Sample, answer: tuple[int, ...]) -> bool:
    """Whether an answer beyond the listed ones is valid."""
    return -1 not in answer and sample.is_valid(answer)
