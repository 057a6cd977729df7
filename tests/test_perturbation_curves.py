"""Notebook 2 on the new world: rows by identity, statistics on rows worked out by hand."""

import copy
import functools
import itertools
import json
import operator
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import listed
import numpy as np
import pandas as pd
import papermill
import pytest
import tiny
import torch
import yaml
from scales import scales_of

from chain_of_steps.experiments.store import Store, as_stored
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.perturbation_curves import analysis, bars, decided, plots, words
from chain_of_steps.figures.perturbation_curves.designs import NoiseRun, centred
from chain_of_steps.figures.perturbation_curves.exact import exact_of
from chain_of_steps.figures.perturbation_curves.runs import Perturbation
from chain_of_steps.figures.perturbation_curves.shares import excess, part_of
from chain_of_steps.measures import posterior, traces
from chain_of_steps.measures.intervals import difference, resample
from chain_of_steps.measures.similarity import dissimilarity, tokens
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.symbols import SymbolPipeline
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import denoise, generate
from chain_of_steps.sampling.interventions import NoiseAtFrame, NoiseAtStep, Restart, record
from chain_of_steps.sampling.sites import Captured
from chain_of_steps.sampling.state import begin
from chain_of_steps.training.symbols import SymbolRecipe, build

ROOT = Path(__file__).parent.parent
NAME = "2_perturbation_curves"
NOTEBOOK = ROOT / "notebooks" / f"{NAME}.ipynb"
SCALES = scales_of(NAME)
SCHEDULE = Schedule("test", "euler", steps=4, shift=5.0)
CELL = "latin order=4 log2=5"
PLAN = {
    "restarted": {CELL: 3},
    "cells": {CELL: 2},
    "controls": {"occlusion": 1},
    "deep": {CELL: 1},
    "maps_per_cell": 1,
}
PLAN |= {"step_stride": 1, "frame_stride": 2, "suite_seed": 7}


@pytest.fixture(scope="module")
def model():
    return VideoModel(tiny.mini_like(), "tiny", size=48, frames=5)


@pytest.fixture(scope="module")
def experiment(model):
    return Perturbation(model, SCHEDULE)


@pytest.fixture(scope="module")
def rows(experiment, tmp_path_factory):
    return sweep(experiment, Store(tmp_path_factory.mktemp("rows"), NAME), experiment.plan(**PLAN))


def result_of(experiment, run) -> dict:
    ((_, result),) = experiment.results([run])
    return as_stored(result, experiment.digits)


def first(rows, design: str) -> dict:
    """The first row of a design, of sample 0."""
    return next(row for row in rows if row["run"]["design"] == design)


def plain(experiment, *interventions, seed=0, **options):
    """A generation of sample 0 by the loop itself."""
    condition = experiment.model.prepare_sample(experiment.sample(NoiseRun(CELL, 0, 7, 0)))
    parts = experiment.model, condition, SCHEDULE, seed
    return generate(*parts, interventions=interventions, **options)


# Rows.


def test_a_row_is_the_same_alone_and_in_company(experiment, rows):
    runs = [experiment.run_of(row["run"]) for row in rows]
    assert runs == experiment.plan(**PLAN)
    seen = set()
    for run, row in zip(runs, rows, strict=True):
        if run.cell == CELL and (run.design, run.maps) not in seen:
            seen.add((run.design, run.maps))
            assert experiment.measure(experiment.identity(run)) == row["result"], run
    assert {design for design, _ in seen} == {
        *("clean", "other seed", "null", "step replace", "step level-correct"),
        *("frame replace", "frame level-correct", "inner", "inner-window"),
        *("restart", "renoise", "restart end"),
    }


def test_it_makes_as_many_evaluations_as_it_says(experiment):
    groups = defaultdict(list)
    for run in experiment.plan(**PLAN):
        groups[run.base].append(replace(run, traced=False))  # without those of the tie floor
    for runs in groups.values():
        made = []
        list(experiment.results(runs, count=lambda made=made: made.append(1)))
        assert len(made) == experiment.evaluations(runs)


def test_a_null_intervention_is_the_clean_run(rows):
    clean, null = (first(rows, design)["result"] for design in ("clean", "null"))
    assert null["x0_hat"] == null["tokens"] == [0.0] * 3 and null["from"] == 1
    assert null["cells"] == null["energy"] == 0
    same = ("answer", "valid", "violations", "score", "drawn")
    assert {k: null[k] for k in same} == {k: clean[k] for k in same}


def test_another_seed_is_the_clean_run_of_that_seed_and_what_noise_at_step_0_is(experiment, rows):
    other = first(rows, "other seed")["result"]
    alone = result_of(experiment, NoiseRun(CELL, 0, 7, seed=1000))
    assert alone.pop("exact")["ends"][0] == other["exact"]["end"]
    assert {name: other[name] for name in alone} == alone
    noised = plain(experiment, NoiseAtStep(0))
    condition = experiment.model.prepare_sample(experiment.sample(NoiseRun(CELL, 0, 7, 0)))
    state = begin(experiment.model, condition, SCHEDULE, 0)
    state.latents = noised.latents[0]
    with torch.inference_mode():
        again = denoise(experiment.model, condition, SCHEDULE, state)
    assert torch.equal(noised.x0_hats[-1], again.x0_hats[-1])
    assert torch.allclose(noised.latents[0].std(), torch.tensor(1.0), atol=0.05)


