"""The explorer without its widgets: runs in the background, and pictures of them."""

import io
import math
import threading
from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..measures.token_maps import maps_of
from ..models.video_model import VideoModel
from ..puzzles import reading
from ..puzzles.base import Sample, assignment
from ..sampling.prefix_tree import Branch, grow
from ..sampling.sites import Captured
from .config import Config

VIEWS = ("clean estimate", "token norm", "token colours")
SIDE = 48  # of the pictures of a network without pictures


class Stopped(Exception):
    """A run was stopped by hand."""


class LiveRun:
    """A generation in a background thread; finished steps can be viewed while it goes on.

    Args:
        config: of the run; `config.clean` for the run to compare with.
        report: called after every step, and when it ends; from another thread.
    """

    def __init__(
        self,
        model: VideoModel,
        config: Config,
        report: Callable[[], None] | None = None,
    ):
        self.model, self.config, self.report = model, config, report or (lambda: None)
        self.x0_hats: list[Tensor] = []
        self.states: Captured = Captured()
        self.error: Exception | None = None
        self._clips: dict[int, np.ndarray] = {}
        self._beliefs: dict[int, np.ndarray] = {}
        self._drawn: dict[int, bool] = {}
        self._stop = threading.Event()
        self.ended = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> "LiveRun":
        """Starts the thread and returns at once."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends the run after its current step; finished steps remain available."""
        self._stop.set()

    def wait(self) -> "LiveRun":
        """Waits for the run to end.

        Raises:
            Exception: whatever ended it early, other than `stop`.
        """
        self._thread.join()
        if self.error is not None:
            raise self.error
        return self

    @property
    def done(self) -> int:
        """Number of finished steps."""
        return len(self.x0_hats)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @cached_property
    def sample(self) -> Sample:
        return self.config.sample()

    def decoded(self, step: int) -> bool:
        """Whether a step has been decoded already."""
        return step in self._clips

    def clip(self, step: int) -> np.ndarray:
        """The decoded clean estimate of a step, (P, H, W, 3), uint8; decoded once. Without pictures
        it is drawn: every value with its belief as opacity."""
        if step not in self._clips:
            if self.model.family.beliefs is None:
                self._clips[step] = self.model.decode(self.x0_hats[step])
            else:
                base, changes = self._drawings
                beliefs = self.beliefs(step)  # more than 1 in all would not be a mixture
                opacity = beliefs / np.maximum(beliefs.sum(-1, keepdims=True), 1.0)
                picture = base + np.tensordot(opacity, changes, 2)
                self._clips[step] = _bytes(picture.clip(0.0, 1.0))[None]
        return self._clips[step]

    @cached_property
    def _drawings(self) -> tuple[np.ndarray, np.ndarray]:
        return reading.changes(self.sample, SIDE)

    def beliefs(self, step: int) -> np.ndarray:
        """The beliefs (P, V) that the last frame of a step shows; read once."""
        if step not in self._beliefs:
            if self.model.family.beliefs is None:
                found = reading.belief(self.sample, self.clip(step)[-1])
            else:
                found = self.model.beliefs(self.sample, self.x0_hats[step])
            self._beliefs[step] = found
        return self._beliefs[step]

    def verdict(self, step: int) -> str:
        """What the last frame of a step answers, in words: is it valid, is it drawn?"""
        violations = self.sample.violations(assignment(reading.decide(self.beliefs(step))))
        if step not in self._drawn:
            self._drawn[step] = reading.drawn(self.sample, self.clip(step)[-1])
        wrong = f"{violations} violation{'s' if violations > 1 else ''}"
        return f"{wrong if violations else 'valid'}, {'' if self._drawn[step] else 'not '}drawn"

    def picture(self, step: int, frame: int, view: str = VIEWS[0], layer: int = 0) -> np.ndarray:
        """One frame of a view, (H, W, 3), uint8.

        Args:
            layer: of the token views, -1 for the input of the first block.

        Raises:
            ValueError: for an unknown view.
        """
        if view == VIEWS[0]:
            return self.clip(step)[frame * self.model.stride]
        if view not in VIEWS:
            raise ValueError(f"unknown view {view!r}; expected one of {', '.join(VIEWS)}")
        values = Image.fromarray(self._maps[view][step, 1 + layer, frame])
        size = (self.clip(step).shape[1],) * 2
        return np.asarray(values.resize(size, Image.Resampling.NEAREST))

    @cached_property
    def _maps(self) -> dict[str, np.ndarray]:
        """Token norms and colours of the whole run, (S, 1 + L, F, h, w, 3) uint8 each, on one
        scale per view."""
        layers = range(-1, self.model.layers)
        held = {(site.step, site.layer): state for site, state in self.states.items()}
        stacked = torch.stack([torch.stack([held[s, k] for k in layers]) for s in range(self.done)])
        stacked = stacked.unflatten(2, (self.model.latent_frames, -1)).float()
        maps = maps_of(stacked, math.isqrt(stacked.shape[3]))
        norm, colours = (maps[name].float().numpy() for name in ("norm", "colours"))
        norm = norm / norm.max(axis=(0, 2, 3, 4), keepdims=True)  # each layer on a scale of its own
        low, high = np.quantile(colours, [0.01, 0.99], axis=(0, 1, 2, 3, 4))
        colours = np.clip((colours - low) / (high - low), 0.0, 1.0)
        return {VIEWS[1]: _bytes(np.repeat(norm[..., None], 3, -1)), VIEWS[2]: _bytes(colours)}

    def _work(self) -> None:
        try:
            with torch.inference_mode(), _in_turn:
                self._generate()
            for step in range(self.done):  # ahead of time, where no widget has done so
                if self._stop.is_set():
                    break
                self.verdict(step)
            else:
                self._maps  # noqa: B018  (their scales need the whole run)
        except Stopped:
            pass
        except Exception as error:
            self.error = error
        self.ended = True
        self.report()

    def _generate(self) -> None:
        condition = self.model.prepare_sample(self.sample)
        self.states = Captured(lambda site: site.guided)
        branch, seed = Branch(self.config.interventions), self.config.seed
        keep = {"watch": self._watch, "visit": self.states}
        for _ in grow(self.model, condition, self.config.schedule, seed, [branch], **keep):
            pass  # what is shown is kept step by step

    def _watch(self, step: int, x: Tensor, x0_hat: Tensor) -> None:
        self.x0_hats.append(x0_hat)
        self.report()
        if self._stop.is_set():
            raise Stopped


# On a CPU two generations at once take longer than one after the other.
_in_turn = threading.Lock()


def png(picture: np.ndarray, side: int = 288) -> bytes:
    """A picture (H, W, 3), uint8, enlarged to `side` pixels without blur, as PNG."""
    stream = io.BytesIO()
    Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST).save(
        stream, format="PNG"
    )
    return stream.getvalue()


def _bytes(values: np.ndarray) -> np.ndarray:
    return (values * 255.0 + 0.5).astype(np.uint8)
