"""Samples by the name of a cell."""

import pytest

from chain_of_steps.bench import samples
from chain_of_steps.puzzles import suite


def test_a_cell_names_a_task_and_the_knobs_it_fixes():
    cell = samples.cell_of("latin", order=4, log2=5, staged=False)
    assert cell == "latin order=4 log2=5 staged=false"
    assert samples.task_of(cell) == "latin"
    assert samples.knobs_of(cell) == {"order": 4, "log2": 5, "staged": False}
    assert samples.knobs_of("maze") == {}
    assert samples.knobs_of("latin rounds=search") == {"rounds": "search"}


def test_a_cell_draws_what_the_suite_draws_with_its_knobs():
    ours = samples.draw("latin order=4 rounds=2", 3, seed=5, split="validation")
    theirs = suite.draw("latin", 3, 5, "validation", order=4, rounds=2)
    assert [s.key for s in ours] == [s.key for s in theirs]
    assert {s.stratum.label for s in ours} == {"unique/2"}


def test_cells_of_a_domain_and_of_a_list():
    assert samples.cells("in-domain") == suite.task_names("in-domain")
    assert samples.cells(["latin order=4", "maze"]) == ["latin order=4", "maze"]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("chess", "unknown task"),
        ("latin order", "fixes no knob"),
        ("latin  order=4", "fixes no knob"),
        ("latin order=", "fixes no knob"),
    ],
)
def test_faulty_cells_are_refused_in_a_list(cell, why):
    with pytest.raises(ValueError, match=why):
        samples.cells([cell])


@pytest.mark.parametrize("cell", ["latin size=4", "maze order=4"])
def test_an_unknown_knob_is_refused_when_drawn(cell):
    with pytest.raises(ValueError, match="cannot be drawn"):
        samples.draw_one(cell, 0, 7)