def test_restarts_are_read_at_their_step(experiment, rows):
    sample = experiment.sample(NoiseRun(CELL, 0, 7, 0))
    found = {
        (row["run"]["design"], row["run"]["interventions"][0]["step"]): row["result"]["answer"]
        for row in rows
        if row["run"]["index"] == 0 and row["run"]["cell"] == CELL
        if row["run"]["design"] in ("restart", "renoise", "restart end")
    }
    assert {step for design, step in found if design == "restart"} == {1, 2, 3}
    for (design, step), answer in found.items():
        fresh = NoiseAtStep(step, mode="level-correct")
        noise = fresh if design == "renoise" else Restart(step)
        at = -1 if design == "restart end" else step
        x0_hat = plain(experiment, noise).x0_hats[at]
        assert answer == traces.outcome(experiment.model, sample, x0_hat)["answer"]
    read_at_the_end = plain(experiment, Restart(1)).x0_hats
    assert not torch.equal(read_at_the_end[1], read_at_the_end[-1])


@pytest.fixture(scope="module")
def null(experiment):
    """The exact posterior of sample 0."""
    sample = experiment.sample(NoiseRun(CELL, 0, 7, 0))
    return exact_of(experiment.model, sample, SCHEDULE.sigmas)


def test_the_exact_posterior_sees_the_states_that_the_network_saw(experiment, rows, null):
    clean, states = first(rows, "clean")["result"]["exact"], plain(experiment).latents
    assert traces.unflagged(clean["valid_at"]).tolist() == null.valid(states[:-1], 0)
    assert clean["ends"] == [null.ends([x], s)[0] for s, x in enumerate(states[:-1])]
    for row in rows:
        run, found = row["run"], row["result"].get("exact")
        if (run["cell"], run["index"]) != (CELL, 0) or run["design"] == "clean":
            continue
        if run["design"] not in ("restart", "step level-correct", "other seed"):
            assert found is None
        elif run["design"] == "other seed":
            assert found == {"end": null.ends(plain(experiment, seed=1000).latents[:1], 0)[0]}
        else:
            s = run["interventions"][0]["step"]
            fresh = NoiseAtStep(s, mode="level-correct")
            restarted = run["design"] == "restart"
            x = plain(experiment, Restart(s) if restarted else fresh).latents[s]
            expected = (
                {"valid": null.valid([x], s)[0]} if restarted else {"end": null.ends([x], s)[0]}
            )
            assert found == expected


def test_the_exact_posterior_reads_its_mean_and_ends_with_an_answer():
    """In symbols, where latents show answers exactly."""
    network = build(SymbolRecipe("latin", 1, width=32))
    pipe = SymbolPipeline(network, SCHEDULE.scheduler("sample"), "latin")
    symbols = VideoModel(pipe, size=1, frames=1)
    sample = Perturbation(symbols, SCHEDULE).sample(NoiseRun(CELL, 0, 7, 0))
    sigmas = [1.0, 0.9, 0.5, 0.05, 0.0]
    null = exact_of(symbols, sample, sigmas)
    atoms = null.atoms
    assert len(atoms) == len(sample.solutions) and 32 <= len(atoms) < 64
    eps = torch.randn(atoms[:1].shape, generator=torch.Generator().manual_seed(0))
    x = 0.95 * atoms[7:8] + 0.05 * eps
    assert null.valid([eps, x], 2) == [*null.valid([eps], 2), True]
    assert null.valid([eps], 0) == [False], "the mean of all squares"
    assert null.ends([x], 3) == [7]
    by_hand = eps
    for now, then in itertools.pairwise(sigmas):
        mean = posterior.posterior(by_hand, now, atoms).mean
        by_hand = by_hand + (then - now) * (by_hand - mean) / now
    end = int((by_hand - atoms).flatten(1).norm(dim=1).argmin())
    assert null.ends([eps, eps, eps, x], 0)[::3] == [end, 7], "each begins at its own step"


def test_there_is_no_exact_posterior_of_too_many_answers(model):
    sample = Perturbation(model, SCHEDULE).sample(NoiseRun("latin order=4 log2=9", 0, 7, 0))
    assert exact_of(model, sample, SCHEDULE.sigmas) is None


