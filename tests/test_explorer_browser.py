"""The explorer's page in a real browser: with the notebook's back end, and with recorded runs."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny
from browser import pixels, screenshot, until
from PIL import Image
from playwright.sync_api import Browser, Page

from chain_of_steps.explorer import web
from chain_of_steps.explorer.config import Config
from chain_of_steps.explorer.recorded import record
from chain_of_steps.explorer.widget import Explorer
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel

TRAITS = ("about", "setting", "preview", "run", "steps", "command", "controls", "recorded")
STEPS = 6
SMALL = Config(steps=STEPS)
# A model whose changes are collected for the back end, and which takes those of the back end.
PAGE = """<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body {{ margin: 0 }} {style}</style><body><script type="module">{script}
const model = standin({traits});
window.outbox = [];
const set = model.set;
model.set = (name, value) => {{ outbox.push([name, value]); set(name, value); }};
window.receive = (name, value) => set(name, value);
window.setting = () => model.get("setting");
render({{ model, el: document.body.appendChild(document.createElement("div")) }});
</script>"""
# Elements that have no name for a screen reader.
NAMELESS = """() => [...document.querySelectorAll(
        "a, button, canvas, iframe, img, input, select, [role=gridcell], [role=button]")]
    .filter(x => x.checkVisibility() && !x.ariaHidden)
    .filter(x => !(x.textContent.trim() || x.ariaLabel || x.title || x.alt || x.labels?.length))
    .map(x => x.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def model() -> VideoModel:
    pipe = tiny.mini_like()
    pipe.scheduler = Schedule("test", "euler", STEPS, shift=3.0).scheduler("sample")
    return VideoModel(pipe)


@pytest.fixture(scope="module")
def recorded(model):
    return record(model, [Config(steps=STEPS, noise=((2, 1), (3, 1))), Config("mark", steps=STEPS)])


class Bridge:
    """A page and the notebook's back end, which exchange what they set."""

    def __init__(self, page: Page, explorer: Explorer, file: Path):
        self.page, self.explorer, self.inbox = page, explorer, []
        # Observed before it is read: a thread of the explorer may set the preview in between.
        for name in ("preview", "run", "steps", "controls"):
            explorer.observe(
                lambda change: self.inbox.append((change["name"], change["new"])), name
            )
        names = {name: getattr(explorer, name) for name in TRAITS}
        traits = json.dumps(names).replace("<", "\\u003c")
        script = web.standin() + web.script()
        file.write_text(PAGE.format(style=web.style(), script=script, traits=traits))
        page.goto(file.as_uri())
        page.locator(".cos").wait_for()

    def exchange(self) -> bool:
        """Passes on what both sides have set."""
        for name, value in self.page.evaluate("outbox.splice(0)"):
            setattr(self.explorer, name, value)
        while self.inbox:
            self.page.evaluate("([name, value]) => receive(name, value)", list(self.inbox.pop(0)))
        return True

    def until(self, condition, what: str) -> None:
        until(lambda: self.exchange() and condition(), what)

    def press(self, name: str, **options) -> None:
        self.page.get_by_role("button", name=name, exact=True, **options).first.click()
        self.exchange()

    def run(self) -> None:
        """Presses Run, and waits until everything is computed."""
        self.press("Run")
        ended = lambda: self.explorer.run.get("state") not in (None, "running")  # noqa: E731
        self.until(lambda: ended() and not self.explorer._worker.is_alive(), "the run ends")
        self.exchange()
        self.settle()

    def settle(self) -> None:
        """Waits until the page has drawn what it knows."""
        self.exchange()
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 30)))")

    @property
    def setting(self) -> dict:
        return self.page.evaluate("setting()")


@pytest.fixture
def new_page(browser: Browser) -> Iterator:
    """Makes pages on which no error may be logged and nothing be requested."""
    problems, pages = [], []

    def make(width: int = 1400, scheme: str = "light") -> Page:
        size = {"width": width, "height": 1000}
        page = browser.new_page(viewport=size, color_scheme=scheme, accept_downloads=True)
        page.set_default_timeout(60_000)
        page.on(
            "request",
            lambda r: problems.append(r.url) if r.url.startswith(("http", "ws")) else None,
        )
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.close()
    assert not problems


@pytest.fixture
def bridge(new_page, model, tmp_path) -> Bridge:
    return Bridge(new_page(), Explorer(model, SMALL), tmp_path / "page.html")


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


# Preview, run, verdict, time.


