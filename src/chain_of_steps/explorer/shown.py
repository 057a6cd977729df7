"""What the explorer shows, as plain JSON data with pictures as data URLs: a preview of a puzzle, a
run, and each of its steps. The names are explained at the top of `web/contract.js`."""

import base64
import io
from functools import cached_property

import numpy as np
from PIL import Image
from torch import Tensor

from ..measures import decisions
from ..models.video_model import VideoModel
from ..puzzles import reading
from ..puzzles.base import Sample, assignment
from .config import Config, OwnMaze, OwnSquare

SIDE = 48  # of the pictures of a network without pictures
LARGEST = 192  # pixels a side: larger frames are made smaller, and compressed
MOST_TRUTHS = 8  # valid answers that are drawn


def preview(model: VideoModel, config: Config) -> dict:
    """The puzzle of a configuration: its given frame, prompt, valid answers, and its board.

    Raises:
        ValueError: see `Config.sample`.
    """
    sample = config.sample()
    given = sample.picture(sample.solutions.answers[0], 0.0, side(model))
    return {"given": url(pixels(given)), "board": board(sample), **puzzle(model, sample)}


def puzzle(model: VideoModel, sample: Sample) -> dict:
    """What a preview and a run say about their puzzle."""
    size, answers = side(model), sample.solutions.answers
    truths = [pixels(sample.picture(answer, 1.0, size)) for answer in answers[:MOST_TRUTHS]]
    return {
        "prompt": sample.prompt,
        "truth": [url(picture) for picture in truths],
        "answers": len(answers),
        "more": sample.solutions.more,
        "rounds": sample.rounds,
    }


def board(sample: Sample) -> dict | None:
    """The board of a sample as a setting has it, for an editor; None if there is no editor."""
    state = sample.state
    if sample.puzzle.name == "latin" and not state["staged"] and sample.puzzle.cells >= 6:
        return {"kind": OwnSquare.kind, "clues": state["clues"]}
    if sample.puzzle.name == "maze":
        named = {name: state[name] for name in ("rooms", "doors", "start", "goal")}
        return {"kind": OwnMaze.kind, **named}
    return None


def side(model: VideoModel) -> int:
    """Side of the pictures in pixels."""
    return model.size if model.family.beliefs is None else SIDE


class Shown:
    """A run of a configuration, as it is shown.

    Raises:
        ValueError: see `Config.sample`.
    """

    def __init__(self, model: VideoModel, config: Config):
        self.model, self.config, self.sample = model, config, config.sample()

    def header(self, number: int) -> dict:
        """What is known before its first step."""
        values = self.sample.parts[0].values if len(self.sample.parts) == 1 else ()
        return {
            "id": number,
            "setting": self.config.data(),
            "sigmas": [round(sigma, 4) for sigma in self.config.schedule.sigmas],
            "values": [{"name": v, "valid": self.sample.is_valid((i,))}
                       for i, v in enumerate(values)],
            **puzzle(self.model, self.sample),
        }  # fmt: skip

    def step(self, step: int, x0_hat: Tensor, nfe: int) -> dict:
        """One step: its frames in a row, what its last frame shows, and what is wrong with it."""
        clip, beliefs = self._read(x0_hat)
        return {
            "step": step,
            "nfe": nfe,
            "strip": url(np.concatenate(list(clip[:: self.model.stride]), 1)),
            **self._verdict(beliefs, clip[-1]),
        }

    def item(self, name: str, x0_hat: Tensor) -> dict:
        """One of the controls: what the last frame of its clean estimate shows."""
        clip, beliefs = self._read(x0_hat)
        decided = reading.decide(beliefs)
        return {
            "name": name,
            "picture": url(clip[-1]),
            "decided": decided.tolist(),
            "violations": self.sample.violations(assignment(decided)),
        }

    def _verdict(self, beliefs: np.ndarray, frame: np.ndarray) -> dict:
        """What a frame (H, W, 3) with beliefs (P, V) answers: is it valid, how is it drawn?"""
        decided = reading.decide(beliefs)
        answer = assignment(decided)
        clean = self.sample.picture(answer, 1.0, len(frame))
        error = reading.cell_error(reading.to_float(frame), clean, self.sample.puzzle.cells)
        single = len(self.sample.parts) == 1
        return {
            "decided": decided.tolist(),
            "reading": url(pixels(clean)),
            "violations": self.sample.violations(answer),
            "which": self._which.get(answer),
            "fault": self.sample.fault(answer),
            "drawn": None not in answer and error < reading.TOLERANCE,
            "error": round(error, 3),
            "open": self._open(beliefs),
            "beliefs": np.nan_to_num(beliefs[0]).round(3).tolist() if single else None,
        }

    def _open(self, beliefs: np.ndarray) -> float | None:
        """The share of the open parts that show several values; None if there is no such part."""
        several = decisions.present(beliefs, self._possible).sum(-1) > 1
        left_open = self._possible.sum(-1) > 1
        return round(float(several[left_open].mean()), 3) if left_open.any() else None

    @cached_property
    def _possible(self) -> np.ndarray:
        return decisions.possible(self.sample)

    @cached_property
    def _which(self) -> dict:
        """The number of each valid answer, from 0."""
        return {answer: i for i, answer in enumerate(self.sample.solutions.answers)}

    def _read(self, x0_hat: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The frames (P, H, W, 3), uint8, of a clean estimate, and the beliefs (P, V) that the last
        one shows. Without pictures they are drawn: every value with its belief as opacity."""
        if self.model.family.beliefs is None:
            clip = self.model.decode(x0_hat)
            return clip, reading.belief(self.sample, clip[-1])
        base, changes = self._drawings
        beliefs = self.model.beliefs(self.sample, x0_hat)
        opacity = beliefs / np.maximum(beliefs.sum(-1, keepdims=True), 1.0)  # at most a mixture
        return pixels((base + np.tensordot(opacity, changes, 2)).clip(0.0, 1.0))[None], beliefs

    @cached_property
    def _drawings(self) -> tuple[np.ndarray, np.ndarray]:
        return reading.changes(self.sample, SIDE)


def pixels(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as uint8."""
    return (values * 255.0 + 0.5).astype(np.uint8)


def url(picture: np.ndarray) -> str:
    """A picture (H, W, 3), uint8, as a data URL: PNG, or WebP where it is large."""
    image, stream = Image.fromarray(picture), io.BytesIO()
    large = image.height > LARGEST // 2
    if image.height > LARGEST:
        width = round(image.width * LARGEST / image.height)
        image = image.resize((width, LARGEST), Image.Resampling.BOX)
    image.save(stream, **({"format": "WEBP", "quality": 90} if large else {"format": "PNG"}))
    kind = "webp" if large else "png"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
