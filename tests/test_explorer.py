"""The explorer without a browser: settings as text, and runs, which must equal those of the
library."""

import base64
import io
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from test_symbol_family import model_of

from chain_of_steps.bench import samples
from chain_of_steps.explorer import controls, gallery
from chain_of_steps.explorer.config import (
    APART,
    Config,
    MergedSeeds,
    OnePass,
    OwnMaze,
    OwnSquare,
)
from chain_of_steps.explorer.recorded import record
from chain_of_steps.explorer.run import Stopped, compute
from chain_of_steps.explorer.shown import Shown, preview
from chain_of_steps.explorer.widget import Explorer
from chain_of_steps.measures.batches import estimate_of
from chain_of_steps.measures.one_pass import renoised
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading
from chain_of_steps.puzzles.hand_drawn import hand_drawn, hand_filled
from chain_of_steps.puzzles.scoring import score
from chain_of_steps.sampling.arms import Merged
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import Drop, NoiseAtCells
from chain_of_steps.sampling.rollouts import Rollouts

ROOT = Path(__file__).parent.parent
GRID = preset("mini/4")
SMALL = Config(steps=4)
CELL = SMALL.cell
DOORS = (((0, 0), (1, 0)), ((1, 0), (2, 0)), ((1, 0), (1, 1)))
MAZE = OwnMaze(3, DOORS, (0, 0), (2, 0))
SQUARE = OwnSquare(((0, -1, -1, 3), (-1, -1, -1, -1), (-1, 0, -1, -1), (-1, -1, -1, -1)))


@pytest.fixture(scope="module")
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = Schedule("test", "euler", 4, shift=3.0).scheduler("sample")
    return VideoModel(pipe)


@pytest.fixture(scope="module")
def mini():
    return VideoModel.load(ROOT / "data/mini")


def estimates(model: VideoModel, config: Config) -> list[torch.Tensor]:
    """The clean estimates of a run of the explorer."""
    found = []
    compute(model, config, lambda step, x0_hat, nfe: found.append(x0_hat))
    return found


def generated(model: VideoModel, config: Config, *interventions) -> list[torch.Tensor]:
    """The clean estimates of the library's generation."""
    condition = model.prepare_sample(config.sample())
    made = generate(model, condition, config.schedule, config.seed, interventions=interventions)
    return made.x0_hats


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


def pixels(url: str) -> np.ndarray:
    """The picture of a data URL."""
    content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)))


# Controls.


def test_controls_are_one_pass_on_what_their_names_say(model):
    config = Config(steps=4, noise=((1, 1),), controls=OnePass(0.5, 2))
    sample = config.sample()
    found = dict(controls.estimates(model, config, sample))
    assert list(found) == ["start", "first", "blank", "truth", "repeated"]
    assert torch.equal(found["start"], estimates(model, config)[0]), "step 0 of the run"
    assert torch.equal(found["repeated"], found["first"]), "two passes are one on the first"
    evaluate = estimate_of(model, model.prepare_sample(sample), config.schedule)
    z = model.encode(sample.render(None, model.size, model.frames))
    noised = renoised(z, 0.5, [f"{sample.key} {config.seed}"])
    assert torch.equal(found["truth"], evaluate(noised, 0.5))
    other = dict(controls.estimates(model, replace(config, controls=OnePass(0.1, 3)), sample))
    assert torch.equal(other["start"], found["start"])
    assert all(not torch.equal(other[name], found[name]) for name in list(found)[1:])


def test_an_explorer_computes_controls_when_asked(model):
    explorer = Explorer(model, SMALL)
    explorer.command = {"do": "controls", "setting": SMALL.data()}
    explorer.wait()
    assert explorer.controls["done"] and explorer.controls["setting"] == SMALL.data()
    names = [item["name"] for item in explorer.controls["items"]]
    assert names == ["start", "first", "blank", "truth", "repeated"]
    assert explorer.run == {}, "nothing is run"
    explorer.command = {"do": "controls", "setting": {"cell": "chess"}}
    explorer.wait()
    assert "chess" in explorer.controls["error"] and not explorer.controls["items"]


