"""The explorer's setting: everything that determines what it shows, also as a short text."""

import json
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from ..bench import samples
from ..models import schedule
from ..puzzles.base import Sample
from ..puzzles.hand_drawn import hand_drawn, hand_filled
from ..sampling.interventions import (
    MODES,
    Drop,
    Intervention,
    Merge,
    MergeEstimates,
    MergeLayers,
    Mode,
    NoiseAtCells,
    Patch,
    Source,
)
from ..sampling.rollouts import APART

MOST_STEPS = 50
MOST_SEEDS = 5  # of a merge
SUITE_SEED = 7

Whole = Annotated[int, Field(strict=True, ge=0)]
Pair = tuple[Whole, Whole]


@dataclass(frozen=True)
class OwnMaze:
    """A maze that was drawn: arguments of `hand_drawn`."""

    rooms: Whole
    doors: tuple[tuple[Pair, Pair], ...]
    start: Pair
    goal: Pair
    kind: Literal["maze"] = "maze"

    def sample(self) -> Sample:
        return hand_drawn(self.rooms, self.doors, self.start, self.goal)


@dataclass(frozen=True)
class OwnSquare:
    """A Latin square whose clues were chosen: arguments of `hand_filled`."""

    clues: tuple[tuple[Annotated[int, Field(strict=True, ge=-1)], ...], ...]
    kind: Literal["latin"] = "latin"

    def sample(self) -> Sample:
        return hand_filled(self.clues)


@dataclass(frozen=True)
class MergedSeeds:
    """Seeds that are merged over the first half of the steps.

    Attributes:
        seeds: how many, the run's own among them.
        layers: the first and the last layer whose hidden states are merged; None merges clean
            estimates.
    """

    seeds: Annotated[int, Field(strict=True, ge=2, le=MOST_SEEDS)] = 3
    layers: Pair | None = None


MOST_PASSES = 12
SIGMAS = (0.05, 0.95)  # of the controls, least and most


@dataclass(frozen=True)
class OnePass:
    """The controls of one pass next to the run; they do not change it.

    Attributes:
        sigma: noise level of the passes.
        passes: how many there are in the control of several, the first of them step 0 of the run.
    """

    sigma: Annotated[float, Field(ge=SIGMAS[0], le=SIGMAS[1])] = 0.5
    passes: Annotated[int, Field(strict=True, ge=2, le=MOST_PASSES)] = 4


@dataclass(frozen=True)
class Config:
    """Everything that determines what the explorer shows; `to_text` makes it short to share.

    Attributes:
        cell, index: name a test sample of suite seed 7, see `bench/samples.py`.
        board: a board of one's own in its place.
        seed: of the initial noise; other seeds that take part are `APART` further each.
        preset: of the schedule.
        steps: of the schedule, instead of the preset's own.
        noise: (step, frame) cells that are filled with noise.
        mode: of that noise.
        patch: (step, layer) at which the hidden state of another seed's run is taken over, in both
            passes under guidance.
        merge: seeds that are merged.
        drop: the conditions that are dropped, and when.
        controls: what the run is compared with.
    """

    cell: Annotated[str, Field(strict=True)] = "latin order=4 log2=3"
    index: Whole = 0
    board: Annotated[OwnMaze | OwnSquare, Field(discriminator="kind")] | None = None
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] = 0
    preset: Annotated[str, Field(strict=True)] = "mini"
    steps: Annotated[int, Field(strict=True, ge=1, le=MOST_STEPS)] = 20
    noise: tuple[Pair, ...] = ()
    mode: Mode = MODES[0]
    patch: Pair | None = None
    merge: MergedSeeds | None = None
    drop: Drop | None = None
    controls: OnePass = OnePass()

    @model_validator(mode="after")
    def _check(self) -> "Config":
        samples.cells([self.cell])
        schedule.preset(self.preset)
        named = [step for step, _ in (*self.noise, *([self.patch] if self.patch else []))]
        if self.drop:
            named += [self.drop.step, (self.drop.until or self.drop.step + 1) - 1]
            if min(named[-2:]) < 0 or named[-1] < named[-2]:
                raise ValueError("a drop begins at step 0 or later, and ends after it begins")
        if beyond := [step for step in named if step >= self.steps]:
            raise ValueError(f"step {beyond[0]} is changed; expected 0 to {self.steps - 1}")
        if self.merge and (self.noise or self.patch or self.drop):
            raise ValueError("merged seeds exclude other changes; remove the others first")
        if self.merge and self.merge.layers and self.merge.layers[0] > self.merge.layers[1]:
            raise ValueError("the first layer that is merged comes after the last")
        return self

    @property
    def clean(self) -> "Config":
        """The same setting without its changes."""
        nothing = {"noise": (), "mode": MODES[0], "patch": None, "merge": None, "drop": None}
        return replace(self, **nothing)

    @property
    def interventions(self) -> tuple[Intervention | Merge, ...]:
        """What is done to the run, in the order in which it acts."""
        changes: list[Intervention | Merge] = [self.drop] if self.drop else []
        if self.noise:
            changes.append(NoiseAtCells(cells=self.noise, mode=self.mode))
        if self.patch:
            changes.append(Patch(*self.patch, donor=Source(APART), unguided=True))
        if self.merge:
            changes.append(self._merge)
        return tuple(changes)

    @property
    def _merge(self) -> Merge:
        early = tuple(range(self.steps // 2))
        company = tuple(Source(APART * j) for j in range(1, self.merge.seeds))
        if self.merge.layers is None:
            return MergeEstimates(early, company=company)
        first, last = self.merge.layers
        return MergeLayers(tuple(range(first, last + 1)), early, company=company)

    @property
    def schedule(self) -> schedule.Schedule:
        return schedule.preset(f"{self.preset.partition('/')[0]}/{self.steps}")

    def sample(self) -> Sample:
        """The sample that is solved.

        Raises:
            ValueError: for knobs with which there is none, or a board that is no puzzle.
        """
        if self.board is not None:
            return self.board.sample()
        return samples.draw_one(self.cell, self.index, SUITE_SEED)

    def data(self) -> dict:
        """Plain JSON data."""
        return _CONFIG.dump_python(self, mode="json")

    def to_text(self) -> str:
        """A short text that `from_text` reads: JSON of what differs from the default."""
        default = Config().data()
        changed = {name: value for name, value in self.data().items() if value != default[name]}
        return json.dumps(changed, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Config":
        """The configuration that `to_text` wrote; unknown names are refused.

        Raises:
            ValueError: for any other text.
        """
        return _valid(lambda: _CONFIG.validate_json(text, extra="forbid"))

    @classmethod
    def from_data(cls, data: dict) -> "Config":
        """The configuration whose `data` this is.

        Raises:
            ValueError: for any other data.
        """
        return _valid(lambda: _CONFIG.validate_python(data, extra="forbid"))


_CONFIG = TypeAdapter(Config)


def _valid(read) -> Config:
    try:
        return read()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        told = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"this is no setting: {where + ': ' if where else ''}{told}") from error