def test_maps_are_dissimilarities_to_the_clean_run_from_the_noised_step_on(experiment, rows):
    layer = experiment.layer
    assert layer == experiment.model.layers // 2 == experiment.header["layer"]

    def seen(*interventions, seed=0):
        captured = Captured(lambda site: site.layer == layer and site.guided)
        trajectory = plain(experiment, *interventions, seed=seed, visit=captured)
        return trajectory, [state for _, state in sorted(captured.items(), key=lambda i: i[0].step)]

    clean, tokens_of_clean = seen()
    cases = {"step replace": (seen(NoiseAtStep(1)), 1), "other seed": (seen(seed=1000), 0)}
    for design, ((ours, states), start) in cases.items():
        result = first(rows, design)["result"]
        assert result["from"] == start and len(result["tokens"]) == 4 - start
        for s in range(start, 4):
            x0_hats = tokens(ours.x0_hats[s]), tokens(clean.x0_hats[s])
            assert result["x0_hat"][s - start] == pytest.approx(dissimilarity(*x0_hats), abs=6e-4)
            here = dissimilarity(states[s], tokens_of_clean[s])
            assert result["tokens"][s - start] == pytest.approx(here, abs=6e-4)
    assert first(rows, "step replace")["result"]["tokens"][0] > 0.01


def test_only_the_first_samples_are_compared(rows):
    compared = {(r["run"]["cell"], r["run"]["index"]) for r in rows if "from" in r["result"]}
    assert compared == {(CELL, 0), ("occlusion", 0)}


def test_equal_doses_are_equal_and_spare_the_given_and_the_scored_frame(experiment, rows):
    inner, window = (first(rows, design) for design in ("inner", "inner-window"))
    assert inner["result"]["cells"] == window["result"]["cells"] == 3
    assert inner["run"]["interventions"] == [record(NoiseAtStep(2, frames=(1, 2, 3)))]
    assert window["run"]["interventions"] == [record(NoiseAtFrame(2, steps=(1, 2, 3)))]
    assert first(rows, "step replace")["result"]["cells"] == 5
    assert first(rows, "frame replace")["result"]["cells"] == 4
    change = plain(experiment, NoiseAtStep(1)).latents[1] - plain(experiment).latents[1]
    energy = float(change.pow(2).sum()) / change[:, :, 0].numel()
    assert first(rows, "step replace")["result"]["energy"] == pytest.approx(energy, abs=1e-3)


def test_where_noise_is_placed():
    assert centred(10, 3, 20) == (9, 10, 11) and centred(10, 4, 20) == (8, 9, 10, 11)
    assert centred(1, 3, 20) == (0, 1, 2) and centred(18, 3, 20) == (17, 18, 19)
    assert centred(0, 3, 20) == centred(19, 3, 20) == (), "not all around it"
    places = analysis.nearest(pd.DataFrame({"step": range(5, 50, 5)}), 50 / 3)
    assert list(places["step"]) == [15]
    middle = analysis.nearest(pd.DataFrame({"step": range(5, 50, 5)}), 12.5)
    assert list(middle["step"]) == [10], "the earlier of two"


# Plans.


def test_deep_samples_get_the_frames_and_others_do_not(experiment):
    runs = experiment.plan(**PLAN)
    deep = {(r.cell, r.index) for r in runs if r.design.startswith(("frame", "inner"))}
    assert deep == {(CELL, 0)} == {(r.cell, r.index) for r in runs if r.design == "restart end"}
    frames = [r.interventions[0] for r in runs if r.design == "frame replace"]
    assert [noise.frame for noise in frames] == [0, 2, 4]
    fresh = [r.interventions[0].frame for r in runs if r.design == "frame level-correct"]
    assert fresh == [2], "inner frames only"
    noised = {(r.cell, r.index) for r in runs if r.design == "other seed"}
    assert noised == {(CELL, 0), (CELL, 1), ("occlusion", 0)}
    others = [r.design for r in runs if (r.cell, r.index) == (CELL, 2)]
    assert others == ["clean", *["restart", "renoise"] * 3], "restarted only"
    assert all(i.seed == r.index == r.seed for r in runs for i in r.interventions if r.index)
    steps = [r.interventions[0].step for r in runs if r.design == "step replace" and r.index == 1]
    assert steps == [1, 2, 3]


def test_deep_designs_at_a_step_are_at_every_second_one(model):
    runs = Perturbation(model, preset("mini")).plan(**PLAN | {"step_stride": 5})
    for design in ("restart end", "inner"):
        steps = [r.interventions[0].step for r in runs if r.design == design]
        assert steps == [10, 20, 30, 40]
    windows = [r.interventions[0].steps for r in runs if r.design == "inner-window"]
    assert windows == [(9, 10, 11), (19, 20, 21), (29, 30, 31), (39, 40, 41)]
    few = Perturbation(model, SCHEDULE).plan(**PLAN | {"step_stride": 3})
    assert [r.interventions[0].step for r in few if r.design == "restart end"] == [3]


def test_bad_plans_are_refused(experiment):
    with pytest.raises(ValueError, match="step_stride is 4; expected less than 4"):
        experiment.plan(**PLAN | {"step_stride": 4})
    with pytest.raises(ValueError, match="deep has more samples of 'occlusion'"):
        experiment.plan(**PLAN | {"deep": {"occlusion": 2}})
    with pytest.raises(ValueError, match="fewer samples"):
        experiment.plan(**PLAN | {"restarted": {CELL: 1}})
    with pytest.raises(ValueError, match="nonsense"):
        experiment.plan(**PLAN | {"cells": {"nonsense": 1}})