# Settings.


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config("bounce walls=1", 3, seed=5, preset="paper", steps=8, noise=((1, 2), (3, 0))),
        Config(noise=((1, 2),), mode="level-correct", drop=Drop(3, 7, prompt=True)),
        Config(board=MAZE, patch=(2, 1)),
        Config(board=SQUARE, merge=MergedSeeds(3)),
        Config(merge=MergedSeeds(2, (1, 4))),
        Config(controls=OnePass(0.3, 7)),
    ],
)
def test_a_setting_survives_its_text_and_its_data(config):
    text = config.to_text()
    assert Config.from_text(f" {text}\n") == config and len(text) < 260 and text.isascii()
    assert Config.from_data(json.loads(json.dumps(config.data()))) == config
    assert config.clean.interventions == () and config.clean.sample().key == config.sample().key


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"steps": 500}, "steps: Input should be less than or equal to 50"),
        ({"steps": "4"}, "steps: Input should be a valid integer"),
        ({"steps": 0}, "steps"),
        ({"seed": "x"}, "seed"),
        ({"index": -1}, "index"),
        ({"steps": 4, "noise": [[4, 0]]}, "step 4 is changed; expected 0 to 3"),
        ({"noise": [[1]]}, "noise"),
        ({"patch": [50, 0]}, "step 50 is changed"),
        ({"merge": {"seeds": 1}}, "merge.seeds"),
        ({"merge": {"layers": [5, 2]}}, "first layer that is merged comes after the last"),
        ({"merge": {}, "noise": [[1, 1]]}, "merged seeds exclude other changes"),
        ({"drop": {"step": 5, "until": 3}}, "ends after it begins"),
        ({"cell": ["latin"]}, "cell"),
        ({"cell": "chess"}, "unknown task"),
        ({"cell": "latin order"}, "fixes no knob by 'order'"),
        ({"preset": "fast"}, "unknown preset"),
        ({"mode": "loud"}, "mode"),
        ({"controls": {"sigma": 1.5}}, "controls.sigma"),
        ({"board": {"kind": "chess"}}, "board"),
        ({"magic": 1}, "magic"),
        ([], "no setting"),
    ],
)
def test_what_cannot_be_is_refused(wrong, complaint):
    for read in (lambda: Config.from_data(wrong), lambda: Config.from_text(json.dumps(wrong))):
        with pytest.raises(ValueError, match="this is no setting") as told:
            read()
        assert complaint in str(told.value)


@pytest.mark.parametrize("text", ["", "hello", Config(seed=3).to_text()[:-2]])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match="this is no setting"):
        Config.from_text(text)


# Boards drawn by hand.


def test_a_hand_drawn_maze_is_a_sample_like_others():
    sample = MAZE.sample()
    assert sample.solutions.answers == ((1, 1, 0),) and len(sample.parts) == 3
    assert score(sample, sample.render(size=48)) == 1.0
    assert score(sample, sample.render((1, 0, 1), size=48)) == 0.0
    assert sample.fault((1, 1, 0)) is None
    assert sample.fault((1, 0, 0)) == "1,0-2,0: off, but on in the nearest valid answer"


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


def test_a_hand_filled_square_is_a_sample_like_others():
    drawn = samples.draw_one("latin order=4 clues=6", 0, 7)
    sample = hand_filled(drawn.state["clues"])
    assert sample.key == drawn.key and sample.solutions.answers == drawn.solutions.answers
    answer = list(sample.solutions.answers[0])
    assert sample.fault(tuple(answer)) is None
    free = np.flatnonzero(np.ravel(sample.state["clues"]) < 0)[0]
    answer[free] = (answer[free] + 1) % 4
    assert sample.fault(tuple(answer)).endswith(" 2 times")
    assert "not the given" in sample.fault(tuple((v + 1) % 4 for v in answer))
    rows = sample.parts[0].name, (None, *sample.solutions.answers[0][1:])
    if np.ravel(sample.state["clues"])[0] < 0:
        assert sample.fault(rows[1]) == "row 1, column 1: empty"


FULL = ((0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2))
EMPTY = ((-1,) * 4,) * 4


