"""Every notebook, run in a real JupyterLab in a real browser; in widgets and players, keys change
the picture."""

import json
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
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("lab")


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


def test_the_explorer_runs_changes_compares_and_keeps(server, page, folder):
    server.open(page, "explorer")
    texts(server.run(page))
    clean, changed = (
        page.locator("img.widget-image").nth(0),
        page.locator("img.widget-image").nth(1),
    )
    lab.press_run(page)
    handle = lab.slider(page, "step")
    handle.scroll_into_view_if_needed()
    for name, keys in (
        ("step", ("ArrowRight", "ArrowRight")),
        ("frame", ("ArrowLeft", "ArrowLeft")),
    ):
        lab.slider(page, name).focus()
        for key in keys:
            before = pixels(clean)
            page.keyboard.press(key)
            until(
                lambda before=before: pixels(clean) != before,
                f"{key} on {name} shows another picture",
            )
    screenshot(page, "explorer-clean")

    page.get_by_title("noise at step 1, frame 4", exact=True).click()
    lab.press_run(page)
    until(
        lambda: pixels(changed) not in ("", pixels(clean)), "the changed run shows something else"
    )
    assert page.locator("svg polyline[stroke-dasharray='5 4']").count() > 0, (
        "its curves are drawn too"
    )
    lab.slider(page, "step").focus()
    before = pixels(changed)
    page.keyboard.press("ArrowLeft")
    until(lambda: pixels(changed) != before, "both move together")
    screenshot(page, "explorer-changed")

    page.get_by_label("view", exact=True).select_option("latent energy (token norms)")
    until(lambda: pixels(clean) not in ("", before), "another view is shown")
    before = pixels(clean)
    lab.slider(page, "layer").focus()
    page.keyboard.press("ArrowRight")
    until(lambda: pixels(clean) != before, "another layer is shown")

    page.get_by_role("listbox").select_option("memory")
    page.get_by_role("button", name="save label").click()
    page.get_by_text("saved in labels.json").wait_for()
    (labelled,) = json.loads((folder / "scratch" / "labels.json").read_text()).values()
    assert labelled["behaviours"] == ["memory"] and labelled["config"]["noise"] == [[1, 4]]
    texts(page.evaluate(f"{lab.NOTEBOOK}.content.model.toJSON()")["cells"])


def test_a_maze_drawn_by_hand_is_solved_and_shared(server, page):
    server.open(page, "explorer")
    texts(server.run(page))
    page.get_by_label("puzzle", exact=True).select_option("a maze of my own")
    for wall in (
        "wall between (0, 0) and (1, 0)",
        "wall between (1, 0) and (1, 1)",
        "wall between (1, 0) and (2, 0)",
    ):
        page.get_by_title(wall).click()
    page.get_by_title("room (0, 0)").click()
    page.get_by_title("room (2, 0)").click()
    screenshot(page, "explorer-drawing")
    lab.press_run(page)
    page.get_by_text("parts decided as at the end").scroll_into_view_if_needed()
    screenshot(page, "explorer-maze")
    config = Config.from_text(page.get_by_label("share", exact=True).input_value())
    assert config.drawn[2:] == ((0, 0), (2, 0))
    (answer,) = config.sample().solutions.answers
    on = {door for door, drawn in config.sample().named(answer).items() if drawn == "on"}
    assert on == {"0,0-1,0", "1,0-2,0"}


def test_knobs_name_another_sample(server, page):
    server.open(page, "explorer")
    texts(server.run(page))
    page.get_by_label("knobs", exact=True).fill("order=4, rounds=2")
    page.get_by_label("knobs", exact=True).press("Enter")
    page.get_by_label("preset", exact=True).select_option("student")
    lab.press_run(page)
    page.get_by_text("rounds of propagation: 2").wait_for()
    config = Config.from_text(page.get_by_label("share", exact=True).input_value())
    assert config.cell == "latin order=4 rounds=2" and config.steps == 4