def test_the_committed_plan_has_the_cells_of_the_claims_and_is_affordable(model):
    mini = SCALES["mini"]["noise"]
    full = Perturbation(model, preset(SCALES["mini"]["preset"]))
    groups = defaultdict(list)
    for run in full.plan(**mini):
        groups[run.base].append(run)
    kinds = defaultdict(list)  # samples with the same designs cost the same
    for runs in groups.values():
        kinds[tuple((run.design, run.maps) for run in runs)].append(runs)
    floors = full.control_evaluations([run for runs in groups.values() for run in runs])
    cost = sum(len(alike) * full.evaluations(alike[0]) for alike in kinds.values()) + floors
    assert 100_000 < cost <= 130_000
    claims = yaml.safe_load((ROOT / "claims.yaml").read_text())["claims"]
    ours = [claim for claim in claims if claim["figure"] == NAME]
    named = {c["cell"] for c in ours} | {c["control"]["cell"] for c in ours if "control" in c}
    assert ours and named <= {*mini["cells"], *mini["controls"]}
    assert all(mini["deep"][cell] >= 20 for cell in named)
    for other in ("smoke", "real"):
        assert set(SCALES[other]["noise"]) == set(mini)


# Statistics, on rows worked out by hand: two samples, twelve steps, noise at 3, 6 and 9.

SIGMAS = preset("mini/12").sigmas
GRID = (3, 6, 10)
A = {
    "own": "000011111111",
    "exact own": "000100000011",
    "other seed": "Vb",
    "step replace": ("Xb", "Xb", "Va"),
    "step level-correct": ("Vb", "Vb", "Va"),
    "exact ends": (1, 1, 0, 0),  # after another seed and after level-correct noise; 0 without
    "restart": ("Xb", "Xb", "Va"),
    "exact restart": (True, False, False),
    "renoise": ("Va", "Va", "Va"),
    "frame replace": ("Va", "Xb", "Xb"),
    "frame level-correct": ("Vb",),
    "inner": "Xb",
    "inner-window": "Va",
    "restart end": "Xb",
}
B = A | {
    "own": "111111111111",
    "exact own": "000111111111",
    "other seed": "Xb",
    "step replace": ("Va", "Xb", "Xb"),
    "step level-correct": ("Xb", "Va", "Va"),
    "exact ends": (0, 0, 0, 0),
    "restart": ("Va", "Xb", "Xb"),
    "exact restart": (False, True, True),
    "frame replace": ("Va", "Va", "Xb"),
    "inner-window": "Xb",
    "restart end": "Va",
}


def line(index, cluster, design, said, *noise, **more) -> dict:
    """A row; `said` is V or X, for a valid answer or not, and the answer."""
    run = {"cell": "c", "index": index, "suite_seed": 7, "split": "test", "seed": index}
    run |= {"design": design, "interventions": [record(each) for each in noise]}
    result = {"valid": said[0] == "V", "answer": said[1], "sample": {"cluster": cluster}}
    return {"run": run, "result": result | {"cells": 5, "energy": 2.0} | more}


def sample_rows(index: int, case: dict, cluster: str | None = None, clean="Va") -> list[dict]:
    cluster = cluster or str(index)

    def one(design, said, *noise, exact=None, **more):
        more |= {} if exact is None else {"exact": exact}
        return line(index, cluster, design, said, *noise, **more)

    own = {"valid_at": case["exact own"], "ends": [0] * 12}
    ends = [{"end": end} for end in case["exact ends"]]
    rows = [one("clean", clean, valid_at=case["own"], exact=own)]
    rows.append(one("other seed", case["other seed"], exact=ends[0]))
    for k, s in enumerate(GRID):
        fresh = NoiseAtStep(s, mode="level-correct")
        rows.append(one("step replace", case["step replace"][k], NoiseAtStep(s)))
        said = case["step level-correct"][k]
        rows.append(one("step level-correct", said, fresh, exact=ends[k + 1]))
        exact = {"valid": case["exact restart"][k]}
        rows.append(one("restart", case["restart"][k], Restart(s), exact=exact))
        rows.append(one("renoise", case["renoise"][k], fresh))
    for said, frame in zip(case["frame replace"], (0, 2, 4), strict=True):
        rows.append(one("frame replace", said, NoiseAtFrame(frame)))
    fresh = NoiseAtFrame(2, mode="level-correct")
    rows.append(one("frame level-correct", case["frame level-correct"][0], fresh))
    rows.append(one("inner", case["inner"], NoiseAtStep(6, frames=(1, 2, 3))))
    rows.append(one("inner-window", case["inner-window"], NoiseAtFrame(2, steps=(5, 6, 7))))
    rows.append(one("restart end", case["restart end"], Restart(6)))
    return rows


def without(rows: list[dict], *designs: str) -> list[dict]:
    """The rows of other designs, without the exact posterior."""
    rows = [row for row in rows if row["run"]["design"] not in designs]
    return [
        row | {"result": {k: v for k, v in row["result"].items() if k != "exact"}} for row in rows
    ]


