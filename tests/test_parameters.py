"""The parameters of notebooks: published, quick, changed."""

import pytest
import yaml

from chain_of_steps.experiments.parameters import FEW, settings

PUBLISHED = {
    "preset": "mini",
    "steps": {
        "cells": ["maze", "mark"],
        "samples_per_cell": 24,
        "samples_of": {"maze": 100, "mark": 2},
        "null_seeds": 32,
    },
    "deep": {"model": "x", "samples_per_cell": 3, "steps": [1, 50]},
    "contrasts": {"more": ["a", "b"]},
}


@pytest.fixture
def file(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"mini": {"1_x": PUBLISHED}}))
    return tmp_path / "params.yaml"


def test_by_default_they_are_the_published_ones(file):
    assert settings("1_x", file=file) == PUBLISHED
    assert settings("1_x", {}, file=file) == PUBLISHED


def test_a_quick_look_has_the_first_of_the_published_samples(file):
    found = settings("1_x", quick=True, file=file)
    assert found["steps"] == PUBLISHED["steps"] | {
        "samples_per_cell": FEW,
        "samples_of": {"maze": FEW, "mark": 2},
    }
    assert {name: found[name] for name in ("preset", "deep", "contrasts")} == {
        name: PUBLISHED[name] for name in ("preset", "deep", "contrasts")
    }


def test_changes_are_made_within_a_group_and_after_quick(file):
    changes = {"steps": {"samples_per_cell": 9, "samples_of": {"mark": 8}}, "preset": "paper"}
    found = settings("1_x", quick=True, changes=changes, file=file)
    assert found["steps"]["cells"] == ["maze", "mark"] and found["preset"] == "paper"
    assert found["steps"]["samples_per_cell"] == 9 and found["steps"]["samples_of"] == {"mark": 8}
    assert settings("1_x", file=file) == PUBLISHED, "nothing is remembered"
    with pytest.raises(ValueError, match="1_x has no parameters 'samples'; it has contrasts, deep"):
        settings("1_x", changes={"samples": 3}, file=file)


def test_a_section_replaces_all_of_them(file):
    assert settings("1_x", {"preset": "mini/4"}, file=file) == {"preset": "mini/4"}
