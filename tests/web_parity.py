"""Symbol networks run twice, on the same noise: by torch, and by explorer/engine/ in Chromium."""

import base64
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from playwright.sync_api import Browser, Page

from chain_of_steps.common.counter_noise import normals
from chain_of_steps.explorer import engine, in_page
from chain_of_steps.explorer.engine.bundle import bundle
from chain_of_steps.measures.batches import SymbolBatch
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.symbols import SymbolPipeline, boards
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.puzzles.base import Sample
from chain_of_steps.sampling.denoise import Trajectory, denoise
from chain_of_steps.sampling.samplers import sampler_of
from chain_of_steps.sampling.state import State
from chain_of_steps.training import symbols as training

ROOT = Path(__file__).parent.parent
MODULES = ("network.js", "sampler.js", "symbols.js", "latin.js", "relay.js", "random.js")
STREAM = 0  # of initial noise
PAGE = """<!doctype html><meta charset="utf-8"><title>web</title>
<script type="application/json" id="networks">{networks}</script>
<script type="module">
{modules}
const networks = {{}};
for (const [name, packed] of Object.entries(
  JSON.parse(document.getElementById("networks").textContent)))
  networks[name] = await Network.unpacked(packed);

// A function of latents and a timestep; what the sampler calls an estimate.
const estimateOf = (name, sample) => (x, timestep) =>
  networks[name].estimate(x, sample.given, timestep, sample.side);

// All latents and clean estimates of a run, as bytes in base64, with the decided answer.
function ran(name, board, steps, seed) {{
  const sample = sampleOf(board), shown = [];
  const noise = normals(seed, {stream}, sample.channels * sample.side ** 2);
  let last;
  for (const {{ x, x0_hat }} of denoise(estimateOf(name, sample), schedule(steps), noise)) {{
    shown.push(...x, ...x0_hat);
    last = x0_hat;
  }}
  const bytes = new Uint8Array(Float32Array.from(shown).buffer);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return {{ shown: btoa(text), decided: decide(beliefsOf(sample, last)) }};
}}
Object.assign(window, {{ networks, ran, estimateOf, schedule, normals, philox, sampleOf,
  uninformative, latentsOf, shown, beliefsOf, openShare, decide, denoise, noised, passes,
  completions, rounds, violations, follow }});
document.title = "ready";
</script>"""


@dataclass(frozen=True)
class Run:
    """One generation: the latents and clean estimates (S, 2, C, N), and the decided answer (P,)."""

    shown: np.ndarray
    decided: np.ndarray


def open_page(browser: Browser, folder: Path, networks: dict[str, VideoModel]) -> Page:
    """A file with the numerics of explorer/engine/ and some networks, opened in a browser."""
    packs = {name: in_page.pack(name, model.pipe.transformer) for name, model in networks.items()}
    modules = bundle(engine.FOLDER, *MODULES)
    text = PAGE.format(networks=json.dumps(packs), modules=modules, stream=STREAM)
    file = folder / "web.html"
    file.write_text(text, encoding="utf-8")
    page = browser.new_page()
    page.on("pageerror", lambda error: print(f"in the page: {error}"))
    page.goto(file.as_uri())
    page.wait_for_function("document.title === 'ready'")
    return page


def in_browser(page: Page, name: str, samples: Sequence[Sample], steps: int) -> Iterator[Run]:
    """Sample i from the noise of seed i, in JavaScript."""
    call = "([name, given, steps, seed]) => ran(name, given, steps, seed)"
    for seed, sample in enumerate(samples):
        found = page.evaluate(call, [name, given(sample), steps, seed])
        numbers = np.frombuffer(base64.b64decode(found["shown"]), np.float32)
        cells = boards([sample]).given[0].size
        yield Run(numbers.reshape(steps, 2, -1, cells), np.array(found["decided"]))


