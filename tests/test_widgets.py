"""The explorer's widgets, driven without a browser: messages, pictures, and rejected input."""

import json

import pytest
import tiny
from test_symbol_family import model_of

from chain_of_steps.bench.knobs import knob_kinds
from chain_of_steps.explorer.choice import OWN_MAZE
from chain_of_steps.explorer.config import Config
from chain_of_steps.explorer.grids import Cells, MazeEditor
from chain_of_steps.explorer.widgets import MERGES, Explorer
from chain_of_steps.figures.curves import KEPT, OPEN, WRONG
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.puzzles.hand_drawn import hand_drawn

PRESET = "mini/4"


@pytest.fixture(scope="module")
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = Schedule("test", "euler", 4, shift=3.0).scheduler("sample")
    return VideoModel(pipe)


@pytest.fixture
def explorer(model, tmp_path):
    return Explorer(model, PRESET, tmp_path / "labels.json")


def finish(explorer: Explorer) -> None:
    for run in filter(None, (explorer.clean, explorer.changed)):
        run.wait()


def test_a_run_shows_its_pictures_and_its_curves(explorer):
    explorer.run()
    finish(explorer)
    assert explorer.clean.done == 4 and explorer.changed is None
    assert explorer.progress.value == explorer.progress.max == 4
    explorer.step.value = 3
    first = bytes(explorer.left.value)
    explorer.frame.value = 0
    assert bytes(explorer.left.value).startswith(b"\x89PNG") and bytes(explorer.left.value) != first
    assert explorer.chart.value.count("<polyline") == 3, "violations, kept parts, open parts"
    assert bytes(explorer.right.value) == b"" and explorer.right.layout.visibility == "hidden"
    assert (
        explorer.left.layout.visibility == "visible"
        and explorer.message.value == '<span role="status"></span>'
    )


def test_a_change_runs_beside_the_clean_one_which_is_kept(explorer):
    explorer.run()
    finish(explorer)
    clean = explorer.clean
    explorer.cells.buttons[1, 2].value = True
    explorer.run()
    finish(explorer)
    assert explorer.clean is clean, "not computed again"
    assert explorer.changed.config.noise == ((1, 2),)
    explorer.step.value = 2
    assert bytes(explorer.left.value) != bytes(explorer.right.value) != b""
    explorer.view_of.value = "token norm"
    assert bytes(explorer.left.value).startswith(b"\x89PNG")


def test_a_shared_text_brings_everything_back(explorer, model, tmp_path):
    changes = {"noise": ((1, 2),), "mode": "additive", "swap": (1, 1)}
    config = Config("bounce walls=1", 3, seed=5, preset="paper", steps=3, **changes)
    explorer.load(config)
    finish(explorer)
    assert explorer.config() == config == Config.from_text(explorer.text.value)
    other = Explorer(model, PRESET, tmp_path / "x.json")
    other.text.value = explorer.text.value
    other.load_button.click()
    finish(other)
    assert other.config() == config
    other.text.value = "nonsense"
    other.load_button.click()
    assert "is no configuration of the explorer" in other.message.value


def test_a_maze_can_be_drawn(explorer):
    explorer.choice.task.value = OWN_MAZE
    assert explorer.choice.maze.view.layout.display == ""
    explorer.run()
    assert "no path leads from green to red" in explorer.message.value
    explorer.choice.maze.size.value = 3
    for door in (((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 0), (2, 0))):
        explorer.choice.maze.doors[door].value = True
    explorer.choice.maze.rooms[0, 0].click()
    explorer.choice.maze.rooms[2, 0].click()
    explorer.run()
    finish(explorer)
    assert explorer.message.value == '<span role="status"></span>'
    (answer,) = explorer.clean.sample.solutions.answers
    on = {name for name, drawn in explorer.clean.sample.named(answer).items() if drawn == "on"}
    assert on == {"0,0-1,0", "1,0-2,0"}


def test_layers_can_be_merged(explorer):
    explorer.merge.value, explorer.merge_what.value, explorer.merge_layers.value = (
        2,
        MERGES[1],
        (1, 1),
    )
    explorer.run()
    finish(explorer)
    assert (
        explorer.changed.config.merge_layers == (1, 1)
        and explorer.merge_layers.layout.display == ""
    )
    explorer.merge_what.value = MERGES[0]
    assert explorer.merge_layers.layout.display == "none" and explorer.merge.layout.display is None
    explorer.merge_what.value = MERGES[1]
    text, explorer.merge_what.value = explorer.text.value, MERGES[0]
    assert explorer.config().merge_layers is None
    explorer.load(Config.from_text(text))
    finish(explorer)
    assert explorer.config().merge_layers == (1, 1)


def test_the_chart_names_what_it_shows(explorer):
    explorer.run()
    finish(explorer)
    for name in (WRONG, KEPT, OPEN):
        assert name in explorer.chart.value
    assert f"clean: {explorer.clean.verdict(0)}" in explorer.chart.value
    explorer.cells.buttons[1, 2].value = True
    explorer.run()
    finish(explorer)
    assert explorer.chart.value.count("<polyline") == 6
    assert f"changed: {explorer.changed.verdict(0)}" in explorer.chart.value


