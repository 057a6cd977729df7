"""Every notebook, run in a real JupyterLab in a real browser; in widgets and players, keys change
the picture."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest
from browser import pixels, screenshot, until
from playwright.sync_api import Page

from chain_of_steps.experiments.parameters import read
from chain_of_steps.explorer.config import Config

FIGURES = read(lab.ROOT / "params.yaml", "figures")

needs_model = pytest.mark.skipif(
    not (lab.ROOT / "data/mini/model_index.json").exists(),
    reason="the mini model is not here; `dvc pull` fetches it",
)
pytestmark = needs_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """Where JupyterLab works. Whatever the notebooks do there, afterwards the project is as it was
    before, so that `make lab`, `make reproduce` and `make test`, which begin with a pull, go on."""
    before = project()
    yield tmp_path_factory.mktemp("lab")
    assert project() == before


def project() -> list:
    """What differs from the last commit; the models and rows."""
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=lab.ROOT, capture_output=True)
    files = [file for name in ("data", "results") for file in (lab.ROOT / name).rglob("*")]
    return [changed.stdout, *sorted((file, file.stat().st_mtime_ns) for file in files)]


@pytest.fixture(scope="module")
def server(browser, folder) -> Iterator[lab.Lab]:
    with lab.running(folder) as running:
        yield running


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A page on which no error may be logged; its kernel ends with it."""
    page, errors = browser.new_page(viewport={"width": 1280, "height": 1000}), []
    page.set_default_timeout(lab.PATIENCE * 1000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.evaluate("window.jupyterapp?.serviceManager.sessions.shutdownAll()")
    page.close()
    assert not errors


def texts(cells: list[dict]) -> list[str]:
    """The text of the outputs; fails if any is an error."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    broken = [
        o for o in outputs if o["output_type"] == "error" or "Traceback" in str(o.get("text", ""))
    ]
    assert not broken
    return ["".join(output.get("data", {}).get("text/plain", "")) for output in outputs]


@pytest.mark.parametrize("name", FIGURES)
def test_a_notebook_of_figures_runs_at_smoke_scale(server, page, folder, name):
    lab.parameterize(folder, name, "smoke")
    server.open(page, name)
    texts(server.run(page))
    drawn = list((folder / "scratch" / "figures").glob(f"{name}/*.png"))
    assert drawn and (folder / "scratch" / "figures" / f"{name}.json").exists()
    assert page.locator(".jp-OutputArea-output img").count() >= len(drawn), (
        "each figure is shown where it is drawn"
    )
    screenshot(page, name)


def test_the_walkthrough_runs_and_its_player_takes_keys(server, page):
    server.open(page, "0_walkthrough")
    said = texts(server.run(page))
    assert sum(text.startswith("Not yet.") for text in said) == 10, "no exercise is done"
    player = page.frame_locator("iframe")
    canvas = player.locator("canvas")
    canvas.scroll_into_view_if_needed()
    canvas.click()
    seen = [pixels(canvas)]
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        seen.append(pixels(canvas))
    assert len(set(seen)) == 4, "every key shows another picture"
    assert player.locator("output[for=step]").inner_text().startswith("step 2 ")
    player.locator("#frame").focus()  # a separate slider
    page.keyboard.press("ArrowDown")
    assert pixels(canvas) not in seen
    screenshot(page, "walkthrough")
    networks = page.locator(".cos")
    networks.scroll_into_view_if_needed()
    networks.locator(".cos-square .cos-given").first.focus()
    page.keyboard.press("Delete")
    until(lambda: "own square" in networks.inner_text(), "a click is run in the browser")
    until(lambda: networks.locator(".cos-control").count() == 6, "with its controls")
    screenshot(page, "walkthrough-networks")
    cells = page.evaluate(f"{lab.NOTEBOOK}.content.model.toJSON()")["cells"]
    (live,) = [cell for cell in cells if "InPage(" in cell["source"]]
    assert len(str(live)) < 1e5, "the networks are not saved in the notebook"


def test_the_explorer_runs_changes_and_compares(server, page):
    server.open(page, "explorer")
    texts(server.run(page))
    explorer = lab.explorer(page)
    explorer.scroll_into_view_if_needed()
    until(lambda: "8 valid answers" in explorer.inner_text(), "the puzzle is shown at once")
    lab.press_run(page)
    left, right = (explorer.locator(".cos-picture").nth(i) for i in range(2))
    explorer.get_by_label("step", exact=True).focus()
    seen = [pixels(left)]
    for key in ("ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
        until(lambda: pixels(left) not in seen, f"{key} shows another picture")
        seen.append(pixels(left))
    explorer.get_by_label("step 17: all frames").click()
    until(lambda: "run again" in explorer.inner_text(), "the change is not run yet")
    lab.press_run(page)
    until(lambda: pixels(right) not in ("", pixels(left)), "the changed run shows something else")
    assert explorer.locator(".cos-run h4").nth(1).inner_text().endswith("step 17")
    screenshot(page, "explorer-changed")
    texts(page.evaluate(f"{lab.NOTEBOOK}.content.model.toJSON()")["cells"])


def test_a_maze_drawn_by_hand_is_solved_and_shared(server, page):
    server.open(page, "explorer")
    texts(server.run(page))
    explorer = lab.explorer(page)
    explorer.get_by_role("button", name="Random maze").click()
    until(lambda: "one valid answer" in explorer.inner_text(), "the maze is previewed")
    explorer.locator("[data-wall][aria-pressed=true]").first.click()
    lab.press_run(page)
    screenshot(page, "explorer-maze")
    config = Config.from_text(explorer.get_by_label("setting", exact=True).input_value())
    assert config.board.kind == "maze" and len(config.board.doors) == 25
    assert "own maze" in explorer.locator(".cos-run h4").first.inner_text()


def test_the_recorded_explorer_shows_the_gallery(server, page):
    server.open(page, "explorer")
    texts(server.run(page))
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Late noise breaks it").click()
    until(
        lambda: "not valid" in frame.locator(".cos-verdict").nth(1).inner_text(),
        "the noise has broken it",
    )
    screenshot(page, "explorer-recorded")