def test_the_puzzle_is_previewed_and_errors_are_shown(bridge):
    page, shown = bridge.page, bridge.page.locator(".cos-puzzle")
    bridge.until(lambda: "8 valid answers" in shown.inner_text(), "the puzzle is shown")
    assert shown.locator(".cos-truth img").count() == 8
    page.get_by_label("knobs").fill("order=4, rounds=2")
    page.get_by_label("knobs").press("Enter")
    bridge.until(lambda: "rounds of propagation: 2" in shown.inner_text(), "another sample")
    page.get_by_label("knobs").fill("colour=3")
    page.get_by_label("knobs").press("Enter")
    bridge.until(lambda: "cannot be drawn" in shown.inner_text(), "what is wrong")
    bridge.press("Undo")
    bridge.until(lambda: "rounds of propagation: 2" in shown.inner_text(), "it can be undone")
    page.get_by_label("puzzle", exact=True).select_option("mark")
    bridge.until(lambda: "mark" in shown.inner_text(), "another puzzle")
    assert bridge.setting["cell"] == "mark", "the knobs of another puzzle are gone"


def test_a_run_shows_pictures_numbers_and_the_verdict_of_every_step(bridge):
    page = bridge.page
    bridge.run()
    run = page.locator(".cos-run").first
    canvas, sigmas = run.locator(".cos-picture"), SMALL.schedule.sigmas
    slider = page.get_by_label("step", exact=True)
    slider.focus()
    seen = []
    for step in reversed(range(STEPS)):
        bridge.settle()
        shown = bridge.explorer._shown["steps"][step]
        strip = decoded(shown["strip"])
        assert np.array_equal(decoded(pixels(canvas)), strip[:, -48:]), "the last frame is shown"
        text = run.inner_text()
        assert f"step {step} of {STEPS}" in text and f"sigma {sigmas[step]:.3f}" in text
        assert f"NFE {shown['nfe']}" in text and (shown["fault"] is None or shown["fault"] in text)
        assert ("not valid" in text) == (shown["violations"] > 0)
        seen.append(pixels(canvas))
        page.keyboard.press("ArrowLeft")
    assert len(set(seen)) > 1
    page.locator(".cos").focus()
    page.keyboard.press("ArrowDown")
    bridge.settle()
    strip = decoded(bridge.explorer._shown["steps"][0]["strip"])
    assert np.array_equal(decoded(pixels(canvas)), strip[:, -96:-48]), "the frame before"
    page.keyboard.press("Space")
    until(lambda: slider.input_value() == str(STEPS - 1), "it plays to the last step")


def test_a_scrub_is_drawn_in_fifty_milliseconds(bridge):
    bridge.run()
    bridge.page.get_by_label("step", exact=True).focus()
    took = bridge.page.evaluate(
        """async () => {
        const slider = document.querySelector("input[type=range]"), frame = requestAnimationFrame;
        let work = 0;
        window.requestAnimationFrame = draw => frame(() => {
            const began = performance.now();
            draw();
            document.body.offsetHeight;  // and the layout
            work = performance.now() - began;
        });
        const taken = [];
        for (let i = 0; i < 40; i++) {
            slider.value = i % slider.max;
            slider.dispatchEvent(new Event("input"));
            await new Promise(done => frame(done));
            taken.push(work);
        }
        return taken;
    }"""
    )
    assert max(took) > 0, "something is drawn"
    # Of a busy machine only the calmer moments tell what the page itself needs.
    assert np.quantile(took, 0.25) <= 50


def test_a_run_can_be_stopped_and_says_so(bridge):
    bridge.page.get_by_label("steps", exact=True).fill("50")
    bridge.page.get_by_label("steps", exact=True).press("Tab")
    bridge.press("Run")
    bridge.until(lambda: bridge.explorer.steps, "it has begun")
    bridge.exchange()
    bridge.settle()
    bridge.press("Stop")
    bridge.until(lambda: bridge.explorer.run["state"] == "stopped", "it ends")
    bridge.until(lambda: not bridge.explorer._worker.is_alive() and not bridge.inbox, "all told")
    bridge.settle()
    assert "stopped" in bridge.page.locator(".cos-history").inner_text()


# Changes.


