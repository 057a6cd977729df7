"""The explorer's configuration: everything that determines what it shows, also as a short text."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..bench import samples
from ..common.files import atomic
from ..models import schedule
from ..puzzles.base import Sample
from ..puzzles.hand_drawn import hand_drawn
from ..sampling.interventions import (
    MODES,
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

BEHAVIOURS = (
    "multi-path",
    "superposition",
    "memory",
    "self-correction",
    "perception before action",
    "unknown",
)
MOST_STEPS = 50
SUITE_SEED = 7


@dataclass(frozen=True)
class Config:
    """Everything that determines what the explorer shows; `to_text` makes it short to share.

    Attributes:
        cell, index: name a test sample of suite seed 7, see `bench/samples.py`.
        drawn: a maze drawn by hand in its place, as arguments of `hand_drawn`.
        seed: of the initial noise; the other seeds of the changed run are `APART` further each.
        preset: of the schedule.
        steps: of the schedule, instead of the preset's own.
        noise: (step, frame) cells that the changed run fills with noise.
        mode: of that noise.
        swap: (step, layer) at which the changed run takes over the hidden state of another seed's
            run, in both passes under guidance.
        merge: how many seeds the changed run merges, over the first half of its steps.
        merge_layers: the first and the last layer whose hidden states are merged; None merges
            clean estimates.
    """

    cell: str = "latin order=4 log2=3"
    index: int = 0
    drawn: tuple | None = None
    seed: int = 0
    preset: str = "mini"
    steps: int = 50
    noise: tuple[tuple[int, int], ...] = ()
    mode: Mode = "replace"
    swap: tuple[int, int] | None = None
    merge: int = 1
    merge_layers: tuple[int, int] | None = None

    def __post_init__(self):
        if not isinstance(self.cell, str):
            raise ValueError(f"a cell is a text such as 'latin order=4', not {self.cell!r}")
        samples.cells([self.cell])
        self._check_numbers()
        schedule.preset(self.preset)
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}; expected one of {', '.join(MODES)}")
        if self.merge > 1 and (self.noise or self.swap):
            raise ValueError(
                "merged seeds exclude other changes; remove the noise and the swap first"
            )

    def _check_numbers(self) -> None:
        """Refuses numbers that the widgets never give but a text may contain."""
        changed = [*self.noise, *([self.swap] if self.swap else [])]  # each begins with its step
        pairs = [*changed, self.merge_layers or (0, 0)]
        numbers = [
            self.index,
            self.seed,
            self.steps,
            self.merge,
            *(number for pair in pairs for number in pair),
        ]
        if any(type(number) is not int or number < 0 for number in numbers) or any(
            len(pair) != 2 for pair in pairs
        ):
            raise ValueError(
                "all numbers of a configuration must be whole and 0 or more; each cell, swap and "
                "range of layers is a pair of them"
            )
        first, last = pairs[-1]
        if (
            not 1 <= self.steps <= MOST_STEPS
            or any(step >= self.steps for step, _ in changed)
            or first > last
        ):
            raise ValueError(
                f"a configuration must have 1 to {MOST_STEPS} steps, change only these, and name "
                "its first layer before its last"
            )

    @property
    def clean(self) -> "Config":
        """The same configuration without its changes."""
        return replace(self, noise=(), mode=MODES[0], swap=None, merge=1, merge_layers=None)

    @property
    def changes(self) -> bool:
        """Whether it changes anything; a mode of noise alone does not."""
        return bool(self.noise) or self.swap is not None or self.merge > 1

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        """What is done to the changed run, in the order in which it acts."""
        changes: list[Intervention] = []
        if self.noise:
            changes.append(NoiseAtCells(cells=self.noise, mode=self.mode))
        if self.swap:
            changes.append(Patch(*self.swap, donor=Source(APART), unguided=True))
        if self.merge > 1:
            changes.append(self._merge)
        return tuple(changes)

    @property
    def _merge(self) -> Merge:
        early = tuple(range(self.steps // 2))
        company = tuple(Source(APART * j) for j in range(1, self.merge))
        if self.merge_layers is None:
            return MergeEstimates(early, company=company)
        first, last = self.merge_layers
        return MergeLayers(tuple(range(first, last + 1)), early, company=company)

    @property
    def schedule(self) -> schedule.Schedule:
        """The preset with this number of steps."""
        return replace(schedule.preset(self.preset), steps=self.steps)

    def sample(self) -> Sample:
        """The puzzle to be solved.

        Raises:
            ValueError: for knobs with which there is none, or a maze that cannot be drawn.
        """
        if self.drawn is None:
            return samples.draw_one(self.cell, self.index, SUITE_SEED)
        try:
            return hand_drawn(*self.drawn)
        except TypeError as error:
            raise ValueError("this is no maze; expected rooms, doors, start and goal") from error

    def to_text(self) -> str:
        """A short text that `from_text` reads."""
        changed = {
            name: value for name, value in asdict(self).items() if value != getattr(Config(), name)
        }
        packed = zlib.compress(json.dumps(changed).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "Config":
        """The configuration that `to_text` wrote.

        Raises:
            ValueError: for any other text.
        """
        packed = text.strip()
        try:
            packed = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
            data = json.loads(zlib.decompress(packed))
            known = [field.name for field in fields(cls) if field.name in data]
            return cls(**{name: _tuples(data[name]) for name in known})
        except (ValueError, TypeError, zlib.error) as error:
            raise ValueError(
                "this text is no configuration of the explorer; expected the whole text of its "
                "field share"
            ) from error


def label(file: Path, config: Config, behaviours: list[str]) -> dict:
    """Adds the behaviours seen in a configuration to a JSON file of labels; returns all labels,
    keyed by the text of their configuration.

    Raises:
        ValueError: for an unknown behaviour, or none at all.
    """
    if not behaviours:
        raise ValueError("choose what you see before you save it")
    unknown = set(behaviours) - set(BEHAVIOURS)
    if unknown:
        raise ValueError(
            f"unknown behaviour {unknown.pop()!r}; expected some of {', '.join(BEHAVIOURS)}"
        )
    labels = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    labels[config.to_text()] = {"config": asdict(config), "behaviours": sorted(behaviours)}
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(labels, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return labels


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
