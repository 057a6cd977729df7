"""The saved page works in a real browser, from a file and without a network."""

import numpy as np
import pytest
from browser import until

from chain_of_steps.figures.player import Curve, Player

STEPS, FRAMES, LAYERS, SIZE = 5, 4, 2, 16
COLOURS = np.random.default_rng(0).integers(
    0, 256, (STEPS, FRAMES, LAYERS, 1, 1, 3), dtype=np.uint8
)


@pytest.fixture(params=["file", "iframe"])
def player(browser, request, tmp_path):
    """The player's frame, standalone or embedded; no request may be made, no error be logged."""
    shown = Player(
        np.broadcast_to(COLOURS, (STEPS, FRAMES, LAYERS, SIZE, SIZE, 3)),
        title="Colours",
        step_labels=[f"step {s} · sigma {1 - s / STEPS:.2f}" for s in range(STEPS)],
        notes=[f"valid after {s}" for s in range(STEPS)],
        series=[
            Curve("up", np.linspace(0, 1, STEPS)),
            Curve("down", np.linspace(1, 0, STEPS), dashed=True),
        ],
        lossless=True,
    )
    path = tmp_path / "page.html"
    path.write_text(shown.html())
    if request.param == "iframe":
        path.write_text(f"<!DOCTYPE html><body>{shown._repr_html_()}</body>")
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.set_default_timeout(60_000)
    requests, errors = [], []
    page.route(
        "**/*",
        lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort(),
    )
    page.on(
        "request", lambda r: requests.append(r.url) if r.url.startswith(("http", "ws")) else None
    )
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri(), timeout=60_000)
    frame = page.frames[-1]
    wait_until(frame, "sheets.every(sheet => sheet.complete)")
    yield frame
    page.close()
    assert not errors and not requests


def wait_until(player, condition: str) -> None:
    until(lambda: player.evaluate(condition), condition)


def colour(player) -> list[int]:
    """What the canvas shows in its middle."""
    return player.evaluate("[...context.getImageData(8, 8, 1, 1).data].slice(0, 3)")


def label(player, axis: str) -> str:
    return player.locator(f"output[for={axis}]").inner_text()


def test_keys_move_along_each_axis(player):
    player.locator("canvas").click()
    keys = player.page.keyboard
    assert (label(player, "step"), label(player, "frame")) == ("step 0 · sigma 1.00", "frame 3")
    place = [0, 3, 0]
    for key, axis, by in [
        ("ArrowRight", 0, 1),
        ("ArrowRight", 0, 1),
        ("ArrowLeft", 0, -1),
        ("ArrowDown", 1, -1),
        ("l", 2, 1),
        ("L", 2, -1),
        ("l", 2, 1),
    ]:
        before = colour(player)
        keys.press(key)
        place[axis] += by
        assert colour(player) == COLOURS[tuple(place)].ravel().tolist() != before
    assert label(player, "step") == "step 1 · sigma 0.80"
    assert (label(player, "frame"), label(player, "layer")) == ("frame 2", "layer 1")
    assert (
        player.locator("canvas").get_attribute("aria-label")
        == "step 1 · sigma 0.80, frame 2, layer 1"
    )
    assert player.locator("#legend output").all_inner_texts() == ["0.25", "0.75"]
    assert player.locator("figcaption").inner_text() == "valid after 1"


def test_sliders_and_the_chart_move_too(player):
    player.locator("#frame").fill("1")
    assert (
        label(player, "frame") == "frame 1" and colour(player) == COLOURS[0, 1, 0].ravel().tolist()
    )
    box = player.locator("#step").bounding_box()
    mouse = player.page.mouse
    mouse.move(box["x"] + 8, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2, steps=3)
    mouse.up()
    assert (
        label(player, "step") == "step 4 · sigma 0.20"
        and colour(player) == COLOURS[4, 1, 0].ravel().tolist()
    )
    box = player.locator("#plot").bounding_box()
    mouse.click(box["x"] + box["width"] * 0.52, box["y"] + 20)
    assert label(player, "step") == "step 2 · sigma 0.60"
    player.page.keyboard.press("ArrowRight")  # the click brought the keys
    assert label(player, "step") == "step 3 · sigma 0.40"


def test_it_plays_when_asked_and_once_where_less_motion_is_preferred(player):
    player.page.emulate_media(reduced_motion="reduce")
    for axis, last in [("step", "step 4 · sigma 0.20"), ("frame", "frame 3")]:
        button = player.locator(f"button[data-axis={axis}]")
        assert button.get_attribute("aria-label") == f"play {axis}s"
        button.click()
        assert button.get_attribute("aria-label") == f"pause {axis}s"
        wait_until(player, "playing === null")
        assert label(player, axis) == last
    player.locator("canvas").click()
    player.page.keyboard.press("Space")
    wait_until(player, "playing === 'step' && at.step > 0")
    player.page.keyboard.press("Space")
    assert player.evaluate("playing") is None


def test_it_is_labelled_and_fits_a_phone(player):
    assert player.locator("input").evaluate_all("all => all.map(x => x.ariaLabel)") == [
        "step",
        "frame",
        "layer",
    ]
    assert player.locator("#step").get_attribute("aria-valuetext") == "step 0 · sigma 1.00"
    assert player.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if player.parent_frame:  # the iframe is as high as the page
        wait_until(
            player, "Math.abs(innerHeight - document.body.getBoundingClientRect().height) <= 1"
        )