@pytest.fixture(scope="module")
def by_hand():
    rows = sample_rows(0, A) + sample_rows(1, B)
    return analysis.summary(rows, SIGMAS, 5)["cells"]["c"]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("clean", 1.0),
        ("first", 0.5),
        ("step_noise_drop", 0.625),  # A loses at 3 and 6; B with the other seed, at 6 and 9
        ("relative_drop", 0.625),
        ("middle_drop", 1.0),  # step 6 alone is between .4 and .6 of 12
        ("middle_minus_early.replace", 0.5),  # step 0, another seed, costs B as much as step 6
        ("middle_minus_late.replace", 0.5),  # step 10 costs B as much
        ("middle_minus_early.level_correct", -0.5),
        ("middle_minus_late.level_correct", 0.0),
        ("level_correct_drop", 0.25),  # B with the other seed and at 3
        ("drop_at_restarts", 1.0),  # at step 6
        ("lost_work", 0.5),  # A
        ("damage", 0.5),  # B
        ("damage_share", 0.5),
        ("open_at_third", 1.0),  # step 3: 4 is nearer to it than to 6
        ("exact_open_at_third", 0.5),  # A
        ("open_minus_exact", 0.5),
        ("open_at_half", 0.5),
        ("other_seed", 1.0),
        ("inner_frame_drop", 0.5),
        ("inner_step_drop", 1.0),
        ("step_drop_of_same", 0.625),
        ("given_frame_drop", 0.0),
        ("scored_frame_drop", 1.0),
        ("step_minus_frame", 0.125),
        ("inner_step_minus_frame", 0.5),  # B
        ("inner_minus_window", 0.5),  # A
        ("inner_minus_window_changed", 0.5),
        ("restart_loss", 0.5),  # A at 6; B at 6 and 10
        ("exact_restart_loss", 1 / 3),  # A at 10; B at 3
        ("restart_loss_minus_exact", 1 / 6),
        ("renoise_loss", -1 / 6),  # A's own estimate at 3 is wrong
        ("renoise_minus_restart", 2 / 3),
        ("one_refinement", 0.0),  # A at 3, which is best for B; B at 10, which is best for A
        ("over_one_refinement", 1.0),
    ],
)
def test_every_metric_of_two_samples(by_hand, metric, value):
    found = functools.reduce(operator.getitem, metric.split("."), by_hand)
    assert found["mean"] == pytest.approx(value, abs=1e-4)
    assert found["n"] == 2, "samples, not rows"
    assert found["low"] <= found["mean"] <= found["high"]


def test_curves_along_steps_begin_with_another_seed(by_hand):
    replaced, fresh = by_hand["replace"], by_hand["level_correct"]
    assert replaced["step"] == fresh["step"] == [0, 3, 6, 10]
    assert [v["mean"] for v in replaced["valid_at"]] == [0.5, 0.5, 0.0, 0.5]
    assert [v["mean"] for v in replaced["unchanged_at"]] == [0.0, 0.5, 0.0, 0.5]
    assert [v["mean"] for v in fresh["valid_at"]] == [0.5, 0.5, 1.0, 1.0]
    assert [v["mean"] for v in fresh["unchanged_at"]] == [0.0, 0.0, 0.5, 1.0]
    assert [v["mean"] for v in fresh["exact_unchanged_at"]] == [0.5, 0.5, 1.0, 1.0]
    assert {v["n"] for v in replaced["exact_unchanged_at"][1:]} == {0}, "not computed"
    assert fresh["valid_at"][3]["low"] < 0.5, "Wilson's bound of 2 of 2, not a width of 0"
    assert replaced["log_snr"][0] is None
    sigma = SIGMAS[6]
    expected = np.log((1 - sigma) ** 2 / sigma**2)
    assert replaced["log_snr"][2] == pytest.approx(expected, abs=1e-3)
    frames = by_hand["frames_replace"]
    assert frames["frame"] == [0, 2, 4]
    assert [v["mean"] for v in frames["valid_at"]] == [1.0, 0.5, 0.0]
    assert by_hand["frames_level_correct"]["frame"] == [2]
    doses = by_hand["doses"]
    assert doses["step"]["drop"]["mean"] == 1.0 and doses["window"]["changed"]["mean"] == 0.5


def test_restarts_by_step(by_hand):
    at = by_hand["restart_at"]
    assert at["step"] == [3, 6, 10]
    means = {name: [v["mean"] for v in found] for name, found in at.items() if name[0] != "s"}
    assert means == {
        "own": [0.5, 1, 1],
        "renoised": [1, 1, 1],
        "restarted": [0.5, 0, 0.5],
        "exact_own": [1, 0.5, 1],
        "exact_restarted": [0.5, 0.5, 0.5],
    }
    assert by_hand["refinement_steps"] == [3, 10]