@pytest.mark.parametrize(
    ("clues", "complaint"),
    [
        (FULL, "0 to 15 clues"),
        (((-1,) * 5,) * 5, "3 to 24 clues"),
        (FULL[:3], "4 to 6 rows"),
        (((7, -1, -1, -1), *EMPTY[1:]), "values 0 to 3"),
        (((1, 1, -1, -1), *EMPTY[1:]), "twice in a row or column"),
        (((0, 1, 2, -1), (-1, -1, -1, 3), *EMPTY[2:]), "no answer"),
    ],
)
def test_a_square_that_cannot_be_filled_is_refused(clues, complaint):
    with pytest.raises(ValueError, match=complaint):
        hand_filled(clues)


def test_a_board_can_be_edited_from_what_the_preview_says(model):
    for cell in ("maze rooms=5", CELL):
        shown = preview(model, Config(cell))
        edited = Config.from_data({"board": shown["board"]})
        assert preview(model, edited)["answers"] == shown["answers"]
        assert edited.sample().solutions.answers == Config(cell).sample().solutions.answers
    assert preview(model, Config("mark"))["board"] is None


# Runs equal those of the library.


@pytest.mark.parametrize("seed", [0, 3])
def test_a_clean_run_is_a_generation(model, seed):
    config = Config(steps=4, seed=seed)
    assert same(estimates(model, config), generated(model, config))


def test_noise_goes_where_it_was_put(model):
    config = Config(steps=4, noise=((1, 2), (2, 4)), mode="level-correct")
    change = NoiseAtCells(cells=((1, 2), (2, 4)), mode="level-correct")
    assert same(estimates(model, config), generated(model, config, change))
    assert not same(estimates(model, config), generated(model, config))


def test_dropped_conditions_are_the_librarys(model):
    drop = Drop(1, 3, given=True, prompt=True)
    config = Config(steps=4, drop=drop)
    found = estimates(model, config)
    assert same(found, generated(model, config, drop))
    assert not torch.equal(found[-1], estimates(model, SMALL)[-1])


@pytest.mark.parametrize("name", ["mini", "paper"])  # without guidance, and with
def test_a_whole_patch_gives_the_other_seeds_estimate_at_every_layer(model, name):
    other = generated(model, Config(preset=name, steps=4, seed=APART))
    for layer in (0, 1):
        found = estimates(model, Config(preset=name, steps=4, patch=(1, layer)))
        assert torch.equal(found[1], other[1]), "paper trap 2"
        assert not torch.equal(found[0], other[0])


@pytest.mark.parametrize(("layers", "recipe"), [(None, "x0_hat"), ((0, 1), "lock_step")])
def test_merged_seeds_are_the_ensembles(model, layers, recipe):
    sample = samples.draw_one(CELL, 0, 7)
    pool = Rollouts(model, GRID, sample, sample, seed=0)
    merged = Merged(recipe, 3, 2, layers) if layers else Merged(recipe, 3, 2)
    expected = merged.trajectory(pool).x0_hats[-1]
    found = estimates(model, Config(steps=4, merge=MergedSeeds(3, layers)))
    assert torch.equal(found[-1], expected) and len(found) == 4


@pytest.mark.parametrize(
    ("config", "passes"),
    [
        (SMALL, [1, 2, 3, 4]),
        (Config(preset="paper", steps=4), [2, 4, 6, 8]),
        (Config(steps=4, merge=MergedSeeds(3)), [3, 6, 7, 8]),
    ],
)
def test_forward_passes_are_counted(model, config, passes):
    counted, calls = [], []
    hooks = [m.register_forward_pre_hook(lambda *_: calls.append(1)) for m in model.transformers]
    compute(model, config, lambda step, x0_hat, nfe: counted.append(nfe))
    for hook in hooks:
        hook.remove()
    assert counted == passes
    assert len(calls) == passes[-1]


def test_a_layer_that_does_not_exist_is_refused(model):
    for config in (Config(steps=4, patch=(1, 2)), Config(steps=4, merge=MergedSeeds(2, (1, 2)))):
        with pytest.raises(ValueError, match="names layer 2; expected -1 to 1"):
            estimates(model, config)