def given(sample: Sample) -> dict:
    """A board as explorer/engine/symbols.js takes it."""
    if sample.puzzle.name == "latin":
        return {"kind": "latin", "clues": sample.state["clues"]}
    board = boards([sample])
    return {
        "kind": "relay",
        "signs": board.given[0].tolist(),
        "start": sample.state["routes"][0][0],
        "drawn": sample.state["drawn"],
    }


def in_torch(model: VideoModel, samples: Sequence[Sample], steps: int) -> Iterator[Run]:
    """The same by our loop, all samples in one batch."""
    batch = SymbolBatch(samples, range(len(samples)), ties=None)
    trajectory = _generate(model, batch, steps)
    pairs = zip(trajectory.latents, trajectory.x0_hats, strict=False)
    shown = torch.stack([torch.stack(pair) for pair in pairs], 0)  # (S, 2, B, C, 1, h, w)
    decided = batch.decided(trajectory.x0_hats[-1])
    for i, answer in enumerate(decided):
        yield Run(shown[:, :, i].flatten(3).squeeze(2).flatten(3).numpy(), answer)


def _generate(model: VideoModel, batch: SymbolBatch, steps: int) -> Trajectory:
    schedule = Schedule("web", "euler", steps=steps, shift=5.0)
    shape = batch.condition.shape
    noise = [normals(seed, STREAM, int(np.prod(shape[1:]))) for seed in batch.seeds]
    latents = torch.from_numpy(np.stack(noise)).view(shape)
    with torch.inference_mode():
        state = State(0, latents, sampler_of(schedule, model.prediction))
        return denoise(model, batch.condition, schedule, state)


def drawn(network: str, count: int) -> list[Sample]:
    """Test boards for a network: squares of order 4, or relays with the route drawn."""
    puzzle = network.split("-")[0]
    knobs = {"order": 4} if puzzle == "latin" else {}
    return suite.draw(puzzle, count, 0, **knobs)


def untrained(puzzle: str) -> VideoModel:
    """Two blocks of random weights, none of them 0 or 1, so that each one matters."""
    network = training.build(training.SymbolRecipe(puzzle, 2, width=64))
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            around = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            scale = weight.shape[-1] ** -0.5 if weight.ndim > 1 else 0.3
            weight.copy_((around + scale * torch.randn(weight.shape)).half().float())
    return VideoModel(
        SymbolPipeline(network, preset("mini").scheduler("sample"), puzzle), size=1, frames=1
    )


def unpacked(pack: dict) -> dict[str, np.ndarray]:
    """The tensors of a pack by name, (rows, columns) float32."""
    apart, found = zlib.decompress(base64.b64decode(pack["data"])), {}
    half = (len(apart) + 1) // 2
    content = bytearray(len(apart))
    content[::2], content[1::2] = apart[:half], apart[half:]
    stream = io.BytesIO(content)
    for tensor in pack["tensors"]:
        rows, columns, kind = tensor["rows"], tensor["columns"], tensor["type"]
        scales = np.frombuffer(stream.read(4 * rows), "<f4") if kind == "int8" else np.ones(rows)
        kind = np.dtype(kind)
        table = np.frombuffer(stream.read(rows * columns * kind.itemsize), kind)
        found[tensor["name"]] = (table.reshape(rows, columns) * scales[:, None]).astype(np.float32)
    assert not stream.read()
    return found


def compared(page: Page, name: str, model: VideoModel, samples: list[Sample], steps: int) -> dict:
    """How well the two agree: equal decided answers of how many, and the largest difference of
    latents and clean estimates at any step."""
    pairs = zip(
        in_browser(page, name, samples, steps), in_torch(model, samples, steps), strict=True
    )
    found = [
        (np.array_equal(a.decided, b.decided), float(np.abs(a.shown - b.shown).max()))
        for a, b in pairs
    ]
    return {
        "boards": len(found),
        "answers_equal": sum(equal for equal, _ in found),
        "max_latent_difference": max(difference for _, difference in found),
    }