def test_one_refinement_is_chosen_on_other_states():
    """Two samples of state s are best at 6, two of state t at 10: each gets the other's step."""
    cases = [A | {"restart": ("Xb", "Va", "Xb")}, A | {"restart": ("Xb", "Xb", "Va")}]
    rows = [row for i in range(4) for row in sample_rows(i, cases[i % 2], "st"[i % 2])]
    cell = analysis.summary(rows, SIGMAS, 5)["cells"]["c"]
    assert cell["refinement_steps"] == [10, 6]
    assert cell["one_refinement"]["mean"] == 0.0 and cell["one_refinement"]["n"] == 4
    alone = analysis.summary(sample_rows(0, A), SIGMAS, 5)["cells"]["c"]
    assert alone["over_one_refinement"]["mean"] is None and alone["over_one_refinement"]["n"] == 0


def test_what_was_not_measured_has_no_mean_but_is_there(by_hand):
    rows = [row for i in range(3) for row in sample_rows(i, A)]
    rows = without(rows, "restart end", "inner", "inner-window", "frame replace")
    cell = analysis.summary(rows, SIGMAS, 5)["cells"]["c"]
    assert set(cell) == set(by_hand)
    for metric in (
        *("damage_share", "damage", "lost_work", "inner_step_minus_frame", "inner_minus_window"),
        *("exact_restart_loss", "restart_loss_minus_exact", "open_minus_exact"),
    ):
        assert cell[metric]["mean"] is cell[metric]["low"] is None, metric
        assert cell[metric]["n"] == 0
    assert cell["restart_loss"]["n"] == 3


def test_a_loss_beyond_another_one_has_the_interval_of_a_bootstrap():
    rng = np.random.default_rng(0)
    luck = rng.random(80)
    lines = {"own": luck < 0.9, "valid": luck < 0.5, "exact_own": rng.random(80) < 0.8}
    lines |= {"exact_valid": lines["exact_own"] & (luck < 0.8), "state": range(80)}
    lines = pd.DataFrame(lines | {"sample": range(80), "cluster": range(80)})
    found = excess(lines, ("own", "valid"), ("exact_own", "exact_valid"))
    values = lines[["own", "valid", "exact_own", "exact_valid"]].to_numpy(float) @ (1, -1, -1, 1)
    low, high = np.quantile(resample(80) @ values / 80, (0.025, 0.975))
    assert found["mean"] == pytest.approx(values.mean(), abs=1e-4)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.03)
    same = excess(lines, ("own", "own"), ("valid", "valid"))
    assert same["mean"] == 0 and same["low"] < -0.02 and same["high"] > 0.02, "some width"


def test_a_part_that_is_the_whole_in_every_line_is_not_certain():
    lines = pd.DataFrame({"all": [True] * 20, "none": [False] * 20, "sample": range(20)})
    lines["cluster"] = lines["state"] = lines["sample"]
    found = part_of(lines, ("all", "none"), ("all", "none"))
    assert found["mean"] == 1.0 and found["low"] < 0.9 < found["high"]


def test_the_answer_is_half_decided_where_level_correct_noise_leaves_half_of_it(by_hand):
    assert by_hand["half_sigma"]["mean"] == pytest.approx(SIGMAS[6], abs=1e-4)
    assert by_hand["half_sigma"]["low"] < SIGMAS[6] < by_hand["half_sigma"]["high"]
    levels = np.array([1.0, 0.9, 0.7])
    assert decided._half(np.array([0.0, 0.25, 0.75]), levels) == pytest.approx(0.8)
    assert decided._half(np.array([0.5, 0.6, 0.9]), levels) == pytest.approx(0.8), "middle: .75"
    assert decided._half(np.array([0.0, 0.1, 0.2]), levels) == 0.7, "not reached"
    assert np.isnan(decided._half(np.array([1.0, 1.0, 1.0]), levels)), "nothing is open"


def test_a_cell_in_which_nothing_happens_has_intervals_of_some_width():
    same = {name: ("Va",) * 3 for name in ("step replace", "step level-correct", "frame replace")}
    calm = A | same | {"other seed": "Va"}
    found = [row for i in range(20) for row in sample_rows(i, calm)]
    cell = analysis.summary(found, SIGMAS, 5)["cells"]["c"]
    for metric in ("step_noise_drop", "relative_drop", "step_minus_frame"):
        assert (
            cell[metric]["mean"] == 0.0 and cell[metric]["low"] < -0.1 < 0.1 < cell[metric]["high"]
        )
    assert cell["damage_share"]["mean"] is None, "there is no loss to be a share of"
    assert cell["damage_share"]["n"] == 20
    assert cell["half_sigma"]["mean"] is None, "another seed changes nothing"
    assert cell["open_at_third"]["high"] > 0.1


def test_where_no_clean_answer_is_valid_no_share_can_be_lost():
    failed = [row for i in range(4) for row in sample_rows(i, A, clean="Xa")]
    cell = analysis.summary(failed, SIGMAS, 5)["cells"]["c"]
    assert cell["relative_drop"]["mean"] is None and cell["step_noise_drop"]["mean"] < 0


