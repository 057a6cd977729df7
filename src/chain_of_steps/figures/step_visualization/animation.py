"""Generations next to each other, step by step, as a GIF: the first thing that the README shows."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..style import RIGHT, WRONG
from .pictures import Case

SCALE = 4  # screen pixels per picture pixel
GAP, TOP, BELOW = 12, 58, 30  # pixels: between pictures, above them, below them
COLOURS = 128  # of the GIF's palette
HOLD = 15  # the last step is shown so many times as long as the others


def animation(cases: Sequence[Case], sigmas: Sequence[float], milliseconds: int = 110) -> bytes:
    """The last frame of the clean estimate of every case at each step, with what it decides.

    Args:
        cases: with clips (S, frames, H, W, 3).
        sigmas: the noise levels of the schedule.
        milliseconds: that a step is shown.

    Returns:
        The GIF; the same cases give the same bytes.
    """
    steps = min(len(case.clips) for case in cases)
    pictures = [_at(cases, sigmas, s) for s in range(steps)]
    # One palette for all: colours do not flicker, and equal pixels of two steps are stored once.
    palette = _beside(pictures[:: max(1, steps // 8)]).quantize(COLOURS)
    shown = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures]
    out = io.BytesIO()
    durations = [milliseconds] * (steps - 1) + [HOLD * milliseconds]
    options = {"save_all": True, "append_images": shown[1:], "duration": durations, "loop": 0}
    shown[0].save(out, format="GIF", optimize=True, **options)
    return out.getvalue()


def _at(cases: Sequence[Case], sigmas: Sequence[float], step: int) -> Image.Image:
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    side = SCALE * cases[0].clips.shape[-2]
    width = len(cases) * (side + GAP) + GAP
    image = Image.new("RGB", (width, TOP + side + BELOW), "white")
    pen = ImageDraw.Draw(image)
    pen.text((GAP, 6), f"step {step} of {len(cases[0].clips)}", "black", large)
    pen.text((width // 2, 9), f"noise level {sigmas[step]:.2f}", "black", small)
    for number, case in enumerate(cases):
        x, wrong = GAP + number * (side + GAP), case.violations[step]
        pen.text((x, 35), case.label.replace("\n", ", "), "black", small)
        frame = np.kron(case.clips[step, -1], np.ones((SCALE, SCALE, 1), np.uint8))
        image.paste(Image.fromarray(frame), (x, TOP))
        plural = "" if wrong == 1 else "s"
        said = f"{wrong} violation{plural}" if wrong else "valid"
        _, colour = WRONG if wrong else RIGHT
        pen.text((x, TOP + side + 7), said, colour, small)
    return image


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    return Image.fromarray(np.concatenate([np.asarray(each) for each in pictures]))
