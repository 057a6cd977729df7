"""The explorer's configuration: everything that determines what it shows, also as a short text."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..bench import tasklist
from ..common.files import atomic
from ..puzzles.first import maze
from ..puzzles.first.base import Sample
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


@dataclass(frozen=True)
class Config:
    """Everything that determines what the explorer shows; `to_text` makes it short to share.

    Attributes:
        task, index: name a test sample of suite seed 7.
        drawn: a maze drawn by hand in its place, as arguments of `maze.hand_drawn`.
        seed: of the initial noise; the other seeds of the changed run are `APART` further each.
        steps: of the schedule.
        noise: (step, frame) cells that the changed run fills with noise.
        mode: of that noise.
        swap: (step, layer) at which the changed run takes over the hidden state of another seed's
            run, in both passes under guidance.
        merge: how many seeds the changed run merges, over the first half of its steps.
        merge_layers: the first and the last layer whose hidden states are merged; None merges
            clean estimates.
    """

    task: str = "maze"
    index: int = 0
    drawn: tuple | None = None
    seed: int = 0
    steps: int = 20
    noise: tuple[tuple[int, int], ...] = ()
    mode: Mode = "replace"
    swap: tuple[int, int] | None = None
    merge: int = 1
    merge_layers: tuple[int, int] | None = None

    def __post_init__(self):
        tasklist.find(self.task)
        self._check_numbers()
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

    def sample(self) -> Sample:
        """The puzzle to be solved."""
        return (
            maze.hand_drawn(*self.drawn)
            if self.drawn
            else tasklist.draw_one(self.task, self.index, 7)
        )

    def to_text(self) -> str:
        """A short text that `from_text` reads."""
        changed = {
            name: value for name, value in asdict(self).items() if value != getattr(Config(), name)
        }
        return (
            base64.urlsafe_b64encode(zlib.compress(json.dumps(changed).encode(), 9))
            .decode()
            .rstrip("=")
        )

    @classmethod
    def from_text(cls, text: str) -> "Config":
        """The configuration that `to_text` wrote.

        Raises:
            ValueError: for any other text.
        """
        try:
            data = json.loads(
                zlib.decompress(
                    base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
                )
            )
            return cls(
                **{
                    field.name: _tuples(data[field.name])
                    for field in fields(cls)
                    if field.name in data
                }
            )
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
