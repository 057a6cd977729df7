"""What moves on the first page: the clean estimates of chosen runs, step after step. The runs are
those that the figures show, chosen by the same rules; their pictures lie next to the rows."""

import contextlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from chain_of_steps.experiments.parameters import read
from chain_of_steps.experiments.store import PUBLISHED, Store
from chain_of_steps.experiments.sweep import planned, sweep
from chain_of_steps.figures.emergent_behaviors.mistakes import Mistakes
from chain_of_steps.figures.perturbation_curves.runs import Perturbation
from chain_of_steps.figures.player import Player
from chain_of_steps.figures.showcase import ShownCase, player_arguments
from chain_of_steps.figures.step_visualization.runs import StepVisualization
from chain_of_steps.figures.verdict import verdict
from chain_of_steps.models.video_model import VideoModel

ROOT = Path(__file__).parents[2]
MODEL = "data/mini"


@dataclass(frozen=True)
class Reel:
    """One run: its last frame, as the clean estimate of every step shows it.

    Attributes:
        frames: (S, H, W, 3), uint8.
        said: the verdict on the last of them; empty if there is none.
    """

    label: str
    frames: np.ndarray
    said: str = ""

    def sheet(self) -> bytes:
        """All frames below one another, as one JPEG with all of its colour (no subsampling)."""
        steps, height, width, _ = self.frames.shape
        stream = io.BytesIO()
        picture = Image.fromarray(self.frames.reshape(steps * height, width, 3))
        picture.save(stream, format="JPEG", quality=85, subsampling=0, optimize=True)
        return stream.getvalue()


@dataclass(frozen=True)
class Film:
    """Runs side by side, all of the same steps.

    Attributes:
        first: the number of their first step.
        player: a page that plays the first of them, with all frames of the clip; or empty.
    """

    reels: Sequence[Reel]
    first: int = 0
    player: str = ""

    @property
    def steps(self) -> int:
        return len(self.reels[0].frames)


def films(scratch: Path) -> dict[str, Film]:
    """All films, by name.

    Args:
        scratch: where rows and pictures go that are not published; none on a fresh clone.
    """
    with contextlib.chdir(ROOT):
        model = VideoModel.load(MODEL)
        return {
            **_of_steps(model, scratch),
            "noise": _of_noise(model, scratch),
            "repairs": _of_repairs(model, scratch),
        }


def _of_steps(model: VideoModel, scratch: Path) -> dict[str, Film]:
    """Squares by the number of clues; mazes; the model next to the exact posterior mean."""
    experiment, rows = _rows(StepVisualization, model, "1_step_visualization", "steps", scratch)
    shown = experiment.pictures(rows, scratch)
    sigmas = experiment.schedule.sigmas
    (square, exact), *_ = shown.nulls
    return {
        "squares": film(shown.squares, sigmas),
        "mazes": film(shown.mazes, sigmas),
        "null": film([square, exact], sigmas),
    }


def _of_noise(model: VideoModel, scratch: Path) -> Film:
    """The same square clean, with noise at an early and at a late step, and in one frame."""
    experiment, rows = _rows(Perturbation, model, "2_perturbation_curves", "noise", scratch)
    clean, early, late, *_, frame = experiment.showcase(rows, scratch)
    return film([clean, early, late, frame], experiment.schedule.sigmas)


def _of_repairs(model: VideoModel, scratch: Path) -> Film:
    """Answers with a mistake, noised and denoised again."""
    name = "3_emergent_behaviors"
    experiment, rows = _rows(Mistakes, model, name, "mistakes", scratch)
    repairs = experiment.showcase(rows, scratch)
    reels = [Reel(_line(each.label), each.clips[:, -1]) for each in repairs]
    return Film(reels, first=repairs[0].step)


def _rows(kind: type, model: VideoModel, notebook: str, group: str, scratch: Path) -> tuple:
    """An experiment as the pipeline runs it, and its published rows."""
    section = read("params.yaml", "mini", notebook)
    experiment, runs = planned(
        kind, section[group], lambda _: model, MODEL, section.get("preset", "mini")
    )
    return experiment, sweep(experiment, Store(scratch, experiment.name, PUBLISHED), runs)


def film(cases: Sequence[ShownCase], sigmas: Sequence[float]) -> Film:
    """A film of cases, with a player of the first."""
    reels = [
        Reel(_line(case.label), case.clips[:, -1], str(verdict(case.sample, case.clips[-1, -1])))
        for case in cases
    ]
    title = f"{_line(cases[0].label)}: every step, every frame"
    arguments = player_arguments(cases[0], sigmas) | {"title": title}
    return Film(reels, player=Player(**arguments).html())


def _line(label: str) -> str:
    """The label of a row of pictures in one line."""
    label = re.sub(r"(model|clues|rooms|answers?)\n", r"\1, ", label)
    return " ".join(label.split())