def test_many_steps_of_few_samples_are_few_samples():
    """Ten samples, of which five lose the answer at every step: as uncertain as ten, not as 40."""
    lost = A | {"other seed": "Xb", "step replace": ("Xb",) * 3}
    kept = A | {"other seed": "Vb", "step replace": ("Vb",) * 3}
    found = [row for i in range(10) for row in sample_rows(i, lost if i % 2 else kept)]
    drop = analysis.summary(found, SIGMAS, 5)["cells"]["c"]["step_noise_drop"]
    ten = difference([True] * 10, [i % 2 == 0 for i in range(10)])
    assert drop["n"] == 10 and drop["mean"] == 0.5
    assert drop["low"] == pytest.approx(ten["low"], abs=0.04)
    assert drop["high"] == pytest.approx(ten["high"], abs=0.04)


def test_samples_of_one_state_are_its_seeds_and_of_several_they_are_clustered():
    cases = [A, A | {"other seed": "Va", "step replace": ("Va",) * 3}] * 2
    apart = [row for i, case in enumerate(cases) for row in sample_rows(i, case)]
    one = [row for i, case in enumerate(cases) for row in sample_rows(i, case, "s")]
    two = [row for i, case in enumerate(cases) for row in sample_rows(i, case, "st"[i % 2])]
    found = [analysis.summary(rows, SIGMAS, 5)["cells"]["c"] for rows in (apart, one, two)]
    drops = [cell["step_noise_drop"] for cell in found]
    assert [drop["clusters"] for drop in drops] == [4, 1, 2]
    assert drops[0] == drops[1] | {"clusters": 4} and drops[0]["low"] != drops[2]["low"]


def test_maps_are_means_over_samples_with_floor_and_ceiling():
    def mapped(index, design, start, values, *noise):
        maps = {"from": start, "x0_hat": values, "tokens": [2 * v for v in values]}
        return line(index, str(index), design, "Va", *noise, **maps)

    rows = []
    for i, level in enumerate((0.2, 0.4)):
        rows += sample_rows(i, A)
        rows.append(mapped(i, "other seed", 0, [level] * 12))
        rows.append(mapped(i, "null", 3, [0.0] * 9, NoiseAtStep(3, frames=())))
        rows.append(mapped(i, "step replace", 9, [level, level, level / 2], NoiseAtStep(9)))
    maps = analysis.maps_of(rows, 12)
    entry = maps["x0_hat"]
    assert maps["n"] == 2 and entry["ceiling"] == [0.3] * 12
    assert entry["floor"] == [None] * 3 + [0.0] * 9
    assert entry["replace"]["step"] == [9]
    assert entry["replace"]["map"] == [[None] * 9 + [0.3, 0.3, 0.15]]
    assert entry["replace"]["left"][0]["mean"] == 0.15 and entry["left_ceiling"]["mean"] == 0.3
    assert maps["tokens"]["ceiling"] == [0.6] * 12


# Words and pictures.


def test_the_questions_are_answered_by_the_intervals():
    def found(mean):
        return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 30}

    def cell(drop, frame, half, first=0.2, clean=0.9):
        spans = {"early": {"replace": found(drop)}, "late": {"replace": found(drop - 0.3)}}
        return {
            "n": 30,
            "clean": {"mean": clean},
            "first": {"mean": first},
            "inner_step_minus_frame": found(frame),
            "drop_at_restarts": found(drop),
            "lost_work": found(0.1),
            "damage": found(drop - 0.1),
            **{f"middle_minus_{span}": value for span, value in spans.items()},
            "restart_loss_minus_exact": found(frame),
            "over_one_refinement": found(-frame),
            "half_sigma": {"mean": half, "low": half, "high": half, "n": 30},
        }

    cells = {"fragile": cell(0.5, 0.3, 0.8), "robust": cell(0.0, -0.3, 0.9)}
    cells |= {"unclear": cell(0.3, 0.05, 0.7), "glance": cell(0.0, 0.0, 0.99, first=0.95)}
    cells |= {"failed": cell(0.0, 0.4, 0.5, clean=0.1)}
    said = words.answers({"cells": cells})
    assert (
        "of 3 cells with room, the inner frames at one step cost more than one of them at all "
        "steps in fragile (+.30), and they cost less in robust (-.30), and the interval contains "
        "0 in unclear (+.05)."
    ) in said
    assert "of 1 cells without room, the interval contains 0 in glance (+.00)." in said
    assert "even clean runs fail: failed." in said
    assert "fragile: +.50 = lost work +.10 + damage +.40" in said and "robust: +" not in said
    assert "fragile: yes (+.50 against early and +.20 against late)" in said
    assert "unclear: not shown (+.30 against early and +.00 against late)" in said
    assert (
        "Of 4 cells, a restart loses more than the exact posterior loses by it in fragile (+.30), "
        "and it loses less in robust (-.30), and the interval contains 0 in unclear (+.05); glance"
    ) in said
    assert "all steps give more valid answers in robust (+.30), and fewer in fragile" in said
    assert r"fragile at $\sigma$ = 0.80 (0.80 to 0.80)" in said


@pytest.fixture(scope="module")
def drawn(rows):
    """A summary of the tiny model's rows."""
    return analysis.summary(rows, SCHEDULE.sigmas, 5, ["occlusion"])


