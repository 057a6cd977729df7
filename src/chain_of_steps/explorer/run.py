"""The explorer without its widgets: runs in the background, and pictures of them."""

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..figures.layer_roles.energy import maps_of
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..puzzles.first.base import Sample
from ..sampling.prefix_tree import Branch, grow
from ..sampling.sites import Captured
from .config import Config

VIEWS = ("clean estimate", "token norm", "token colours")


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
        schedule: Schedule,
        config: Config,
        report: Callable[[], None] | None = None,
    ):
        self.model, self.config, self.report = model, config, report or (lambda: None)
        self.schedule = replace(schedule, steps=config.steps)
        self.x0_hats: list[Tensor] = []
        self.states: Captured = Captured()
        self.error: Exception | None = None
        self._clips: dict[int, np.ndarray] = {}
        self._evidence: dict[int, np.ndarray] = {}
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
        """The decoded clean estimate of a step, (P, H, W, 3), uint8; decoded once."""
        if step not in self._clips:
            self._clips[step] = self.model.decode(self.x0_hats[step])
        return self._clips[step]

    def evidence(self, step: int) -> np.ndarray:
        """Evidence for every candidate in the last frame of a step, (K,); read once."""
        if step not in self._evidence:
            self._evidence[step] = self.sample.evidence(self.clip(step)[-1])
        return self._evidence[step]

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
        values = self._maps[view][step, 1 + layer, frame]
        return np.asarray(
            Image.fromarray(values).resize((self.model.size,) * 2, Image.Resampling.NEAREST)
        )

    @cached_property
    def _maps(self) -> dict[str, np.ndarray]:
        """Token norms and colours of the whole run, (S, 1 + L, F, h, w, 3) uint8 each, on one
        scale per view."""
        layers = range(-1, self.model.layers)
        held = {(site.step, site.layer): state for site, state in self.states.items()}
        stacked = torch.stack([torch.stack([held[s, k] for k in layers]) for s in range(self.done)])
        maps = maps_of(
            stacked.unflatten(2, (self.model.latent_frames, -1)).float(),
            self.model.size // self.model.patch,
        )
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
                self.evidence(step)
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
        for _ in grow(self.model, condition, self.schedule, seed, [branch], **keep):
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