def test_noise_is_put_in_by_drag_row_and_column_and_taken_back(bridge):
    page = bridge.page

    def cell(step, frame):
        return page.get_by_label(f"step {step}, frame {frame}", exact=True).bounding_box()

    def to(box):
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=8)

    to(cell(1, 2))
    page.mouse.down()
    to(cell(4, 2))
    to(cell(4, 3))
    page.mouse.up()
    dragged = [[1, 2], [2, 2], [3, 2], [4, 2], [4, 3]]
    assert bridge.setting["noise"] == dragged
    page.get_by_label("step 5: all frames").click()
    frames = bridge.explorer.about["frames"]
    assert bridge.setting["noise"] == [*dragged, *([5, f] for f in range(frames))]
    bridge.press("Undo")
    page.get_by_label("frame 1: all steps").click()
    assert [s for s, f in bridge.setting["noise"] if f == 1] == list(range(STEPS))
    page.get_by_label("frame 1: all steps").click()
    assert bridge.setting["noise"] == dragged
    bridge.press("Clear noise")
    assert bridge.setting["noise"] == []
    page.locator(".cos").focus()
    page.keyboard.press("Control+z")
    assert bridge.setting["noise"] == dragged


def test_noise_can_be_put_in_by_keyboard(bridge):
    page = bridge.page
    page.get_by_label("step 0, frame 0", exact=True).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Space"):
        page.keyboard.press(key)
    assert bridge.setting["noise"] == [[2, 1]]
    page.keyboard.press("c")
    assert [s for s, _ in bridge.setting["noise"]] == [2] * bridge.explorer.about["frames"]


def test_a_changed_run_is_next_to_the_clean_one_and_stale_when_the_setting_changes(bridge):
    page = bridge.page
    page.get_by_label("step 2, frame 3", exact=True).click()
    bridge.run()
    left, right = page.locator(".cos-run").all()
    assert "noise" not in left.locator("h4").inner_text()
    assert "noise in 1 cell, step 2" in right.locator("h4").inner_text()
    assert pixels(left.locator(".cos-picture")) != pixels(right.locator(".cos-picture"))
    assert page.locator(".cos-stale:visible").count() == 0
    page.get_by_label("step 3, frame 3", exact=True).click()
    bridge.settle()
    assert right.locator(".cos-stale").is_visible() and not left.locator(".cos-stale").is_visible()
    assert "run again" in page.locator(".cos-bar").inner_text()
    bridge.run()
    assert page.locator(".cos-stale:visible").count() == 0
    assert bridge.explorer._number == 3, "the clean run was kept"


def test_patch_merge_and_drop_are_settings_that_exclude_one_another_where_they_must(bridge):
    page = bridge.page
    page.get_by_label("Patch", exact=True).check()
    page.get_by_label("after layer").fill("0")
    page.get_by_label("after layer").press("Tab")
    page.get_by_label("Drop conditions").check()
    page.get_by_label("to step").fill("4")
    page.get_by_label("to step").press("Tab")
    page.get_by_label("prompt", exact=True).check()
    drop = {"step": 2, "until": 5, "given": True, "prompt": True}
    assert bridge.setting["patch"] == [2, 0] and bridge.setting["drop"] == drop
    bridge.run()
    assert bridge.explorer.run["state"] == "done"
    assert "patch at step 2, layer 0" in page.locator(".cos-run h4").last.inner_text()
    page.get_by_label("Merge seeds").check()
    page.get_by_label("of", exact=True).select_option("hidden states")
    page.get_by_label("last layer").fill("0")
    page.get_by_label("last layer").press("Tab")
    assert bridge.setting["patch"] is None and bridge.setting["drop"] is None
    assert bridge.setting["merge"] == {"seeds": 3, "layers": [0, 0]}
    assert page.get_by_label("Patch", exact=True).is_disabled()
    bridge.run()
    assert bridge.explorer.run["state"] == "done" and "NFE 12" in (
        page.locator(".cos-numbers").last.inner_text()
    )


def test_controls_of_one_pass_are_computed_once_somebody_looks(bridge):
    bridge.run()
    panel = bridge.page.locator(".cos-controls")
    assert panel.is_visible() and bridge.explorer.controls == {}
    panel.locator("summary").click()
    bridge.until(lambda: bridge.explorer.controls.get("done"), "they are computed")
    bridge.until(lambda: panel.locator("li").count() == 6, "and shown next to the run")
    own, *items = panel.locator("img").all()
    last = decoded(bridge.explorer._shown["steps"][-1]["strip"])[:, -48:]
    assert np.array_equal(decoded(own.get_attribute("src")), last)
    for image, item in zip(items, bridge.explorer.controls["items"], strict=True):
        assert image.get_attribute("src") == item["picture"]
    assert bridge.explorer._number == 1, "the run goes on to count"


def test_fewer_steps_take_the_changes_beyond_them_away(bridge):
    bridge.page.get_by_label("step 5, frame 3", exact=True).click()
    bridge.page.get_by_label("steps", exact=True).fill("4")
    bridge.page.get_by_label("steps", exact=True).press("Tab")
    assert bridge.setting["noise"] == [] and bridge.setting["steps"] == 4


