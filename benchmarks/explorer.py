"""How fast is the explorer? `python benchmarks/explorer.py [--model data/mini] [--json FILE]`;
about half a minute.

A *rerun*: one more cell of noise is added and *run* is pressed, in the kernel. It is timed until
all steps of the preset `mini` can be viewed, and until all of them are decoded and all views
prepared, which happens in the background.

A *scrub*: a slider of a computed run is moved by one key press in JupyterLab, in Chromium, ten
times a second. It is timed from the key press to the first frame that the browser draws after the
new picture has been loaded. (Much faster key presses queue up in the connection.) The kernel's
share is measured separately: sliders of both runs jump to places drawn by a seed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from output import options_of, write
from playwright.sync_api import Page, sync_playwright

from chain_of_steps.explorer.run import VIEWS, LiveRun
from chain_of_steps.explorer.widgets import Explorer
from chain_of_steps.models import cpu
from chain_of_steps.models.video_model import VideoModel

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import browser
import lab

RERUNS, SCRUBS, PACE = 10, 200, 0.1
# From a key press to the next frame that shows its picture, as measured in the page.
WATCH = """image => {
    let began = 0;
    window.taken = [];
    addEventListener("keydown", () => { began = performance.now(); }, true);
    const drawn = () => taken.push(performance.now() - began);
    image.addEventListener("load", () => requestAnimationFrame(drawn));
}"""


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def reruns(explorer: Explorer) -> tuple[list[float], list[float]]:
    """Seconds of reruns until they can be viewed, and until everything is decoded."""
    explorer.run()
    explorer.clean.wait()
    looked, decoded = [], []
    for number in range(RERUNS):
        explorer.cells.choose(((number, 3),))
        began = time.perf_counter()
        explorer.run()
        computed(explorer.changed)
        looked.append(time.perf_counter() - began)
        explorer.changed.wait()
        decoded.append(time.perf_counter() - began)
    return looked, decoded


def computed(run: LiveRun) -> None:
    """Waits until every step can be viewed."""
    while run.running and run.done < run.config.steps:
        time.sleep(0.001)


def jumps(explorer: Explorer) -> list[float]:
    """Seconds of jumps of a slider to another place, in the kernel alone."""
    rng, taken = np.random.default_rng(0), []
    while len(taken) < SCRUBS:
        explorer.view_of.value = VIEWS[len(taken) % len(VIEWS)]
        slider = (explorer.step, explorer.frame, explorer.layer)[int(rng.integers(3))]
        place = int(rng.integers(slider.min, slider.max + 1))
        if place != slider.value:
            taken.append(
                seconds(lambda slider=slider, place=place: setattr(slider, "value", place))
            )
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
        time.sleep(3)  # all decoded
        page.locator("img.widget-image").nth(0).evaluate(WATCH)
        lab.slider(page, "step").focus()
        return [by_key(page, n) for n in range(SCRUBS)]


def by_key(page: Page, number: int) -> float:
    """Milliseconds of one scrub, one step to the right or, after 19 of them, to the left."""
    page.keyboard.press("ArrowRight" if number // 19 % 2 == 0 else "ArrowLeft")
    time.sleep(PACE)
    browser.until(lambda: page.evaluate("taken.length") > number, "the picture has changed")
    return page.evaluate("taken.at(-1)")


def measure(folder: str) -> dict:
    """Runs everything and reports medians and 95th percentiles."""
    explorer = Explorer(VideoModel.load(folder), "mini", Path(os.devnull))
    looked, decoded = reruns(explorer)
    kernel = 1000 * np.array(jumps(explorer))
    seen = scrubs()
    return {
        "rerun_seconds": {
            "median": round(float(np.median(looked)), 2),
            "worst": round(max(looked), 2),
            "n": RERUNS,
        },
        "rerun_decoded_seconds": {"median": round(float(np.median(decoded)), 2), "n": RERUNS},
        "scrub_ms": spread(seen),
        "scrub_ms_in_the_kernel": spread(kernel),
        "steps": explorer.choice.steps.value,
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
