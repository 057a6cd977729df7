"""How fast is the explorer? `python benchmarks/explorer.py [--model data/mini] [--json FILE]`;
about half a minute.

A *rerun*: one more cell of noise is added and the run is started, in the kernel. It is timed until
all steps of the preset `mini` have been computed, decoded, read and sent to the page.

A *scrub*: the step slider of a computed run is moved by one key press in JupyterLab, in Chromium,
ten times a second. It is timed from the key press to the end of the first frame that the browser
draws after it.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from output import options_of, write
from playwright.sync_api import Page, sync_playwright

from chain_of_steps.explorer.config import Config
from chain_of_steps.explorer.widget import Explorer
from chain_of_steps.models import cpu
from chain_of_steps.models.video_model import VideoModel

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import browser
import lab

RERUNS, SCRUBS, PACE = 10, 200, 0.1
# From a key press to the end of the next frame, as measured in the page.
WATCH = """() => {
    window.taken = [];
    addEventListener("keydown", () => {
        const began = performance.now();
        requestAnimationFrame(() => requestAnimationFrame(
            () => taken.push(performance.now() - began)));
    }, true);
}"""


def reruns(explorer: Explorer, steps: int) -> list[float]:
    """Seconds of reruns."""
    explorer.start([explorer.setting])
    explorer.wait()
    taken = []
    for number in range(RERUNS):
        began = time.perf_counter()
        explorer.start([{**explorer.setting, "noise": [[number % steps, 3]]}])
        explorer.wait()
        taken.append(time.perf_counter() - began)
    return taken


def scrubs() -> list[float]:
    """Milliseconds of scrubs along the steps in a browser, back and forth."""
    with (
        tempfile.TemporaryDirectory() as folder,
        lab.running(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(
            executable_path=browser.chromium_path(), args=browser.ARGS
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 1000})
        server.open(page, "explorer")
        server.run(page)
        lab.press_run(page)
        page.evaluate(WATCH)
        lab.explorer(page).get_by_label("step", exact=True).focus()
        return [by_key(page, n) for n in range(SCRUBS)]


def by_key(page: Page, number: int) -> float:
    """Milliseconds of one scrub, one step to the left or, after 19 of them, to the right."""
    page.keyboard.press("ArrowLeft" if number // 19 % 2 == 0 else "ArrowRight")
    time.sleep(PACE)
    browser.until(lambda: page.evaluate("taken.length") > number, "the picture has changed")
    return page.evaluate("taken.at(-1)")


def measure(folder: str) -> dict:
    """Runs everything and reports medians and 95th percentiles."""
    config = Config()
    explorer = Explorer(VideoModel.load(folder), config)
    taken = reruns(explorer, config.steps)
    seen = scrubs()
    return {
        "rerun_seconds": {
            "median": round(float(np.median(taken)), 2),
            "worst": round(max(taken), 2),
            "n": RERUNS,
        },
        "scrub_ms": spread(seen),
        "steps": config.steps,
        "threads": torch.get_num_threads(),
        "machine": {"processor": cpu.name(), "cores": os.cpu_count()},
    }


def spread(values: list[float]) -> dict:
    """Median and 95th percentile."""
    median, high = np.quantile(values, [0.5, 0.95])
    return {"median": round(float(median), 1), "p95": round(float(high), 1), "n": len(values)}


if __name__ == "__main__":
    parser = options_of(__doc__)
    options = parser.parse_args()
    write(measure(options.model), options.json)