# Boards.


def test_a_maze_is_drawn_by_dragging_and_previewed(bridge):
    page, shown = bridge.page, bridge.page.locator(".cos-puzzle")
    bridge.press("Random maze")
    bridge.until(lambda: "one valid answer" in shown.inner_text(), "a random maze has one path")
    before = bridge.setting["board"]
    assert before["rooms"] == 5 and len(before["doors"]) == 24
    maze = page.locator(".cos-maze")
    goal = page.locator("[data-end=goal]")
    box, at = maze.bounding_box(), goal.bounding_box()
    room = box["width"] * 20 / 106
    target = next(r for r in ([0, 0], [4, 4], [0, 4]) if r not in (before["start"], before["goal"]))
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.down()
    edge = box["width"] * 3 / 106
    page.mouse.move(
        box["x"] + edge + (target[0] + 0.5) * room, box["y"] + edge + (target[1] + 0.5) * room,
        steps=6,
    )  # fmt: skip
    page.mouse.up()
    assert bridge.setting["board"]["goal"] == target
    wall = page.locator("[data-wall][aria-pressed=true]").first
    wall.click()
    bridge.settle()
    assert len(bridge.setting["board"]["doors"]) == 25
    bridge.press("Undo", disabled=False)
    bridge.press("Undo", disabled=False)
    assert bridge.setting["board"] == before
    bridge.press("Close all walls")
    bridge.until(lambda: "no path leads" in shown.inner_text(), "what is wrong is said")
    bridge.press("Back to the samples")
    bridge.until(lambda: "8 valid answers" in shown.inner_text(), "the sample is back")


def test_walls_are_opened_by_keyboard(bridge):
    bridge.press("Random maze")
    bridge.settle()
    doors = len(bridge.setting["board"]["doors"])
    bridge.page.locator("[data-wall][tabindex='0']").focus()
    bridge.page.keyboard.press("ArrowRight")
    name = bridge.page.evaluate("document.activeElement.dataset.wall")
    assert name and name != bridge.page.locator("[data-wall]").first.get_attribute("data-wall")
    bridge.page.keyboard.press("Space")
    assert abs(len(bridge.setting["board"]["doors"]) - doors) == 1
    bridge.settle()
    assert bridge.page.evaluate("document.activeElement.dataset.wall") == name, "it keeps the focus"


def test_a_square_is_filled_by_clicks_and_keys_from_the_samples_board(bridge):
    page, shown = bridge.page, bridge.page.locator(".cos-puzzle")
    bridge.until(lambda: "8 valid answers" in shown.inner_text(), "the puzzle is shown")
    bridge.press("Edit this board")
    bridge.settle()
    clues = bridge.setting["board"]["clues"]
    assert clues == SMALL.sample().state["clues"]
    row, column = next((r, c) for r in range(4) for c in range(4) if clues[r][c] < 0)
    cell = page.locator(f".cos-square [data-at='{row},{column}']")
    cell.click()
    assert bridge.setting["board"]["clues"][row][column] == 0
    cell.click()
    assert bridge.setting["board"]["clues"][row][column] == 1
    cell.click(modifiers=["Shift"])
    assert bridge.setting["board"]["clues"][row][column] == 0
    page.keyboard.press("Delete")
    assert bridge.setting["board"]["clues"] == clues
    page.keyboard.press("4")
    assert bridge.setting["board"]["clues"][row][column] == 3
    bridge.press("No clues")
    bridge.until(lambda: "576 valid answers" in shown.inner_text(), "all squares")
    bridge.run()
    assert bridge.explorer.run["state"] == "done"
    assert "own square" in page.locator(".cos-run h4").first.inner_text()


# History, comparison, files.


def test_any_two_runs_of_the_history_are_compared(bridge):
    page = bridge.page
    for seed in (0, 1, 2):
        page.get_by_label("seed", exact=True).fill(str(seed))
        page.get_by_label("seed", exact=True).press("Tab")
        bridge.run()
    cards = page.locator(".cos-history li")
    assert cards.count() == 3
    page.get_by_label("left: ").and_(cards.nth(2).locator("button")).click()
    page.get_by_label("right: ").and_(cards.nth(1).locator("button")).click()
    bridge.settle()
    names = page.locator(".cos-run:visible h4").all_inner_texts()
    assert [name.endswith(f"seed {seed}") for seed, name in enumerate(names)] == [True, True]
    assert page.locator(".cos-stale:visible").count() == 2, "neither is of the setting"


