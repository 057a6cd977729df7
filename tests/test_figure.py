"""`make figure`: one figure with other samples, drawn into scratch/."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import figure

SECTION = {
    "preset": "mini",
    "steps": {
        "cells": ["mark named=true", "maze rooms=5", "maze rooms=6"],
        "samples_per_cell": 24,
        "samples_of": {"maze rooms=5": 100},
        "picture_cells": ["mark named=true"],
        "null_seeds": 32,
        "suite_seed": 7,
    },
    "deep": {"model": "x", "samples_per_cell": 3},
    "pairs": {"mark named=true": 9, "maze rooms=6": 4},
}


def test_without_changes_nothing_changes():
    assert figure._changed(SECTION, None, None, []) == SECTION


def test_numbers_seeds_and_tasks_are_changed_wherever_they_stand():
    found = figure._changed(SECTION, 2, 8, ["maze"])
    steps = found["steps"]
    assert steps["cells"] == ["maze rooms=5", "maze rooms=6"] and steps["picture_cells"] == []
    assert steps["samples_per_cell"] == 2 and steps["samples_of"] == {"maze rooms=5": 2}
    assert steps["suite_seed"] == 8 and steps["null_seeds"] == 32
    assert found["pairs"] == {"maze rooms=6": 2} and found["preset"] == "mini"
    assert found["deep"] == {"model": "x", "samples_per_cell": 2}
    one = figure._changed(SECTION, None, None, ["maze rooms=6"])["steps"]
    assert one["cells"] == ["maze rooms=6"] and one["samples_of"] == {}


def test_what_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"there is no figure '8'; expected one of 1_step_visual"):
        figure.redraw("8", None, None, [])
    with pytest.raises(
        ValueError, match=r"1_step_visualization has no cell of 'chess'; it has lat"
    ):
        figure.redraw("1_step_visualization", None, None, ["chess"])
