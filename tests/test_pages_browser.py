"""The published pages in a real browser, as files: on a screen, on a phone, by keyboard."""

from collections.abc import Iterator

import made_up
import pytest
from browser import pixels, screenshot, until
from playwright.sync_api import Page

# Elements that have no name for a screen reader.
NAMELESS = """() => [...document.querySelectorAll("a, button, iframe, img, input")]
    .filter(x => !(x.textContent.trim() || x.ariaLabel || x.title || x.alt || x.labels?.length))
    .filter(x => !x.querySelector("img[alt]"))
    .map(x => x.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return made_up.site(tmp_path_factory.mktemp("pages"))


@pytest.fixture(params=[390, 1280])
def page(browser, request) -> Iterator[Page]:
    """A page that must not use the network or log an error, as wide as a phone or a screen."""
    page, problems = browser.new_page(viewport={"width": request.param, "height": 844}), []
    page.set_default_timeout(60_000)
    page.route(
        "**/*",
        lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort(),
    )
    page.on(
        "request", lambda r: problems.append(r.url) if r.url.startswith(("http", "ws")) else None
    )
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    page.close()
    assert not problems


def test_the_index_leads_to_every_notebook(site, page):
    page.goto((site / "index.html").as_uri())
    width = page.viewport_size["width"]
    screenshot(page, f"index-{width}")
    for heading in ("Notebooks", "Figures", "Claims", "How to cite"):
        assert page.get_by_role("heading", name=heading, exact=True).count() == 1
    assert fits(page) and not page.evaluate(NAMELESS)
    broken = "[...document.images].filter(image => image.complete && !image.naturalWidth).length"
    assert page.evaluate(broken) == 0
    for name in made_up.pages.published():
        page.goto((site / "index.html").as_uri())
        page.locator(f"main li a[href='{name}.html']").press("Enter")
        until(lambda name=name: page.url.endswith(f"{name}.html"), f"{name} opens by keyboard")
        assert fits(page) and not page.evaluate(NAMELESS), name


def test_a_player_works_and_formulas_are_drawn(site, page):
    page.goto((site / "0_walkthrough.html").as_uri())
    assert page.locator("math").first.bounding_box()["width"] > 5
    canvas = page.frame_locator("iframe").last.locator("canvas")
    canvas.scroll_into_view_if_needed()
    canvas.click()
    before = pixels(canvas)
    page.keyboard.press("ArrowRight")
    until(lambda: pixels(canvas) != before, "another step is shown")
    screenshot(page, f"player-{page.viewport_size['width']}")


def fits(page: Page) -> bool:
    """Whether the page can be read without scrolling sideways."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")
