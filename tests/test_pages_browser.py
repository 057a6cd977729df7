"""The published pages in a real browser, as files: on a screen, on a phone, in the dark, by
keyboard."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise

import made_up
import pytest
from browser import fits, pixels, screenshot, until
from made_up import ROOT
from playwright.sync_api import Browser, Locator, Page

LINES = json.loads((ROOT / "figures" / "claims.json").read_text(encoding="utf-8"))
CLAIMS = [line for line in LINES if "/" not in line["id"]]
SAMPLES = ("index", "ledger", "0_walkthrough", "pictures", "code-claims-yaml", "licence")

# Elements that have no name for a screen reader.
NAMELESS = """() => [...document.querySelectorAll("a, button, iframe, img, input, select")]
    .filter(x => !x.closest("[aria-hidden]"))
    .filter(x => !(x.textContent.trim() || x.ariaLabel || x.title || x.alt || x.labels?.length))
    .filter(x => !x.querySelector("img[alt]"))
    .map(x => x.outerHTML.slice(0, 200))"""

# Texts whose contrast to what is behind them is too low (WCAG 2, level AA).
FAINT = """() => {
    const channels = text => text.match(/[\\d.]+/g).map(Number);
    const linear = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
    const ground = element => {
        for (let each = element; each; each = each.parentElement) {
            const found = channels(getComputedStyle(each).backgroundColor);
            if (found.length === 3 || found[3] === 1) return found;
        }
        return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
    };
    const faint = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, style = getComputedStyle(element);
        if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
        const [a, b] = [light(channels(style.color)), light(ground(element))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= (style.fontWeight >= 700 ? 18.66 : 24);
        if ((a + .05) / (b + .05) < (large ? 3 : 4.5))
            faint.push([walker.currentNode.data.slice(0, 40), style.color, element.className]);
    }
    return faint;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return made_up.site(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages that must not use the network or log an error."""
    contexts, problems = [], []

    def open_page(width: int = 1280, **options: object) -> Page:
        size = {"width": width, "height": 844}
        contexts.append(browser.new_context(viewport=size, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.route(
            "**/*", lambda route: route.abort() if remote(route.request) else route.continue_()
        )
        page.on("request", lambda request: remote(request) and problems.append(request.url))
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems


def remote(request) -> bool:
    return request.url.startswith(("http", "ws"))


@pytest.fixture(params=[400, 1280])
def page(opened, request) -> Page:
    return opened(request.param)


def test_the_index_leads_to_every_notebook(site, page):
    page.goto((site / "index.html").as_uri())
    width = page.viewport_size["width"]
    screenshot(page, f"index-{width}")
    for heading in ("Try it", "All notebooks, as they ran", "How to cite"):
        assert page.get_by_role("heading", name=heading, exact=True).count() == 1
    for name in made_up.executed.published():
        page.goto((site / "index.html").as_uri())
        page.locator(f"main ul:not(.cards) li > a[href='{name}.html']").press("Enter")
        until(lambda name=name: page.url.endswith(f"{name}.html"), f"{name} opens by keyboard")


def test_no_page_is_wider_than_its_window_and_everything_has_a_name(site, page):
    for file in sorted(site.glob("*.html")):
        page.goto(file.as_uri())
        assert fits(page), file.name
        assert not page.evaluate(NAMELESS), file.name


def test_headings_are_in_order(site, opened):
    page = opened()
    apps = {app.file for app in made_up.pages.APPS}
    for file in sorted(site.glob("*.html")):
        if file.name in apps or file.name.startswith("player-"):
            continue
        page.goto(file.as_uri())
        levels = page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(h => +h.tagName[1])"
        )
        assert levels[0] == 1 and levels.count(1) == 1, file.name
        assert all(b <= a + 1 for a, b in pairwise(levels)), file.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(site, opened, scheme):
    page = opened(400, color_scheme=scheme)
    for name in SAMPLES:
        page.goto((site / f"{name}.html").as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        screenshot(page, f"{name}-{scheme}")
        assert not page.evaluate(FAINT), name
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_chart_keeps_its_light_ground_in_the_dark(site, opened):
    page = opened(color_scheme="dark")
    page.goto((site / "1_step_visualization.html").as_uri())
    ground = "element => getComputedStyle(element).backgroundColor"
    assert page.locator(".output_png").first.evaluate(ground) == "rgb(255, 255, 255)"
    page.goto((site / "index.html").as_uri())
    assert page.locator(".card > a").first.evaluate(ground) == "rgb(255, 255, 255)"


def test_all_pictures_are_shown(site, opened):
    page = opened()
    for name in ("index", "pictures"):
        page.goto((site / f"{name}.html").as_uri())
        page.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager'; })")
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        until(lambda: page.evaluate("[...document.images].every(i => i.complete)"), "all loaded")
        assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)"), name


def test_a_film_moves_in_the_first_screen_without_a_script(site, opened):
    page = opened(400, java_script_enabled=False)
    page.goto((site / "index.html").as_uri())
    reel = page.locator(".reel").first
    box = reel.bounding_box()
    assert box["y"] + box["height"] < 844
    before = reel.screenshot()
    until(lambda: reel.screenshot() != before, "another step is shown")
    page.locator(".pause").first.check()
    held = reel.screenshot()
    page.wait_for_timeout(1500)
    assert reel.screenshot() == held, "it pauses"


def test_a_film_stands_still_at_its_end_where_less_motion_is_preferred(site, opened):
    page = opened(reduced_motion="reduce")
    page.goto((site / "index.html").as_uri())
    film = page.locator(".film").first
    step = "film => getComputedStyle(film).getPropertyValue('--s')"
    last = film.locator(".scrub").get_attribute("max")
    assert film.evaluate(step) == last
    assert film.evaluate("film => film.getAnimations().length") == 0


def test_the_slider_takes_a_film_over_and_gives_it_back(site, page):
    page.goto((site / "index.html").as_uri())
    film = page.locator(".film").first
    step = "film => +getComputedStyle(film).getPropertyValue('--s')"
    film.locator(".scrub").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert film.evaluate(step) == 1 and film.locator(".pause").is_checked()
    first = film.locator(".reel").first.screenshot()
    page.keyboard.press("End")
    assert film.evaluate(step) == 5 and film.locator(".reel").first.screenshot() != first
    film.locator(".pause").uncheck()
    until(lambda: film.evaluate(step) not in (0, 5), "it runs again")


def test_where_the_focus_is_can_be_seen(site, opened):
    page = opened()
    for name in ("index", "ledger"):
        page.goto((site / f"{name}.html").as_uri())
        for _ in range(12):
            page.keyboard.press("Tab")
            style = "getComputedStyle(document.activeElement)"
            assert page.evaluate(f"{style}.outlineStyle") not in ("none", "hidden")
            assert page.evaluate(f"parseFloat({style}.outlineWidth)") >= 1


def shown(page: Page) -> set[str]:
    """The claims that the ledger shows."""
    rows = page.locator(".ledger tbody tr").all()
    return {row.get_attribute("id").removeprefix("claim-") for row in rows if row.is_visible()}


def field(page: Page, name: str) -> Locator:
    return page.locator(f".filter [name={name}]")


def these(**exact: str) -> set[str]:
    return {c["id"] for c in CLAIMS if all(c[name] == value for name, value in exact.items())}


@pytest.mark.parametrize("verdict", sorted({line["verdict"] for line in CLAIMS}))
def test_the_filter_shows_exactly_the_claims_of_a_verdict(site, page, verdict):
    page.goto((site / "ledger.html").as_uri())
    assert shown(page) == these()
    field(page, "verdict").select_option(verdict)
    assert shown(page) == these(verdict=verdict)
    said = page.locator(".filter output").inner_text()
    assert said == f"{len(these(verdict=verdict))} of {len(CLAIMS)} claims"


def test_filters_add_up_travel_with_the_address_and_are_cleared(site, opened):
    page = opened()
    page.goto((site / "ledger.html").as_uri())
    field(page, "kind").select_option("exploratory")
    field(page, "notebook").select_option("2_perturbation_curves")
    wanted = these(kind="exploratory", figure="2_perturbation_curves")
    assert shown(page) == wanted != these(kind="exploratory")
    other = opened()
    other.goto(page.url)
    assert shown(other) == wanted
    field(page, "text").fill("ISOLATED WORD")
    assert shown(page) == set()
    page.get_by_role("button", name="clear").click()
    until(lambda: shown(page) == these(), "all are shown again")
    field(page, "text").fill("Working_memory_OF")
    assert shown(page) == {"working_memory_of_clues"}


def test_a_link_from_the_first_page_shows_the_claims_of_a_verdict(site, opened):
    page = opened()
    page.goto((site / "index.html").as_uri())
    page.locator(".tally a", has_text="undecided").click()
    assert shown(page) == these(verdict="undecided")


def test_without_a_script_the_ledger_is_a_table_of_all_claims(site, opened):
    page = opened(java_script_enabled=False)
    page.goto((site / "ledger.html").as_uri())
    assert shown(page) == these()
    assert not page.locator(".filter").is_visible()
    assert page.locator(".ledger thead th").all_inner_texts()[0] == "verdict"


def test_a_solution_is_folded_and_unfolds_by_keyboard(site, page):
    page.goto((site / "0_walkthrough.html").as_uri())
    solution = page.locator("details.solution").first
    assert not solution.get_by_text("Right. Made up.").is_visible()
    solution.locator("summary").press("Enter")
    assert solution.get_by_text("Right. Made up.").is_visible()


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


def test_a_chapter_unfolds_a_player(site, page):
    page.goto((site / "index.html").as_uri())
    page.get_by_text("Go through the frames, too").first.click()
    canvas = page.frame_locator("#watch iframe").locator("canvas")
    canvas.scroll_into_view_if_needed()
    until(lambda: canvas.evaluate("c => c.width") > 0, "it is drawn")