def test_a_run_can_be_stopped(model):
    stop, seen = threading.Event(), []

    def report(step, x0_hat, nfe):
        seen.append(step)
        stop.set()

    with pytest.raises(Stopped):
        compute(model, Config(steps=50), report, stop)
    assert seen == [0]


# What is shown.


def test_a_step_shows_the_pictures_and_the_verdict_of_the_library(model):
    one, sample = Shown(model, SMALL), SMALL.sample()
    x0_hat = generated(model, SMALL)[2]
    shown, clip = one.step(2, x0_hat, 3), model.decode(x0_hat)
    side = clip.shape[1]
    assert np.array_equal(pixels(shown["strip"])[:, -side:], clip[-1])
    assert pixels(shown["strip"]).shape == (side, side * model.latent_frames, 3)
    answer = reading.decided(sample, clip[-1])
    assert shown["decided"] == [-1 if v is None else v for v in answer]
    assert shown["violations"] == sample.violations(answer)
    assert shown["drawn"] == reading.drawn(sample, clip[-1])
    assert (shown["which"] is not None) == sample.is_valid(answer) == (shown["fault"] is None)
    json.dumps(shown, allow_nan=False)


def test_a_valid_answer_is_named_by_its_number(model):
    one, sample = Shown(model, SMALL), SMALL.sample()
    for number, answer in enumerate(sample.solutions.answers):
        frame = (sample.picture(answer, 1.0, 48) * 255.0 + 0.5).astype(np.uint8)
        shown = one._verdict(reading.belief(sample, frame), frame)
        assert shown["which"] == number and shown["violations"] == 0 and shown["fault"] is None
        assert shown["drawn"] and shown["open"] == 0.0


def test_a_mean_of_two_answers_is_open(model):
    one, sample = Shown(model, SMALL), SMALL.sample()
    frame = np.mean([sample.picture(a, 1.0, 48) for a in sample.solutions.answers], 0)
    frame = (frame * 255.0 + 0.5).astype(np.uint8)
    shown = one._verdict(reading.belief(sample, frame), frame)
    assert shown["open"] > 0.5 and not shown["drawn"]


def test_a_symbol_network_is_drawn_as_it_believes():
    network = model_of("latin")
    config = Config("latin order=4 clues=8", steps=4)
    sample, x0_hat = config.sample(), generated(network, config)[2]
    beliefs = network.beliefs(sample, x0_hat)
    frame = pixels(Shown(network, config).step(2, x0_hat, 3)["strip"])
    assert frame.shape == (48, 48, 3)
    free = [p for p, clue in enumerate(np.ravel(sample.state["clues"])) if clue < 0]
    mixture = beliefs / np.maximum(beliefs.sum(-1, keepdims=True), 1.0)
    shown = reading.belief(sample, frame)
    assert np.abs(shown[free] - mixture[free]).max() < 0.02, "the picture reads as it was drawn"


# The widget.


@pytest.fixture
def explorer(model):
    return Explorer(model, SMALL)


def until_previewed(explorer: Explorer) -> dict:
    """The preview of the present setting."""
    for thread in threading.enumerate():
        if thread.name == "preview":
            thread.join()
    assert explorer.preview["setting"] == explorer.setting
    return explorer.preview


def test_the_puzzle_is_shown_before_anything_runs(explorer):
    sample, shown = SMALL.sample(), until_previewed(explorer)
    assert np.array_equal(pixels(shown["given"]), sample.render(size=48)[0])
    assert shown["answers"] == len(sample.solutions) and len(shown["truth"]) == 8
    explorer.setting = {**explorer.setting, "cell": "latin colour=3"}
    assert "cannot be drawn" in until_previewed(explorer)["error"]
    explorer.setting = {**explorer.setting, "cell": "mark"}
    assert until_previewed(explorer)["prompt"].startswith("mark")


