"""The committed pictures and what is said of them: the list of pictures (figures.yaml)."""

import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from PIL import Image

from chain_of_steps.experiments.parameters import read

ROOT = Path(__file__).parents[2]
LIST = ROOT / "figures.yaml"
FOLDER = "pictures"  # of the site
HEAVY = 300_000  # bytes of an SVG from which on the pixels are published instead


@dataclass(frozen=True)
class Picture:
    """One committed picture.

    Attributes:
        notebook, part: `figures/<notebook>/<part>.png`.
        key: whether it belongs to the story, else to the appendix.
        chapter: in which it is shown; empty for none.
        titled: whether the picture itself bears its title.
        alt: what is to be seen on it.
        measures: cells and metrics that its title is about.
    """

    notebook: str
    part: str
    key: bool = False
    chapter: str = ""
    title: str = ""
    titled: bool = False
    caption: str = ""
    alt: str = ""
    measures: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    @property
    def file(self) -> Path:
        return ROOT / "figures" / self.notebook / f"{self.part}.png"

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
    """All committed pictures of some notebooks, those of the list first and in its order."""
    listed = read(LIST) if LIST.exists() else PLACEHOLDER
    files = sorted((ROOT / "figures").glob("*/*.png"))
    names = {f"{file.parent.name}/{file.stem}": file for file in files}
    order = [*(name for name in listed if name in names), *(n for n in names if n not in listed)]
    found = [_picture(name, listed.get(name, {})) for name in order]
    return [picture for picture in found if picture.notebook in notebooks]


def _picture(name: str, entry: dict) -> Picture:
    notebook, part = name.split("/")
    with Image.open(ROOT / "figures" / f"{name}.png") as picture:
        about = {key: picture.info.get(key, "") for key in ("Title", "Description")}
    plain = part.replace("_", " ")
    return Picture(
        notebook,
        part,
        bool(entry.get("key")),
        entry.get("chapter", ""),
        about["Title"] or entry.get("shows", "") or plain.capitalize(),
        bool(about["Title"]),
        entry.get("caption", ""),
        entry.get("alt") or about["Description"] or f"{plain} (notebook {notebook[0]})",
        frozenset(
            (test["cell"], test["metric"])
            for sentence in entry.get("says", [])
            for test in sentence["when"]
        ),
    )


# Until the list of pictures is there.
PLACEHOLDER = {
    "1_step_visualization/validity": {"key": True, "chapter": "watch"},
    "2_perturbation_curves/curves": {"key": True, "chapter": "break"},
    "4_layer_roles/swap_pictures": {"key": True, "chapter": "look inside"},
    "5_ensemble_table/merged_run": {"key": True, "chapter": "mend"},
    "1_step_visualization/superposition": {"key": True, "chapter": "doubt"},
}
