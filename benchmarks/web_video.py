"""Does the video model of the page decide what torch decides, and how fast? `python
benchmarks/web_video.py [--model data/mini] [--json benchmarks/web.json] [--untimed]`; a quarter of
an hour.

Half of the samples are mazes, half are Latin squares of order 4 and 5. Each is solved in 20 steps,
by onnxruntime-web in Chromium and by our loop, from the same noise; see tests/picture_parity.py.
Times are of whole runs of the page's engine, with the pictures that it makes, one after the other,
once the network has started. A record that exists is brought up to date; on a machine with other
work `--untimed` leaves its times as they are. It needs the network once, for onnxruntime-web.
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

from chain_of_steps.explorer.config import Config
from chain_of_steps.explorer.shown import board
from chain_of_steps.models import cpu
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import browser
import picture_parity

SAMPLES, STEPS, TIMED = 200, 20, 10
SEED = 0  # of the suite
SQUARES = ({"order": 4}, {"order": 5, "clues": 9})
TIME = """async ([setting, count]) => {
    const engine = createEngine({ manifest, files, boards: {} }), seconds = [];
    for (let seed = -1; seed < count; seed++) {  // the first run starts the network
        const began = performance.now();
        for await (const step of engine.run({ ...setting, seed: seed + 1 }));
        if (seed >= 0) seconds.push((performance.now() - began) / 1000);
    }
    return seconds;
}"""


def measure(source: str, known: dict) -> dict:
    """Agreement, times, and the size of the download.

    Args:
        source: folder of the model.
        known: times of an earlier measurement, or nothing.
    """
    model = VideoModel.load(source)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        manifest = picture_parity.write_site(Path(folder), model)
        files = Path(folder) / picture_parity.web_page.NAME
        chromium = playwright.chromium.launch(
            executable_path=browser.chromium_path(), args=browser.ARGS
        )
        with picture_parity.served(files) as address:
            page = picture_parity.open_page(chromium, files, address)
            seconds = known.get("seconds") or timed(page)
            agreement = picture_parity.compared(page, model, configs())
    megabytes = sum(file["bytes"] for file in manifest["files"].values()) / 1e6
    machine = known.get("machine") or {"processor": cpu.name(), "cores": os.cpu_count()}
    return {
        "seconds_20_steps": seconds["median"],
        "download_mb": round(megabytes, 2),
        "video_model": {**agreement, "seconds": seconds, "machine": machine},
    }


def configs() -> list[Config]:
    """Settings with boards of test samples; sample i starts from the noise of seed i."""
    kinds = [("maze", SAMPLES // 2, {}), *(("latin", SAMPLES // 4, knobs) for knobs in SQUARES)]
    drawn = [s for task, count, knobs in kinds for s in suite.draw(task, count, SEED, **knobs)]
    return [own(sample, seed) for seed, sample in enumerate(drawn)]


def own(sample, seed: int) -> Config:
    return Config.from_data({**Config(steps=STEPS, seed=seed).data(), "board": board(sample)})


def timed(page: Page) -> dict:
    """Seconds of a run on one maze."""
    taken = page.evaluate(TIME, [configs()[0].data(), TIMED])
    median, least = round(float(np.median(taken)), 2), round(min(taken), 2)
    return {"median": median, "least": least, "n": TIMED}


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--untimed", action="store_true", help="keep the times of the record")
    options = parser.parse_args()
    torch.set_num_threads(1)
    file = Path(options.json)
    record = json.loads(file.read_text()) if file.is_file() else {}
    known = record.get("video_model", {}) if options.untimed else {}
    write({**record, **measure(options.model, known)}, options.json)
