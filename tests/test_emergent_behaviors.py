"""Working memory, self-correction and onsets: runs against known pictures, readouts against
made-up rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
import yaml

from chain_of_steps.bench import tasklist
from chain_of_steps.experiments.store import as_stored
from chain_of_steps.figures.emergent_behaviors import (
    analysis,
    memory_probes,
    onsets,
    working_memory,
)
from chain_of_steps.figures.emergent_behaviors.memory import (
    begun_as,
    hidden_frames,
    places,
    with_hidden,
)
from chain_of_steps.figures.emergent_behaviors.memory_probes import MemoryProbes
from chain_of_steps.figures.emergent_behaviors.onsets import Onsets, masks
from chain_of_steps.figures.emergent_behaviors.runs import Behaviors, WorkingMemory
from chain_of_steps.figures.step_visualization.runs import StepVisualization
from chain_of_steps.measures.linear_probes import features, look, pick, shaken, share, tell
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.sites import Captured

ROOT = Path(__file__).parent.parent
SCHEDULE = Schedule("test", "euler", 4, shift=3.0)
MEMORY = ["out_and_back", "occlusion"]


@pytest.fixture(scope="module")
def model():
    return VideoModel(tiny.mini_like())


# When is the start state out of sight?


@pytest.mark.parametrize("task", MEMORY)
def test_a_sample_begun_as_a_candidate_makes_it_right(task):
    sample = tasklist.draw_one(task, 0, 7)
    assert begun_as(sample, sample.candidates[0]).key == sample.key, "the valid one changes nothing"
    for candidate in sample.candidates[1:]:
        twin = begun_as(sample, candidate)
        assert np.array_equal(twin.picture(candidate, 1.0), sample.picture(candidate, 1.0))
        assert not np.array_equal(twin.first_frame(), sample.first_frame())


@pytest.mark.parametrize("task", MEMORY)
def test_a_hidden_frame_tells_nothing_and_every_other_does(task):
    for index, sample, hidden in with_hidden(task, 4, 7, "test", 9, 1):
        assert (
            sample.key == tasklist.draw_one(task, index, 7).key
            and 0 not in hidden
            and 8 not in hidden
        )
        clips = np.stack(
            [begun_as(sample, c).render(c, frames=9) for c in sample.candidates]
        ).astype(int)
        differs = np.abs(clips - clips[0]).max((0, 2, 3, 4)) > 255 * 0.02
        assert [f for f in range(9) if not differs[f]] == list(hidden)


def test_a_thing_that_leaves_is_gone_in_the_middle_of_its_way():
    for index in range(4):
        assert hidden_frames(tasklist.draw_one("out_and_back", index, 7), 13, 1) == (5,)


def test_a_latent_frame_hides_only_if_all_its_pixel_frames_do():
    sample = with_hidden("occlusion", 3, 7, "test", 49, 1)[0][1]
    fine, coarse = hidden_frames(sample, 49, 1), hidden_frames(sample, 49, 4)
    assert coarse and all(set(range(4 * f - 3, 4 * f + 1)) <= set(fine) for f in coarse)
    missed = set(range(1, 13)) - set(coarse)
    assert all(not set(range(4 * f - 3, 4 * f + 1)) <= set(fine) for f in missed)


def test_a_task_that_hides_nothing_is_refused():
    with pytest.raises(ValueError, match="out_and_back or occlusion"):
        hidden_frames(tasklist.draw_one("maze", 0, 7), 9, 1)
    with pytest.raises(ValueError, match="mark_object or maze"):
        masks(tasklist.draw_one("bounce", 0, 7), "named", 48)


# Noise in hidden frames.


def test_noise_goes_where_the_design_says(model):
    experiment = WorkingMemory(model, SCHEDULE)
    runs = experiment.plan(MEMORY, 3, suite_seed=7)
    assert len(set(runs)) == len(runs) == 2 * 3 * 7
    for run in runs:
        sample = tasklist.draw_one(run.task, run.index, 7)
        hidden, frames = (
            set(hidden_frames(sample, 9, 1)),
            {noise.frame for noise in run.interventions},
        )
        assert hidden and all(noise.steps is None for noise in run.interventions)
        assert frames == {"clean": set(), "hidden": hidden, "inner": set(range(1, 8))}.get(
            run.design, frames
        )
        if run.design == "visible":
            assert len(frames) == len(hidden) and not frames & hidden and frames <= set(range(1, 8))


def test_rows_of_working_memory_are_the_same_alone(model):
    experiment = WorkingMemory(model, SCHEDULE)
    runs, made = experiment.plan(["out_and_back"], 1, suite_seed=7), []
    results = dict(experiment.results(runs, count=lambda: made.append(1)))
    assert len(made) == experiment.evaluations(runs)
    chosen = runs[1]
    stored = as_stored(results[chosen], experiment.digits)
    assert experiment.measure(experiment.identity(chosen)) == stored
    assert experiment.run_of(experiment.identity(chosen)) == chosen
    assert results[runs[0]]["cells"] == 0 and results[chosen]["cells"] == 4 * len(
        chosen.interventions
    )


def noise_row(task, index, design, answer, mode="replace"):
    noise = [{"kind": "NoiseAtFrame", "mode": mode}]
    run = {
        "task": task,
        "index": index,
        "design": design,
        "interventions": noise if design != "clean" else [],
    }
    return {"run": run, "result": {"answer": answer, "score": float(answer == 0)}}


def test_costs_are_those_of_made_up_answers():
    answers = {
        "clean": [0, 0, 0, 1],
        "hidden": [1, -1, 0, 1],
        "visible": [0, 1, -1, 0],
        "inner": [1, 1, 1, 1],
    }
    rows = [
        noise_row("occlusion", i, design, a)
        for design, four in answers.items()
        for i, a in enumerate(four)
    ]
    found = working_memory.noise(rows)["occlusion"]
    assert found["n"] == 4 and found["right"]["clean"]["mean"] == 0.75
    assert {name: cost["mean"] for name, cost in found["cost"].items()} == {
        "hidden-replace": 0.5,
        "visible-replace": 0.25,
        "inner-replace": 0.75,
    }
    assert found["relative_cost"]["hidden-replace"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["hidden_minus_visible"]["replace"]["mean"] == 0.25


# Readers.


def test_tokens_are_those_of_the_frame_asked_for(model):
    sample, cells = tasklist.draw_one("occlusion", 0, 7), 36
    condition = model.prepare_sample(sample)
    states = Captured(lambda site: site.step == 2 and site.guided)
    clean = generate(model, condition, SCHEDULE, 5, visit=states)
    whole = {site.layer: state for site, state in states.items()}
    for frame in (3, -1):
        seen, start = look(model, SCHEDULE, sample, 5, [2], frame), (frame % 9) * cells
        assert torch.equal(seen["final"], clean.latents[-1])
        for layer, name in ((-1, "input"), (0, "0"), (1, "1")):
            assert torch.equal(seen[2, name], whole[layer][start : start + cells])
        assert torch.equal(seen[2, "x0_hat"], clean.x0_hats[2][0, :, frame].flatten(1).T)
    assert (2, "0") not in look(model, SCHEDULE, sample, 5, [2], layers=(-1, 1))


def test_floors_are_read_off_what_they_name(model):
    sample = tasklist.draw_one("occlusion", 0, 7)
    seen = look(model, SCHEDULE, sample, 0, [1])
    with shaken(model):
        blind = look(model, SCHEDULE, sample, 0, [1])
    named = {
        source: features(seen, blind, 1, source, 0, 1)
        for source in ("1", "0", "shuffled", "random network")
    }
    assert np.array_equal(named["shuffled"], named["1"]) and not np.array_equal(
        named["1"], named["0"]
    )
    assert np.array_equal(named["random network"], blind[1, "0"].numpy())
    assert not np.array_equal(named["random network"], named["0"])


def made_up_parts(signal: float, samples: int = 60, width: int = 8):
    rng = np.random.default_rng(0)
    right = rng.integers(0, 4, samples).tolist()
    parts = [rng.normal(size=(4, width)) for _ in right]
    for part, index in zip(parts, right, strict=True):
        part[index, 2] += signal
    return parts, right


def test_a_part_is_picked_if_it_can_be_told_and_by_chance_otherwise():
    assert np.mean(pick(*made_up_parts(8.0))) > 0.95
    assert 0.1 < np.mean(pick(*made_up_parts(0.0, 200))) < 0.4
    assert np.mean(pick(*made_up_parts(0.0, 60, width=300))) < 0.5, (
        "no reader has seen the sample that it judges"
    )
    assert pick([np.zeros((3, 2))] * 10, [0] * 10) == [0] * 10, (
        "a tie is a miss, wherever the right part stands"
    )
    parts, right = made_up_parts(8.0)
    some = pick(parts, [-1, *right[1:]])
    assert some[0] is None and np.mean(some[1:]) > 0.95


def test_a_class_is_told_if_it_can_be_told():
    rng = np.random.default_rng(0)
    labels = rng.choice(["red", "blue", "green"], 60)
    values = rng.normal(size=(60, 5)) + 6.0 * np.array(
        [[c == "red", c == "blue", 0, 0, 0] for c in labels]
    )
    assert np.mean(tell(values, labels)) > 0.95
    assert np.mean(tell(rng.normal(size=(200, 5)), rng.choice(["a", "b"], 200))) < 0.65
    assert np.mean(tell(rng.normal(size=(60, 300)), rng.choice(["a", "b"], 60))) < 0.75
    assert tell(values[:4], ["red"] * 4) == [None] * 4


def test_places_are_where_the_drawing_has_them():
    for index in range(4):
        back = tasklist.draw_one("out_and_back", index, 7)
        named = back.state["things"][0]
        assert places(back)[0][int(8 * named[3]), int(8 * named[2])]
        rows = np.stack(places(back))
        assert (rows.sum(0) <= 1).all() and (rows.sum((1, 2)) == 8 * 48).all()
        hidden = tasklist.draw_one("occlusion", index, 7)
        (mask,), (x, y) = places(hidden), hidden.state["thing"][2:]
        assert mask[int(8 * y), int(8 * x)] and 20 < mask.sum() < 120
        maze = tasklist.draw_one("maze", index, 7)
        rooms, goal = masks(maze, "named", 48), maze.first_frame()
        red = (goal[..., 0] > 0.6) & (goal[..., 2] < 0.2)
        assert (rooms[0] & red).sum() == red.sum() > 0
        assert not any((room & red).any() for room in rooms[1:]) and all(
            room.sum() == 36 for room in rooms
        )
        things = tasklist.draw_one("mark_object", index, 7)
        assert (
            len(masks(things, "named", 48))
            == len(things.state["things"])
            == len(masks(things, "answer", 48)) - 1
        )


def test_shares_are_weights_of_tokens():
    mask = np.zeros((48, 48), bool)
    mask[0:8, 4:12] = True
    assert share(mask, 8).nonzero()[0].tolist() == [0, 1] and share(mask, 8).sum() == pytest.approx(
        1.0
    )
    assert share(np.zeros((48, 48), bool), 8).sum() == 0.0


def test_start_states_are_read_off_pictures_that_show_them():
    """The reader of the experiment, given pictures as features: perfect on visible frames, chance
    on hidden ones."""

    def read_off(task, at):
        chosen = with_hidden(task, 40, 7, "test", 9, 1)
        parts = []
        for _, sample, hidden in chosen:
            picture = sample.render()[at] if at >= 0 else sample.render(frames=9)[hidden[0]]
            tokens = (picture / 255.0).reshape(6, 8, 6, 8, 3).mean((1, 3)).reshape(36, 3)
            parts.append(np.stack([share(mask, 8) for mask in places(sample)]) @ tokens)
        return np.mean(
            memory_probes.read([sample for _, sample, _ in chosen], parts, shuffled=False)
        )

    assert read_off("occlusion", 0) > 0.55 and read_off("out_and_back", 0) == 1.0
    assert read_off("occlusion", -1) < 0.4 and read_off("out_and_back", -1) < 0.45


@pytest.mark.parametrize("kind", [MemoryProbes, Onsets])
def test_rows_of_probes_are_the_same_alone(model, kind):
    experiment = kind(model, SCHEDULE)
    task = {MemoryProbes: "occlusion", Onsets: "mark_object"}[kind]
    extra = {"step_stride": 2} if kind is MemoryProbes else {}
    runs, made = experiment.plan([task], 5, suite_seed=7, **extra), []
    results = dict(experiment.results(runs, count=lambda: made.append(1)))
    assert len(made) == experiment.evaluations(runs) == 40
    list(experiment.results(runs[:1], count=lambda: made.append(1)))
    assert len(made) - 40 == experiment.evaluations(runs[:1]) == 20, (
        "the random network is evaluated for its floor only"
    )
    assert experiment.measure(experiment.identity(runs[-1])) == results[runs[-1]]
    assert all(np.shape(r.get("read", r.get("picked")))[1] == 5 for r in results.values())


def test_memory_is_probed_in_a_hidden_frame_with_the_noise_of_the_sample(model, monkeypatch):
    calls = []
    monkeypatch.setattr(
        memory_probes, "look", lambda *a, **k: calls.append((a[2].key, a[3], a[5])) or look(*a, **k)
    )
    experiment = MemoryProbes(model, SCHEDULE)
    runs = experiment.plan(["occlusion"], 3, step_stride=4, suite_seed=7)
    (_, result), *_ = experiment.results(runs)
    chosen = with_hidden("occlusion", 3, 7, "test", 9, 1)
    expected = [(sample.key, index, hidden[len(hidden) // 2]) for index, sample, hidden in chosen]
    assert calls == expected * 2 and result["index"] == [index for index, *_ in chosen]


def test_an_answer_is_picked_only_where_there_is_one(model, monkeypatch):
    """A random network answers nothing: then nothing is picked, and the named thing still is."""
    experiment = Onsets(model, SCHEDULE)
    monkeypatch.setattr(onsets, "pick", lambda parts, right: list(right))
    for run, result in experiment.results(experiment.plan(["maze"], 3, 7)):
        if run.source != "shuffled":
            assert result["picked"] == [[0] * 3 if run.what == "named" else [-1] * 3] * 4
        assert run.what == "named" or result["picked"] == [[-1] * 3] * 4


def probe_row(source, read):
    return {
        "run": {"task": "occlusion", "source": source},
        "result": {"read": [read] * 2, "step": [0, 3]},
    }


def test_the_gain_is_over_the_best_floor_on_other_samples():
    layers = [probe_row("0", [0, 1] * 10), probe_row("1", [1, 1] * 5 + [1, 0] * 5)]
    rows = [*layers, probe_row("x0_hat", [1, 0] * 8 + [1, 1] * 2), probe_row("x", [1, 0] * 10)]
    found = working_memory.probes(rows)["occlusion"]
    assert found["layer"] == 1, "chosen on even samples, where layer 0 reads nothing"
    assert found["gain"]["mean"] == pytest.approx(0.5 - 0.2) and found["gain"]["n"] == 10
    assert found["sources"]["0"]["3"]["mean"] == 0.5


# Leaders.

RIGHT, WRONG, NONE = [0.9, 0.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.0]


def course_row(index, course, null=None, task="bounce"):
    evidence = np.array(course)[:, None].repeat(2, 1)  # (S, F, K)
    control = np.zeros((len(course), 2, 3)).tolist()
    result = {
        "kinds": ["valid", "wrong", "wrong"],
        "evidence": evidence.tolist(),
        "control": control,
    }
    if null:
        result["null"] = {"evidence": {"calibrated": null, "ignorant": course}}
    return {"run": {"task": task, "index": index}, "result": result}


def test_only_a_leader_that_held_can_be_corrected():
    courses = {
        "corrected": [WRONG] * 3 + [RIGHT] * 3,
        "too short": [WRONG] * 2 + [NONE] + [WRONG] + [RIGHT] * 2,
        "spoiled": [RIGHT] * 3 + [NONE] * 2 + [WRONG],
        "lost": [RIGHT] * 4 + [NONE] * 2,
        "never": [RIGHT] * 6,
    }
    lines = analysis.courses([course_row(i, course) for i, course in enumerate(courses.values())])
    assert lines["corrected"].tolist() == [1, 0, 0, 0, 0]
    assert lines["spoiled"].tolist() == [0, 0, 1, 0, 0] and lines["lost"].tolist() == [
        0,
        0,
        0,
        1,
        0,
    ]
    assert lines["wrong_held"].tolist() == [1, 0, 0, 0, 0] and lines["right_held"].tolist() == [
        1,
        0,
        1,
        1,
        1,
    ]
    assert analysis.corrected_runs(
        [course_row(i, course) for i, course in enumerate(courses.values())]
    ) == [0]


def test_two_wrong_leaders_in_turn_hold_nothing():
    turns = [WRONG, [0.0, 0.0, 0.9]] * 3 + [RIGHT]
    assert analysis.courses([course_row(0, turns)])["wrong_held"].tolist() == [0.0]


def test_the_null_is_paired_with_its_own_trajectory():
    course = [WRONG] * 3 + [RIGHT] * 3
    rows = [
        course_row(0, course, null=course),
        course_row(1, course, null=[RIGHT] * 6),
        course_row(2, [RIGHT] * 6),
    ]
    found = analysis.self_correction(analysis.courses(rows))
    assert (
        found["paper"]["corrected"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
        and found["bounce"]["n"] == 3
    )
    assert found["all"]["null"]["n"] == 2 and found["all"]["null"]["corrected"]["mean"] == 0.5
    assert found["all"]["null"]["excess"]["mean"] == 0.5
    without = analysis.self_correction(analysis.courses([course_row(0, course, task="rotate")]))
    assert without["all"]["null"]["excess"]["n"] == without["paper"]["n"] == 0


def test_a_start_state_is_readable_where_it_leads():
    rows = [
        course_row(0, [NONE, RIGHT, RIGHT], task="occlusion"),
        course_row(1, [RIGHT] * 3, task="occlusion"),
    ]
    found = analysis.readable(
        analysis.courses([*rows, course_row(0, [WRONG] * 3, task="out_and_back")])
    )
    assert [value["mean"] for value in found["occlusion"]["at"]] == [0.5, 1.0, 1.0]
    assert (
        found["occlusion"]["always"]["mean"] == 0.5
        and found["occlusion"]["never_wrong"]["mean"] == 1.0
    )
    assert found["all"]["n"] == 3 and found["out_and_back"]["never_wrong"]["mean"] == 0.0


# Onsets.


def onset_row(what, source, picked):
    return {"run": {"task": "maze", "what": what, "source": source}, "result": {"picked": picked}}


def test_an_onset_is_the_first_step_of_being_right_for_good():
    named = {"4": [[1, 0, 0], [0, 1, 0], [1, 1, 0]], "x0_hat": [[0, 0, 1], [0, 0, 1], [1, 1, 1]]}
    answer = {"4": [[0, None, 0]] * 3, "x0_hat": [[0, None, 1], [0, None, 1], [0, None, 1]]}
    rows = [onset_row("named", source, picked) for source, picked in named.items()]
    rows += [onset_row("answer", source, picked) for source, picked in answer.items()]
    commits = pd.DataFrame(
        {"task": ["maze"] * 4, "index": [2, 1, 0, 9], "commit": [1.0, np.nan, 2.0, 0.0]}
    )
    table = analysis.onset_table(rows, commits).sort_values("index")
    assert table["index"].tolist() == [0, 1, 2], "paired by sample, whatever the order"
    assert table["named:layer"].tolist() == [2.0, 1.0, 3.0], (
        "perception that never comes is the last"
    )
    assert table["named:x0_hat"].tolist() == [2.0, 2.0, 0.0]
    np.testing.assert_array_equal(table["answer:x0_hat"], [np.nan, np.nan, 0.0])
    found = analysis.onsets(table)["maze"]
    assert found["action_minus_perception"]["n"] == 2
    assert found["action_minus_perception"]["mean"] == np.mean([2 - 2, 1 - 3])
    assert found["fine_action_minus_perception"]["mean"] == -3.0


# The pictures, and what the parameters promise.


def test_the_picture_of_a_correction_is_that_of_the_first_one(model, tmp_path, monkeypatch):
    experiment = Behaviors(model, SCHEDULE)
    assert experiment.name == StepVisualization.name
    runs = experiment.plan(["bounce"], 3, 0, 0, 7)
    assert [experiment.identity(r) for r in runs] == [
        StepVisualization(model, SCHEDULE).identity(r) for r in runs
    ]
    monkeypatch.setattr(
        experiment,
        "clips",
        lambda run: (None, np.full((4, 2, 48, 48, 3), 10 * run.index, np.uint8)),
    )
    course = {0: [RIGHT] * 4, 1: [WRONG] * 3 + [RIGHT], 2: [WRONG] * 3 + [RIGHT]}
    rows = [
        {
            "run": experiment.identity(run),
            "result": course_row(i, course[i])["result"] | {"score_at": [0.0, 1.0]},
        }
        for i, run in enumerate(runs)
    ]
    shown = experiment.showcase(rows, tmp_path)
    assert shown["bounce"].clips.max() == 0 and (shown["corrected"].clips == 10).all()
    assert (experiment.showcase(rows[:1], tmp_path)["corrected"].clips == 0).all(), (
        "none: the first solved one"
    )


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[1.0, 1.0], [0.2, 1.0], [0.0, 1.0]], 1),  # the first one that the steps solved
        ([[0.0, 0.5], [1.0, 1.0], [0.0, 0.0]], 1),  # solved at once, if none
        ([[0.0, 0.5], [0.0, 0.9]], 0),  # the first, if none is solved
    ],
)
def test_the_sample_shown_follows_the_stated_rule(model, tmp_path, monkeypatch, scores, expected):
    experiment = StepVisualization(model, SCHEDULE)
    monkeypatch.setattr(
        experiment, "clips", lambda run: (None, np.full((4, 2, 48, 48, 3), run.index, np.uint8))
    )
    runs = experiment.plan(["maze"], len(scores), 0, 0, 7)
    rows = [
        {"run": experiment.identity(r), "result": {"score_at": s}}
        for r, s in zip(runs, scores, strict=True)
    ]
    shown = experiment.showcase(rows, tmp_path)
    assert (shown["maze"].clips == expected).all()
    failed = [index for index, (_, last) in enumerate(scores) if last < 1.0]
    assert ("failed" in shown) == bool(failed) and all(
        (shown["failed"].clips == i).all() for i in failed[:1]
    )


def test_the_generations_are_those_of_notebook_one():
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text())
    for scale in parameters.values():
        if isinstance(scale.get("3_emergent_behaviors"), dict):
            first = {
                name: value
                for name, value in scale["1_step_visualization"].items()
                if name != "preset"
            }
            assert scale["3_emergent_behaviors"]["steps"] == first or scale is parameters["smoke"]
