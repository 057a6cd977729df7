"""Showcases: samples chosen by a stated rule, with the pictures of their generation, stored next to
the rows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..common.files import atomic
from ..experiments.store import PUBLISHED
from ..models.video_model import VideoModel
from ..puzzles import reading
from ..puzzles.base import Sample
from ..sampling.denoise import Trajectory
from .curves import curves
from .verdict import verdict


@dataclass(frozen=True)
class ShownCase:
    """A sample with the decoded clean estimates (S, P, H, W, 3) of one generation."""

    label: str
    sample: Sample
    clips: np.ndarray


def decode_all(model: VideoModel, trajectory: Trajectory) -> np.ndarray:
    """The decoded clean estimate of every step, (S, P, H, W, 3), uint8."""
    return np.stack([model.decode(x0_hat) for x0_hat in trajectory.x0_hats])


def kept_clips(
    results: str | Path, key: str, steps: int, make: Callable[[], np.ndarray]
) -> np.ndarray:
    """The clips (S, P, H, W, 3) of a run: read from `results` or from the published rows, or made
    and stored in `results`."""
    files = [Path(folder) / "showcase" / f"{key}.png" for folder in (results, PUBLISHED)]
    kept = next((file for file in files if file.exists()), None)
    return read_clips(kept, steps) if kept else write_clips(files[0], make())


def write_clips(file: Path, clips: np.ndarray) -> np.ndarray:
    """Stores clips (S, P, H, W, 3), uint8, as one lossless picture of S x P tiles; returns them."""
    rows, columns, height, width, _ = clips.shape
    sheet = clips.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    with atomic(file) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", optimize=True)
    return clips


def read_clips(file: Path, steps: int) -> np.ndarray:
    """What `write_clips` stored: (S, P, H, W, 3), uint8; frames are square."""
    sheet = np.asarray(Image.open(file).convert("RGB"))
    side = sheet.shape[0] // steps
    return sheet.reshape(steps, side, -1, side, 3).transpose(0, 2, 1, 3, 4)


def player_arguments(case: ShownCase, sigmas: list[float]) -> dict:
    """What `Player` needs to show a case: pictures, labels, and of its last frame the verdict at
    every step and the `curves`."""
    beliefs = reading.belief(case.sample, case.clips[:, -1])  # (S, P, V)
    return {
        "pictures": case.clips,
        "title": case.sample.prompt,
        "step_labels": [f"step {s} · sigma {sigmas[s]:.2f}" for s in range(len(case.clips))],
        "frame_labels": [f"frame {f}" for f in range(case.clips.shape[1])],
        "notes": [f"Last frame: {verdict(case.sample, clip[-1])}." for clip in case.clips],
        "series": curves(case.sample, beliefs),
        "series_title": "what the last frame shows",
    }
