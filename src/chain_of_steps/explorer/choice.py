"""The explorer's upper part: which puzzle is solved, from which noise, on which schedule."""

import re

import ipywidgets as w

from ..bench import samples
from ..bench.knobs import knob_kinds
from ..models.schedule import PRESETS, preset
from ..models.video_model import VideoModel
from ..puzzles import suite
from ..puzzles.base import Sample
from .config import MOST_STEPS, Config
from .grids import MazeEditor

OWN_MAZE = "a maze of my own"


class Choice:
    """Widgets for a puzzle, its knobs, the sample's number, the seed, the preset, and the number of
    steps.

    Args:
        first: preset that is chosen at first.
    """

    def __init__(self, model: VideoModel, first: str):
        self.model, self.maze = model, MazeEditor()
        known = [name for name, task in suite.TASKS.items() if self._takes(task.puzzle.name)]
        own = [OWN_MAZE] if self._takes("maze") else []
        self.task = w.Dropdown(options=[*known, *own], description="puzzle")
        self.knobs = w.Text(description="knobs", continuous_update=False)
        self.index = w.BoundedIntText(0, 0, 9999, description="sample")
        self.seed = w.BoundedIntText(0, 0, 10**6, description="seed")
        self.preset = w.Dropdown(options=list({first: 0, **PRESETS}), description="preset")
        self.steps = w.IntSlider(
            preset(first).steps, 2, MOST_STEPS, description="steps", continuous_update=False
        )
        puzzle, start = (self.task, self.knobs, self.index), (self.seed, self.preset, self.steps)
        for chosen in (*puzzle, *start):
            chosen.layout.width = "17rem"
        self.view = w.VBox([w.HBox(puzzle), w.HBox(start), self.maze.view])
        self.task.observe(lambda _: self._show_task(), "value")
        self.preset.observe(lambda _: self._show_preset(), "value")
        self._show_task()
        task, _, knobs = Config().cell.partition(" ")
        if task in known:
            self.task.value, self.knobs.value = task, knobs

    def _takes(self, puzzle: str) -> bool:
        """Whether the model can be given such a puzzle: a symbol network knows one."""
        return self.model.family.encode_sample is None or puzzle == self.model.pipe.config.puzzle

    def _show_task(self) -> None:
        """Names the knobs of the chosen puzzle, and empties them."""
        self.maze.show(self.drawing)
        kinds = {} if self.drawing else knob_kinds(self.task.value)
        self.knobs.value, self.knobs.disabled = "", not kinds
        self.knobs.placeholder = " ".join(f"{name}=" for name in kinds)
        self.knobs.tooltip = f"name=value, of {', '.join(kinds)}" if kinds else "none"

    def _show_preset(self) -> None:
        """A preset comes with its number of steps."""
        self.steps.value = preset(self.preset.value).steps

    @property
    def drawing(self) -> bool:
        """Whether the maze is drawn by hand."""
        return self.task.value == OWN_MAZE

    def chosen(self) -> dict:
        """What is chosen, as fields of a `Config`; knobs may be separated by blanks or commas."""
        cell = " ".join([self.task.value, *re.findall(r"[^\s,]+", self.knobs.value)])
        return {
            "cell": "maze" if self.drawing else cell,
            "index": self.index.value,
            "drawn": self.maze.drawn() if self.drawing else None,
            "seed": self.seed.value,
            "preset": self.preset.value,
            "steps": self.steps.value,
        }

    def load(self, config: Config) -> None:
        """Sets the widgets to a configuration.

        Raises:
            ValueError: for a puzzle that the model does not take, or one of a folder.
        """
        task = OWN_MAZE if config.drawn else samples.task_of(config.cell)
        if task not in self.task.options:
            raise ValueError(f"puzzle {task!r} cannot be chosen for this model")
        self.task.value = task
        if config.drawn:
            self.maze.load(config.drawn)
        else:
            self.knobs.value = config.cell.removeprefix(task).strip()
        if config.preset not in self.preset.options:
            self.preset.options = (*self.preset.options, config.preset)
        self.index.value, self.seed.value = config.index, config.seed
        self.preset.value = config.preset
        self.steps.value = config.steps


def answers(sample: Sample) -> str:
    """How many valid answers a sample has, and how far away a unique one is."""
    if (count := len(sample.solutions)) > 1:
        return f"{'more than ' if sample.solutions.more else ''}{count} valid answers"
    return f"one valid answer, rounds of propagation: {sample.rounds}"