def rising(values: list[dict]) -> list[dict]:
    """The same entries with means that differ from place to place."""
    return [
        value | {"mean": 0.1 * i, "low": 0.1 * i - 0.05, "high": 0.1 * i + 0.05}
        for i, value in enumerate(values)
    ]


def shown_in(axis) -> dict:
    """The curves of a panel by label."""
    lines = zip(*axis.get_legend_handles_labels()[::-1], strict=True)
    return {label: getattr(line, "lines", [line])[0] for label, line in lines}


def test_curves_are_drawn_where_they_vary_and_said_where_they_do_not(drawn):
    drawn = copy.deepcopy(drawn)
    cell = drawn["cells"][CELL]
    cell["replace"]["valid_at"] = rising(cell["replace"]["valid_at"])
    for value in cell["level_correct"]["valid_at"]:
        value["mean"] = 0.5
    figure = plots.curves(drawn)
    axis = figure.axes[0]
    assert axis.get_title() == "square of order 4\n32 to 63 answers\nn = 2"
    shown = shown_in(axis)
    assert list(shown) == ["no noise", plots.MODES["replace"][0]]
    assert f"{plots.MODES['level_correct'][0]} at 0.50" in figure.texts[-1].get_text()
    replaced = shown[plots.MODES["replace"][0]]
    assert list(replaced.get_ydata()) == [v["mean"] for v in cell["replace"]["valid_at"]]
    x = list(replaced.get_xdata())
    snr = [2 * np.log((1 - s) / s) for s in SCHEDULE.sigmas[1:4]]
    assert x[1:] == pytest.approx(snr, abs=1e-3) and x[0] < x[1]


def test_every_figure_shows_its_numbers(drawn):
    drawn = copy.deepcopy(drawn)
    cell = drawn["cells"][CELL]
    at = cell["restart_at"]
    for name in (*plots.READINGS, *plots.EXACT):
        at[name] = rising(at[name])
    cell["level_correct"]["exact_unchanged_at"] = rising(cell["level_correct"]["unchanged_at"])
    shown = shown_in(plots.restarts(drawn).axes[0])
    assert shown["all steps"].get_ydata()[0] == cell["clean"]["mean"]
    for name, (label, _) in (plots.READINGS | plots.EXACT).items():
        assert list(shown[label].get_ydata()) == [value["mean"] for value in at[name]]
    decided = shown_in(plots.decided(drawn).axes[0])
    assert decided["another seed"].get_ydata()[0] == 1 - cell["other_seed"]["mean"]
    null = decided["fresh noise, exact posterior"].get_ydata()
    assert list(null) == [v["mean"] for v in cell["level_correct"]["exact_unchanged_at"]]
    groups = bars.frames(drawn).axes[0].containers
    scored = next(b for b in groups if b.get_label() == "the scored frame, all steps")
    assert [b.get_height() for b in scored] == [cell["scored_frame_drop"]["mean"]]
    assert len(bars.doses(drawn).axes) == 2
    image = plots.maps(drawn).axes[0].images[0].get_array()
    expected = np.array(cell["maps"]["x0_hat"]["replace"]["map"], float)
    assert np.allclose(np.ma.filled(image, np.nan), expected, equal_nan=True)


def test_the_showcase_is_the_run_itself_under_each_noise(experiment, rows, tmp_path):
    cases = experiment.showcase(rows, tmp_path)
    assert [case.label.replace("\n", " ") for case in cases] == [
        *("no noise", "pure noise at step 0", "pure noise at step 3"),
        *("fresh noise at step 0", "fresh noise at step 3", "pure noise in frame 2, all steps"),
    ]
    late = plain(experiment, NoiseAtStep(3)).x0_hats[-1]
    assert (cases[2].clips[-1] == experiment.model.decode(late)).all()
    assert (cases[0].clips[-1] != cases[2].clips[-1]).any()


# The notebook.


def test_the_notebook_runs_at_smoke_scale(model, tmp_path):
    model.pipe.save_pretrained(tmp_path / "model")
    own = {"model": str(tmp_path / "model"), "load": {"size": 48, "frames": 5}}
    own |= {"out": str(tmp_path / "figures"), "results": str(tmp_path / "results")}
    papermill.execute_notebook(
        NOTEBOOK, tmp_path / "done.ipynb", {"section": SCALES["smoke"]} | own, cwd=NOTEBOOK.parent
    )
    metrics = json.loads((tmp_path / "figures" / f"{NAME}.json").read_text())
    assert set(metrics["cells"]) == {CELL, "occlusion"} and len(metrics["sigmas"]) == 5
    claims = yaml.safe_load((ROOT / "claims.yaml").read_text())["claims"]
    named = {claim["metric"].split(".")[0] for claim in claims if claim["figure"] == NAME}
    assert named <= set(metrics["cells"][CELL])
    drawn = {file.stem for file in (tmp_path / "figures" / NAME).glob("*.png")}
    assert drawn == listed.parts(NAME)
