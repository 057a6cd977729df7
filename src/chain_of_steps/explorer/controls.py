"""Were the steps needed? What one evaluation of a model, or a few at one noise level, make of the
puzzle of a setting: the controls of `measures/one_pass.py`, of one run."""

from collections.abc import Iterator
from contextlib import suppress

import torch
from torch import Tensor

from ..measures.answers import model_encoder, uninformative
from ..measures.batches import estimate_of
from ..measures.one_pass import renoised
from ..models.video_model import VideoModel
from ..puzzles.base import Sample
from .config import Config
from .run import Stopped, compute
from .shown import Shown


def items(model: VideoModel, config: Config) -> Iterator[dict]:
    """The items of `controls`, see `web/contract.js`, one by one.

    Raises:
        ValueError: see `compute`.
    """
    shown = Shown(model, config)
    for name, x0_hat in estimates(model, config, shown.sample):
        yield shown.item(name, x0_hat)


def estimates(model: VideoModel, config: Config, sample: Sample) -> Iterator[tuple[str, Tensor]]:
    """Name and clean estimate (1, C, F, H, W) of each control."""
    with torch.inference_mode():
        condition, encode = model.prepare_sample(sample), model_encoder(model, sample)
        evaluate = estimate_of(model, condition, config.schedule)
        sigma, names = config.controls.sigma, [f"{sample.key} {config.seed}"]

        def once(z: Tensor, number: int = 0) -> Tensor:
            return evaluate(model.hold(renoised(z, sigma, names, number), condition), sigma)

        first = z = first_estimate(model, config)
        yield "start", first
        yield "first", once(first)
        yield "blank", once(uninformative(sample, encode))
        yield "truth", once(encode(sample.solutions.answers[0]))
        for number in range(config.controls.passes - 1):
            z = once(z, number)
        yield "repeated", z


def first_estimate(model: VideoModel, config: Config) -> Tensor:
    """The clean estimate of step 0 of the run without changes, (1, C, F, H, W)."""
    found = []

    def report(step: int, x0_hat: Tensor, nfe: int) -> None:
        found.append(x0_hat)
        raise Stopped

    with suppress(Stopped):
        compute(model, config.clean, report)
    return found[0]