def test_the_chart_of_a_single_part_names_its_values(explorer):
    explorer.choice.task.value = "mark"
    explorer.run()
    finish(explorer)
    sample = explorer.clean.sample
    for v, name in enumerate(sample.parts[0].values):
        if sample.is_valid((v,)):
            assert f"{name} (valid)" in explorer.chart.value


def test_knobs_are_named_fixed_and_checked(explorer):
    assert explorer.config().cell == Config().cell
    assert all(name in explorer.choice.knobs.placeholder for name in knob_kinds("latin"))
    for text in ("order=5,clues=9", "order=5 clues=9", " order=5,  clues=9 "):
        explorer.choice.knobs.value = text
        assert explorer.config().cell == "latin order=5 clues=9"
    explorer.choice.knobs.value = "colour=3"
    explorer.run()
    assert "cannot be drawn" in explorer.message.value and explorer.clean is None
    explorer.choice.task.value = "out_and_back"
    assert explorer.config().cell == "out_and_back", "the knobs of another puzzle are gone"


def test_a_preset_brings_its_steps(explorer):
    assert explorer.choice.steps.value == 4
    explorer.choice.preset.value = "mini"
    assert explorer.choice.steps.value == 50 and len(explorer.cells.buttons) == 50 * 9
    explorer.choice.preset.value = "student"
    assert explorer.config().schedule.steps == explorer.choice.steps.value == 4


def test_a_symbol_network_offers_its_own_puzzles(tmp_path):
    explorer = Explorer(model_of("relay"), PRESET, tmp_path / "x.json")
    assert set(explorer.choice.task.options) == {
        name for name, task in suite.TASKS.items() if task.puzzle.name == "relay"
    }
    explorer.run()
    finish(explorer)
    assert bytes(explorer.left.value).startswith(b"\x89PNG")
    explorer.load_button.click()
    explorer.text.value = Config().to_text()
    explorer.load_button.click()
    assert "cannot be chosen for this model" in explorer.message.value


def test_what_cannot_be_combined_is_said(explorer):
    explorer.merge.value, explorer.swaps.value = 3, True
    explorer.run()
    assert "merged seeds exclude other changes" in explorer.message.value and explorer.clean is None


def test_a_label_is_of_what_is_shown(explorer):
    explorer.behaviours.value = ("multi-path",)
    explorer.label_button.click()
    assert "run something first" in explorer.message.value
    explorer.run()
    finish(explorer)
    explorer.choice.seed.value = 7  # not run
    explorer.label_button.click()
    assert "saved in labels.json" in explorer.message.value
    (kept,) = json.loads(explorer.labels.read_text()).values()
    assert kept["config"]["seed"] == 0 and kept["behaviours"] == ["multi-path"]
    explorer.behaviours.value = ()
    explorer.label_button.click()
    assert "choose what you see" in explorer.message.value
    assert list(json.loads(explorer.labels.read_text()).values()) == [kept], (
        "a label is not replaced by none"
    )


def test_the_prompt_is_shown(explorer):
    explorer.run()
    finish(explorer)
    assert explorer.clean.sample.prompt in explorer.question.value


def test_a_config_that_is_refused_stops_nothing(explorer):
    explorer.choice.steps.value = 50
    explorer.run()
    explorer.choice.task.value = OWN_MAZE  # without any door
    explorer.run()
    assert "no path leads" in explorer.message.value
    explorer.clean.wait()
    assert explorer.clean.done == 50


def test_a_swap_is_within_the_steps(explorer):
    explorer.swap_step.value = 3
    explorer.choice.steps.value = 2
    assert explorer.swap_step.value == explorer.swap_step.max == 1


def test_stop_ends_both_runs(explorer):
    explorer.choice.steps.value = 50
    explorer.cells.buttons[40, 1].value = True
    explorer.run()
    explorer.stop_button.click()
    finish(explorer)
    assert explorer.clean.done + explorer.changed.done < 100
    assert explorer.stop_button.disabled and "stopped after" in explorer.message.value
    explorer.step.value = 49
    assert bytes(explorer.right.value) == b"", "no picture of a step that was not reached"


@pytest.mark.parametrize("rooms", [3, 8])
def test_every_wall_between_two_rooms_has_its_button(rooms):
    editor = MazeEditor(rooms)
    assert len(editor.rooms) == rooms**2 and len(editor.doors) == 2 * rooms * (rooms - 1)
    assert len(editor.grid.children) == (2 * rooms - 1) ** 2
    assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in editor.doors)
    drawn = (rooms, (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 1))), (0, 0), (1, 1))
    editor.load(drawn)
    assert editor.drawn() == drawn
    assert len(hand_drawn(*editor.drawn()).solutions) == 1


def test_cells_are_those_that_are_pressed():
    cells = Cells(4, 3)
    cells.choose(((0, 1), (3, 2)))
    assert cells.chosen() == ((0, 1), (3, 2))
    cells.resize(2)
    assert cells.chosen() == ((0, 1),) and len(cells.grid.children) == (1 + 2) * (1 + 3)
