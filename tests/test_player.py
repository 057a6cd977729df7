"""The player's page holds every picture in its place, reproducibly and within its budget."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from chain_of_steps.figures import player
from chain_of_steps.figures.player import Curve, Player, tile
from chain_of_steps.puzzles import suite


def noisy_stack(steps: int = 6, frames: int = 5, size: int = 48, noise: float = 0.3) -> np.ndarray:
    """A maze that emerges from noise, (S, F, H, W, 3) uint8."""
    clip = suite.draw_one("maze", 0, 0).render(size=size, frames=frames) / 255.0
    level = np.linspace(1.0, 0.0, steps)[:, None, None, None, None]
    noise = noise * level * np.random.default_rng(0).standard_normal((steps, *clip.shape))
    return (np.clip((1 - level) * clip + 0.5 * level + noise, 0.0, 1.0) * 255).astype(np.uint8)


def page_data(page: str) -> dict:
    """What the page's script reads."""
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1]
    )


def decoded(data: dict) -> np.ndarray:
    """The pictures (S, F, L, H, W, 3) cut out of the sprite sheets as the page's script does."""
    sheets = [Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) for uri in data["sheets"]]
    assert all(max(sheet.size) <= player.SIDE for sheet in sheets)
    steps, frames, layers = (len(data["labels"][axis]) for axis in player.AXES)
    layout, (width, height) = data["layout"], data["size"]
    result = np.empty((steps, frames, layers, height, width, 3), np.uint8)
    for s, f, layer in np.ndindex(steps, frames, layers):
        sheet, place = divmod((layer * steps + s) * frames + f, layout["perSheet"])
        x, y = place % layout["columns"] * layout["dx"], place // layout["columns"] * layout["dy"]
        result[s, f, layer] = np.asarray(sheets[sheet])[y : y + height, x : x + width]
    return result


def test_the_same_input_gives_the_same_bytes():
    def make():
        return Player(noisy_stack(), title="t", series=[Curve("a", np.linspace(0, 1, 6))])

    assert make().html() == make().html() and make()._repr_html_() == make()._repr_html_()
    assert make().html().isascii()


@pytest.mark.parametrize("size", [48, 45])
@pytest.mark.parametrize("side", [4096, 150])
def test_every_picture_lies_where_the_page_looks_for_it(monkeypatch, size, side):
    monkeypatch.setattr(player, "SIDE", side)  # 150 px: three columns and several sheets
    base = noisy_stack(4, 5, noise=0.05)[:, :, :size, :size]
    pictures = np.stack([base, 255 - base, base // 2], axis=2)  # three layers
    lossless = page_data(Player(pictures, lossless=True).html())
    assert (len(lossless["sheets"]) > 1) == (side == 150)
    np.testing.assert_array_equal(decoded(lossless), pictures)
    difference = decoded(page_data(Player(pictures).html())).astype(float) - pictures
    assert (
        np.sqrt((difference**2).mean((3, 4, 5))).max() < 12
    )  # of each picture; layers differ by far more


@pytest.mark.parametrize("noise", [0.05, 0.3, 5.0])
def test_twenty_steps_of_thirteen_frames_stay_well_under_a_megabyte(noise):
    assert len(Player(noisy_stack(20, 13, noise=noise)).html()) < 0.8e6


def test_a_single_picture_is_a_png_of_it():
    pictures = noisy_stack()
    shown = np.asarray(Image.open(io.BytesIO(tile(pictures, 3, 2, scale=4))))
    assert shown.shape == (192, 192, 3)
    np.testing.assert_array_equal(shown[1::4, 2::4], pictures[3, 2])
    for place in [(6, 0), (0, 5), (-1, 0), (0, 0, 1)]:
        with pytest.raises(ValueError, match="is not in this stack: expected 0 to"):
            tile(pictures, *place)


@pytest.mark.parametrize(
    "pictures",
    [
        noisy_stack(2, 2).astype(np.float32),
        noisy_stack(2, 2)[0],
        noisy_stack(2, 2)[..., :1],
        noisy_stack(2, 2)[:0],
    ],
    ids=["float", "no steps", "grey", "empty"],
)
def test_what_is_not_a_stack_is_refused(pictures):
    with pytest.raises(ValueError, match=r"expected pictures of shape \(S, F, H, W, 3\) or"):
        Player(pictures)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_labels": ["one"]}, "expected 6 step labels, one per step, not 1"),
        ({"layer_labels": ["a", "b"]}, "expected 1 layer labels, one per layer, not 2"),
        ({"notes": ["one"]}, "expected 6 notes, one per step, not 1"),
        ({"series": [Curve("a", [0.5])]}, r"curve 'a' needs 6 values in \[0, 1\], one per step"),
        ({"series": [Curve("a", [0, 1, 2, 0, 1, 0])]}, "curve 'a' needs 6 values"),
        ({"series": [Curve("a", [0, 1, float("nan"), 0, 1, 0])]}, "curve 'a' needs 6 values"),
    ],
)
def test_labels_and_curves_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Player(noisy_stack(), **options)


def test_titles_labels_and_names_cannot_break_out_of_the_page():
    evil = '</script><img src=x onerror="alert(1)">é'
    curve = Curve(evil, [0.0] * 6)
    names = {"step_labels": [evil] * 6, "notes": [evil] * 6}
    page = Player(noisy_stack(), title=evil, **names, series=[curve], series_title=evil)
    text = page.html()
    assert "<img" not in text and text.count("</script>") == 2
    assert "<h1>&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#233;</h1>" in text
    data = page_data(text)
    assert data["labels"]["step"] == [evil] * 6 and data["chart"]["curves"][0]["name"] == evil
    inner = re.fullmatch(
        r'<iframe title="[^"<>]*" srcdoc="([^"<>]*)" style="[^"<>]*"></iframe>', page._repr_html_()
    )
    assert inner and "http" not in re.sub(r"http-equiv|http://www.w3.org/2000/svg", "", text)