def test_steps_arrive_one_by_one_and_are_those_of_the_library(explorer, model):
    arrived, states = [], []
    explorer.observe(lambda change: arrived.append(change["new"]), "steps")
    explorer.observe(lambda change: states.append(change["new"]["state"]), "run")
    changed = {**explorer.setting, "noise": [[1, 2]]}
    explorer.command = {"number": 1, "do": "run", "settings": [explorer.setting, changed]}
    explorer.wait()
    assert states == ["running", "done"] * 2
    assert [(a["run"], a["steps"][0]["step"]) for a in arrived] == [
        (run, step) for run in (1, 2) for step in range(4)
    ]
    expected = model.decode(generated(model, SMALL)[3])
    assert np.array_equal(pixels(arrived[3]["steps"][0]["strip"])[:, -48:], expected[-1])
    assert arrived[4] != arrived[0] or arrived[7] != arrived[3]
    explorer.command = {"number": 2, "do": "replay"}
    assert explorer.steps["run"] == 2 and len(explorer.steps["steps"]) == 4
    assert explorer.run["sigmas"] == [round(s, 4) for s in GRID.sigmas]


def test_stop_ends_a_run_and_what_failed_says_why(explorer):
    long = {**explorer.setting, "steps": 50}
    explorer.observe(lambda _: setattr(explorer, "command", {"do": "stop"}), "steps")
    explorer.start([long, long])
    explorer.wait()
    assert explorer.run["state"] == "stopped" and explorer.run["id"] == 1
    explorer.unobserve_all("steps")
    for wrong, complaint in (({"patch": [1, 7]}, "names layer 7"), ({"seed": -1}, "no setting")):
        explorer.start([{**explorer.setting, **wrong}])
        explorer.wait()
        assert explorer.run["state"] == "failed" and complaint in explorer.run["error"]


def test_another_run_ends_the_one_before(explorer):
    ended = []
    explorer.observe(lambda change: ended.append(change["new"]), "run")
    explorer.start([{**explorer.setting, "steps": 50}])
    explorer.start([explorer.setting])
    explorer.wait()
    assert ended[-1]["state"] == "done" and ended[-1]["setting"]["steps"] == 4
    assert all(run["state"] != "done" for run in ended if run["setting"]["steps"] == 50)


def test_a_symbol_network_offers_its_own_puzzles():
    explorer = Explorer(model_of("relay"))
    names = [task["name"] for task in explorer.about["tasks"]]
    assert set(names) == {"relay", "relay_end", "relay_long"} and not explorer.about["boards"]
    assert explorer.setting["cell"] == "relay"
    explorer.start([{**explorer.setting, "steps": 2}])
    explorer.wait()
    assert explorer.run["state"] == "done", explorer.run.get("error")


# Recorded pages.


def test_a_recorded_page_holds_each_run_once_with_all_its_steps(model):
    changed = Config(steps=4, noise=((1, 2),))
    page = record(model, [changed, SMALL])
    assert [run["setting"] for run in page.traits["recorded"]] == [SMALL.data(), changed.data()]
    final = pixels(page.traits["recorded"][1]["steps"][3]["strip"])[:, -48:]
    assert np.array_equal(final, model.decode(estimates(model, changed)[3])[-1])
    text = page.html()
    assert text.isascii() and "://" not in text.replace("http://www.w3.org/2000/svg", "")


def test_the_gallery_is_of_settings_that_the_default_model_takes(model):
    shown = gallery.items()
    assert len(shown) >= 3 and len(gallery.configs(model)) == len(shown)
    assert all(item["title"] and item["text"] and len(item["ends"]) == 2 for item in shown)


@pytest.mark.skipif(
    not (ROOT / "data/mini/model_index.json").exists(),
    reason="the mini model is not here; `dvc pull` fetches it",
)
@pytest.mark.parametrize("number", range(len(gallery.items())))
def test_the_gallery_shows_what_it_says(mini, number):
    item = gallery.items()[number]
    config, ends, most_open = Config.from_data(item["setting"]), [], 0.0
    for each in dict.fromkeys((config.clean, config)):
        one, kept = Shown(mini, each), estimates(mini, each)
        ends.append(one.step(each.steps - 1, kept[-1], 0)["violations"] == 0)
        most_open = max(most_open, one.step(1, kept[1], 0)["open"] or 0.0)
    assert [ends[0], ends[-1]] == item["ends"]
    assert most_open > 0.5 or "Two answers" not in item["title"]
