"""The computation of one run of the explorer, step by step."""

import threading
from collections.abc import Callable

import torch
from torch import Tensor

from ..models.video_model import VideoModel
from ..sampling.prefix_tree import Branch, grow
from .config import Config

# Called after every step with the step, its clean estimate (1, C, F, H, W), and the forward passes
# so far.
Report = Callable[[int, Tensor, int], None]

# On a CPU two generations at once take longer than one after the other.
_in_turn = threading.Lock()


class Stopped(Exception):
    """A run was stopped by hand."""


def compute(
    model: VideoModel, config: Config, report: Report, stop: threading.Event | None = None
) -> None:
    """Runs a configuration; the run is that of `generate` with the same interventions.

    Args:
        stop: ends the run after its current evaluation, once set.

    Raises:
        ValueError: for a sample that the model does not take, or an intervention at a step, frame
            or layer that does not exist.
        Stopped: if it was stopped.
    """
    grid, evaluations = config.schedule, 0
    guided = max(grid.guidance, grid.guidance_2 or 0.0) > 1.0

    def count() -> None:
        nonlocal evaluations
        evaluations += 1
        if stop is not None and stop.is_set():
            raise Stopped

    def watch(step: int, x: Tensor, x0_hat: Tensor) -> None:
        report(step, x0_hat, evaluations * (1 + guided))

    branch = Branch(config.interventions)
    with torch.inference_mode(), _in_turn:
        condition = model.prepare_sample(config.sample())
        keep = {"watch": watch, "count": count}
        for _ in grow(model, condition, grid, config.seed, [branch], **keep):
            pass  # what is shown is reported step by step
