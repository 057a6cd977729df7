"""The page in which symbol networks run, as a file in Chromium: what it shows is what the library
computes, it loads nothing, and it can be used by keyboard, on a phone and from a link."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import numpy as np
import pytest
import torch
import web_parity
from browser import fits, pixels, screenshot, until
from playwright.sync_api import Locator, Page
from test_explorer_browser import NAMELESS

from chain_of_steps.common.counter_noise import normals
from chain_of_steps.explorer import in_page
from chain_of_steps.explorer.engine.bundle import bundle
from chain_of_steps.measures.batches import SymbolBatch
from chain_of_steps.measures.phases import PHASES
from chain_of_steps.models.schedule import preset
from chain_of_steps.puzzles import canvas
from chain_of_steps.puzzles.base import assignment
from chain_of_steps.puzzles.suite import draw_one
from chain_of_steps.sampling.denoise import denoise
from chain_of_steps.sampling.samplers import sampler_of
from chain_of_steps.sampling.state import State

STEPS = 4
UNIQUE = draw_one("latin", 0, 7, order=4, rounds=2)
SEVERAL = draw_one("latin", 0, 7, order=4, log2=3)
RELAY = draw_one("relay", 0, 7, routes=2, moves=6)
END = draw_one("relay_end", 0, 7, routes=2, moves=6)
EMPTY = [[-1] * 4] * 4
CONTROLS = [
    f"own run, {STEPS} steps",
    "its first estimate alone",
    "one pass on the noised first estimate",
    "one pass on noised latents that say nothing",
    "one pass on a noised valid answer",
    "4 passes, all but the first at that sigma",
]
ENTRIES = [
    {
        "cell": f"{task} {knobs}",
        "layers": layers,
        "steps": steps,
        "phase": PHASES[(i + layers) % len(PHASES)],
        "at_step_0": 0.25,
        "at_end": 0.5,
    }
    for task, kinds in in_page.CELLS.items()
    for i, knobs in enumerate(kinds)
    for layers in (1, 2, 4)
    for steps in (4, 20)
] + [{"cell": "maze rooms=5 paths=2"}]


@pytest.fixture(scope="module")
def models():
    return {puzzle: web_parity.untrained(puzzle) for puzzle in in_page.NETWORKS}


@pytest.fixture(scope="module")
def networks(models):
    packs = {name: in_page.pack("random", each.pipe.transformer) for name, each in models.items()}
    return {puzzle: {"2 blocks": pack, "same again": pack} for puzzle, pack in packs.items()}


@pytest.fixture(scope="module")
def file(networks, tmp_path_factory):
    file = tmp_path_factory.mktemp("live") / "page.html"
    file.write_text(in_page.html(in_page.around(networks, ENTRIES)), encoding="utf-8")
    return file


@pytest.fixture
def new_page(browser) -> Iterator:
    """Makes pages that must not ask for anything but themselves, or log an error."""
    problems, pages = [], []

    def make(width: int = 1200, scheme: str = "light") -> Page:
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.set_default_timeout(60_000)
        own = lambda url: url.startswith(("file:", "blob:", "data:"))  # noqa: E731
        page.route(
            "**/*", lambda r: r.continue_() if r.request.url.startswith("file:") else r.abort()
        )
        page.on("request", lambda r: None if own(r.url) else problems.append(r.url))
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.close()
    assert not problems


@pytest.fixture
def page(new_page) -> Page:
    return new_page()


def open_at(page: Page, file, **choices) -> None:
    """Opens the page with a setting in its address, and waits until all is computed."""
    choices = {"steps": STEPS} | choices
    page.goto("about:blank")
    page.goto(file.as_uri() + "#explorer=" + quote(json.dumps(choices)))
    computed(page)


def computed(page: Page) -> None:
    """Waits until the setting of the page has been run, with its controls."""
    ready = """() => {
        const controls = document.querySelector(".cos-controls");
        return controls.checkVisibility() && controls.querySelectorAll("li").length === 6
            && !controls.querySelector(".cos-waiting") && !document.querySelector(".cos-due")
            && document.querySelector(".cos-bar progress").hidden;
    }"""
    page.wait_for_timeout(200)  # a change is run a little later
    until(lambda: page.evaluate(ready), "everything is computed")


def setting(page: Page) -> dict:
    """What differs from the default, as the page's field says it."""
    return json.loads(page.get_by_label("setting", exact=True).input_value())


def own(sample) -> dict:
    return {"board": web_parity.given(sample)}


