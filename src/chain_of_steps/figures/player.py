"""A self-contained player of a step x frame (x layer) stack of pictures.

One HTML page with everything inside: the pictures as sprite sheets, sliders, keys, and curves
along the steps. It needs no server and no network, so it works in JupyterLab, in exported
notebooks and as a file. The same input gives the same bytes. The page itself is `player.html`;
this file fills it in.
"""

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from importlib import resources
from string import Template

import numpy as np
from PIL import Image

# The palette of Okabe and Ito, for every kind of colour vision; yellow, faint on white, is last.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")

SIDE = (
    4096  # longest side of a sprite sheet in pixels: phones refuse pictures of more than 16 million
)
QUALITIES = (
    92,
    85,
    75,
    60,
    40,
)  # of JPEG: the first within the budget is taken; only noise needs the last
BYTES_PER_PIXEL = 0.75  # the budget: 20 steps x 13 frames of 48 px weigh at most 0.6 MB on the page
AXES = ("step", "frame", "layer")


@dataclass(frozen=True)
class Curve:
    """A line of the chart under the step slider: one value in [0, 1] per step; dashed for
    values that are not valid."""

    name: str
    values: Sequence[float]
    dashed: bool = False

    def data(self) -> dict:
        """Plain JSON data."""
        return {
            "name": self.name,
            "values": [round(float(v), 4) for v in self.values],
            "dashed": self.dashed,
        }


