"""The explorer's widgets: choose a puzzle, change its run, compare."""

import html
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w

from ..models.video_model import VideoModel
from ..sampling.interventions import MODES
from .chart import chart
from .choice import Choice, answers
from .config import BEHAVIOURS, Config, label
from .grids import Cells
from .run import VIEWS, LiveRun, png

WIDE = w.Layout(width="17rem")
NAMES = {
    VIEWS[0]: "clean estimate x0_hat",
    VIEWS[1]: "latent energy (token norms)",
    VIEWS[2]: "PCA (token colours)",
}
MERGES = ("clean estimates", "hidden states of layers")


class Explorer:
    """Displays itself in a notebook. `clean` and `changed` are the runs on display.

    Args:
        preset: of the schedule, at first.
        labels: JSON file of the behaviours that people saw.
    """

    def __init__(self, model: VideoModel, preset: str, labels: Path):
        self.model, self.labels = model, labels
        self.clean: LiveRun | None = None
        self.changed: LiveRun | None = None
        self.choice = Choice(model, preset)
        self.choice.steps.observe(lambda change: self._resize(change["new"]), "value")
        self.cells = Cells(self.choice.steps.value, model.latent_frames)
        self._changes()
        self._views()
        self.message = w.HTML()
        self.run_button = w.Button(description="run", button_style="primary")
        self.stop_button = w.Button(description="stop", disabled=True)
        self.progress = w.IntProgress(0, 0, 1, description="")
        self.run_button.on_click(lambda _: self.run())
        self.stop_button.on_click(lambda _: self.stop())
        above = [
            self.choice.view,
            w.HBox([self.run_button, self.stop_button, self.progress]),
            self.message,
        ]
        below = w.HBox([self.text, self.load_button])
        self.view = w.VBox([*above, w.HBox([self.change, self.views]), below])

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)

    def _changes(self) -> None:
        layers = self.model.layers
        self.mode = w.Dropdown(options=MODES, description="noise", layout=WIDE)
        self.swaps = w.Checkbox(False, description="swap in another seed's state", indent=False)
        self.swap_step = w.BoundedIntText(
            0, 0, self.choice.steps.value - 1, description="at step", layout=WIDE
        )
        self.swap_layer = w.BoundedIntText(
            layers // 2, 0, layers - 1, description="after layer", layout=WIDE
        )
        self.merge = w.IntSlider(1, 1, 5, description="seeds", layout=WIDE)
        self.merge_what = w.Dropdown(options=MERGES, description="merge", layout=WIDE)
        self.merge_layers = w.IntRangeSlider(
            value=(0, layers - 1),
            min=0,
            max=layers - 1,
            description="layers",
            layout=w.Layout(width="17rem"),
        )
        parts = [self.mode, self.cells.view, self.swaps, self.swap_step, self.swap_layer]
        merging = [self.merge_what, self.merge, self.merge_layers]
        self.merge_what.observe(lambda _: self._show_layers(), "value")
        self._show_layers()
        self.change = w.VBox([*parts, *merging], layout=w.Layout(width="20rem", flex="0 0 auto"))

    def _resize(self, steps: int) -> None:
        self.cells.resize(steps)
        self.swap_step.max = steps - 1

    def _show_layers(self) -> None:
        self.merge_layers.layout.display = "" if self.merge_what.value == MERGES[1] else "none"

    def _views(self) -> None:
        layers = self.model.layers
        self.step = w.IntSlider(0, 0, self.choice.steps.value - 1, description="step")
        self.frame = w.IntSlider(
            self.model.latent_frames - 1, 0, self.model.latent_frames - 1, description="frame"
        )
        self.view_of = w.Dropdown(
            options=[(name, view) for view, name in NAMES.items()], description="view"
        )
        self.layer = w.IntSlider(layers // 2, -1, layers - 1, description="layer")
        self.left, self.right = (
            w.Image(width=288, height=288, layout=w.Layout(visibility="hidden")) for _ in range(2)
        )
        self.question, self.chart = w.HTML(), w.HTML()
        for slider in (self.step, self.frame, self.view_of, self.layer):
            slider.observe(lambda _: self.draw(), "value")
        self.behaviours = w.SelectMultiple(options=BEHAVIOURS, description="I see", rows=6)
        self.label_button = w.Button(description="save label")
        self.label_button.on_click(lambda _: self._guarded(self._label))
        pictures = w.HBox(
            [w.VBox([w.HTML("clean"), self.left]), w.VBox([w.HTML("changed"), self.right])]
        )
        sliders = [w.HBox([self.step, self.frame]), w.HBox([self.view_of, self.layer])]
        seen = w.HBox([self.behaviours, self.label_button])
        self.views = w.VBox([*sliders, self.question, pictures, self.chart, seen])
        self.text = w.Text(description="share", layout=w.Layout(width="34rem"))
        self.load_button = w.Button(description="load")
        self.load_button.on_click(
            lambda _: self._guarded(lambda: self.load(Config.from_text(self.text.value)))
        )

    def config(self) -> Config:
        """The configuration that the widgets describe."""
        layers = self.merge.value > 1 and self.merge_what.value == MERGES[1]
        return Config(
            **self.choice.chosen(),
            noise=self.cells.chosen(),
            mode=self.mode.value,
            swap=(self.swap_step.value, self.swap_layer.value) if self.swaps.value else None,
            merge=self.merge.value,
            merge_layers=self.merge_layers.value if layers else None,
        )

    def load(self, config: Config) -> None:
        """Sets the widgets to a configuration and runs it."""
        self.choice.load(config)
        self.mode.value, self.merge.value, self.swaps.value = (
            config.mode,
            config.merge,
            config.swap is not None,
        )
        self.merge_what.value = MERGES[config.merge_layers is not None]
        if config.merge_layers:
            self.merge_layers.value = config.merge_layers
        if config.swap:
            self.swap_step.value, self.swap_layer.value = config.swap
        self.cells.choose(config.noise)
        self.run()

    def run(self) -> None:
        """Starts the clean run, unless it exists already, and the changed run if there is one."""
        self._guarded(self._run)

    def stop(self) -> None:
        """Stops both."""
        for run in self.runs:
            run.stop()

    @property
    def runs(self) -> list[LiveRun]:
        """The clean run and the changed one, those that exist."""
        return [run for run in (self.clean, self.changed) if run is not None]

    def _run(self) -> None:
        config = self.config()
        sample = config.sample()  # raises if it is invalid, before anything is stopped
        self.stop()
        if (
            self.clean is None
            or self.clean.config != config.clean
            or self.clean.done < config.steps
        ):
            self.clean = LiveRun(self.model, config.clean, self._reported).start()
        self.changed = (
            LiveRun(self.model, config, self._reported).start() if config.changes else None
        )
        self.question.value = f"Prompt: <i>{html.escape(sample.prompt)}</i> ({answers(sample)})"
        self.text.value, self.stop_button.disabled = config.to_text(), False
        self.step.max, self.progress.max = config.steps - 1, config.steps * (1 + config.changes)
        self._reported()

    def _reported(self) -> None:
        """Updates progress after every step of a run, pictures at its end; called in its thread."""
        self.progress.value = sum(run.done for run in self.runs)
        for run in self.runs:
            if run.error is not None:
                self._say(f"{type(run.error).__name__}: {run.error}")
        if all(run.done == run.config.steps or run.ended for run in self.runs):
            self.stop_button.disabled = True
            self._report_if_stopped()
            self.draw()

    def _report_if_stopped(self) -> None:
        """After *stop*: reports how far the run got, and returns to a step that was computed."""
        last, furthest = self.runs[-1], max(run.done for run in self.runs)
        if last.error is None and last.done < last.config.steps:
            self._say(f"stopped after {last.done} of {last.config.steps} steps")
            self.step.value = min(self.step.value, max(furthest - 1, 0))

    def draw(self) -> None:
        """Shows both runs at the place of the sliders; nothing where a run is not that far."""
        place = (self.step.value, self.frame.value, self.view_of.value, self.layer.value)
        for run, image in ((self.clean, self.left), (self.changed, self.right)):
            if run is None or self.step.value >= run.done:
                image.value = b""
            elif self.view_of.value == VIEWS[0] or not run.running or run.ended:
                image.value = png(run.picture(*place))
            image.layout.visibility = (
                "visible" if image.value else "hidden"
            )  # a browser marks an empty picture as broken
        self.chart.value = chart(self.runs, self.step.value)

    def _label(self) -> None:
        if not self.runs:
            raise ValueError("run something first; the label is of what is shown")
        label(self.labels, self.runs[-1].config, list(self.behaviours.value))
        self._say(f"saved in {self.labels.name}")

    def _guarded(self, action: Callable[[], object]) -> None:
        """Shows errors that the user can fix as one sentence."""
        self._say("")
        try:
            action()
        except ValueError as error:
            self._say(str(error))

    def _say(self, sentence: str) -> None:
        self.message.value = f'<span role="status">{html.escape(sentence, quote=False)}</span>'
