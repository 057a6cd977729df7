"""One or two threads, shared pasts or not: the same answers and scores, latents within
tolerance."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def determinism():
    spec = importlib.util.spec_from_file_location(
        "determinism", ROOT / "benchmarks" / "determinism.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(ways: dict, tolerance: float) -> None:
    assert len(ways) == 3
    for name, way in ways.items():
        assert way["largest"] <= tolerance and way["answers"] == way["scores"] == 0, (name, way)
    assert ways["1 thread, shared"]["largest"] == 0.0, "sharing changes no bit"


def test_threads_and_sharing_change_no_answer(determinism):
    mini = ROOT / "data" / "mini"
    model = (
        VideoModel.load(mini)
        if (mini / "model_index.json").exists()
        else VideoModel(tiny.mini_like())
    )
    samples = [suite.draw_one(task, 0, seed=5) for task in determinism.TASKS[:2]]
    check(
        determinism.compare(model, replace(preset("mini"), steps=6), samples), determinism.TOLERANCE
    )


def test_the_recorded_differences_are_within_the_tolerance(determinism):
    record = json.loads((ROOT / "benchmarks" / "determinism.json").read_text())
    assert record["tolerance"] == determinism.TOLERANCE
    check(record["ways"], determinism.TOLERANCE)
