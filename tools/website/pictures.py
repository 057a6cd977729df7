"""The committed pictures and what is said of them: the list of pictures (figures.yaml)."""

import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image

from chain_of_steps.experiments.pictures import Picture as Listed
from chain_of_steps.experiments.pictures import pictures_in

ROOT = Path(__file__).parents[2]
LIST = ROOT / "figures.yaml"
FOLDER = "pictures"  # of the site
HEAVY = 150_000  # bytes of an SVG from which on the pixels are published instead


@dataclass(frozen=True)
class Picture:
    """One committed picture.

    Attributes:
        notebook, part: `figures/<notebook>/<part>.png`.
        key: whether it belongs to the story, else to the appendix.
        chapter: in which it is shown.
        title: the finding; the picture itself bears it.
        alt: what is to be seen on it.
        measures: cells and metrics that its title is about.
    """

    notebook: str
    part: str
    key: bool
    chapter: str
    title: str
    caption: str
    alt: str
    measures: frozenset[tuple[str, str]]

    @property
    def name(self) -> str:
        return f"{self.notebook}/{self.part}"

    @property
    def file(self) -> Path:
        return _file(self.name)

    @property
    def anchor(self) -> str:
        """Where it stands on the page of its notebook."""
        return f"{self.notebook}.html#picture-{self.part}"

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        with Image.open(self.file) as picture:
            return picture.size

    @cached_property
    def published(self) -> tuple[str, bytes]:
        """The name in the site, and the bytes: the SVG, or the pixels where that is heavy."""
        vectors = self.file.with_suffix(".svg")
        if vectors.exists() and vectors.stat().st_size < HEAVY:
            return self._named("svg"), vectors.read_bytes()
        stream = io.BytesIO()
        with Image.open(self.file) as picture:
            picture.convert("RGB").save(stream, format="WEBP", lossless=True, method=4)
        return self._named("webp"), stream.getvalue()

    def _named(self, kind: str) -> str:
        return f"{FOLDER}/{self.notebook}-{self.part}.{kind}"


def committed(notebooks: list[str]) -> list[Picture]:
    """The listed pictures of some notebooks, in the order of the list."""
    found = [
        _picture(name, entry) for name, entry in pictures_in(LIST).items() if _file(name).exists()
    ]
    return [picture for picture in found if picture.notebook in notebooks]


def _file(name: str) -> Path:
    return ROOT / "figures" / f"{name}.png"


def _picture(name: str, entry: Listed) -> Picture:
    notebook, part = name.split("/")
    metrics = json.loads((ROOT / "figures" / f"{notebook}.json").read_text(encoding="utf-8"))
    tests = [test for sentence in entry.says for test in sentence.when]
    return Picture(
        notebook,
        part,
        entry.key,
        entry.chapter,
        entry.title(metrics),
        entry.caption,
        entry.alt,
        frozenset((test.cell, test.metric) for test in tests),
    )
