"""Notebook 1: rows by identity, statistics on rows worked out by hand."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import listed
import nbformat
import numpy as np
import papermill
import pytest
import tiny
import torch
import yaml
from scales import scales_of

from chain_of_steps.bench import samples
from chain_of_steps.experiments.store import Store, as_stored
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.sample_runs import SampleBranches
from chain_of_steps.figures.step_visualization import (
    analysis,
    commits,
    grids,
    nulls,
    pictures,
    pruning,
    seen,
)
from chain_of_steps.figures.step_visualization.runs import (
    OTHERS,
    Room,
    StepVisualization,
    VisualizationRun,
)
from chain_of_steps.measures import decisions, traces
from chain_of_steps.measures.posterior import posterior
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.symbols import SymbolPipeline
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.training import symbols as training

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "1_step_visualization.ipynb"
PARAMETERS = scales_of("1_step_visualization")
SCHEDULE = Schedule("test", "euler", steps=4, shift=5.0)
SIGMAS = SCHEDULE.sigmas
SEVERAL, UNIQUE = "size_pattern blanks=2", "latin order=4 rounds=2"
PAIR = "latin order=4 log2=1"


@pytest.fixture(scope="module")
def model():
    return VideoModel(tiny.mini_like(), "tiny", size=48, frames=5)


@pytest.fixture(scope="module")
def experiment(model):
    return StepVisualization(model, SCHEDULE)


def run_of(cell: str, index: int = 0, **more) -> VisualizationRun:
    return VisualizationRun(cell, index, 7, seed=index, traced=True, **more)


def result_of(experiment, run) -> dict:
    ((_, result),) = experiment.results([run])
    return as_stored(result, experiment.digits)


# Rows.


def test_a_row_is_that_of_the_plain_run_and_more(experiment, model):
    class Plain(SampleBranches):
        name = "plain"
        digits = StepVisualization.digits
        run_type = VisualizationRun

    run = run_of(UNIQUE, most_answers=8, by_frame=True)
    plain, ours = result_of(Plain(model, SCHEDULE), run), result_of(experiment, run)
    assert {name: ours[name] for name in plain} == plain
    assert set(ours) - set(plain) == {
        *("drawn_at", "pruned_share", "pruned_share_other", "reference", "firm", "part_rounds"),
        *("part_candidates", "decided_by_frame", "exact"),
    }
    assert ours["decided"][-1] == ours["answer"] and len(ours["drawn_at"]) == SCHEDULE.steps
    assert (ours["drawn_at"][-1] == "1") == ours["drawn"]
    answer = samples.draw_one(UNIQUE, 0, 7).solutions.answers[0]
    assert ours["reference"] == traces.encoded(answer)


def test_the_last_frame_is_the_one_that_is_decided_and_the_given_one_shows_clues(experiment):
    result = result_of(experiment, run_of(UNIQUE, by_frame=True))
    frames, clues = result["decided_by_frame"], samples.draw_one(UNIQUE, 0, 7).state["clues"]
    assert len(frames) == 5 and all(len(texts) == SCHEDULE.steps for texts in frames)
    assert frames[-1] == result["decided"]
    shown = traces.decoded(frames[0])
    assert (shown[:, np.array(clues).ravel() < 0] == -1).all()


class Pixels:
    """Stands in for a model whose latents are pictures."""

    family = SimpleNamespace(beliefs=None)
    frames, stride = 5, 1

    def decode_all(self, clips):
        return np.stack(clips)


def test_every_frame_is_read_at_its_own_progress():
    """The ground truth: frame by frame one more round of the square can be read."""
    sample = samples.draw_one("latin_staged order=4 rounds=3", 0, 7)
    found = seen.seen(Pixels(), sample, [sample.render(None, 48, 5)] * 2)
    frames = seen.by_frame(Pixels(), sample, found)
    answer, rounds = sample.solutions.answers[0], decisions.part_rounds(sample)
    known = [traces.encoded(np.where(rounds <= r, answer, -1)) for r in (0, 1, 2, 3, 3)]
    assert frames == [[text, text] for text in known]


def test_what_is_decided_is_drawn_only_if_it_is_legible():
    sample = samples.draw_one("maze rooms=5 paths=2", 0, 7)
    one, other = (sample.render(a, 48, 5) for a in sample.solutions.answers[:2])
    mixed = (0.6 * one + 0.4 * other).astype(np.uint8)
    found = seen.seen(Pixels(), sample, [one, mixed])
    traced = seen.trace(sample, found, 0.5, {})
    assert traced["drawn_at"] == "10" and traced["valid_at"] == "11"
    assert len(set(traced["decided"])) == 1 and "." in traced["held"][1]
    again = found.at([1, 0, 0])
    assert (again.clips == np.stack([mixed, one, one])).all()
    assert again.drawn.tolist() == [False, True, True]
    assert (again.beliefs == found.beliefs[[1, 0, 0]]).all()


# Nulls.


def test_the_distinct_means_are_those_of_all_steps(model):
    sample = samples.draw_one(SEVERAL, 0, 7)
    trajectory = generate(model, model.prepare_sample(sample), SCHEDULE, 3)
    atoms = nulls.atoms(model, sample)
    means, which = nulls.means(trajectory, atoms)
    assert len(which) == SCHEDULE.steps and len(means) <= SCHEDULE.steps
    for s, (x, sigma) in enumerate(zip(trajectory.latents[:-1], SIGMAS[:-1], strict=True)):
        expected = posterior(x, sigma, atoms).mean
        assert torch.allclose(means[which[s]], expected, atol=1e-4)
    assert torch.allclose(means[which[0]], atoms.mean(0, keepdim=True), atol=1e-5)


def test_equal_means_are_given_once(model):
    sample = samples.draw_one(UNIQUE, 0, 7)
    trajectory = generate(model, model.prepare_sample(sample), SCHEDULE, 3)
    means, which = nulls.means(trajectory, nulls.atoms(model, sample))
    assert len(means) == 1 and which == [0] * SCHEDULE.steps


def test_the_exact_null_of_a_unique_answer_is_that_answer():
    experiment = StepVisualization(symbol_model(), SCHEDULE)
    exact = result_of(experiment, run_of(UNIQUE, most_answers=1))["exact"]
    assert exact["valid_at"] == exact["drawn_at"] == "1111"
    assert exact["violations_at"] == [0] * 4 and not exact["pruned"]


def symbol_model() -> VideoModel:
    network = training.build(training.SymbolRecipe("latin", 1, width=32))
    torch.manual_seed(5)
    torch.nn.init.normal_(network.proj_out.weight, std=0.3)
    pipe = SymbolPipeline(network, SCHEDULE.scheduler("sample"), "latin")
    return VideoModel(pipe, size=1, frames=1)


def test_the_exact_null_begins_with_all_answers_and_breaks_ties_at_random():
    """With two valid answers, each open cell shows both at step 0, equally."""
    experiment, first = StepVisualization(symbol_model(), SCHEDULE), []
    pairs = [i for i in range(12) if len(samples.draw_one(PAIR, i, 7).solutions) == 2]
    for index in pairs:
        exact = result_of(experiment, run_of(PAIR, index, most_answers=2))["exact"]
        answers = np.array(samples.draw_one(PAIR, index, 7).solutions.answers)
        open_cells = answers[0] != answers[1]
        assert exact["present_at"][0] == 2.0
        decided = traces.decoded(exact["decided"])[0]
        assert (decided == answers).any(0).all()
        first += (decided == answers.min(0))[open_cells].tolist()
    assert len(pairs) >= 4 and 0.2 < np.mean(first) < 0.8  # the plain argmax would give 1


def test_no_exact_null_where_there_are_more_answers(experiment):
    sample = samples.draw_one(SEVERAL, 0, 7)
    count = len(sample.solutions)
    assert "exact" in result_of(experiment, run_of(SEVERAL, most_answers=count))
    assert "exact" not in result_of(experiment, run_of(SEVERAL, most_answers=count - 1))
    unknown = replace(sample)
    unknown.__dict__["solutions"] = replace(sample.solutions, more=True)
    assert nulls.listed(sample, count) and not nulls.listed(unknown, 10**6)


def test_the_calibrated_null_is_of_other_seeds(experiment, model):
    run, counted = run_of(SEVERAL, 2, null_seeds=32), []
    ((_, result),) = experiment.results([run], lambda: counted.append(1))
    sample = samples.draw_one(SEVERAL, 2, 7)
    condition = model.prepare_sample(sample)
    finals = [generate(model, condition, SCHEDULE, 2 + OTHERS + i).latents[-1] for i in range(32)]
    ends = [traces.outcome(model, sample, latents) for latents in finals]
    assert result["other_seeds"]["answers"] == [end["answer"] for end in ends]
    assert result["other_seeds"]["valid"] == [end["valid"] for end in ends]
    assert len(counted) == experiment.evaluations([run]) == 33 * SCHEDULE.steps
    own = generate(model, condition, SCHEDULE, 2)
    means, which = nulls.means(own, torch.cat(finals), own=True)
    found = seen.seen(model, sample, means).at(which)
    readings, floor = experiment.readings(run, sample), experiment.floor(SEVERAL)
    expected = seen.trace(sample, found, floor, readings, nulls.lots(sample))
    assert as_stored(result["calibrated"]) == as_stored(expected)
    without = result_of(experiment, run_of(SEVERAL, 2))
    assert "calibrated" not in without and without["decided"] == result["decided"]


def test_two_runs_of_one_generation_keep_their_own_seeds(experiment):
    both = [run_of(SEVERAL, 1), run_of(SEVERAL, 1, null_seeds=32)]
    found = dict(experiment.results(both))
    assert "calibrated" not in found[both[0]] and len(found[both[1]]["other_seeds"]["valid"]) == 32
    assert found[both[0]]["decided"] == found[both[1]]["decided"]


def test_entropy_by_hand():
    assert nulls.entropy(["a"] * 5) == 0.0
    assert nulls.entropy(["a", "b"]) == pytest.approx(1.0)
    assert nulls.entropy(["a", "a", "b", "c"]) == pytest.approx(1.5)


# Room.


def test_room_is_the_first_step_of_validation_samples(model, experiment):
    room = Room(model, SCHEDULE)
    planned = room.plan([SEVERAL, UNIQUE], room_samples=2, suite_seed=7)
    assert [(run.cell, run.index, run.seed) for run in planned] == [
        (SEVERAL, 0, 0), (SEVERAL, 1, 1), (UNIQUE, 0, 0), (UNIQUE, 1, 1)
    ]  # fmt: skip
    assert {run.split for run in planned} == {"validation"}
    assert room.evaluations(planned[:1]) == 1
    ((_, result),) = room.results(planned[:1])
    whole = result_of(experiment, replace(run_of(SEVERAL), split="validation"))
    assert result["answer"] == whole["decided"][0]
    assert result["valid"] == (whole["valid_at"][0] == "1")


# Plans.


def test_the_plan(experiment):
    planned = experiment.plan(
        cells=["latin order=4 log2=1", "maze rooms=5 paths=2", SEVERAL],
        samples_per_cell=3,
        samples_of={SEVERAL: 2},
        most_answers=64,
        frame_cells=["latin order=4 log2=1"],
        null_cells=[SEVERAL],
        null_per_cell=1,
        null_seeds=32,
        picture_cells=["latin order=4 clues=4"],
        picture_samples=2,
        suite_seed=5,
    )
    clean = [run for run in planned if run.design == "clean"]
    assert [run.index for run in clean] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert all(run.traced and run.seed == run.index and run.suite_seed == 5 for run in planned[:8])
    assert [run.null_seeds for run in clean] == [0] * 6 + [32, 0]
    assert [run.by_frame for run in clean] == [True] * 3 + [False] * 5
    shown = planned[8:]
    assert {run.design for run in shown} == {"picture"} and not any(run.traced for run in shown)
    assert experiment.run_of(experiment.identity(clean[0])) == clean[0]


def test_parameters_have_the_cells_that_the_claims_name(experiment, model):
    mini = PARAMETERS["mini"]
    planned = experiment.plan(**mini["steps"])
    rooms = Room(model, SCHEDULE).plan(**mini["room"])
    claims = yaml.safe_load((ROOT / "claims.yaml").read_text())["claims"]
    ours = [claim for claim in claims if claim["figure"] == StepVisualization.name]
    named = {c["cell"] for c in ours} | {c["control"]["cell"] for c in ours if "control" in c}
    assert named <= {run.cell for run in planned} & {run.cell for run in rooms}
    for other in ("smoke", "real"):
        assert set(PARAMETERS[other]["steps"]) == set(mini["steps"])


# Statistics, on rows worked out by hand.


def row(valid="0001", violations=(3, 2, 1, 0), cell="c", cluster="a", design="clean", **more):
    """A run of four steps and two parts."""
    result = {
        "valid": valid[-1] == "1",
        "valid_at": valid,
        "drawn_at": "0011",
        "violations_at": list(violations),
        "present_at": [2.0, 1.5, 1.0, 1.0],
        "pruned": True,
        "pruned_share": 0.75,
        "pruned_share_other": 0.25,
        "decided": ["00", "01", "11", "11"],
        "held": ["0.", "01", "11", "11"],
        "firm": ["..", ".1", "11", "11"],
        "reference": "11",
        "part_rounds": [2.0, 1.0],
        "part_candidates": [2.0, 2.0],
        "sample": {"cluster": cluster, "answers": 2, "stratum": "several/1"},
    }
    run = {"cell": cell, "design": design, "by_frame": False}
    return {"run": run, "result": result | more}


ALWAYS, OFTEN = ["0001"] * 4, ["0001", "0010"] * 2


def several(*rows) -> list[dict]:
    return [
        {**r, "result": r["result"] | {"sample": r["result"]["sample"] | {"cluster": str(i)}}}
        for i, r in enumerate(rows)
    ]


def means(found: dict, *names: str) -> list:
    return [found[name]["mean"] for name in names]


def test_validity_by_hand():
    flat = {"pruned": False, "drawn_at": "0000"}
    found = analysis.of_cell(
        several(row("0001"), row("1111", (0, 0, 0, 0), **flat), row("0110", (4, 0, 0, 6), **flat)),
        SIGMAS,
    )
    assert means(found, "at_step_0", "at_end", "gain") == [0.3333, 0.6667, 0.3333]
    assert means(found, "drawn_at_end", "pruned") == [0.3333] * 2
    assert means(found, "violations_at_step_0", "violations_removed") == [2.3333, 0.3333]
    assert found["gain"]["n"] == 3 and found["gain"]["low"] < 0 < found["gain"]["high"]
    assert found["curves"]["n"] == 3
    assert found["curves"]["valid_at"]["mean"] == [0.333, 0.667, 0.667, 0.667]
    assert found["curves"]["violations_at"]["mean"] == [2.333, 0.667, 0.333, 2.0]
    assert found["curves"]["drawn_at"]["mean"] == [0.0, 0.0, 0.333, 0.333]
    assert found["curves"]["present_at"]["mean"] == [2.0, 1.5, 1.0, 1.0]
    assert found["curves"]["valid_at"]["low"][0] == pytest.approx(
        0.061, abs=0.002
    )  # Wilson, 1 of 3


def test_staged_squares_are_set_against_those_whose_cells_appear_together():
    cells = ["latin order=4 rounds=3", "latin_staged order=4 rounds=3", "latin_staged order=5"]
    rows = [
        row(v, cell=c) for c, vs in zip(cells, (OFTEN, ALWAYS, ALWAYS), strict=True) for v in vs
    ]
    found = analysis.summary(rows, [], SIGMAS)["cells"]
    staged = found[cells[1]]
    assert staged["at_end_minus_together"]["mean"] == 0.5
    assert staged["at_step_0_minus_together"]["mean"] == 0.0
    assert not any("minus_together" in n for c in (cells[0], cells[2]) for n in found[c])


def trace_of(present, valid="1111", pruned=(1.0, None)) -> dict:
    """Of a null: what it shows, what is valid, which share of parts it prunes and by chance."""
    result = {"present_at": present, "valid_at": valid, "violations_at": [0] * 4}
    result |= {"pruned_share": pruned[0], "pruned_share_other": pruned[1]}
    return result | {"drawn_at": "1111", "pruned": bool(pruned[0])}


def test_nulls_are_compared_on_the_runs_that_have_them():
    early, late = [2.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 1.0]  # halfway from steps 0 and 2
    seeds = {"answers": ["11", "11", "01", "00"], "valid": [True, True, False, False]}
    rows = several(
        row(exact=trace_of(early, "0111", (1.0, 0.5))),
        row("0000", exact=trace_of(late), calibrated=trace_of(late, "0110"), other_seeds=seeds),
        row(),
    )
    found = analysis.of_cell(rows, SIGMAS)
    assert found["pruned"]["n"] == 3 and found["exact_pruned"]["n"] == 2
    assert means(found, "exact_at_step_0", "exact_at_end", "at_end") == [0.5, 1.0, 0.6667]
    assert means(found, "at_end_minus_exact", "at_end_minus_calibrated") == [-0.5, 0.0]
    assert means(found, "calibrated_at_step_0", "calibrated_at_end") == [0.0, 0.0]
    assert found["at_end_minus_exact"]["n"] == 2 and found["at_end_minus_calibrated"]["n"] == 1
    assert means(found, "exact_pruned_share", "calibrated_pruned_share") == [1.0, 1.0]
    assert means(found, "exact_pruned_share_minus_other") == [0.5]
    assert found["exact_pruned_share_minus_other"]["n"] == 1
    assert found["exact_curves"]["n"] == 2
    assert found["exact_curves"]["valid_at"]["mean"] == [0.5, 1.0, 1.0, 1.0]
    assert means(found, "seeds_valid", "seeds_entropy") == [0.5, 1.5]
    assert "exact_pruned" not in analysis.of_cell(several(row()), SIGMAS)


def test_the_collapse_by_hand():
    """Noise levels 1, .8, .4, .1, 0. The model has 1.5 values at step 1: it falls below there."""
    sigmas = [1.0, 0.8, 0.4, 0.1, 0.0]
    exact = trace_of([3.0, 1.0, 1.0, 1.0])  # a quarter is left of the way from 1 to .8
    later = trace_of([1.0, 3.0, 2.0, 1.0])  # halfway from .4 to .1
    seeds = {"answers": ["11"], "valid": [True]}
    both = row(exact=exact, calibrated=later, other_seeds=seeds)
    rows = several(both, row(), row(present_at=[1.0] * 4))
    found = analysis.of_cell(rows, sigmas)
    assert analysis.collapse_sigma(exact, sigmas) == pytest.approx(0.85)
    assert analysis.collapse_sigma(later, sigmas) == pytest.approx(0.25)
    assert means(found, "collapse_sigma", "exact_collapse_sigma") == [0.8, 0.85]
    assert means(found, "calibrated_collapse_sigma") == [0.25]
    assert means(found, "collapse_minus_exact", "collapse_minus_calibrated") == [-0.05, 0.55]
    assert found["collapse_sigma"]["n"] == 2 and found["collapse_minus_exact"]["n"] == 1
    assert np.isnan(analysis.collapse_sigma(trace_of([2.0] * 4), sigmas))


def test_pruned_shares_by_hand():
    rows = several(row(), row(pruned_share=0.25), row(pruned_share_other=None))
    found = analysis.of_cell(rows, SIGMAS)
    assert found["pruned_share"]["mean"] == pytest.approx(1.75 / 3, abs=1e-4)
    assert means(found, "pruned_share_other", "pruned_share_minus_other") == [0.25, 0.25]
    assert found["pruned_share"]["n"] == 3 and found["pruned_share_minus_other"]["n"] == 2


def test_revisions_by_hand():
    """Part 0 goes from wrong to right; in the second run part 1 becomes wrong, then wrong again."""
    back = row(held=["12", "10", "13", "13"], reference="12")
    found = analysis.of_cell(several(row(), back), SIGMAS)
    assert analysis.revised(row()["result"]) == (1, 0, 0)
    assert analysis.revised(back["result"]) == (0, 1, 1)
    kinds = ("wrong_to_right", "right_to_wrong", "wrong_to_wrong", "corrections")
    assert means(found, *kinds) == [0.5, 0.5, 0.5, 0.0]
    undecided = row(held=["..", "0.", "..", "1."])
    assert analysis.revised(undecided["result"]) == (1, 0, 0)
    clue = row(part_rounds=[0.0, 1.0])
    assert analysis.revised(clue["result"]) == (0, 0, 0)  # part 0 is given


def test_firm_revisions_are_counted_where_the_answer_is_unique():
    """One run corrects both parts, one corrects part 1 and breaks it again, one holds nothing wrong
    firmly; another has two valid answers."""
    unique = {"sample": {"cluster": "a", "answers": 1, "stratum": "unique/2"}}
    both = row(firm=["00", "..", "11", "11"], **unique)
    again = row(firm=[".0", ".1", ".0", ".0"], **unique)
    rows = several(both, again, row(**unique), row(firm=both["result"]["firm"]))
    found = analysis.of_cell(rows, SIGMAS)
    assert means(found, "firm_wrong_to_right", "firm_right_to_wrong") == [1.0, 0.3333]  # 2 + 1, 1
    assert found["firm_corrected"]["mean"] == 0.6667 and found["firm_corrected"]["n"] == 3
    assert found["wrong_to_right"]["n"] == 4


def test_what_is_held_firmly_is_held(experiment):
    result = result_of(experiment, run_of(UNIQUE))
    firm, held = (traces.decoded(result[name]) for name in ("firm", "held"))
    assert len(firm) == SCHEDULE.steps and ((firm < 0) | (firm == held)).all()
    sample = samples.draw_one(UNIQUE, 0, 7)
    candidates = np.array(result["part_candidates"], float)
    np.testing.assert_equal(candidates, decisions.part_candidates(sample))


# What is pruned, and by chance.


def reading(possible: list[str]) -> np.ndarray:
    """Possible values, `ab.` for the first two of three, as (P, V) bool."""
    return np.array([[c != "." for c in values] for values in possible])


def sample_of(possible: list[str]):
    """Stands in for a sample: one valid answer for each value in turn."""
    allowed = [np.flatnonzero(values) for values in reading(possible)]
    answers = [tuple(int(a[i % len(a)]) for a in allowed) for i in range(6)]
    parts = [SimpleNamespace(values=possible[0])] * len(possible)
    return SimpleNamespace(solutions=SimpleNamespace(answers=answers), parts=parts)


BELIEFS = np.array(  # (S, P, V): part 0 goes from two values to one, part 1 has one always
    [
        [[0.5, 0.5, 0.0], [0.9, 0.0, 0.0], [0.3, 0.3, 0.3], [0.4, 0.4, 0.0]],
        [[0.9, 0.1, 0.0], [0.9, 0.0, 0.0], [0.0, 0.9, 0.0], [0.4, 0.4, 0.0]],
    ]
)


def test_parts_count_where_some_values_are_possible_and_some_are_not():
    """Part 2 may have any value, part 3 shows two until the end: of parts 0, 1 and 3 one prunes."""
    own = pruning.own(sample_of(["ab.", "ab.", "abc", "ab."]))
    assert own.parts.tolist() == [True, True, False, True]
    assert own.share(BELIEFS) == pytest.approx(1 / 3)
    assert np.isnan(pruning.own(sample_of(["a..", "abc"])).share(BELIEFS[:, :2]))


def test_chance_is_the_values_of_another_board():
    """The first other board has no such part with other values, the second has parts 0 and 1."""
    sample = sample_of(["ab.", "ab.", "abc", "a.."])
    same, other = sample_of(["ab.", "abc", ".bc", "ab."]), sample_of(["a.c", ".bc", "abc", "ab."])
    chance = pruning.by_chance(sample, [same, other, sample_of(["a.c"] * 4)])
    assert (chance.possible == reading(["a.c", ".bc", "abc", "ab."])).all()
    assert chance.parts.tolist() == [True, True, False, False]
    assert pruning.own(sample).share(BELIEFS) == 0.5  # of parts 0 and 1
    assert chance.share(BELIEFS) == 0.0  # b is as strong as a, and impossible there
    wider = pruning.by_chance(sample_of(["ab.", "ab."]), [sample_of(["ab.", "a.c"])])
    assert wider.parts.tolist() == [False, True]
    narrow = pruning.by_chance(sample_of(["abc."]), [sample_of(["ab.."])])
    assert narrow.share(np.array([[[0.5, 0.5, 0, 0]], [[0.9, 0, 0, 0]]])) == 1.0  # a chance hit
    for others in ([], [same], [sample_of(["ab.."] * 4), sample_of(["a.c"])]):
        assert np.isnan(pruning.by_chance(sample, others).share(BELIEFS))


def test_doors_count_where_both_values_are_possible_and_chance_is_where_one_is():
    sample = sample_of(["ab", "a.", ".b"])
    grey = np.array([[[0.5, 0.5]] * 3, [[0.9, 0.0]] * 3])
    found = pruning.readings(sample, [])
    assert {name: reading.share(grey) for name, reading in found.items()} == {
        "pruned_share": 1.0, "pruned_share_other": 1.0
    }  # fmt: skip
    grey[0, 1] = [0.9, 0.1]
    assert found["pruned_share_other"].share(grey) == 0.5  # of parts 1 and 2


def test_the_other_board_is_the_next_sample(experiment):
    run, cell = run_of("latin order=4 log2=5", 3), "latin order=4 log2=5"
    sample, following = samples.draw_one(cell, 3, 7), samples.draw_one(cell, 4, 7)
    chance = experiment.readings(run, sample)["pruned_share_other"]
    assert (chance.possible == decisions.possible(following)).all() and chance.parts.any()
    result = result_of(experiment, run)
    x0_hats = generate(experiment.model, experiment.condition(run, sample), SCHEDULE, 3).x0_hats
    beliefs = traces.beliefs_along(experiment.model, sample, x0_hats)
    assert result["pruned_share_other"] == pytest.approx(chance.share(beliefs), abs=1e-4)
    assert result["pruned_share"] == pytest.approx(pruning.own(sample).share(beliefs), abs=1e-4)


def test_commit_sigma_order_and_rounds_by_hand():
    """Parts 0 and 1 commit at steps 2 and 1; the second run never decides part 1."""
    open_end = row(decided=["00", "0.", "0.", "0."], part_rounds=[1.0, 2.0])
    found = analysis.of_cell(several(row(), open_end), SIGMAS)
    assert found["commit_sigma"]["mean"] == pytest.approx(SIGMAS[2], abs=1e-4)
    assert found["commit_sigma"]["n"] == 1 and found["commits"]["mean"] == 0.5
    assert found["order"]["mean"] == 1.0 and found["order"]["n"] == 1  # rounds 2, 1
    by_round = found["commit_by_round"]
    assert by_round["1"]["mean"] == 0.5 and by_round["1"]["n"] == 2  # steps 1 and 0
    assert by_round["2"]["mean"] == 2.0 and by_round["2"]["n"] == 1
    clues = row(part_rounds=[0.0, None])
    assert analysis.of_cell([clues], SIGMAS)["commit_by_round"] == {}


def test_the_order_with_candidates_held_fixed():
    """Parts commit at steps 0, 1, 2, 3 in rounds 1, 2, 1, 2 (correlation .447). If they have 2, 2,
    3, 3 candidates, rounds are the whole order among equals; if 2, 3, 2, 3, they say no more."""
    decided = ["0000", "0100", "0110", "0111"]  # part 0 never changes
    more = {"decided": decided, "held": decided, "firm": decided, "reference": "0111"}
    more["part_rounds"] = [1.0, 2.0, 1.0, 2.0]
    equals = row(**more, part_candidates=[2.0, 2.0, 3.0, 3.0])["result"]
    assert commits.order(equals) == pytest.approx(0.4472, abs=1e-4)
    assert commits.order_partial(equals) == pytest.approx(1.0)
    alike = row(**more, part_candidates=[2.0, 3.0, 2.0, 3.0])
    wrong = row("0000", **more, part_candidates=[2.0, 2.0, 3.0, 3.0])
    assert np.isnan(commits.order_partial(alike["result"]))
    found = analysis.of_cell(several({"result": equals, "run": alike["run"]}, alike, wrong), SIGMAS)
    assert found["order_partial"]["mean"] == 1.0 and found["order_partial"]["n"] == 1
    assert found["order"]["n"] == 3


def test_late_is_after_step_two_and_not_in_a_clue():
    late = row(decided=["00", "01", "01", "11"])
    assert [commits.late(r["result"]) for r in (row(), late)] == [False, True]
    assert not commits.late(row(decided=late["result"]["decided"], part_rounds=[0, 1])["result"])
    assert commits.late(row(decided=late["result"]["decided"], part_rounds=[None] * 2)["result"])
    assert means(analysis.of_cell(several(row(), late), SIGMAS), "late_commit") == [0.5]


def framed(*frames, rounds=(1.0, 1.0)) -> dict:
    return row(decided_by_frame=[f.split() for f in frames], part_rounds=list(rounds))["result"]


def test_frames_by_hand():
    given = ".. .. .. .."
    late = framed(given, "11 11 11 11", "00 11 11 11", "00 00 11 11")
    assert commits.commit_by_frame(late)[1:].tolist() == [0, 1, 2]
    assert np.isnan(commits.commit_by_frame(late)[0])
    assert commits.frame_slope(late) == pytest.approx(1.0)
    together = framed(given, "00 00 11 11", "00 00 11 11", "00 00 10 11")
    assert commits.frame_slope(together) == pytest.approx(0.5)
    at_once = framed(given, *["11 11 11 11"] * 3)
    assert np.isnan(commits.frame_slope(at_once))


def test_frames_that_cannot_be_read_and_clues_are_left_out():
    given, never = "0. 0. 0. 0.", ".. .. .. .."
    unread = framed(given, never, "00 11 11 11", "00 00 00 11")
    assert np.isnan(commits.commit_by_frame(unread)[:2]).all()
    assert commits.frame_slope(unread) == pytest.approx(2.0)
    clue = framed(given, "01 11 11 11", "01 01 11 11", rounds=(0.0, 1.0))
    assert commits.commit_by_frame(clue)[1:].tolist() == [0, 0]
    staged = framed(given, "1. 1. 1. 1.", "10 10 10 11", "10 10 10 11")
    assert commits.commit_by_frame(staged)[1:].tolist() == [0, 3, 3]
    assert commits.frame_slope(staged) == pytest.approx(1.5)
    same = commits.commit_by_frame(staged, everywhere=True)
    assert same[1:].tolist() == [0, 0, 0] and np.isnan(commits.frame_slope(staged, True))
    assert commits.commit_by_frame(unread, True)[2:].tolist() == [1, 3]


def test_frame_metrics_leave_out_runs_that_commit_at_once():
    frames = [[t] * 4 for t in ("..", "11", "11")]
    rows = several(
        row(
            decided_by_frame=[
                ["..", "..", "..", ".."],
                ["00", "11", "11", "11"],
                ["00"] * 3 + ["11"],
            ]
        ),
        row(decided_by_frame=frames),
    )
    found = analysis.of_cell(rows, SIGMAS)
    assert found["frame_slope"]["mean"] == 2.0 and found["frame_slope"]["n"] == 1
    assert [found["commit_by_frame"][f]["mean"] for f in "12"] == [1.0, 3.0]


def test_cells_are_apart_and_pictures_are_not_counted():
    rows = [*several(row(), row(cell="d")), row(cell="e", design="picture")]
    room = {"valid": True, "sample": {"cluster": "a"}}
    rooms = several(
        {"run": {"cell": "c"}, "result": room},
        {"run": {"cell": "c"}, "result": room | {"valid": False}},
    )
    found = analysis.summary(rows, rooms, SIGMAS)
    assert list(found["cells"]) == ["c", "d"] and found["cells"]["c"]["at_end"]["n"] == 1
    assert found["room"]["c"]["mean"] == 0.5 and found["room"]["c"]["n"] == 2
    assert found["sigmas"][0] == 1.0 and len(found["sigmas"]) == SCHEDULE.steps + 1


def test_clustered_runs_count_less():
    apart = analysis.of_cell(several(*[row("0001")] * 4, *[row("0000")] * 4), SIGMAS)["at_end"]
    rows = [row("0001", cluster="a")] * 4 + [row("0000", cluster="b")] * 4
    together = analysis.of_cell(rows, SIGMAS)["at_end"]
    assert together["mean"] == apart["mean"] == 0.5
    assert together["high"] - together["low"] > 1.2 * (apart["high"] - apart["low"])


# Pictures.


def test_the_first_valid_run_is_shown_else_the_first():
    rows = [row("0000"), row("0001", cluster="b"), row("0001", cluster="c")]
    assert pictures.example(rows) is rows[1]
    assert pictures.example(rows[:1]) is rows[0]


def test_pictures_are_made_once_and_show_the_run(experiment, tmp_path, model, monkeypatch):
    planned = [
        VisualizationRun("latin order=4 clues=8", 0, 7, 0, design="picture"),
        run_of("maze rooms=5 paths=2"),
        run_of("latin_staged order=4 rounds=2", by_frame=True),
    ]
    rows = sweep(experiment, Store(tmp_path, "x"), planned)
    shown = experiment.pictures(rows, tmp_path)
    assert (len(shown.squares), len(shown.mazes), len(shown.by_frame)) == (1, 1, 1)
    sample = samples.draw_one("latin order=4 clues=8", 0, 7)
    final = generate(model, model.prepare_sample(sample), SCHEDULE, 0).latents[-1]
    assert (shown.squares[0].clips[-1] == model.decode(final)).all()
    maze, exact = shown.nulls[-1]
    assert maze.sample.task == exact.sample.task == "maze" and len(maze.violations) == 4
    own = generate(model, model.prepare_sample(maze.sample), SCHEDULE, 0)
    means, which = nulls.means(own, nulls.atoms(model, maze.sample))
    assert (exact.clips == model.decode_all(means)[which]).all()
    assert np.abs(maze.clips - 1.0 * model.decode_all(own.x0_hats)).max() <= 1  # rounding
    monkeypatch.setattr(pictures, "generate", None)  # not needed again
    again = experiment.pictures(rows, tmp_path)
    assert (again.nulls[-1][1].clips == exact.clips).all()


def test_the_player_shows_beliefs_and_violations():
    sample = samples.draw_one(SEVERAL, 0, 7)
    first = np.array(sample.solutions.answers[0])
    given, solved = sample.render(None, 48, 2)
    clips = np.stack([[given, given], [given, solved]])
    arguments = pictures.player_arguments(pictures.case_of("", sample, clips), SIGMAS)
    part = pictures.open_part(sample)
    values = {curve.name.split(": ")[-1]: curve for curve in arguments["series"][:-1]}
    right = sample.parts[part].values[first[part]]
    assert values[right].values[1] == pytest.approx(1.0, abs=0.02) and not values[right].dashed
    assert values[right].values[0] == pytest.approx(0.0, abs=0.02)
    violations = arguments["series"][-1]
    assert list(violations.values) == [1.0, 0.0] and violations.dashed


def test_pictures_are_marked_by_what_is_decided():
    figure = grids.along_steps([], SIGMAS, [0])
    assert figure.axes[0].texts[0].get_text() == "no such case was generated"
    sample = samples.draw_one(SEVERAL, 0, 7)
    empty, full = sample.render(None, 48, 2)
    clips = np.stack([[empty, empty], [empty, full]])
    figure = grids.along_steps([pictures.case_of("", sample, clips)], SIGMAS, [0, 1])
    wrong, right = figure.axes[1:]
    assert re.fullmatch(r"✗ \d+ broken", wrong.get_xlabel())
    assert right.get_xlabel() == "✓ valid"
    assert right.spines["left"].get_edgecolor() != wrong.spines["left"].get_edgecolor()


# The notebook.


def test_the_notebook_runs_at_smoke_scale(tmp_path):
    tiny.mini_like().save_pretrained(tmp_path / "model")
    notebook = papermill.execute_notebook(
        str(NOTEBOOK),
        str(tmp_path / "out.ipynb"),
        parameters={
            "section": PARAMETERS["smoke"],
            "model": str(tmp_path / "model"),
            "load": {"size": 48, "frames": 5},
            "results": str(tmp_path / "results"),
            "out": str(tmp_path / "figures"),
        },
        cwd=str(NOTEBOOK.parent),
        progress_bar=False,
    )
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    metrics = yaml.safe_load((tmp_path / "figures" / "1_step_visualization.json").read_text())
    assert set(metrics["cells"]) == set(PARAMETERS["smoke"]["steps"]["cells"])
    parts = {file.stem for file in (tmp_path / "figures").glob("*/*.png")}
    assert parts == listed.parts("1_step_visualization")


def test_the_notebook_has_no_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
