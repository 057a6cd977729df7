"""The page in which the mini model runs: the explorer, the exported model and onnxruntime-web.
`make site` calls `main`; it has to be served over HTTP."""

import json
import shutil
import sys
from hashlib import sha256
from pathlib import Path
from string import Template

import onnxruntime_web
from bundle import WEB, bundle

from chain_of_steps.bench import samples
from chain_of_steps.cli.arguments import Parser
from chain_of_steps.common.errors import run_command, sentence
from chain_of_steps.explorer import shown, web
from chain_of_steps.explorer.config import MOST_STEPS, SUITE_SEED, Config
from chain_of_steps.figures.names import short
from chain_of_steps.models import web_export
from chain_of_steps.models.onnx_export import check_packages
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import latin, maze
from chain_of_steps.sampling.interventions import MODES

ROOT = Path(__file__).parent.parent
NAME = "video_model"  # of the page, and of the folder of what it loads
MODEL, EXPORTED = ROOT / "data" / "mini", ROOT / "build" / "web"
RUNTIME = ROOT / "build" / "onnxruntime-web"
CELLS = (
    "maze rooms=5 paths=1",
    "maze rooms=5 paths=2",
    "maze rooms=6 paths=1",
    "maze rooms=6 paths=2",
    "latin order=4 rounds=2",
    "latin order=4 log2=1",
    "latin order=4 log2=3",
    "latin order=5 rounds=2",
    "latin order=5 rounds=3",
)
SAMPLES = 20  # of each
FIRST = {"cell": CELLS[0], "steps": 20}
SERVE = "python -m http.server --directory {folder}"


def main(out: Path, model: Path = MODEL) -> str | None:
    """Writes the page and what it loads; returns its name, or None after it has printed why there
    is no page: a package is not installed, or onnxruntime-web cannot be fetched.

    Args:
        out: folder of the site.
    """
    try:
        check_packages()
        files = onnxruntime_web.fetched(RUNTIME)
    except (ImportError, OSError, ValueError) as error:
        print(f"without the page {NAME}.html: {sentence(error)}", file=sys.stderr)
        return None
    loaded = VideoModel.load(str(model))
    manifest = exported(loaded)
    folder = out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    for name in manifest["files"]:
        shutil.copyfile(EXPORTED / name, folder / name)
    for name, file in files.items():
        shutil.copyfile(file, folder / name)
        data = file.read_bytes()
        manifest["files"][name] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    (out / f"{NAME}.html").write_text(page(loaded, manifest), encoding="utf-8")
    print(f"{NAME}.html works from a server only: {SERVE.format(folder=out)}")
    return f"{NAME}.html"


def exported(model: VideoModel) -> dict:
    """The manifest of the exported model, which is exported if it is not there."""
    file = EXPORTED / web_export.MANIFEST
    if file.exists():
        found = json.loads(file.read_text(encoding="utf-8"))
        same = found["model"]["fingerprint"] == model.fingerprint
        if same and found["format"] == web_export.FORMAT and _are_there(found["files"]):
            return found
    return web_export.export(model, [maze.PROMPT, latin.PROMPTS[False]], EXPORTED)


def _are_there(files: dict) -> bool:
    return all(
        (EXPORTED / name).is_file()
        and sha256((EXPORTED / name).read_bytes()).hexdigest() == told["sha256"]
        for name, told in files.items()
    )


def page(model: VideoModel, manifest: dict) -> str:
    """The page as text.

    Args:
        manifest: of everything that it loads.
    """
    boards = {cell: [board(cell, index) for index in range(SAMPLES)] for cell in CELLS}
    content = {
        "traits": {"about": about(model), "setting": Config(**FIRST).data(), "preview": {}},
        "engine": {"manifest": manifest, "boards": boards},
        "folder": f"{NAME}/",
    }
    define = f"function define() {{\n{bundle('picture_engine.js')}\nreturn createEngine;\n}}\n"
    parts = (web.standin(), web.script(), web.local(), bundle("picture_page.js"), define)
    weights = sum(each.numel() for each in model.pipe.transformer.parameters())
    megabytes = sum(file["bytes"] for file in manifest["files"].values()) / 1e6
    return Template((WEB / "pictures.html").read_text(encoding="utf-8")).substitute(
        style=web.style(),
        script="\n".join(parts),
        data=json.dumps(content).replace("<", "\\u003c"),
        weights=f"{weights / 1e6:.1f}",
        megabytes=f"{megabytes:.0f}",
    )


def board(cell: str, index: int) -> dict:
    """A test sample as the page takes it; a maze has a place on the picture."""
    sample = samples.draw_one(cell, index, SUITE_SEED)
    corner = {"corner": sample.state["corner"]} if sample.puzzle.name == "maze" else {}
    return {**shown.board(sample), **corner}


def about(model: VideoModel) -> dict:
    """What the explorer needs to know, see explorer/web/contract.js."""
    tasks: dict[str, list] = {}
    for cell in CELLS:
        name, _, knobs = cell.partition(" ")
        tasks.setdefault(name, []).append({"knobs": knobs, "label": short(cell)})
    return {
        "live": True,
        "frames": model.latent_frames,
        "layers": model.layers,
        "tasks": [{"name": name, "knobs": [], "cells": cells} for name, cells in tasks.items()],
        "boards": list(tasks),
        "sizes": {"maze": [3, 8], "latin": [4, 5]},
        "presets": {"mini": FIRST["steps"]},
        "modes": list(MODES),
        "most": {"steps": MOST_STEPS, "seeds": 3, "index": SAMPLES - 1},
        "changes": ["noise", "merge", "drop"],
        "default": Config(**FIRST).data(),
        "gallery": [],
    }


if __name__ == "__main__":
    parser = Parser(__doc__)
    parser.add_argument("--out", default=ROOT / "site", type=Path)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    sys.exit(run_command(lambda: main(options.out) is None, "web_page", options.debug))
