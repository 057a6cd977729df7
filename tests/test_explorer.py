"""The explorer without its widgets: configurations as text, and changed runs, which must equal
those of the library."""

import base64
import json
import time
import zlib

import numpy as np
import pytest
import tiny
import torch
from test_symbol_family import model_of

from chain_of_steps.bench import samples
from chain_of_steps.explorer.config import APART, BEHAVIOURS, Config, label
from chain_of_steps.explorer.run import VIEWS, LiveRun, png
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading
from chain_of_steps.puzzles.hand_drawn import hand_drawn
from chain_of_steps.puzzles.scoring import score
from chain_of_steps.sampling.arms import Merged
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import NoiseAtCells
from chain_of_steps.sampling.rollouts import Rollouts

GRID = preset("mini/4")
SMALL = Config(steps=4)
CELL = SMALL.cell
DRAWN = (3, (((0, 0), (1, 0)), ((1, 0), (2, 0)), ((1, 0), (1, 1))), (0, 0), (2, 0))


@pytest.fixture(scope="module")
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = Schedule("test", "euler", 4, shift=3.0).scheduler("sample")
    return VideoModel(pipe)


def final(run: LiveRun) -> torch.Tensor:
    return run.start().wait().x0_hats[-1]


# Configurations.


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config("bounce walls=1", 3, seed=5, preset="paper", steps=8, noise=((1, 2), (3, 0))),
        Config(noise=((1, 2),), mode="level-correct"),
        Config(drawn=DRAWN, swap=(2, 1)),
        Config(merge=3),
        Config(merge=2, merge_layers=(1, 4)),
    ],
)
def test_a_config_survives_its_text(config):
    text = config.to_text()
    assert Config.from_text(f" {text}\n") == config and len(text) < 260 and text.isascii()


@pytest.mark.parametrize("text", ["", "hello", Config(merge=3).to_text()[:-4], "AAAA"])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match="is no configuration of the explorer"):
        Config.from_text(text)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="unknown task"):
        Config("chess")
    with pytest.raises(ValueError, match="fixes no knob by 'order'"):
        Config("latin order")
    with pytest.raises(ValueError, match="unknown preset"):
        Config(preset="fast")
    with pytest.raises(ValueError, match="order is 9"):
        Config("latin order=9").sample()
    with pytest.raises(ValueError, match="merged seeds exclude other changes"):
        Config(merge=2, noise=((0, 0),))


def test_labels_are_kept_by_config(tmp_path):
    file = tmp_path / "labels.json"
    label(file, SMALL, ["memory", "multi-path"])
    labels = label(file, Config(), ["unknown"])
    assert json.loads(file.read_text()) == json.loads(json.dumps(labels)) and len(labels) == 2
    assert labels[SMALL.to_text()]["behaviours"] == ["memory", "multi-path"]
    assert Config.from_text(SMALL.to_text()) == SMALL
    with pytest.raises(ValueError, match=f"expected some of {BEHAVIOURS[0]}"):
        label(file, SMALL, ["magic"])


# Mazes drawn by the user.


def test_a_hand_drawn_maze_is_a_sample_like_others():
    sample = hand_drawn(*DRAWN)
    assert sample.solutions.answers == ((1, 1, 0),) and len(sample.parts) == 3
    assert score(sample, sample.render(size=48)) == 1.0
    assert score(sample, sample.render((1, 0, 1), size=48)) == 0.0
    assert sample.task == "maze" and Config(drawn=DRAWN).sample().key == sample.key


