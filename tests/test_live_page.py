"""The page in which symbol networks fill squares, as a file in Chromium: what it shows is what the
library computes, it loads nothing, and it can be used by keyboard, on a phone and from a link."""

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
import web_parity
from browser import screenshot, until
from playwright.sync_api import Page
from test_pages_browser import NAMELESS, fits

from chain_of_steps.measures.phases import PHASES
from chain_of_steps.puzzles.latin import Latin
from chain_of_steps.puzzles.suite import draw_one

import page as live  # isort: skip  (in tools/, which web_parity has put on the path)

STEPS, BLOCKS = 4, 4
UNIQUE = draw_one("latin", 0, 7, order=4, rounds=2)
ENTRIES = [
    {
        "cell": f"latin order=4 {knob}",
        "layers": layers,
        "steps": steps,
        "phase": PHASES[(i + layers) % len(PHASES)],
        "at_step_0": 0.25,
        "at_end": 0.5,
    }
    for i, knob in enumerate(live.EXAMPLES)
    for layers in (1, 2, 4)
    for steps in (4, 20)
] + [{"cell": "latin order=5 rounds=2"}, {"cell": "relay routes=2 moves=2"}]


@pytest.fixture(scope="module")
def models():
    return dict.fromkeys((1, BLOCKS), web_parity.untrained("latin"))


@pytest.fixture(scope="module")
def file(models, tmp_path_factory):
    file = tmp_path_factory.mktemp("live") / "page.html"
    file.write_text(live.page(models, ENTRIES), encoding="utf-8")
    return file


@pytest.fixture(params=[(400, "light"), (1200, "dark")])
def page(browser, request) -> Iterator[Page]:
    """A page that must not ask for anything but itself, or log an error."""
    (width, scheme), problems, asked = request.param, [], []
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    page.on("request", lambda request: asked.append(request.url.split("#")[0]))
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    page.close()
    assert not problems and len(set(asked)) == 1


def open_at(page: Page, file, **choices) -> None:
    page.goto("about:blank")
    choices = {"steps": STEPS, "blocks": BLOCKS} | choices
    page.goto(file.as_uri() + "#" + "&".join(f"{k}={v}" for k, v in choices.items()))
    computed(page)


def computed(page: Page) -> None:
    busy = page.locator("main")
    until(lambda: busy.get_attribute("aria-busy") == "false", "everything is computed")


def text_of(sample) -> str:
    values = np.ravel(sample.state["clues"])
    return "".join("." if value < 0 else str(value + 1) for value in values)


def facts(page: Page) -> str:
    return page.locator(".facts").inner_text()


def test_the_run_is_that_of_the_library(page, file, models):
    open_at(page, file, clues=text_of(UNIQUE))
    (run,) = web_parity.in_torch(models[BLOCKS], [UNIQUE], STEPS)
    label = page.locator("[data-read=own] [role=img]").get_attribute("aria-label")
    assert label == f"own run, {STEPS} steps: " + " ".join(str(v + 1) for v in run.decided)
    wrong = Latin().violations(UNIQUE, tuple(run.decided.tolist()))
    assert f"not valid ({wrong} violation" in page.locator("[data-read=own] p").inner_text()
    assert page.locator("[data-read]").count() == 7
    assert page.locator(".marks i").count() == STEPS
    width = page.viewport_size["width"]
    screenshot(page, f"live-{width}", full_page=True)
    assert fits(page) and not page.evaluate(NAMELESS)


def test_what_the_clues_leave_open_is_said(page, file):
    open_at(page, file, clues=text_of(UNIQUE))
    given = sum(letter != "." for letter in text_of(UNIQUE))
    expected = f"{given} clues; 1 valid answer, found in 2 rounds of propagation."
    assert facts(page) == expected
    open_at(page, file, clues="." * 16)
    assert facts(page) == "0 clues; 576 valid answers."
    open_at(page, file, clues="11" + "." * 14)
    assert facts(page) == "2 clues; no valid answer: the clues contradict each other."
    assert page.locator("[data-read=truth] .clue").count() == 0, "there is no valid answer to show"


