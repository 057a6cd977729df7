"""Fuzzing: readers return a value or a clear error, any interventions equal the naive run, any seed
gives a sound sample.

500 cases of each here; `make fuzz` runs 10,000 (FUZZ=10000) and writes what it found to
benchmarks/fuzz.json.
"""

import functools
import json
import os
import shutil
import time
from dataclasses import fields
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tiny
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noised import Noised

from chain_of_steps.bench import evalkit_results, vbvr
from chain_of_steps.experiments import ledger
from chain_of_steps.explorer.config import Config
from chain_of_steps.figures import registry
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading, scoring, suite
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import (
    MODES,
    NoiseAtCells,
    NoiseAtFrame,
    NoiseAtStep,
    from_record,
    record,
)
from chain_of_steps.sampling.prefix_tree import Branch, evaluations, grow

ROOT = Path(__file__).parent.parent
CASES = int(os.environ.get("FUZZ", "500"))
FOUND: dict[str, dict] = {}
STEPS, FRAMES = 3, 5
SCHEDULE = Schedule("test", "euler", STEPS, shift=3.0)

quiet = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


def fuzz(*strategies):
    """Runs a test on `CASES` drawn inputs, and records the outcome."""

    def decorate(test):
        count = {"cases": 0}

        @settings(max_examples=CASES, derandomize=CASES <= 500, **quiet)
        @given(st.tuples(*strategies))
        def run(drawn):
            count["cases"] += 1
            test(*drawn)

        def recorded():
            began, found = time.monotonic(), "nothing"
            try:
                run()
            except BaseException as error:
                found = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                raise
            finally:
                seconds = round(time.monotonic() - began, 1)
                FOUND[test.__name__.removeprefix("test_")] = count | {
                    "seconds": seconds,
                    "found": found,
                }

        functools.update_wrapper(recorded, test, updated=())
        del recorded.__wrapped__  # otherwise pytest takes the drawn inputs for fixtures
        return recorded

    return decorate


@pytest.fixture(scope="module", autouse=True)
def on_record():
    """Writes the outcomes, if a file is named."""
    yield
    if file := os.environ.get("FUZZ_RECORD"):
        Path(file).write_text(json.dumps(FOUND, indent=1) + "\n")


@functools.cache
def world() -> tuple[VideoModel, object]:
    model = VideoModel(tiny.mini_like())
    return model, model.prepare("fill the empty place", np.full((16, 16, 3), 90, np.uint8), FRAMES)


@functools.cache
def folder() -> Path:
    """A small suite, a result of EvalKit, and their bytes, to be damaged and restored."""
    import atexit
    import tempfile

    out = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    vbvr.export_suite({"bounce": suite.draw("bounce", 2, 0)}, out / "suite", 48, 5)
    sample = {
        "video_path": "m/x.mp4",
        "video_file": "00000.mp4",
        "task_name": "x_data-generator",
        "error": None,
    }
    sample |= {"folder": "In-Domain_50", "category": "Knowledge", "score": 0.5}
    (out / "m_vbvr_results.json").write_text(json.dumps({"samples": [sample]}))
    return out


def answers_or_refuses(reader, *arguments):
    """The result of a reader; None if it raises a clear error."""
    try:
        return reader(*arguments)
    except (ValueError, OSError) as error:
        assert str(error).strip(), "a refusal says why"
        return None


damages = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1)),
    st.tuples(st.just("flip"), st.tuples(st.floats(0, 1), st.integers(1, 255))),
    st.tuples(st.just("replace"), st.binary(max_size=80)),
    st.tuples(st.just("remove"), st.none()),
)
json_data = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**6) | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)


def spoil(whole: bytes, damage) -> bytes | None:
    kind, how = damage
    if kind == "cut":
        return whole[: int(how * len(whole))]
    if kind == "flip":
        at = int(how[0] * (len(whole) - 1))
        return whole[:at] + bytes([whole[at] ^ how[1]]) + whole[at + 1 :]
    return how


FILES = ("metadata.json", "prompt.txt", "first_frame.png", "final_frame.png", "ground_truth.mp4")


@fuzz(st.sampled_from(FILES), damages)
def test_a_spoiled_suite_is_read_or_refused(name, damage):
    file = folder() / "suite/In-Domain_50/bounce_data-generator/00001" / name
    whole = file.read_bytes()
    try:
        spoiled = spoil(whole, damage)
        file.unlink() if spoiled is None else file.write_bytes(spoiled)
        for case in answers_or_refuses(vbvr.read_suite, folder() / "suite") or []:
            first = answers_or_refuses(lambda case=case: case.first_frame)
            assert first is None or (first.ndim == 3 and first.dtype == np.uint8)
            frames = answers_or_refuses(vbvr.frames_for, case, 49)
            assert frames is None or frames % 4 == 1
    finally:
        file.write_bytes(whole)


paths = st.lists(
    st.sampled_from(["In-Domain_50", "x_data-generator", "00000", "..", ".x", "prompt.txt", "é"]),
    max_size=4,
)


@fuzz(st.lists(paths, max_size=4))
def test_any_folder_is_a_suite_or_refused(tree):
    root = folder() / "any" / "root"
    for parts in tree:
        target = (root / Path(*parts)).resolve()
        if target.is_relative_to(root):
            target.mkdir(parents=True, exist_ok=True)
    answers_or_refuses(vbvr.read_suite, root)
    shutil.rmtree(root, ignore_errors=True)


keys = st.sampled_from(
    ["task", "state", "canonical", "knobs", "seen", "key", "prompt", "sha256", "generator", "size"]
)