@pytest.mark.parametrize(
    ("drawn", "complaint"),
    [
        ((3, (), (0, 0), (2, 2)), "no path leads"),
        ((3, (((0, 0), (5, 0)),), (0, 0), (2, 2)), "2 to 8 rooms"),
        ((3, (), (1, 1), (1, 1)), "two different ones"),
        ((9, (), (0, 0), (1, 1)), "2 to 8 rooms"),
        ((3, (((0, 0), (1, 1)),), (0, 0), (1, 1)), "have no wall in common"),
        ((2, (((0, 0), (1, 0)), ((1, 0), (0, 0))), (0, 0), (1, 0)), "is listed twice"),
        (
            (
                4,
                [((x, y), (x + dx, y + dy))
                 for x in range(4) for y in range(4) for dx, dy in ((1, 0), (0, 1))
                 if x + dx < 4 and y + dy < 4],
                (0, 0),
                (3, 3),
            ),
            "too many walls are open",
        ),
    ],
)  # fmt: skip
def test_a_maze_that_cannot_be_judged_is_refused(drawn, complaint):
    with pytest.raises(ValueError, match=complaint):
        hand_drawn(*drawn)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 500},
        {"steps": "4"},
        {"steps": 0},
        {"seed": "x"},
        {"index": -1},
        {"steps": 4, "noise": [[4, 0]]},
        {"noise": [[1]]},
        {"swap": [50, 0]},
        {"merge": 2, "merge_layers": [5, 2]},
        {"cell": ["latin"]},
        {"cell": 5},
        {"preset": ["mini"]},
    ],
)
def test_a_text_with_wrong_numbers_is_refused(wrong):
    text = base64.urlsafe_b64encode(zlib.compress(json.dumps(wrong).encode())).decode()
    with pytest.raises(ValueError, match="is no configuration of the explorer"):
        Config.from_text(text)


# Runs.


def test_a_clean_run_is_a_generation(model):
    sample = samples.draw_one(CELL, 0, 7)
    expected = generate(model, model.prepare_sample(sample), GRID, 0)
    run = LiveRun(model, SMALL).start().wait()
    assert run.done == 4 and not run.running
    assert all(map(torch.equal, run.x0_hats, expected.x0_hats))
    assert np.array_equal(run.picture(2, 3), model.decode(expected.x0_hats[2])[3])
    frame = model.decode(expected.x0_hats[3])[-1]
    assert np.array_equal(run.beliefs(3), reading.belief(sample, frame))
    valid = sample.is_valid(reading.decided(sample, frame))
    assert run.verdict(3).startswith("valid, " if valid else f"{violations(sample, frame)} viol")
    assert run.verdict(3).endswith(" drawn") and ("not" in run.verdict(3)) != reading.drawn(
        sample, frame
    )


def violations(sample, frame) -> int:
    return sample.violations(reading.decided(sample, frame))


def test_a_symbol_network_is_drawn_as_it_believes():
    network = model_of("latin")
    config = Config("latin order=4 clues=8", steps=4)
    run, sample = LiveRun(network, config).start().wait(), config.sample()
    expected = generate(network, network.prepare_sample(sample), GRID, 0)
    beliefs = network.beliefs(sample, expected.x0_hats[2])
    assert np.array_equal(run.beliefs(2), beliefs)
    assert run.picture(2, 0).shape == (48, 48, 3)
    free = [p for p, clue in enumerate(np.ravel(sample.state["clues"])) if clue < 0]
    shown = reading.belief(sample, run.clip(2)[-1])[free]
    mixture = beliefs / np.maximum(beliefs.sum(-1, keepdims=True), 1.0)
    assert np.abs(shown - mixture[free]).max() < 0.02, "the picture reads as it was drawn"
    for view in VIEWS[1:]:
        assert run.picture(2, 0, view, 0).shape == (48, 48, 3)


def test_a_symbol_network_refuses_another_puzzle():
    run = LiveRun(model_of("latin"), Config("bounce", steps=2)).start()
    with pytest.raises(ValueError, match="has no form in symbols"):
        run.wait()


def test_noise_goes_where_it_was_clicked(model):
    cells = ((1, 2), (2, 5))
    sample = samples.draw_one(CELL, 0, 7)
    edits = (NoiseAtCells(cells=cells, mode="replace"),)
    expected = generate(model, model.prepare_sample(sample), GRID, 0, interventions=edits).x0_hats[
        -1
    ]
    assert torch.equal(final(LiveRun(model, Config(steps=4, noise=cells))), expected)