@dataclass(frozen=True, eq=False)
class Player:
    """Displays itself in a notebook; `save` writes it as a page. It opens at the first step and
    the last frame.

    Attributes:
        pictures: (S, F, H, W, 3) or, with layers, (S, F, L, H, W, 3), uint8.
        title: a line above the pictures.
        step_labels: one per step, e.g. "step 3 · sigma 0.91"; by default "step 0" and so on.
        frame_labels: the same for frames.
        layer_labels: the same for layers.
        notes: one per step, below the pictures, such as a verdict on the last frame.
        series: curves along the steps, drawn in the colours of `OKABE_ITO`.
        series_title: what the curves show.
        scale: screen pixels per picture pixel.
        lossless: PNG instead of JPEG.

    Raises:
        ValueError: if the pictures are not such a stack, or labels, notes or a curve do not fit
            them.
    """

    pictures: np.ndarray = field(repr=False)
    _: KW_ONLY
    title: str = ""
    step_labels: Sequence[str] | None = None
    frame_labels: Sequence[str] | None = None
    layer_labels: Sequence[str] | None = None
    notes: Sequence[str] = ()
    series: Sequence[Curve] = ()
    series_title: str = "curves"
    scale: int = 4
    lossless: bool = False

    def __post_init__(self):
        steps = stack(self.pictures).shape[0]
        self.labels()
        if len(self.notes) not in (0, steps):
            raise ValueError(f"expected {steps} notes, one per step, not {len(self.notes)}")
        for curve in self.series:
            values = np.asarray(curve.values, dtype=float)
            if values.shape != (steps,) or not ((values >= 0) & (values <= 1)).all():
                raise ValueError(
                    f"curve {curve.name!r} needs {steps} values in [0, 1], one per step"
                )

    def labels(self) -> dict[str, list[str]]:
        """The labels of each axis, those not given counted from 0."""
        result = {}
        for axis, size in zip(AXES, stack(self.pictures).shape, strict=False):
            given = getattr(self, f"{axis}_labels")
            result[axis] = (
                [f"{axis} {i}" for i in range(size)]
                if given is None
                else [str(label) for label in given]
            )
            if len(result[axis]) != size:
                raise ValueError(
                    f"expected {size} {axis} labels, one per {axis}, not {len(result[axis])}"
                )
        return result

    def sheets(self) -> tuple[list[str], dict[str, int]]:
        """The sprite sheets as data URIs, and the layout by which the page finds a picture in
        them.

        Picture (s, f, l) has number (l S + s) F + f: rows are steps and columns frames wherever a
        sheet is wide enough. Pictures lie at multiples of 8 px, so that no JPEG block mixes two of
        them.
        """
        pictures = stack(self.pictures).transpose(2, 0, 1, 3, 4, 5)  # (L, S, F, H, W, 3)
        frames, height, width = pictures.shape[2:5]
        pad = [(0, 0), (0, -height % 8), (0, -width % 8), (0, 0)]
        pictures = np.pad(
            pictures.reshape(-1, height, width, 3), pad, mode="edge"
        )  # (N, H', W', 3)
        columns = max(1, min(frames, SIDE // pictures.shape[2]))
        per_sheet = columns * max(1, SIDE // pictures.shape[1])
        groups = [pictures[i : i + per_sheet] for i in range(0, len(pictures), per_sheet)]
        layout = {
            "columns": columns,
            "perSheet": per_sheet,
            "dx": pictures.shape[2],
            "dy": pictures.shape[1],
        }
        return _encode([_grid(group, columns) for group in groups], self.lossless), layout

    def html(self) -> str:
        """The standalone page, all ASCII, so that no host can misread its encoding."""
        sheets, layout = self.sheets()
        data = {
            "labels": self.labels(),
            "notes": [str(note) for note in self.notes],
            "size": stack(self.pictures).shape[4:2:-1],  # width, height
            "scale": self.scale,
            "layout": layout,
            "chart": {
                "title": self.series_title,
                "colours": OKABE_ITO,
                "curves": [c.data() for c in self.series],
            },
            "sheets": sheets,
        }
        template = Template(
            resources.files(__package__).joinpath("player.html").read_text(encoding="utf-8")
        )
        title = html.escape(self.title).encode("ascii", "xmlcharrefreplace").decode()
        # With "<" escaped, no label can end the script element that holds the data.
        return template.substitute(title=title, data=json.dumps(data).replace("<", "\\u003c"))

    def _repr_html_(self) -> str:
        # The page fits the iframe's height to itself; this first guess stays where its host
        # forbids that.
        height = max(stack(self.pictures).shape[3] * self.scale, 360 if self.series else 200) + 80
        return (
            f'<iframe title="{html.escape(self.title or "player")}" '
            f'srcdoc="{html.escape(self.html())}" '
            f'style="width: 100%; height: {height}px; border: 0"></iframe>'
        )


def tile(pictures: np.ndarray, step: int, frame: int, layer: int = 0, scale: int = 4) -> bytes:
    """PNG bytes of one picture of a stack, its pixels `scale` times as large.

    Raises:
        ValueError: if the pictures are not a stack, or the place is not in it.
    """
    pictures = stack(pictures)
    for axis, index, size in zip(AXES, (step, frame, layer), pictures.shape, strict=False):
        if not 0 <= index < size:
            raise ValueError(f"{axis} {index} is not in this stack: expected 0 to {size - 1}")
    picture = pictures[step, frame, layer].repeat(scale, axis=0).repeat(scale, axis=1)
    return _bytes(picture, format="PNG")


def stack(pictures: np.ndarray) -> np.ndarray:
    """The pictures with an axis of layers, (S, F, L, H, W, 3) uint8.

    Raises:
        ValueError: if they are not uint8 (S, F, H, W, 3) or (S, F, L, H, W, 3).
    """
    pictures = np.asarray(pictures)
    fits = pictures.ndim in (5, 6) and pictures.shape[-1] == 3 and pictures.size > 0
    if pictures.dtype != np.uint8 or not fits:
        raise ValueError(
            "expected pictures of shape (S, F, H, W, 3) or (S, F, L, H, W, 3) and dtype uint8, "
            f"not {pictures.shape} and {pictures.dtype}"
        )
    return pictures if pictures.ndim == 6 else pictures[:, :, None]


def _grid(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (N, H, W, 3) side by side, row after row, on black: (rows H, columns W, 3)."""
    rows = -(-len(pictures) // columns)
    pictures = np.pad(pictures, [(0, rows * columns - len(pictures)), (0, 0), (0, 0), (0, 0)])
    _, height, width, _ = pictures.shape
    cells = pictures.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return cells.reshape(rows * height, columns * width, 3)


def _encode(sheets: list[np.ndarray], lossless: bool) -> list[str]:
    """Data URIs of the sheets, in PNG or in JPEG of the best quality within the budget."""
    if lossless:
        return [_uri("png", _bytes(sheet, format="PNG")) for sheet in sheets]
    budget = BYTES_PER_PIXEL * sum(sheet.shape[0] * sheet.shape[1] for sheet in sheets)
    for quality in QUALITIES:
        encoded = [_bytes(sheet, format="JPEG", quality=quality, subsampling=0) for sheet in sheets]
        if sum(map(len, encoded)) <= budget:
            break
    return [_uri("jpeg", content) for content in encoded]


def _bytes(picture: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, **options)
    return buffer.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
