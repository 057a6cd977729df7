"""The mini model run twice, by torch and by onnxruntime-web in Chromium, on the same noise."""

import base64
import contextlib
import functools
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from filelock import FileLock
from playwright.sync_api import Browser, Page

from chain_of_steps.common.counter_noise import normals
from chain_of_steps.explorer import engine
from chain_of_steps.explorer.config import Config
from chain_of_steps.explorer.engine.bundle import bundle
from chain_of_steps.explorer.run import compute
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading
from chain_of_steps.sampling.interventions import noise as noise_module

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import onnxruntime_web  # noqa: E402
import web_page  # noqa: E402

START, NOISED = 0, 1000  # streams, as in picture_run.js
MODULES = ("picture_engine.js", "download.js")
PAGE = """<!doctype html><meta charset="utf-8"><title>web</title>
<script type="module">
{modules}
let manifest, files, model;
if ({with_model}) {{
  manifest = await (await fetch("manifest.json")).json();
  files = await downloadModel(location.href, manifest, () => {{}});
  model = await startModel(manifest, files);
}}

function puzzleOf(board) {{
  return board.kind === "maze" ? new Maze(board) : new Square(board);
}}

// All clean estimates of a run, as bytes in base64, with the decided answers.
async function ran(setting) {{
  const puzzle = puzzleOf(setting.board), reader = new Reader(puzzle, manifest.size);
  const shown = [], decided = [];
  for await (const step of pictureRun(model, reader.given(), puzzle.prompt, setting)) {{
    shown.push(new Uint8Array(step.estimate.slice().buffer));
    decided.push(reader.verdict(model.codec.decode(step.estimate).at(-1)).decided);
  }}
  return {{ shown: shown.map((bytes) => btoa(latin1(bytes))), decided }};
}}
Object.assign(window, {{ ran, puzzleOf, Reader, Codec, createEngine, manifest, files }});
document.title = "ready";
</script>"""


@dataclass(frozen=True)
class Run:
    """One generation: the clean estimates (S, C, F, H, W), and the decided answers (S, P)."""

    shown: np.ndarray
    decided: np.ndarray


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def write_site(folder: Path, model: VideoModel) -> dict:
    """Writes the page of a model with its files, and returns their manifest, which lies there too;
    skips the test that needs them if something that they need is not here."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    web_page.EXPORTED.parent.mkdir(exist_ok=True)
    with FileLock(web_page.EXPORTED.with_suffix(".lock")):  # the tests run in two processes
        try:
            runtime = onnxruntime_web.fetched(web_page.RUNTIME)
        except OSError as error:
            pytest.skip(str(error))
        manifest = web_page.write(folder, model, runtime)
    (folder / web_page.NAME / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def open_page(browser: Browser, folder: Path, address: str, with_model: bool = True) -> Page:
    """A page with the numerics of the video model, and the exported model if wanted.

    Args:
        folder: where the page is written, with the files of the model.
        address: of the folder.
    """
    modules = bundle(engine.FOLDER, *MODULES)
    text = PAGE.format(modules=modules, with_model=json.dumps(with_model))
    (folder / "parity.html").write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.on("pageerror", lambda error: print(f"in the page: {error}"))
    page.goto(f"{address}parity.html")
    page.wait_for_function("document.title === 'ready'", timeout=120_000)
    return page


def in_browser(page: Page, config: Config) -> Run:
    """A configuration with a board of its own, in JavaScript."""
    found = page.evaluate("(setting) => ran(setting)", config.data())
    shape = page.evaluate("manifest.shapes.latents")[1:]
    steps = [np.frombuffer(base64.b64decode(text), np.float32) for text in found["shown"]]
    return Run(np.stack(steps).reshape(-1, *shape), np.array(found["decided"]))


def in_torch(model: VideoModel, config: Config) -> Run:
    """The same by the explorer of the notebook."""
    sample, shown, decided = config.sample(), [], []

    def report(step: int, x0_hat: torch.Tensor, nfe: int) -> None:
        shown.append(x0_hat[0].numpy())
        frame = model.decode(x0_hat)[-1]
        decided.append(reading.decide(reading.belief(sample, frame)))

    with counted_noise():
        compute(model, config, report)
    return Run(np.stack(shown), np.stack(decided))


@contextlib.contextmanager
def counted_noise() -> Iterator[None]:
    """Noise that JavaScript draws alike, in the place of torch's."""

    def initial(self: VideoModel, condition, seed: int) -> torch.Tensor:
        return drawn(seed, START, condition.shape)

    def at_step(shape, generator: tuple) -> torch.Tensor:
        _, seed, step = generator
        return drawn(seed, NOISED + step, shape)

    with (
        mock.patch.object(VideoModel, "noise", initial),
        mock.patch.object(noise_module, "generator", lambda *purpose: purpose),
        mock.patch.object(noise_module, "torch", SimpleNamespace(randn=at_step)),
    ):
        yield


def drawn(seed: int, stream: int, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(normals(seed, stream, int(np.prod(shape)))).view(shape)


def compared(page: Page, model: VideoModel, configs: list[Config]) -> dict:
    """How well the two agree: equal decided answers at the end and at every step, of how many, and
    the largest difference of clean estimates at any step."""
    found = {"answers_equal": 0, "steps": 0, "steps_equal": 0, "max_latent_difference": 0.0}
    for config in configs:
        ours, theirs = in_torch(model, config), in_browser(page, config)
        equal = (ours.decided == theirs.decided).all(1)  # (S,)
        found["answers_equal"] += int(equal[-1])
        found["steps"] += len(equal)
        found["steps_equal"] += int(equal.sum())
        difference = float(np.abs(ours.shown - theirs.shown).max())
        found["max_latent_difference"] = max(found["max_latent_difference"], difference)
    return {"samples": len(configs), **found}
