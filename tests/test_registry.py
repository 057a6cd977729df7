"""What notebooks declare: experiments are found through params.yaml, and their runs are joined."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import tiny
import yaml

from chain_of_steps.figures import registry
from chain_of_steps.figures.step_visualization.runs import Room
from chain_of_steps.models.video_model import VideoModel

SECTION = {"preset": "mini/5", "cells": ["bounce walls=1"], "room_samples": 2, "suite_seed": 7}


class Shown(Room):
    """One more picture."""


class Impostor(registry.Experiment):
    """Unrelated, but of the same name."""

    name = Room.name
    plan = Room.plan
    evaluations = results = None


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What `experiments` finds, from what folders declare and the sections of their notebooks."""
    model = VideoModel(tiny.mini_like())

    def found(declared: dict, **sections: dict) -> dict[str, tuple]:
        for folder, experiments in declared.items():
            package, runs = (
                ModuleType(f"{registry.__package__}.{name}") for name in (folder, f"{folder}.runs")
            )
            if experiments is not None:
                runs.EXPERIMENTS = experiments
            for module in (package, runs):
                monkeypatch.setitem(sys.modules, module.__name__, module)
        file = Path(tmp_path / "params.yaml")
        folders = {name: f"made_up_{name}" for name in sections}
        file.write_text(yaml.safe_dump({"figures": folders, "mini": sections}))
        return registry.experiments(file, "mini", lambda _: model)

    return found


def test_notebooks_that_share_an_experiment_add_their_runs(found):
    declared = {"made_up_a": Room, "made_up_b": {"again": Shown}, "made_up_c": {}}
    again = SECTION | {"cells": ["maze", "bounce walls=1"]}
    sections = {"a": SECTION, "b": {"preset": "mini/5", "again": again}, "c": {"anything": 1}}
    ((name, (_, runs)),) = found(declared, **sections).items()
    assert name == "1_room"
    assert [(run.cell, run.index) for run in runs] == [
        *(("bounce walls=1", 0), ("bounce walls=1", 1)),
        *(("maze", 0), ("maze", 1)),
    ]


def test_symbol_networks_can_be_left_out(found, tmp_path):
    own = SECTION | {"model": "data/symbols/latin-L1-0"}
    sections = {"a": SECTION, "b": {"preset": "mini/5", "again": own}}
    found({"made_up_a": Room, "made_up_b": {"again": Shown}}, **sections)
    params, model = tmp_path / "params.yaml", VideoModel(tiny.mini_like())
    for symbols, used in ((True, ["a", "b"]), (False, ["a"])):
        uses = registry.uses(params, sections, lambda _: model, "x", symbols)
        assert [use.notebook for use in uses] == used


def test_one_name_for_two_experiments_is_refused(found):
    said = "a and b both have an experiment '1_room', but another class, model or"
    with pytest.raises(ValueError, match=said):
        declared = {"made_up_a": Room, "made_up_b": Room}
        found(declared, a=SECTION, b=SECTION | {"preset": "mini/6"})
    with pytest.raises(ValueError, match=said):
        found({"made_up_a": Room, "made_up_b": Impostor}, a=SECTION, b=SECTION)


def test_what_is_not_declared_is_named(found):
    with pytest.raises(ValueError, match=r"there is no figures/made_up_a/runs.py that declares"):
        found({}, a=SECTION)
    with pytest.raises(ValueError, match=r"there is no figures/made_up_a/runs.py that declares"):
        found({"made_up_a": None}, a=SECTION)
    with pytest.raises(ValueError, match="the parameters of a lack 'again'"):
        found({"made_up_a": {"again": Shown}}, a=SECTION)


def test_a_section_that_is_no_notebook_and_a_folder_that_is_no_name_are_refused(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("figures: {a: step_visualization}\nmini: {b: {}}")
    with pytest.raises(ValueError, match="has a section 'b', which is not a notebook in its map"):
        registry.sections(file, "mini")
    for folder in ("3", "../x", "[x]", "''"):
        file.write_text(f"figures: {{a: {folder}}}")
        with pytest.raises(ValueError, match=r"the folder of 'a' in .* expected a name"):
            registry.folders(file)


def test_a_fault_in_a_file_of_runs_is_not_hidden(monkeypatch):
    monkeypatch.setitem(sys.modules, "chain_of_steps.figures.step_visualization.runs", None)
    with pytest.raises(ValueError, match=r"there is no figures/step_visualization/runs.py"):
        registry.classes("step_visualization")
    monkeypatch.setitem(sys.modules, "chain_of_steps.figures.sample_runs", None)
    monkeypatch.delitem(sys.modules, "chain_of_steps.figures.step_visualization.runs")
    with pytest.raises(ModuleNotFoundError, match="sample_runs"):
        registry.classes("step_visualization")