@pytest.mark.parametrize("name", ["mini", "paper"])  # without guidance, and with
def test_a_whole_swap_gives_the_other_seeds_estimate_at_every_layer(model, name):
    sample, grid = samples.draw_one(CELL, 0, 7), preset(f"{name}/4")
    other = generate(model, model.prepare_sample(sample), grid, APART)
    for layer in (0, 1):
        run = LiveRun(model, Config(preset=name, steps=4, swap=(1, layer))).start().wait()
        assert torch.equal(run.x0_hats[1], other.x0_hats[1]), "paper trap 2"
        assert not torch.equal(run.x0_hats[0], other.x0_hats[0])


def test_merged_seeds_are_the_ensembles(model):
    sample = samples.draw_one(CELL, 0, 7)
    pool = Rollouts(model, GRID, sample, sample, seed=0)
    expected = Merged("x0_hat", 3, 2).trajectory(pool).x0_hats[-1]
    assert torch.equal(final(LiveRun(model, Config(steps=4, merge=3))), expected)


def test_merged_layers_are_the_papers_recipe(model):
    sample = samples.draw_one(CELL, 0, 7)
    pool = Rollouts(model, GRID, sample, sample, seed=0)
    expected = Merged("lock_step", 3, 2, (0, 1)).trajectory(pool).x0_hats[-1]
    run = LiveRun(model, Config(steps=4, merge=3, merge_layers=(0, 1)))
    assert torch.equal(final(run), expected)
    assert run.picture(3, 8, VIEWS[1], 0).shape == (48, 48, 3)


def test_every_view_has_its_picture(model):
    run = LiveRun(model, SMALL).start().wait()
    for view in VIEWS:
        for layer in (-1, 1):
            picture = run.picture(3, 8, view, layer)
            assert picture.shape == (48, 48, 3) and picture.dtype == np.uint8
    assert png(picture).startswith(b"\x89PNG")
    assert not np.array_equal(run.picture(0, 0, VIEWS[1], 0), run.picture(3, 8, VIEWS[1], 0))
    with pytest.raises(ValueError, match="unknown view"):
        run.picture(0, 0, "aura")


def test_a_run_can_be_stopped_and_looked_at(model):
    long = LiveRun(model, Config(steps=50)).start()
    while not long.done:
        time.sleep(0.005)
    long.stop()
    long.wait()
    assert 0 < long.done < 50 and long.picture(long.done - 1, 0).shape == (48, 48, 3)


CHANGED = [
    SMALL,
    Config(steps=4, noise=((1, 2),)),
    Config(steps=4, swap=(2, 0)),
    Config(steps=4, merge=3),
    Config(steps=4, merge=3, merge_layers=(0, 1)),
]


@pytest.mark.parametrize("config", CHANGED, ids=str)
def test_every_step_of_the_run_itself_is_reported_as_it_is_computed(model, config):
    reports = []
    run = LiveRun(model, config)
    run.report = lambda: reports.append((run.done, max(site.step for site in run.states)))
    run.start().wait()
    assert reports == [(1, 0), (2, 1), (3, 2), (4, 3), (4, 3)], "four steps and the end"
    assert {(site.step, site.layer) for site in run.states} == {
        (step, layer) for step in range(4) for layer in (-1, 0, 1)
    }


def test_a_layer_that_does_not_exist_is_refused(model):
    for config in (Config(steps=4, swap=(1, 2)), Config(steps=4, merge=2, merge_layers=(1, 2))):
        with pytest.raises(ValueError, match="names layer 2; expected -1 to 1"):
            LiveRun(model, config).start().wait()


def test_an_error_is_told_to_whoever_waits(model, monkeypatch):
    monkeypatch.setattr(model, "predict", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        LiveRun(model, SMALL).start().wait()
