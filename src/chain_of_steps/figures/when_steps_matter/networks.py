"""The networks in a folder: what their names say, and how each is asked for estimates.

`latin-L4-0` has four blocks and training seed 0, `latin-L4-0@2000` is the same after 2,000 steps of
training, `latin-L1w192-0` is wider, `latin-L4-twin` was trained at sigma = 1 only; `pictures-L8-0`
sees pictures. `exact` is no network but the exact posterior, which goes through the same loop and
the same controls.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from ...measures.batches import SampleBatch, estimate_of
from ...measures.known_denoisers import InTheLoop
from ...measures.one_pass import Estimate
from ...models.schedule import Schedule
from ...models.symbols import STEPS, WIDTH
from ...models.video_model import VideoModel
from ...sampling.denoise import Trajectory

EXACT = "exact"
NAME = re.compile(
    r"(?P<puzzle>latin|relay|pictures)-L(?P<layers>\d+)(w(?P<width>\d+))?-(?P<seed>\d+|twin)(@(?P<at>\d+))?"
)


@dataclass(frozen=True)
class Network:
    """What a name says.

    Attributes:
        puzzle: `latin` or `relay`; `any` for the exact posterior, `pictures` for a picture model.
        layers: L, number of blocks; 0 for the exact posterior.
        width: of a block.
        seed: of its training; None for a twin and for the exact posterior.
        share: of the training steps after which its weights were stored.
    """

    name: str
    puzzle: str
    layers: int
    width: int = WIDTH
    seed: int | None = None
    share: float = 1.0

    @property
    def kind(self) -> str:
        """`exact`, `twin`, `earlier`, `wide` or `plain`."""
        if self.name == EXACT:
            return EXACT
        if self.seed is None:
            return "twin"
        if self.share < 1.0:
            return "earlier"
        return "plain" if self.width == WIDTH else "wide"

    @property
    def group(self) -> str:
        """What a part of the plan calls it: its kind; plain ones are `seed 0` or `other seeds`."""
        if self.kind != "plain":
            return self.kind
        return "seed 0" if self.seed == 0 else "other seeds"


def parse(name: str) -> Network:
    """What a name says.

    Raises:
        ValueError: for a name of another form.
    """
    if name == EXACT:
        return Network(EXACT, "any", 0)
    found = NAME.fullmatch(name)
    if not found:
        raise ValueError(f"{name!r} is no name of a symbol network; expected e.g. latin-L4-0")
    seed, at = found["seed"], found["at"]
    return Network(
        name,
        found["puzzle"],
        int(found["layers"]),
        int(found["width"] or WIDTH),
        None if seed == "twin" else int(seed),
        int(at) / STEPS if at else 1.0,
    )


def listed(folder: str | Path, names: list[str]) -> list[Network]:
    """The networks of a folder, or those of them that are named, shallow ones first.

    Raises:
        FileNotFoundError: if one that is named, or any at all, is missing.
    """
    there = {file.parent.name for file in Path(folder).glob("*/model_index.json")}
    if missing := set(names) - there - {EXACT}:
        raise FileNotFoundError(
            f"{folder} has no network {min(missing)}; train it, or leave it out"
        )
    if not there:
        raise FileNotFoundError(f"{folder} holds no symbol networks; `dvc pull` fetches them")
    chosen = names or [EXACT, *there]
    return sorted(map(parse, chosen), key=lambda n: (n.puzzle, n.layers, n.name))


@functools.lru_cache(maxsize=64)
def load(folder: str, name: str) -> VideoModel:
    """A network of a folder."""
    return VideoModel.load(Path(folder) / name)


@dataclass(frozen=True)
class Subject:
    """A network, or the exact posterior (`model` is None), as the measurements need it."""

    model: VideoModel | None

    def generate(self, batch: SampleBatch, schedule: Schedule) -> Trajectory:
        """All runs of a batch."""
        return batch.generate(self.model or InTheLoop(batch.exact), schedule)

    def estimate(self, batch: SampleBatch, schedule: Schedule) -> Estimate:
        """The clean estimates of a batch as a function of states and one noise level."""
        if self.model is None:
            return batch.exact
        return estimate_of(self.model, batch.condition, schedule)