def shown(page: Page, label: str) -> tuple[str, str]:
    """The answer of a control in words, and its verdict."""
    item = page.locator(".cos-control", has_text=label).first
    return item.locator("img").get_attribute("alt"), item.locator("b").inner_text()


def in_words(sample, decided) -> str:
    """An answer as the page says it."""
    if sample.puzzle.name == "latin":
        n, colours = sample.state["order"], (*sample.parts[0].values, "empty")  # -1 is the last
        names = [colours[value] for value in decided]
        return ", ".join(" ".join(names[i : i + n]) for i in range(0, n * n, n))
    names = [part.name for part in sample.parts] if sample.state["drawn"] else None
    names = names or list(sample.parts[0].values)
    on = [p for p, v in enumerate(decided) if v == 1] if sample.state["drawn"] else decided
    found = [re.findall(r"\d+", names[i]) for i in on if i >= 0]
    return ", ".join(f"row {int(r) + 1} column {int(c) + 1}" for r, c in found) or "nothing"


def expected_verdict(sample, decided) -> str:
    wrong = sample.violations(assignment(decided))
    return f"not valid ({wrong} violation{'s' * (wrong > 1)})" if wrong else "valid"


# What is shown.


def test_a_sample_is_named_in_the_words_of_the_menus(page, file):
    open_at(page, file, cell="latin order=4 log2=3", index=1)
    title = page.locator("h4", has_text="seed 0").first.inner_text()
    assert title.startswith("Latin square, order 4: 8 to 15 answers #1 · "), repr(title)


@pytest.mark.parametrize("sample", [UNIQUE, SEVERAL, RELAY, END], ids=str)
def test_the_run_is_that_of_the_library(page, file, models, sample):
    open_at(page, file, **own(sample))
    (run,) = web_parity.in_torch(models[sample.puzzle.name], [sample], STEPS)
    alt, verdict = shown(page, f"own run, {STEPS} steps")
    assert alt == f"own run, {STEPS} steps: {in_words(sample, run.decided)}"
    assert verdict == expected_verdict(sample, run.decided)
    read_as = page.locator(".cos-small").first.get_attribute("aria-label")
    assert read_as == f"read as {in_words(sample, run.decided)}"
    text = page.locator(".cos-verdict").first.inner_text()
    assert ("✓ valid" in text) == sample.is_valid(assignment(run.decided))
    labels = [p.split(": ")[0] for p in page.locator(".cos-control p").all_inner_texts()]
    assert labels == CONTROLS
    assert page.locator(".cos-truth").first.locator("img").count() == len(sample.solutions.answers)


def test_an_open_cell_is_drawn_as_the_mixture_of_what_is_believed(page, file, models):
    open_at(page, file, **own(SEVERAL))
    page.get_by_label("step", exact=True).focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(100)
    corner = page.locator(".cos-picture").first.evaluate(  # of the first open cell, off its marks
        """(canvas, cell) => {
            const side = canvas.width / 4, [r, c] = [Math.floor(cell / 4), cell % 4];
            const data = canvas.getContext("2d").getImageData(
                (c + 0.5) * side, (r + 0.16) * side, 1, 1).data;
            return [...data.slice(0, 3)];
        }""",
        (cell := [v for row in SEVERAL.state["clues"] for v in row].index(-1)),
    )
    (run,) = web_parity.in_torch(models["latin"], [SEVERAL], STEPS)
    beliefs = ((run.shown[0, 1, :4, cell] + 1) / 2).clip(0, 1)
    shares = beliefs / max(1.0, beliefs.sum())
    colours = list(canvas.COLOURS.values())[:4]
    mixed = [
        sum(share * colour[k] for share, colour in zip(shares, colours, strict=True))
        + 0.97 * (1 - shares.sum())
        for k in range(3)
    ]
    assert shares.max() < 0.9, "it is a mixture"
    assert corner == pytest.approx([255 * value for value in mixed], abs=4)


