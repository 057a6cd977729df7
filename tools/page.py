"""`make page`: one HTML file in which symbol networks fill Latin squares. It can be opened as a
file and loads nothing."""

import json
from pathlib import Path
from string import Template

from bundle import WEB, bundle

from chain_of_steps.bench import samples
from chain_of_steps.cli.arguments import Parser
from chain_of_steps.figures.names import short
from chain_of_steps.figures.when_steps_matter.diagram import COLOURS as PHASES
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.models.web_weights import packed
from chain_of_steps.puzzles.canvas import COLOURS, PAPER

ROOT = Path(__file__).parent.parent
BLOCKS = (1, 4)
ORDER = "latin order=4 "  # of the boards of the page
EXAMPLES = ("rounds=1", "rounds=2", "rounds=3", "log2=1", "log2=3", "log2=5", "log2=7")
SUITE_SEED = 7
NETWORKS = ROOT / "data" / "symbols"
METRICS = ROOT / "figures" / "7_when_steps_matter.json"


def main(out: Path, networks: Path, metrics: Path) -> None:
    """Writes the page.

    Args:
        networks: folder of the symbol networks.
        metrics: of the figure of the phase diagram; without this file the page has no diagram.
    """
    names = {blocks: networks / f"latin-L{blocks}-0" for blocks in BLOCKS}
    models = {blocks: VideoModel.load(str(folder)) for blocks, folder in names.items()}
    found = json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(models, found.get("diagram", [])), encoding="utf-8")


def page(models: dict[int, VideoModel], entries: list[dict]) -> str:
    """The page as text.

    Args:
        models: Latin square networks by their numbers of blocks.
        entries: of the phase diagram, as `when_steps_matter.analysis.agreed` gives them.
    """
    traits = {
        "networks": {blocks: packed(model.pipe.transformer) for blocks, model in models.items()},
        "looks": {
            "names": list(COLOURS)[:4],
            "colours": list(COLOURS.values())[:4],
            "paper": PAPER,
        },
        "examples": [{"label": label(ORDER + k), "clues": clues(ORDER + k)} for k in EXAMPLES],
        "diagram": diagram(entries),
    }
    return Template((WEB / "page.html").read_text(encoding="utf-8")).substitute(
        style=(WEB / "page.css").read_text(encoding="utf-8"),
        modules=bundle("main.js"),
        data=json.dumps(traits).replace("<", "\\u003c"),
    )


def clues(cell: str) -> str:
    """The first sample of a cell, as web/config.js writes it."""
    rows = samples.draw_one(cell, 0, SUITE_SEED).state["clues"]
    return "".join("." if value < 0 else str(value + 1) for row in rows for value in row)


def label(cell: str) -> str:
    """`3 rounds`, `8 to 15 answers`: all boards of the page are of one order."""
    return short(cell).removeprefix("order 4: ")


def diagram(entries: list[dict]) -> dict | None:
    """What the page shows of the phase diagram: the boards of its order; None if none was
    measured."""
    kept = ("cell", "layers", "steps", "phase", "at_step_0", "at_end")
    own = [{name: e[name] for name in kept} for e in entries if e["cell"].startswith(ORDER)]
    labels = {entry["cell"]: label(entry["cell"]) for entry in own}
    return {"entries": own, "labels": labels, "colours": PHASES} if own else None


if __name__ == "__main__":
    parser = Parser(__doc__)
    parser.add_argument("--out", default=ROOT / "build" / "latin.html", type=Path)
    parser.add_argument("--networks", default=NETWORKS, type=Path)
    parser.add_argument("--metrics", default=METRICS, type=Path)
    options = parser.parse_args()
    main(options.out, options.networks, options.metrics)