def test_clues_go_in_and_out_by_click_and_by_keyboard(page, file):
    open_at(page, file, clues="." * 16)
    cells = page.locator(".board:not(.small) .cell")
    cells.nth(0).click()
    assert cells.nth(0).get_attribute("aria-label") == "row 1, column 1: clue 1, red"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    label = cells.nth(1).get_attribute("aria-label")
    assert label == "row 1, column 2: clue 2, yellow", "1 is taken in its row"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("4")
    assert cells.nth(5).get_attribute("aria-label") == "row 2, column 2: clue 4, blue"
    page.keyboard.press("Delete")
    computed(page)
    assert cells.nth(5).get_attribute("aria-label").startswith("row 2, column 2: open")
    assert facts(page).startswith("2 clues;") and "clues=12......" in page.url
    for shown in ("clue 3", "clue 4", "open"):
        cells.nth(0).click()
        assert f": {shown}" in cells.nth(0).get_attribute("aria-label")


def test_a_link_keeps_the_state(page, file):
    open_at(page, file, clues=text_of(UNIQUE), blocks=1, seed=3, sigma=0.7, noised=2, step=1)
    sliders = {s.get_attribute("data-trait"): s for s in page.locator("input[type=range]").all()}
    shown = {name: float(slider.input_value()) for name, slider in sliders.items()}
    expected = {"steps": STEPS, "sigma": 0.7, "noised": 2, "step": 1, "passes": 4}
    assert shown == expected
    assert page.get_by_label("1 block", exact=True).is_checked()
    sliders["step"].focus()
    page.keyboard.press("ArrowRight")
    assert "At step 2" in page.locator(".number").inner_text() and "step=2" in page.url
    assert "seed=3" in page.url and "sigma=0.7" in page.url and "blocks=1" in page.url


def test_a_link_that_makes_no_sense_opens_the_page(page, file):
    open_at(page, file, clues="7777", steps="many", sigma="NaN", step=-3, blocks=9)
    assert page.locator(".marks i").count() == 20 and "clues;" in facts(page)


def test_the_cell_of_the_board_lights_up(page, file):
    open_at(page, file, clues=text_of(UNIQUE))
    lit = page.locator("td.lit")
    entry = next(e for e in ENTRIES if "rounds=2" in e["cell"] and e["layers"] == BLOCKS)
    assert lit.count() == 1 and lit.get_attribute("title") == entry["phase"]
    assert page.locator("tr.lit th").inner_text() == "2 rounds"
    assert page.locator("tbody tr").count() == len(live.EXAMPLES), "only boards of this order"
    page.get_by_label("1 block", exact=True).check()
    computed(page)
    entry = next(e for e in ENTRIES if "rounds=2" in e["cell"] and e["layers"] == 1)
    assert lit.count() == 1 and lit.get_attribute("title") == entry["phase"]
    page.get_by_role("button", name="no clues").click()
    computed(page)
    assert lit.count() == 0 and page.get_by_text("No boards like yours were measured.").count()


def test_every_example_is_of_its_kind(page, file):
    open_at(page, file)
    for label in page.locator("option").all_inner_texts()[1:]:
        page.get_by_label("examples").select_option(label)
        computed(page)
        assert page.locator("tr.lit th").inner_text() == label


# Without a browser.


def test_without_a_measured_diagram_there_is_no_panel(models):
    others = [entry for entry in ENTRIES if not entry["cell"].startswith("latin order=4")]
    for entries in ([], others):
        text = live.page(models, entries)
        data = re.search(r'id="data">(.*?)</script>', text, re.S)[1]
        assert json.loads(data)["diagram"] is None


def test_the_page_names_no_address(file):
    text = re.sub(r'"data": "[^"]*"', "", file.read_text())
    assert not re.search(r"https?://|\bfetch\(|XMLHttpRequest|\bimport\b", text)


def test_modules_that_declare_the_same_name_are_refused(tmp_path, monkeypatch):
    (tmp_path / "one.js").write_text("export const same = 1;\n")
    (tmp_path / "two.js").write_text('import { same } from "./one.js";\nfunction same() {}\n')
    monkeypatch.setattr(web_parity.bundle, "WEB", tmp_path)
    with pytest.raises(ValueError, match=r"one\.js and two\.js both declare same"):
        web_parity.bundle.bundle("two.js")