@fuzz(st.dictionaries(keys, json_data, max_size=3))
def test_a_changed_manifest_is_never_taken_for_ours(changes):
    file = folder() / "suite/In-Domain_50/bounce_data-generator/00000/metadata.json"
    whole = file.read_text()
    try:
        data = json.loads(whole)
        file.write_text(json.dumps(data | changes))
        changed = json.dumps(data | changes) != json.dumps(data)
        cases = answers_or_refuses(vbvr.read_suite, folder() / "suite")
        assert not changed or cases is None or cases[0].sample is None
    finally:
        file.write_text(whole)


@fuzz(json_data | st.fixed_dictionaries({"samples": st.lists(json_data, max_size=3)}))
def test_any_result_of_evalkit_is_read_or_refused(data):
    file = folder() / "any_vbvr_results.json"
    file.write_text(json.dumps(data))
    results = answers_or_refuses(evalkit_results.read_results, file)
    assert results is None or set(results.columns) == set(evalkit_results.COLUMNS)


@fuzz(
    st.sampled_from(
        ["video_path", "video_file", "task_name", "folder", "category", "score", "error"]
    ),
    json_data,
)
def test_a_changed_result_of_evalkit_is_read_or_refused(name, value):
    good = json.loads((folder() / "m_vbvr_results.json").read_text())["samples"][0]
    file = folder() / "changed_vbvr_results.json"
    file.write_text(json.dumps({"samples": [good | {name: value}]}))
    results = answers_or_refuses(evalkit_results.read_results, file)
    assert results is None or results["score"].dropna().between(0, 1 + 1e-6).all()


sections = st.dictionaries(
    st.sampled_from(["claims", "mini", "figure", "metric", "above"]), json_data, max_size=3
)


@fuzz(st.text(max_size=60) | (json_data | sections).map(yaml.safe_dump))
def test_any_parameters_are_read_or_refused(text):
    file = folder() / "params.yaml"
    file.write_text(text, encoding="utf-8")
    assert not answers_or_refuses(registry.experiments, file, "mini", lambda _: world()[0])
    answers_or_refuses(ledger.judge, file, folder())


SECTION = {
    "preset": "mini",
    "cells": ["bounce walls=1"],
    "samples_per_cell": 1,
    "suite_seed": 7,
    "step_stride": 1,
    "frame_stride": 1,
}


@fuzz(st.dictionaries(st.sampled_from([*SECTION, "clels"]), json_data, min_size=1, max_size=2))
def test_changed_parameters_plan_or_are_refused(changes):
    counts = [value for value in changes.values() if type(value) is int and value > 1000]
    if not counts:  # planning a million samples is allowed, but too slow here
        section = {"1_step_visualization": SECTION | changes}
        with mock.patch.object(registry, "classes", lambda folder: {registry.WHOLE: Noised}):
            answers_or_refuses(
                registry.uses, ROOT / "params.yaml", section, lambda _: world()[0], "x"
            )


@fuzz(st.text(max_size=80))
def test_any_text_is_a_config_or_refused(text):
    answers_or_refuses(Config.from_text, text)


@fuzz(st.dictionaries(st.sampled_from([field.name for field in fields(Config)]), json_data))
def test_any_shared_data_is_a_config_with_a_sample_or_refused(data):
    answers_or_refuses(lambda: Config.from_text(json.dumps(data)).sample())


steps, frames = st.integers(0, STEPS - 1), st.integers(0, FRAMES - 1)
some = {"mode": st.sampled_from(MODES), "amplitude": st.floats(0, 3), "seed": st.integers(0, 2)}
noises = st.one_of(
    st.builds(NoiseAtStep, steps, st.none() | st.lists(frames, max_size=3).map(tuple), **some),
    st.builds(NoiseAtFrame, frames, st.none() | st.lists(steps, max_size=3).map(tuple), **some),
    st.builds(NoiseAtCells, st.lists(st.tuples(steps, frames), max_size=4).map(tuple), **some),
)
branches = st.builds(
    Branch, st.lists(noises, max_size=3).map(tuple), st.none() | st.integers(1, STEPS)
)


@fuzz(st.lists(branches, min_size=1, max_size=2), st.integers(0, 3))
def test_any_combination_of_interventions_is_the_naive_run(drawn, seed):
    model, condition = world()
    counted: list[int] = []
    seen = dict(grow(model, condition, SCHEDULE, seed, drawn, count=lambda: counted.append(1)))
    assert len(counted) == evaluations(drawn, STEPS, FRAMES)
    for index, branch in enumerate(drawn):
        assert tuple(map(from_record, map(record, branch.interventions))) == branch.interventions
        naive = generate(
            model, condition, SCHEDULE, seed, interventions=branch.interventions, until=branch.until
        )
        assert all(map(torch.equal, seen[index].latents, naive.latents))
        assert all(map(torch.equal, seen[index].x0_hats, naive.x0_hats))
        assert (seen[index].cells, seen[index].energy) == (naive.cells, naive.energy)


@fuzz(st.sampled_from(list(suite.TASKS)), st.integers(0, 2**31), st.integers(0, 10**6))
def test_any_seed_gives_a_solved_truth_and_answers_that_are_read_back(task, seed, index):
    sample = suite.draw_one(task, index, seed)
    assert scoring.score(sample, sample.render(frames=9)) == 1.0
    for answer in sample.solutions.answers[:3]:
        assert sample.is_valid(answer)
        assert reading.decided(sample, sample.render(answer, frames=9)[-1]) == answer
