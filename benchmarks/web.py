"""Do the networks of the page decide what torch decides, and how fast? `python benchmarks/web.py
[--networks data/symbols] [--json FILE] [--untimed]`; half an hour.

Every network fills test boards in 20 steps, in Chromium and by our loop, from the same noise; see
tests/web_parity.py. Times are of generations on one board, in Chromium, one after the other. On a
machine with other work `--untimed` leaves those of the record as they are.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from output import options_of, write
from playwright.sync_api import Page, sync_playwright

from chain_of_steps.models import cpu
from chain_of_steps.models.video_model import VideoModel

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import browser
import page as live
import web_parity

from chain_of_steps.explorer import in_page

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).with_suffix(".json")
NETWORKS = ("latin-L1-0", "latin-L4-0", "relay-L1-0", "relay-L4-0")
BOARDS, STEPS, TIMED = 200, 20, 20
TIME = """([name, given, steps, count]) => Array.from({ length: count }, (_, seed) => {
    const began = performance.now();
    ran(name, given, steps, seed);
    return (performance.now() - began) / 1000;
})"""


def measure(networks: Path, record: dict | None = None) -> dict:
    """Agreement and times of every network, and the size of the page.

    Args:
        record: of an earlier measurement, whose times and machine are kept; None measures them.
    """
    known = record or {"networks": {}}
    models = {name: VideoModel.load(str(networks / name)) for name in NETWORKS}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser.chromium_path(), args=browser.ARGS
        )
        page = web_parity.open_page(chromium, Path(folder), models)
        found = {
            name: {**of_network(page, name, model), "seconds": seconds}
            for name, model in models.items()
            for seconds in [known["networks"].get(name, {}).get("seconds") or timed(page, name)]
        }
        megabytes = page_size(Path(folder), networks)
    return {
        "answers_equal": all(each["answers_equal"] == each["boards"] for each in found.values()),
        "max_latent_difference": max(each["max_latent_difference"] for each in found.values()),
        "page_mb": round(megabytes, 2),
        "steps": STEPS,
        "networks": found,
        "machine": known.get("machine") or {"processor": cpu.name(), "cores": os.cpu_count()},
    }


def of_network(page: Page, name: str, model: VideoModel) -> dict:
    """Agreement on all boards, how weights are stored, and whether they are those of the model."""
    samples, state = web_parity.drawn(name, BOARDS), model.pipe.transformer.state_dict()
    numbers = web_parity.unpacked(in_page.pack(name, model.pipe.transformer))
    shared = set(numbers) & set(state)  # all but the vectors of cross-attention
    equal = all(np.array_equal(state[k].numpy().ravel(), numbers[k].ravel()) for k in shared)
    return {
        **web_parity.compared(page, name, model, samples, STEPS),
        "weights": "int8" if name in in_page.ROUNDED else "float16",
        "weights_equal": equal,
    }


def timed(page: Page, name: str) -> dict:
    """Seconds of a run on one board."""
    (sample,) = web_parity.drawn(name, 1)
    taken = page.evaluate(TIME, [name, web_parity.given(sample), STEPS, TIMED])
    median = round(float(np.median(taken)), 3)
    return {"median": median, "least": round(min(taken), 3), "n": TIMED}


def page_size(folder: Path, networks: Path) -> float:
    """Megabytes of the page, with the phase diagram if it has been drawn."""
    file = folder / "page.html"
    live.main(file, networks, ROOT / "figures" / "7_when_steps_matter.json")
    return file.stat().st_size / 1e6


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--networks", default=ROOT / "data" / "symbols", type=Path)
    parser.add_argument("--untimed", action="store_true", help="keep the times of the record")
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = json.loads(RECORD.read_text())  # with what web_video.py has measured
    found = measure(options.networks, before if options.untimed else None)
    write({**before, **found}, options.json)
