"""Where a notebook's figures and metrics go: `<folder>/<name>/<part>.png` and
`<folder>/<name>.json`."""

import json
from pathlib import Path

from matplotlib.figure import Figure

from ..common.files import atomic


class Report:
    """The published outputs of one notebook.

    Args:
        folder: made if missing; a scratch folder unless the pipeline says otherwise.
        name: of notebook, stage and metrics file.
    """

    def __init__(self, folder: str | Path, name: str):
        self.folder, self.name = Path(folder), name
        (self.folder / name).mkdir(parents=True, exist_ok=True)

    def figure(self, figure: Figure, part: str) -> None:
        """Saves `<name>/<part>.png`; the same figure gives the same bytes."""
        file = self.folder / self.name / f"{part}.png"
        figure.savefig(file, metadata={"Software": None}, bbox_inches="tight")

    def metrics(self, values: dict) -> None:
        """Saves `<name>.json`, atomically."""
        with atomic(self.folder / f"{self.name}.json") as temporary:
            temporary.write_text(
                json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8"
            )
