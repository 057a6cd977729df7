"""The page in which the mini model runs, with all that it downloads: the exported model and
onnxruntime-web. `make site` calls `main`; the page has to be served over HTTP."""

import json
import shutil
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import onnxruntime_web

from chain_of_steps.cli.arguments import Parser
from chain_of_steps.common.errors import run_command, sentence
from chain_of_steps.explorer import served
from chain_of_steps.models import web_export
from chain_of_steps.models.onnx_export import check_packages
from chain_of_steps.models.video_model import VideoModel

ROOT = Path(__file__).parent.parent
NAME = "video_model"  # of the page, and of the folder of what it downloads
MODEL = ROOT / "data" / "mini"
EXPORTED, RUNTIME = ROOT / "build" / "web", ROOT / "build" / "onnxruntime-web"


def main(out: Path, model: Path = MODEL) -> str | None:
    """Writes the page and its files; returns its name, or None after it has printed why there is
    none: a package is not installed, or onnxruntime-web cannot be fetched.

    Args:
        out: folder of the site.
    """
    try:
        check_packages()
        runtime = onnxruntime_web.fetched(RUNTIME)
    except (ImportError, OSError, ValueError) as error:
        print(f"The site has no {NAME}.html: {sentence(error)}.", file=sys.stderr)
        return None
    write(out, VideoModel.load(str(model)), runtime)
    print(
        f"{NAME}.html needs a server: python -m http.server --directory {out}, then open "
        f"http://localhost:8000/{NAME}.html"
    )
    return f"{NAME}.html"


def write(out: Path, model: VideoModel, runtime: dict[str, Path], exports: Path = EXPORTED) -> dict:
    """Writes the page of a model and its files; returns the manifest of all files.

    Args:
        runtime: the files of onnxruntime-web by name.
        exports: where exported models are kept.
    """
    manifest, folder = exported(model, exports), out / NAME
    folder.mkdir(parents=True, exist_ok=True)
    for name in manifest["files"]:
        shutil.copyfile(exports / name, folder / name)
    for name, file in runtime.items():
        shutil.copyfile(file, folder / name)
        data = file.read_bytes()
        manifest["files"][name] = {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    (out / f"{NAME}.html").write_text(served.html(model, manifest, NAME), encoding="utf-8")
    return manifest


def exported(model: VideoModel, folder: Path) -> dict:
    """The manifest of the exported model, which is exported if it is not there."""
    file = folder / web_export.MANIFEST
    wanted = (web_export.FORMAT, model.fingerprint, ["", *served.PROMPTS])
    with suppress(OSError, ValueError, KeyError, TypeError):  # none, or a damaged one
        found = json.loads(file.read_text(encoding="utf-8"))
        named = (found["format"], found["model"]["fingerprint"], found["prompts"])
        if named == wanted and _are_there(folder, found["files"]):
            return found
    return web_export.export(model, served.PROMPTS, folder)


def _are_there(folder: Path, files: dict) -> bool:
    return all(
        (folder / name).is_file()
        and sha256((folder / name).read_bytes()).hexdigest() == told["sha256"]
        for name, told in files.items()
    )


if __name__ == "__main__":
    parser = Parser(__doc__)
    parser.add_argument("--out", default=ROOT / "site", type=Path)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()

    def command() -> None:
        main(options.out)  # a site without this page is a site

    sys.exit(run_command(command, "web_page", options.debug))
