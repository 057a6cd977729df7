"""The page of the video model in Chromium, from a server: a visitor draws a maze, watches it
solved, noises it, merges three seeds; and what the page says where it cannot work."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import picture_parity
import pytest
from browser import fits, pixels, screenshot, until
from picture_parity import in_torch, onnxruntime_web, web_page
from playwright.sync_api import Page
from test_pages_browser import NAMELESS
from test_web_pictures import MINI

from chain_of_steps.explorer import gallery, served, shown
from chain_of_steps.explorer.config import Config, MergedSeeds
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles.base import assignment


@pytest.fixture(scope="module")
def mini() -> VideoModel:
    if not (MINI / "model_index.json").exists():
        pytest.skip("the mini model is not here; `dvc pull` fetches it")
    return VideoModel.load(str(MINI))


@pytest.fixture(scope="module")
def site(mini, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    picture_parity.write_site(folder, mini)
    return folder


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    with picture_parity.served(site) as address:
        yield f"{address}{web_page.NAME}.html"


@pytest.fixture
def new_page(browser) -> Iterator:
    """Makes pages that must not log an error, or ask another server."""
    problems, pages = [], []

    def make(width: int = 1280, scheme: str = "light") -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(60_000)
        own = re.compile(r"(http://127\.0\.0\.1:|data:|blob:|file:)")
        page.on("request", lambda r: None if own.match(r.url) else problems.append(r.url))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        pages.append(page)
        return page

    make.problems = problems
    yield make
    for page in pages:
        page.close()
    assert not problems


@pytest.fixture
def page(new_page) -> Page:
    return new_page()


def open_at(page: Page, address: str, **choices) -> None:
    """Opens the page with a setting in its address, once the model is there."""
    page.goto("about:blank")
    page.goto(f"{address}#explorer={quote(json.dumps(choices))}" if choices else address)
    page.locator(".cos").wait_for()


def press_run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()
    until(lambda: page.locator(".cos-bar progress").is_visible(), "it runs")


def run(page: Page) -> None:
    press_run(page)
    until(lambda: not page.locator(".cos-bar progress").is_visible(), "it has run", 180)


def verdict(page: Page, side: str = "left") -> str:
    return page.locator(f"[aria-label='{side} run'] .cos-verdict").inner_text()


def numbers(page: Page, side: str = "left") -> str:
    return page.locator(f"[aria-label='{side} run'] .cos-numbers").inner_text()


def valid(model: VideoModel, config: Config) -> bool:
    """Whether the run of a configuration ends with a valid answer, by torch."""
    return config.sample().is_valid(assignment(in_torch(model, config).decided[-1]))


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_maze_is_solved_while_one_watches(new_page, address, mini, width, scheme):
    page, seen = new_page(width, scheme), set()
    open_at(page, address)
    assert page.locator(".cos-maze").count() == 1, "a maze to edit"
    press_run(page)
    picture, bar = page.locator("[aria-label='left run'] canvas").first, ".cos-bar progress"

    def running() -> bool:
        seen.add(pixels(picture))
        return page.locator(bar).is_visible()

    until(lambda: not running(), "it has run", 180)
    assert len(seen) > 5, "pictures arrive as they are computed"
    first = served.FIRST
    config = Config.from_data({**first.data(), "board": shown.board(first.sample())})
    assert ("not valid" not in verdict(page)) == valid(mini, config)
    assert "NFE 20" in numbers(page)
    screenshot(page, f"video-model-{width}", full_page=True)
    assert fits(page) and not page.evaluate(NAMELESS)


def test_a_wall_that_is_opened_changes_the_puzzle(page, address):
    open_at(page, address)
    said = page.locator(".cos-puzzle .cos-note")
    before = said.inner_text()
    wall = page.locator("[data-wall][aria-pressed=true]").first
    name = wall.get_attribute("data-wall")
    wall.press("Enter")
    assert page.locator(f"[data-wall='{name}']").get_attribute("aria-pressed") == "false"
    until(lambda: said.inner_text() not in (before, "…"), "the answers are counted again")
    page.get_by_role("button", name="Close all walls").click()
    error = page.locator(".cos-puzzle [role=alert]")
    until(lambda: "no path leads from green to red" in error.inner_text(), "it says what is wrong")


def test_noise_and_merged_seeds_stand_next_to_the_clean_run(page, address):
    noise = [[2, frame] for frame in range(5)]
    for change, nfe in (({"noise": noise}, 6), ({"merge": {"seeds": 3, "layers": None}}, 12)):
        open_at(page, address, steps=6, **change)
        run(page)
        until(lambda nfe=nfe: f"NFE {nfe}" in numbers(page, "right"), "both have run")
        assert "NFE 6" in numbers(page)
        assert pixels(picture_of(page, "left")) != pixels(picture_of(page, "right"))


def picture_of(page: Page, side: str):
    return page.locator(f"[aria-label='{side} run'] canvas").first


def test_the_browser_ends_where_torch_ends(page, address, mini):
    config = Config("latin order=4 log2=1", 3, steps=8, merge=MergedSeeds(3))
    open_at(page, address, cell=config.cell, index=3, steps=8, merge={"seeds": 3, "layers": None})
    run(page)
    until(lambda: "NFE 16" in numbers(page, "right"), "both have run")
    for side, each in (("left", config.clean), ("right", config)):
        assert ("not valid" not in verdict(page, side)) == valid(mini, each)


def test_the_gallery_shows_what_it_says(mini):
    for item in gallery.items("served.json"):
        config = Config.from_data(item["setting"])
        ends = [valid(mini, config.clean), valid(mini, config)]
        assert ends == item["ends"], item["title"]


def test_a_run_is_stopped(page, address):
    open_at(page, address, steps=50)
    press_run(page)
    page.get_by_role("button", name="Stop").click()
    until(lambda: not page.locator(".cos-bar progress").is_visible(), "it ends")
    assert "NFE 50" not in numbers(page)


# Where it cannot work, it says one thing.


def told(page: Page, place: str) -> str:
    page.goto(place)
    message = page.locator("#model [role=alert]")
    message.wait_for()
    assert page.locator(".cos").count() == 0 and page.locator("[role=alert]").count() == 1
    return message.inner_text()


def test_as_a_file_it_says_how_to_serve_it(page, site):
    said = told(page, (site / f"{web_page.NAME}.html").as_uri())
    assert "python -m http.server" in said


def test_without_webassembly(page, address):
    page.add_init_script("delete globalThis.WebAssembly")
    assert "has no WebAssembly" in told(page, address)


DAMAGE = {
    "missing": lambda route: route.fulfill(status=404, body=b""),
    "cut off": lambda route: route.fulfill(body=b"x" * 100),
    "changed": lambda route: route.fulfill(body=flipped(route.fetch().body())),
    "too long": lambda route: route.fulfill(body=route.fetch().body() + b"x"),
    "no network": lambda route: route.abort(),
}


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_broken_download(new_page, address, kind):
    page = new_page()
    page.route("**/codec.bin*", DAMAGE[kind])
    said = told(page, address)
    assert said.startswith("codec.bin could not be downloaded (") and "reload the page" in said
    new_page.problems[:] = [p for p in new_page.problems if "Failed to load resource" not in p]


def test_a_network_that_does_not_start(new_page, address):
    """A runtime that is intact, but cannot run here: as without SIMD."""
    page = new_page()
    page.add_init_script("WebAssembly.instantiate = async () => { throw new Error('no SIMD'); }")
    page.add_init_script("delete globalThis.Worker")  # scripts reach the page alone
    open_at(page, address, steps=2)
    page.get_by_role("button", name="Run", exact=True).click()
    said = page.locator(".cos-bar .cos-note")
    until(lambda: "the network could not be started" in said.inner_text(), "it says so")
    new_page.problems[:] = [p for p in new_page.problems if "no SIMD" not in p]


# Building the site.


def test_without_the_runtime_the_site_is_built_without_the_page(tmp_path, monkeypatch, capsys):
    def refuse(folder):
        raise OSError("onnxruntime-web could not be downloaded (no route)")

    monkeypatch.setattr(onnxruntime_web, "fetched", refuse)
    monkeypatch.setattr(web_page, "check_packages", lambda: None)
    assert web_page.main(tmp_path) is None and not any(tmp_path.iterdir())
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "could not be downloaded" in said


def test_an_export_is_kept_until_the_model_changes(site, mini, monkeypatch):
    def export(*_):
        raise AssertionError("exported again")

    monkeypatch.setattr(web_page.web_export, "export", export)
    found = web_page.exported(mini, web_page.EXPORTED)
    assert found["model"]["fingerprint"] == mini.fingerprint
    monkeypatch.setitem(vars(mini), "fingerprint", "another")
    with pytest.raises(AssertionError, match="exported again"):
        web_page.exported(mini, web_page.EXPORTED)


def test_the_page_says_what_it_loads(site):
    text = (site / f"{web_page.NAME}.html").read_text(encoding="ascii")
    loaded = sum(f.stat().st_size for f in (site / web_page.NAME).iterdir()) / 1e6
    (said,) = re.findall(r"loads\s+(\d+) MB", text)
    assert abs(loaded - int(said)) < 1 and loaded < 25
    named = sum(file["bytes"] for file in content(text)["files"].values()) / 1e6
    assert abs(loaded - named) < 0.1  # and the manifest, which these tests put there


def content(text: str) -> dict:
    (found,) = re.findall(r'id="content">(.*?)</script>', text, re.S)
    return json.loads(found)["engine"]["manifest"]
