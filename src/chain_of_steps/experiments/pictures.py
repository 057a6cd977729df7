"""The list of pictures (figures.yaml): what each shows, where it belongs, and what it says.

The title of a picture is a finding that follows from the metrics of its figure: the first of its
sentences whose tests all hold. Where none does, as with few samples, the title is what the picture
shows.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .ledger import interval_at, tells
from .parameters import read

FILE = "figures.yaml"
CHAPTERS = ("watch", "break", "look inside", "mend", "doubt")


class Test(BaseModel):
    """What the 95 % interval of a metric must be like.

    Attributes:
        cell, metric: where {mean, low, high, n} stands in the figure's metrics, as in claims.yaml.
        above, below, within: the whole interval is.
        around: the interval contains this value.
    """

    __test__ = False  # no test of pytest
    model_config = ConfigDict(extra="forbid")

    cell: str
    metric: str
    above: float | None = None
    below: float | None = None
    within: tuple[float, float] | None = None
    around: float | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Test":
        if len(self.model_fields_set & {"above", "below", "within", "around"}) != 1:
            raise ValueError("a test needs exactly one of above, below, within and around")
        return self

    def holds(self, metrics: dict) -> bool:
        """Whether the metric was measured on enough samples, and is as it must be."""
        found = interval_at(metrics, self.cell, self.metric)
        if found is None or not tells(found):
            return False
        low, high = found["low"], found["high"]
        if self.around is not None:
            return low <= self.around <= high
        least, most = self.within or (self.above, self.below)
        return (least is None or low > least) and (most is None or high < most)


class Sentence(BaseModel):
    """A finding, and the tests that must hold for it to be said."""

    model_config = ConfigDict(extra="forbid")

    say: str
    when: list[Test] = Field(min_length=1)


class Picture(BaseModel):
    """One entry of figures.yaml, under `<notebook>/<part>`.

    Attributes:
        key: whether it stands in the text of its notebook; else in the appendix.
        chapter: of the site.
        shows: the title where the metrics say nothing.
        says: findings, the first that holds is the title.
        caption: how it is to be read, without any number that a run supplies.
        alt: what is to be seen, for those who do not see it.
    """

    model_config = ConfigDict(extra="forbid")

    key: bool = False
    chapter: Literal["watch", "break", "look inside", "mend", "doubt"]
    shows: str
    says: list[Sentence] = Field(default_factory=list)
    caption: str
    alt: str

    def title(self, metrics: dict) -> str:
        """The finding, by the metrics of the figure (`figures/<notebook>.json`)."""
        said = (each.say for each in self.says if all(test.holds(metrics) for test in each.when))
        return next(said, self.shows)


def pictures_in(file: str | Path = FILE) -> dict[str, Picture]:
    """The pictures of a figures.yaml by `<notebook>/<part>`, in their order; none without the file.

    Raises:
        ValueError: for a file that is not a list of pictures.
    """
    if not Path(file).exists():
        return {}
    entries = read(file)
    if not isinstance(entries, dict):
        raise ValueError(f"{file} must hold pictures by notebook and part")
    found = {}
    for name, entry in entries.items():
        try:
            found[str(name)] = Picture.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"picture {name!r} in {file}: {where}: {first['msg']}") from None
    return found
