"""From made-up rows of noised runs to curves: paired with the clean run, apart by task."""

import pytest

from chain_of_steps.interventions import NoiseAtFrame, NoiseAtStep, record
from chain_of_steps.readouts import perturbation as readouts


def row(task, index, design, score, answer, *noise) -> dict:
    run = {"task": task, "index": index, "design": design, "centre": -1, "interventions": [record(n) for n in noise]}
    return {"run": run, "result": {"score": score, "answer": answer, "cells": 9, "energy": 1.0}}


@pytest.fixture
def lines():
    rows = []
    for index in range(2):
        rows += [row("maze", index, "clean", 1.0, 0), row("bounce", index, "clean", 1.0, 0)]
        rows += [row("maze", index, "step", 0.0, 1, NoiseAtStep(s)) for s in (0, 2)]
        rows += [row("bounce", index, "step", 1.0, 0, NoiseAtStep(s)) for s in (0, 2)]
        rows += [row("maze", index, "frame", 0.5, 0, NoiseAtFrame(f)) for f in (0, 1, 2)]
        rows += [row("maze", index, "decision", 1.0, s // 2, NoiseAtStep(s, mode="level-correct")) for s in (0, 2)]
    return readouts.table(rows)


def test_costs_are_apart_by_task(lines):
    summary = readouts.summary(lines, [1.0, 0.75, 0.5, 0.25, 0.0], frames=3)
    maze, bounce = summary["by_task"]["maze"], summary["by_task"]["bounce"]
    assert (maze["clean"]["mean"], maze["step_drop"]["mean"], maze["step_drop"]["n"]) == (1.0, 1.0, 2)
    assert maze["frame_drop"]["mean"] == 0.5 and bounce["step_drop"]["mean"] == 0.0
    assert bounce["frame_drop"]["n"] == 0
    assert summary["contrasts"]["step_drop"]["mean"] == 0.5 and summary["contrasts"]["relative_drop"]["mean"] == 0.5


def test_decisions_are_those_of_level_correct_noise_with_replacement_beside_them(lines):
    summary = readouts.summary(lines, [1.0, 0.75, 0.5, 0.25, 0.0], frames=3)
    assert set(summary["decision"]) == {"maze"}
    fresh, replaced = (summary["decision"]["maze"][mode] for mode in ("level-correct", "replace"))
    assert fresh["step"] == replaced["step"] == [0, 2]
    assert [value["mean"] for value in fresh["unchanged"]] == [1.0, 0.0]
    assert [value["mean"] for value in replaced["unchanged"]] == [0.0, 0.0]
    assert set(summary["step"]) == {"replace"}, "they are not part of the curves over all tasks"
