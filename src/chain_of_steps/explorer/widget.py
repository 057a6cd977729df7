"""The explorer in a notebook: the page of `web/` on one side, runs of the model on the other."""

import threading
from collections.abc import Callable

import anywidget
import traitlets

from ..bench.knobs import knob_kinds
from ..models.schedule import PRESETS, preset
from ..models.video_model import VideoModel
from ..puzzles import suite
from ..sampling.interventions import MODES
from . import controls, gallery, shown, web
from .config import MOST_PASSES, MOST_SEEDS, MOST_STEPS, SIGMAS, Config
from .run import Stopped, compute


def about(model: VideoModel, default: Config, live: bool) -> dict:
    """What does not change while an explorer is open; see `web/contract.js`."""
    known = [name for name in suite.TASKS if gallery.takes(model, Config(name))]
    return {
        "live": live,
        "frames": model.latent_frames,
        "layers": model.layers,
        "tasks": [{"name": name, "knobs": list(knob_kinds(name))} for name in known],
        "boards": [kind for kind in ("maze", "latin") if kind in known],
        "presets": {name: preset(name).steps for name in {default.preset: 0, **PRESETS}},
        "modes": list(MODES),
        "most": {"steps": MOST_STEPS, "seeds": MOST_SEEDS},
        "controls": {"sigma": list(SIGMAS), "passes": [2, MOST_PASSES]} if live else None,
        "default": Config().data(),
        "gallery": [
            each for each in gallery.items() if each["setting"]["cell"].split(" ")[0] in known
        ],
    }


class Explorer(anywidget.AnyWidget):
    """Displays itself in a notebook. Runs go on in the background, one after the other.

    Args:
        config: what is chosen at first, by default a puzzle that the model knows.
    """

    _esm = web.module()
    _css = web.style()
    about = traitlets.Dict().tag(sync=True)
    setting = traitlets.Dict().tag(sync=True)
    preview = traitlets.Dict().tag(sync=True)
    run = traitlets.Dict().tag(sync=True)
    steps = traitlets.Dict().tag(sync=True)
    command = traitlets.Dict().tag(sync=True)
    controls = traitlets.Dict().tag(sync=True)
    recorded = traitlets.List().tag(sync=True)

    def __init__(self, model: VideoModel, config: Config | None = None):
        config = config or gallery.first(model)
        super().__init__(about=about(model, config, live=True), setting=config.data())
        self.model, self._number = model, 0
        self._stop, self._worker = threading.Event(), _finished()
        self._shown: dict = {}
        self.observe(lambda _: self._preview(), "setting")
        self.observe(lambda change: self._obey(change["new"]), "command")
        self._preview()

    def _preview(self) -> None:
        """Shows the puzzle that is chosen; a hard one is counted in the background."""
        chosen = dict(self.setting)

        def show() -> None:
            found = _or_error(lambda: shown.preview(self.model, Config.from_data(chosen)))
            if chosen == self.setting:  # otherwise another has been chosen since
                self.preview = {"setting": chosen, **found}

        threading.Thread(target=show, name="preview", daemon=True).start()

    def _obey(self, command: dict) -> None:
        """Does what the page asks for; anything else is ignored."""
        if command.get("do") == "run":
            self.start(command.get("settings", []))
        elif command.get("do") == "stop":
            self._stop.set()
        elif command.get("do") == "controls":
            self._begin(self._compare, [command.get("setting", {})])
        elif command.get("do") == "replay" and self._shown:
            self.steps = {**self._shown, "again": command.get("number")}

    def start(self, settings: list[dict]) -> None:
        """Runs settings in the background, one after the other; ends what is being computed."""
        self._begin(self._run, settings)

    def _begin(self, compute: Callable[[dict, threading.Event], None], settings: list) -> None:
        """Computes settings in the background; ends what is being computed before."""
        self._stop.set()
        before, stop = self._worker, threading.Event()

        def work() -> None:
            before.join()
            for setting in settings:
                if not stop.is_set():
                    compute(setting, stop)

        self._stop, self._worker = stop, threading.Thread(target=work, daemon=True)
        self._worker.start()

    def wait(self) -> "Explorer":
        """Waits for the runs to end."""
        self._worker.join()
        return self

    def _compare(self, setting: dict, stop: threading.Event) -> None:
        """The controls of one setting, as they arrive."""
        found = {"setting": setting, "items": []}
        try:
            for item in controls.items(self.model, Config.from_data(setting)):
                if stop.is_set():
                    return
                found = {**found, "items": [*found["items"], item]}
                self.controls = found
            self.controls = {**found, "done": True}
        except Exception as error:  # shown on the page, as that of a run
            self.controls = {**found, "error": _told(error)}

    def _run(self, setting: dict, stop: threading.Event) -> None:
        """One run: its header, its steps as they arrive, how it ended."""
        self._number += 1
        number = self._number
        header = {"id": number, "setting": setting}
        try:
            config = Config.from_data(setting)
            one = shown.Shown(self.model, config)
            header = one.header(number)
            self.run = {**header, "state": "running"}
            self._shown = {"run": number, "steps": []}

            def report(step, x0_hat, nfe) -> None:
                found = one.step(step, x0_hat, nfe)
                self._shown["steps"].append(found)
                self.steps = {"run": number, "steps": [found]}

            compute(self.model, config, report, stop)
            self.run = {**header, "state": "done"}
        except Stopped:
            self.run = {**header, "state": "stopped"}
        except Exception as error:  # shown on the page: nobody waits for this thread
            self.run = {**header, "state": "failed", "error": _told(error)}


def _or_error(read: Callable[[], dict]) -> dict:
    try:
        return read()
    except ValueError as error:
        return {"error": str(error)}


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _finished() -> threading.Thread:
    """A worker that has nothing to do."""
    worker = threading.Thread(target=lambda: None)
    worker.start()
    return worker
