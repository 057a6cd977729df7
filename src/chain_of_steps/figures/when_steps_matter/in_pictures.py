"""The same runs and controls on picture models: does the video class show what symbols show?"""

from pathlib import Path

from typing_extensions import TypedDict  # pydantic refuses that of typing before Python 3.12

from ...bench import samples
from ...experiments.parameters import checked
from ...measures.batches import PictureBatch
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.splits import Split
from .networks import Network, Subject, load, parse
from .phase_diagram import PhaseDiagram, PhaseRun


class Shown(TypedDict):
    """A picture model and what it is measured on.

    Attributes:
        folder: of the model; empty: the one that the experiment was given.
        cells: kinds of samples.
    """

    folder: str
    cells: list[str]


class InPictures(PhaseDiagram):
    """The experiment: picture models of several depths on samples that one forward pass may, or may
    not, solve."""

    name = "7_in_pictures"
    speed = 10

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.header |= {"model": "pictures"}
        self.folders: dict[str, str] = {}  # of the models by name, set by `plan`

    @checked
    def plan(
        self,
        models: dict[str, Shown],
        samples_per_cell: int,
        steps: int,
        chunk: int,
        validation: int,
        suite_seed: int,
        split: Split = "test",
    ) -> list[PhaseRun]:
        """All runs.

        Args:
            models: by name, such as `pictures-L4-0`.
            chunk: samples of a row; they are one batch.
            validation: see `PhaseRun`.
        """
        self.folders = {name: shown["folder"] for name, shown in models.items()}
        fixed = (steps, suite_seed, validation, split)
        return [
            PhaseRun(name, self.weights(parse(name)), cell, i, min(chunk, count - i), *fixed)
            for name, shown in models.items()
            for cell in samples.cells(shown["cells"])
            for count in [samples_per_cell]
            for i in range(0, count, chunk)
        ]

    def weights(self, network: Network) -> str:
        """The fingerprint of a model."""
        return self._model(network.name).fingerprint

    def subject(self, name: str) -> Subject:
        """A model."""
        return Subject(self._model(name))

    def batch_of(self, run: PhaseRun, first: int, count: int, split: Split) -> PictureBatch:
        """Samples of a run's cell, from number `first` on."""
        indices = range(first, first + count)
        drawn = [samples.draw_one(run.cell, i, run.suite_seed, split) for i in indices]
        return PictureBatch(drawn, indices, model=self._model(run.network))

    def _model(self, name: str) -> VideoModel:
        folder = Path(self.folders[name])
        return load(str(folder.parent), folder.name) if folder.name else self.model
