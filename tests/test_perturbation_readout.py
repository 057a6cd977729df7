"""From made-up rows of noised runs to curves: paired with the clean run, apart by task."""

import numpy as np
import pytest

from chain_of_steps.figures.perturbation_curves import analysis, noise_maps
from chain_of_steps.sampling.interventions import (
    Drop,
    NoiseAtCells,
    NoiseAtFrame,
    NoiseAtStep,
    record,
)


def row(task, index, design, score, answer, *noise) -> dict:
    run = {
        "task": task,
        "index": index,
        "design": design,
        "centre": -1,
        "interventions": [record(n) for n in noise],
    }
    return {"run": run, "result": {"score": score, "answer": answer, "cells": 9, "energy": 1.0}}


@pytest.fixture
def lines():
    rows = []
    for index in range(2):
        rows += [row("maze", index, "clean", 1.0, 0), row("bounce", index, "clean", 1.0, 0)]
        rows += [row("maze", index, "step", 0.0, 1, NoiseAtStep(s)) for s in (0, 2)]
        rows += [row("bounce", index, "step", 1.0, 0, NoiseAtStep(s)) for s in (0, 2)]
        rows += [row("maze", index, "frame", 0.5, 0, NoiseAtFrame(f)) for f in (0, 1, 2)]
        rows += [
            row("maze", index, "decision", 1.0, s // 2, NoiseAtStep(s, mode="level-correct"))
            for s in (0, 2)
        ]
    return analysis.table(rows)


def test_costs_are_apart_by_task(lines):
    summary = analysis.summary(lines, [1.0, 0.75, 0.5, 0.25, 0.0], frames=3)
    maze, bounce = summary["by_task"]["maze"], summary["by_task"]["bounce"]
    assert (maze["clean"]["mean"], maze["step_drop"]["mean"], maze["step_drop"]["n"]) == (
        1.0,
        1.0,
        2,
    )
    assert maze["frame_drop"]["mean"] == 0.5 and bounce["step_drop"]["mean"] == 0.0
    assert bounce["frame_drop"]["n"] == 0
    assert (
        summary["contrasts"]["step_drop"]["mean"] == 0.5
        and summary["contrasts"]["relative_drop"]["mean"] == 0.5
    )


def test_what_is_no_noise_is_refused():
    rows = [row("maze", 0, "clean", 1.0, 0), row("maze", 0, "drop", 0.0, 1, Drop(2))]
    with pytest.raises(ValueError, match=r"about noise at a step, a frame or cells, not .*Drop"):
        analysis.table(rows)


def test_decisions_are_those_of_level_correct_noise_with_replacement_beside_them(lines):
    summary = analysis.summary(lines, [1.0, 0.75, 0.5, 0.25, 0.0], frames=3)
    assert set(summary["decision"]) == {"maze"}
    fresh, replaced = (summary["decision"]["maze"][mode] for mode in ("level-correct", "replace"))
    assert fresh["step"] == replaced["step"] == [0, 2]
    assert [value["mean"] for value in fresh["unchanged"]] == [1.0, 0.0]
    assert [value["mean"] for value in replaced["unchanged"]] == [0.0, 0.0]
    assert set(summary["step"]) == {"replace"}, "they are not part of the curves over all tasks"


def test_equal_doses_are_compared_on_the_same_samples():
    rows = []
    for index in range(3):
        rows += [
            row("maze", index, "clean", 1.0, 0),
            row("maze", index, "inner", 0.25, 1, NoiseAtStep(1, frames=(1,))),
        ]
        window = NoiseAtFrame(1, steps=(1,))
        rows += [row("maze", index, "inner-window", 0.75, 0, window)] if index else []
    rows[1]["run"]["centre"] = 1
    contrasts = analysis.summary(analysis.table(rows), [1.0, 0.5, 0.0], frames=3)["contrasts"]
    assert (contrasts["inner_drop"]["mean"], contrasts["inner_drop"]["n"]) == (0.75, 3)
    assert (contrasts["inner_minus_window"]["mean"], contrasts["inner_minus_window"]["n"]) == (
        0.5,
        2,
    )
    assert contrasts["inner_minus_window_changed"]["mean"] == 1.0


@pytest.mark.parametrize(("along", "share"), [("step", 1.0), ("frame", 0.0)])
def test_single_cells_tell_steps_from_frames(along, share):
    rows = []
    for index in range(3):
        rows.append(row("maze", index, "clean", 1.0, 0))
        for s in range(3):
            for f in range(4):
                lost = (s if along == "step" else f) == 1
                rows.append(
                    row("maze", index, "cell", 1.0 - lost, int(lost), NoiseAtCells(((s, f),)))
                )
    cells = analysis.summary(analysis.table(rows), [1.0, 0.7, 0.3, 0.0], frames=4)["cells"]["maze"]
    assert cells["step_share"]["mean"] == share and cells["n"] == 3
    assert np.array(cells["changed"]).shape == (3, 4) and np.array(cells["drop"])[1, 1] == 1.0


def test_persistence_is_what_is_left_as_a_share_of_an_unrelated_run():
    left = np.array([[0.1, 0.5, 0.5, 0.5], [0.3, 0.5, 0.5, 0.5]])
    unrelated = np.array([[9.0, 9.0, 9.0, 1.0], [9.0, 9.0, 9.0, 1.0]])
    assert noise_maps.persistence(left, unrelated)["mean"] == 0.2


def test_latents_replaced_at_the_last_step_are_no_peak():
    stack = np.ones((2, 3, 3)) * np.array([0.2, 0.6, 1.0])[None, :, None]
    places = np.array([0.0, 0.5, 1.0])
    assert noise_maps.peak(noise_maps.at_the_end("x", stack), places)["mean"] == 0.5
    assert noise_maps.peak(noise_maps.at_the_end("x0_hat", stack), places)["mean"] == 1.0