def test_pictures_arrive_step_by_step_and_the_page_stays_responsive(page, file):
    open_at(page, file, steps=2)
    page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => seen.push(document.querySelector(".cos-bar").innerText))
                .observe(document.querySelector(".cos-bar"), {subtree: true, childList: true,
                    characterData: true});
        }"""
    )
    page.get_by_label("steps", exact=True).fill("12")
    page.get_by_label("steps", exact=True).press("Tab")
    computed(page)
    counts = {
        int(n) for text in page.evaluate("seen") for n in re.findall(r"step (\d+) of 12", text)
    }
    assert len(counts) > 4, "the steps come one by one"


def test_a_run_can_be_stopped_and_another_choice_ends_it(page, file):
    open_at(page, file, steps=2)
    bar, history = page.locator(".cos-bar"), page.locator(".cos-history")
    page.get_by_label("steps", exact=True).fill("50")
    page.get_by_label("steps", exact=True).press("Tab")
    until(lambda: "of 50" in bar.inner_text(), "it has begun")
    page.get_by_role("button", name="Stop").click()
    until(lambda: "stopped" in history.inner_text(), "it says so")
    for seed in ("1", "2"):  # the second while the first is still running
        page.get_by_label("seed", exact=True).fill(seed)
        page.get_by_label("seed", exact=True).press("Tab")
        until(lambda: "of 50" in bar.inner_text(), "it has begun")
        page.wait_for_timeout(300)
    computed(page)
    assert "seed 2" in page.locator(".cos-run h4").first.inner_text()
    names = history.locator(".cos-name").all_inner_texts()
    assert len(names) == 2 and all(name[0] in "✓✗" for name in names), "no stumps are kept"


# What can be chosen.


def test_what_the_clues_leave_open_is_said(page, file):
    panel = page.locator(".cos-puzzle")
    open_at(page, file, **own(UNIQUE))
    assert "one valid answer, rounds of propagation: 2" in panel.inner_text()
    open_at(page, file, board={"kind": "latin", "clues": EMPTY})
    assert "576 valid answers, the first 8 shown" in panel.inner_text()
    page.locator(".cos-square [data-at='0,0']").click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("1")
    until(lambda: "twice in a row or column" in panel.inner_text(), "what is wrong is said")
    page.wait_for_timeout(300)
    assert page.locator(".cos-bar").inner_text().count("run again") == 1, "nothing is run"


def test_clues_go_in_and_out_by_click_and_by_keyboard(page, file):
    open_at(page, file, board={"kind": "latin", "clues": EMPTY})
    cells = page.locator(".cos-square [role=gridcell]")
    cells.nth(0).click()
    assert cells.nth(0).get_attribute("aria-label") == "row 1, column 1: red"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("4")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    computed(page)
    assert setting(page)["board"]["clues"] == [[0, -1, -1, -1], [-1, 3, 0, -1], *EMPTY[2:]]
    page.keyboard.press("Delete")
    computed(page)
    assert setting(page)["board"]["clues"][1] == [-1, 3, -1, -1]
    assert "own square" in page.locator(".cos-run h4").first.inner_text()


def test_a_relay_is_edited_and_drawn_at_random(page, file):
    open_at(page, file)
    page.get_by_role("button", name="Random relay").click()
    computed(page)
    board, panel = setting(page)["board"], page.locator(".cos-puzzle")
    assert sum(sign > 0 for row in board["signs"] for sign in row) == 14, "2 routes, 6 moves"
    assert "rounds of propagation: 6" in panel.inner_text()
    page.get_by_label("moves").fill("3")
    page.get_by_label("moves").press("Tab")
    computed(page)
    assert "rounds of propagation: 3" in panel.inner_text()
    page.get_by_label("only the end").check()
    computed(page)
    assert "mark the end" in panel.inner_text()
    assert page.locator(".cos-chart li", has_text="column").count() >= 1, "a curve for each stop"
    page.get_by_role("button", name="No arrows").click()
    until(lambda: "without a stop" in panel.inner_text(), "there is no way")
    page.locator(".cos-relay [data-at='0,0']").click()
    for key in ("s", "ArrowRight", "v", "ArrowDown", "o"):
        page.keyboard.press(key)
    computed(page)
    board = setting(page)["board"]
    assert board["signs"][0][:2] == [1, 2] and board["signs"][1][:2] == [0, 5]
    assert board["start"] == [0, 0] and "rounds of propagation: 2" in panel.inner_text()
    cell = page.locator(".cos-relay [data-at='0,0']").get_attribute("aria-label")
    assert cell == "row 1, column 1: arrow right, start"


@pytest.mark.parametrize("task", in_page.CELLS)
def test_every_kind_of_sample_is_what_it_says(page, file, task):
    open_at(page, file)
    page.get_by_label("puzzle", exact=True).select_option(task)
    for knobs in in_page.CELLS[task]:
        page.get_by_label("kind").select_option(knobs)
        page.get_by_label("sample").fill(str(in_page.SAMPLES - 1))
        page.get_by_label("sample").press("Tab")
        label = in_page.in_words(f"{task} {knobs}")
        page.locator(".cos-phases tr.cos-lit th", has_text=re.compile(f"^{label}$")).wait_for()


def test_noise_at_a_step_is_next_to_the_clean_run_and_is_that_of_the_library(page, file, models):
    open_at(page, file, **own(UNIQUE))
    page.get_by_label("step 2, frame 0", exact=True).click()
    computed(page)
    left, right = page.locator(".cos-run").all()
    assert "noise in 1 cell, step 2" in right.locator("h4").inner_text()
    assert pixels(left.locator(".cos-picture")) != pixels(right.locator(".cos-picture"))
    expected = in_words(UNIQUE, ends_from(models["latin"], UNIQUE, 2, normals(0, 1002, 96)))
    read_as = right.locator(".cos-small").get_attribute("aria-label")
    assert read_as == f"read as {expected}"
    page.get_by_label("step 2, frame 0", exact=True).click()
    computed(page)
    assert page.locator(".cos-run:visible").count() == 1, "without it there is one run"


def ends_from(model, sample, step: int, latents: np.ndarray) -> np.ndarray:
    """The decided answer of a run that goes on from some latents before a step."""
    batch, grid = SymbolBatch([sample], [0], ties=None), preset(f"mini/{STEPS}")
    x = torch.from_numpy(latents).view(1, 6, 1, 4, 4)
    state = State(step, x, sampler_of(grid, model.prediction))
    with torch.inference_mode():
        return batch.decided(denoise(model, batch.condition, grid, state).x0_hats[-1])[0]


def test_another_sigma_changes_the_controls_but_not_the_run(page, file):
    open_at(page, file, **own(SEVERAL))
    before = {label: control(page, label) for label in CONTROLS}
    page.get_by_label("sigma of the passes").focus()
    page.keyboard.press("End")
    computed(page)
    assert setting(page)["controls"]["sigma"] == 0.95
    after = {label: control(page, label) for label in CONTROLS}
    assert [before[x] == after[x] for x in CONTROLS] == [True, True, *[False] * 4]
    page.get_by_label("passes at that sigma").focus()
    page.keyboard.press("Home")
    computed(page)
    assert page.locator(".cos-control p").last.inner_text().startswith("2 passes, all but")
    assert page.locator(".cos-history li").count() == 1, "nothing was run again"


def control(page: Page, label: str) -> str:
    return page.locator(".cos-control", has_text=label).first.locator("img").get_attribute("src")


def test_the_cell_of_the_board_lights_up(page, file):
    open_at(page, file, **own(UNIQUE))
    lit = page.locator(".cos-phases td.cos-lit")
    cell = "latin order=4 rounds=2"
    (entry,) = (e for e in ENTRIES if e["cell"] == cell and e["layers"] == 2 and e["steps"] == 4)
    assert lit.count() == 1 and lit.get_attribute("title") == entry["phase"]
    assert f"Boards like yours, 2 blocks, 4 steps: {entry['phase']}." in phases(page)
    assert page.locator(".cos-phases tbody tr").count() == len(in_page.CELLS["latin"])
    page.get_by_role("button", name="No clues").click()
    computed(page)
    assert lit.count() == 0 and "No boards like yours were measured." in phases(page)


def phases(page: Page) -> str:
    return page.locator(".cos-phases").inner_text()


# The address.


def test_a_link_keeps_the_state(page, new_page, file):
    open_at(page, file)
    page.get_by_label("kind").select_option("order=4 log2=5")
    page.get_by_label("seed", exact=True).fill("3")
    page.get_by_label("seed", exact=True).press("Tab")
    page.get_by_label("network").select_option("same again")
    page.locator(".cos-square .cos-given").first.focus()
    page.keyboard.press("Delete")
    page.get_by_label("step 1, frame 0", exact=True).click()
    computed(page)
    wanted, address = setting(page), page.url
    assert {"board", "seed", "network", "noise", "steps"} <= set(wanted)
    other = new_page()
    other.goto(address)
    computed(other)
    assert setting(other) == wanted
    assert control(other, CONTROLS[0]) == control(page, CONTROLS[0])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"steps": 10**9},
        {"noise": "x"},
        {"noise": [[70, 0]]},
        {"board": {"kind": "latin"}},
        {"board": {"kind": "chess"}},
        {"board": {"kind": "relay", "signs": [[1]], "start": 3, "drawn": True}},
        {"network": "9 blocks"},
        {"controls": {"sigma": "<img>"}},
        {"merge": 3},
        {"unknown": 1},
        [],
    ],
    ids=str,
)
def test_a_link_that_makes_no_sense_opens_the_page(page, file, nonsense):
    page.goto(file.as_uri() + "#explorer=" + quote(json.dumps(nonsense)))
    computed(page)
    assert setting(page) == {}


def test_what_only_the_back_end_knows_to_be_wrong_is_said(page, file):
    page.goto(file.as_uri() + "#explorer=" + quote(json.dumps({"cell": "maze", "index": 99})))
    until(lambda: "no kind maze" in page.locator(".cos-error").first.inner_text(), "what is wrong")


# For everybody, on every screen.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_it_fits_and_is_labelled(new_page, file, width, scheme):
    page = new_page(width, scheme)
    for name, sample in (("square", SEVERAL), ("relay", RELAY)):
        open_at(page, file, **own(sample), noise=[[2, 0]])
        assert fits(page) and page.evaluate(NAMELESS) == []
        screenshot(page, f"live-{name}-{width}-{scheme}", full_page=True)
    assert darkness(page.locator(".cos")) == darkness(page.locator("body")) == (scheme == "dark")


def darkness(shown: Locator) -> bool:
    return shown.first.evaluate(
        "shown => { const c = document.createElement('canvas').getContext('2d');"
        " c.fillStyle = getComputedStyle(shown).backgroundColor;"
        " c.fillRect(0, 0, 1, 1); return c.getImageData(0, 0, 1, 1).data[0] < 128; }"
    )


def test_everything_is_reached_by_keyboard(page, file):
    open_at(page, file, **own(SEVERAL))
    page.locator("body").press("Tab")
    found = ""
    for _ in range(60):
        found += page.evaluate(
            "document.activeElement.className + document.activeElement.ariaLabel"
        )
        page.keyboard.press("Tab")
    for wanted in ("cos-cell", "cos-dot", "cos-play", "sigma of the passes", "cos-primary"):
        assert wanted in found


# Hosts with less.


def test_without_workers_the_page_computes_itself(page, file):
    page.add_init_script("delete window.Worker;")
    open_at(page, file, **own(UNIQUE))
    assert page.locator(".cos-control").count() == 6


FORBIDDEN = """window.Worker = class {
    constructor() { setTimeout(() => this.onerror?.(new ErrorEvent("error")), 50); }
    postMessage() {}
};"""  # what Chromium does behind a policy without workers: no exception, an error event later


def test_a_host_that_forbids_workers_only_when_they_start_is_no_obstacle(page, file):
    page.add_init_script(FORBIDDEN)
    open_at(page, file, **own(UNIQUE))
    assert page.locator(".cos-control").count() == 6


def test_a_browser_that_cannot_unpack_is_told_so(page, file):
    page.add_init_script("delete window.Worker; delete window.DecompressionStream;")
    page.goto(file.as_uri())
    until(lambda: "too old to unpack" in page.locator(".cos-bar").inner_text(), "one clear message")


# Without a browser.


def test_a_network_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="latin-L1-0 is no model's folder"):
        in_page.content(tmp_path)


def test_without_a_measured_diagram_the_page_says_so(page, networks, tmp_path):
    for i, entries in enumerate(([], ENTRIES[-1:])):
        found = in_page.around(networks, entries)
        assert found["traits"]["about"]["diagram"] == {"missing": in_page.UNMEASURED}
        (tmp_path / f"{i}.html").write_text(in_page.html(found))
    open_at(page, tmp_path / "0.html")
    assert "has not been measured yet" in phases(page)
    assert not page.locator(".cos-phases td").count()


def test_the_page_names_no_address(file):
    text = re.sub(r'"data": "[^"]*"', "", file.read_text())
    known = ("http://www.w3.org/2000/svg",)  # a name, not an address
    assert set(re.findall(r"https?://[^\"' ]+", text)) <= set(known) and text.isascii()
    assert not re.search(r"\bfetch\(|XMLHttpRequest|\bimport\b", text)


def test_modules_that_declare_the_same_name_are_refused(tmp_path):
    (tmp_path / "one.js").write_text("export const same = 1;\n")
    (tmp_path / "two.js").write_text('import { same } from "./one.js";\nfunction same() {}\n')
    with pytest.raises(ValueError, match=r"one\.js and two\.js both declare same"):
        bundle(tmp_path, "two.js")
