"""A setting of the explorer: everything that determines what it shows; it travels as a short text."""

import base64
import json
import zlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..bench import tasklist
from ..common.files import atomic
from ..puzzles.first import maze
from ..puzzles.first.base import Sample
from ..sampling.interventions import MODES, Mode

BEHAVIOURS = (
    "multi-path",
    "superposition",
    "memory",
    "self-correction",
    "perception before action",
    "unknown",
)
MOST_STEPS = 50
APART = 1000  # between the seeds of a setting's runs


@dataclass(frozen=True)
class Setting:
    """Everything that determines what is shown; it travels as a short text.

    Attributes:
        task, index: name a test sample of suite seed 7.
        drawn: a maze drawn by hand in its place, as arguments of `maze.hand_drawn`.
        seed: of the noise; the changed run's other seeds are `APART` further.
        steps: of the schedule.
        noise: (step, frame) cells that the changed run fills with noise.
        mode: of that noise.
        swap: (step, layer) at which the changed run takes over the hidden state of another seed's run.
        merge: how many seeds the changed run merges, over the first half of its steps.
        merge_layers: the first and the last layer whose hidden states are merged; None merges clean estimates.
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
                "seeds are merged in a run of their own; take the noise and the swap away first"
            )

    def _check_numbers(self) -> None:
        """What the widgets cannot say, but a text can."""
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
                "a setting has whole numbers from 0 on, its cells, swap and layers are pairs of them"
            )
        first, last = pairs[-1]
        if (
            not 1 <= self.steps <= MOST_STEPS
            or any(step >= self.steps for step, _ in changed)
            or first > last
        ):
            raise ValueError(
                f"a setting has 1 to {MOST_STEPS} steps, changes none beyond, and its layers are in order"
            )

    @property
    def clean(self) -> "Setting":
        """The same without any change."""
        return replace(self, noise=(), mode=MODES[0], swap=None, merge=1, merge_layers=None)

    @property
    def changes(self) -> bool:
        """Whether anything is changed; a kind of noise alone is no change."""
        return bool(self.noise) or self.swap is not None or self.merge > 1

    def sample(self) -> Sample:
        """What is to be solved."""
        return (
            maze.hand_drawn(*self.drawn)
            if self.drawn
            else tasklist.draw_one(self.task, self.index, 7)
        )

    def to_text(self) -> str:
        """A short text that `from_text` reads."""
        changed = {
            name: value for name, value in asdict(self).items() if value != getattr(Setting(), name)
        }
        return (
            base64.urlsafe_b64encode(zlib.compress(json.dumps(changed).encode(), 9))
            .decode()
            .rstrip("=")
        )

    @classmethod
    def from_text(cls, text: str) -> "Setting":
        """The setting that `to_text` wrote.

        Raises:
            ValueError: if it did not write this.
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
                "this text is no setting of the explorer; copy the whole of it"
            ) from error


def label(file: Path, setting: Setting, behaviours: list[str]) -> dict:
    """Adds what somebody saw in a setting to a JSON file of labels; returns all labels by setting.

    Raises:
        ValueError: for a behaviour that the paper does not name, or none at all.
    """
    if not behaviours:
        raise ValueError("choose what you see before you save it")
    unknown = set(behaviours) - set(BEHAVIOURS)
    if unknown:
        raise ValueError(
            f"unknown behaviour {unknown.pop()!r}; expected some of {', '.join(BEHAVIOURS)}"
        )
    labels = json.loads(file.read_text()) if file.exists() else {}
    labels[setting.to_text()] = {"setting": asdict(setting), "behaviours": sorted(behaviours)}
    with atomic(file) as temporary:
        temporary.write_text(json.dumps(labels, indent=1, sort_keys=True) + "\n")
    return labels


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
