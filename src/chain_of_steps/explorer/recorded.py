"""The explorer without a kernel: a page of recorded runs, in an iframe."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

from ..models.video_model import VideoModel
from . import web
from .config import Config
from .run import compute
from .shown import Shown
from .widget import about


@dataclass(frozen=True)
class RecordedExplorer:
    """Displays itself in a notebook and in pages made of it; it needs no kernel and no network.

    Attributes:
        traits: of the model, see `web/contract.js`.
    """

    traits: dict[str, Any]

    def html(self) -> str:
        """The standalone page, all ASCII."""
        template = Template(
            resources.files(web.__name__).joinpath("page.html").read_text(encoding="utf-8")
        )
        # With "<" escaped, no text can end the script element that holds the data.
        data = json.dumps(self.traits).replace("<", "\\u003c")
        script = (web.standin() + web.script()).encode("ascii", "backslashreplace").decode()
        return template.substitute(style=web.style(), script=script, data=data)

    def _repr_html_(self) -> str:
        # The page fits the iframe's height to itself; this first guess stays where its host
        # forbids that.
        return (
            f'<iframe title="explorer: recorded runs" srcdoc="{html.escape(self.html())}" '
            f'style="width: 100%; height: 1200px; border: 0"></iframe>'
        )


def record(model: VideoModel, configs: Sequence[Config]) -> RecordedExplorer:
    """Runs configurations, each also without its changes, once each; the first is shown.

    Raises:
        ValueError: see `compute`.
    """
    wanted = [each for config in configs for each in (config.clean, config)]
    runs = [_run(model, config, i) for i, config in enumerate(dict.fromkeys(wanted), 1)]
    constants, known = about(model, configs[0], live=False), [run["setting"] for run in runs]
    constants["gallery"] = [item for item in constants["gallery"] if item["setting"] in known]
    traits = {"about": constants, "setting": configs[0].data(), "recorded": runs}
    return RecordedExplorer({**traits, "preview": {}})


def _run(model: VideoModel, config: Config, number: int) -> dict:
    """A whole run, as the live explorer would send it."""
    one, steps = Shown(model, config), []
    compute(model, config, lambda *step: steps.append(one.step(*step)))
    return {**one.header(number), "state": "done", "steps": steps}