def test_pictures_and_animations_can_be_saved(bridge):
    page = bridge.page
    page.get_by_label("step 2, frame 3", exact=True).click()
    bridge.run()
    with page.expect_download() as download:
        bridge.press("PNG")
    picture = Image.open(download.value.path())
    assert picture.format == "PNG" and picture.width > 2 * picture.height * 0.7
    with page.expect_download() as download:
        bridge.press("GIF")
    movie = Image.open(download.value.path())
    assert movie.format == "GIF" and movie.n_frames == STEPS and movie.info["loop"] == 0
    movie.seek(STEPS - 1)
    last = decoded(bridge.explorer._shown["steps"][-1]["strip"])[:, -48:].astype(int)
    shown = np.asarray(movie.convert("RGB")).astype(int)
    side = 4 * 48
    right = shown[16 : 16 + side, 32 + side : 32 + 2 * side][2::4, 2::4]
    # An untrained model paints noise, for which 256 colours are few.
    assert np.abs(right - last).mean() < 16, "the animation ends with the last step"


def test_a_setting_travels_as_a_text_and_as_a_link(bridge, new_page, model, tmp_path):
    page, wanted = bridge.page, Config("bounce walls=1", 3, seed=5, steps=3, noise=((1, 2),))
    field = page.get_by_label("setting", exact=True)
    field.fill(wanted.to_text())
    field.press("Enter")
    assert Config.from_data(bridge.setting) == wanted
    bridge.settle()
    page.locator(".cos").focus()
    assert Config.from_text(field.input_value()) == wanted
    field.fill("nonsense")
    field.press("Enter")
    assert "this is no setting" in page.locator(".cos-files").inner_text()
    other = new_page()
    second = Bridge.__new__(Bridge)
    second.page, second.explorer, second.inbox = other, Explorer(model, SMALL), []
    address = (tmp_path / "page.html").as_uri()
    other.goto(f"{address}#explorer={wanted.to_text().replace('%', '%25').replace(' ', '%20')}")
    other.locator(".cos").wait_for()
    assert Config.from_data(second.setting) == wanted


# For everybody, on every screen.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 900, 1600])
def test_it_fits_and_is_labelled(new_page, model, tmp_path, width, scheme):
    page = new_page(width, scheme)
    bridge = Bridge(page, Explorer(model, SMALL), tmp_path / "page.html")
    page.get_by_label("step 2, frame 3", exact=True).click()
    page.get_by_label("Drop conditions").check()
    bridge.run()
    bridge.press("Random maze")
    bridge.settle()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(NAMELESS) == []
    light = page.evaluate(
        "() => { const c = document.createElement('canvas').getContext('2d');"
        " c.fillStyle = getComputedStyle(document.querySelector('.cos')).backgroundColor;"
        " c.fillRect(0, 0, 1, 1); return c.getImageData(0, 0, 1, 1).data[0]; }"
    )
    assert (light > 128) == (scheme == "light")
    screenshot(page, f"explorer-{width}-{scheme}", full_page=True)


# Recorded runs.


@pytest.mark.parametrize("way", ["file", "iframe"])
def test_recorded_runs_need_no_back_end(new_page, recorded, tmp_path, way):
    file = tmp_path / "page.html"
    file.write_text(recorded.html() if way == "file" else recorded._repr_html_())
    page = new_page(900)
    page.goto(file.as_uri())
    frame = page.frames[-1]
    frame.locator(".cos-run").first.wait_for()
    last = recorded.traits["recorded"][1]["steps"][-1]["strip"]
    right = frame.locator(".cos-run").nth(1).locator(".cos-picture")
    until(
        lambda: pixels(right) and np.array_equal(decoded(pixels(right)), decoded(last)[:, -48:]),
        "the last step of the changed run is shown",
    )
    assert not frame.get_by_role("button", name="Run", exact=True).is_visible()
    assert frame.locator(".cos-dot[aria-selected=true]").count() == 2, "what was changed"
    frame.locator(".cos").focus()
    page.keyboard.press("ArrowLeft")
    earlier = recorded.traits["recorded"][1]["steps"][-2]["strip"]
    until(
        lambda: np.array_equal(decoded(pixels(right)), decoded(earlier)[:, -48:]), "the step before"
    )
    frame.get_by_label("left: ").first.click()
    until(lambda: "mark" in frame.locator(".cos-run h4").first.inner_text(), "another run")
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if way == "iframe":
        high = "Math.abs(innerHeight - document.body.getBoundingClientRect().height) <= 2"
        until(lambda: frame.evaluate(high), "the iframe is as high as the page")
