"""The ensemble on the new world: arms by identity, choices and statistics by hand, and the whole
experiment on tiny networks."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import listed
import numpy as np
import papermill
import pytest
import tiny
import torch
from scales import scales_of

from chain_of_steps.bench import samples
from chain_of_steps.common.tagged import record
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.ensemble_table import analysis, choices, plots, recognition
from chain_of_steps.figures.ensemble_table.runs import (
    LEVEL,
    LEVELS,
    Ensemble,
    third_quarter,
)
from chain_of_steps.figures.ensemble_table.strategies import strategies
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles.base import assignment
from chain_of_steps.sampling import arms, refined
from chain_of_steps.sampling.arms import Merged, Runs, denoising_error
from chain_of_steps.sampling.denoise import denoise, generate
from chain_of_steps.sampling.refined import Refined
from chain_of_steps.sampling.rollouts import Member, Rollouts
from chain_of_steps.sampling.samplers import sampler_of
from chain_of_steps.sampling.state import State
from chain_of_steps.training import symbols as training

ROOT = Path(__file__).parent.parent
NAME = "5_ensemble_table"
STEPS, SEED = 4, 5
EULER = Schedule("test", "euler", STEPS, shift=3.0)
FIFTY = Schedule("mini", "euler", 50, shift=5.0)
SETTINGS = {"window": 2, "recipe_window": 2, "early": 1, "refine_from": 2, "short": 1}
SETTINGS |= {"stranger": "latin order=4 rounds=1"}
PLANNED = {"window": 20, "recipe_window": 5, "early": 20, "refine_from": 25, "short": 9}
CELL, OTHER = "latin order=4 log2=5", "latin order=4 rounds=2"
PAIRED = "latin order=4 log2=3"


@pytest.fixture(scope="module")
def model():
    """A tiny symbol network that predicts the clean estimate."""
    torch.manual_seed(0)
    network = training.build(training.SymbolRecipe("latin", 4, width=32))
    torch.nn.init.normal_(network.proj_out.weight, std=0.3)
    return VideoModel(training.SymbolPipeline(network, EULER.scheduler("sample"), "latin"))


@pytest.fixture(scope="module")
def pictures():
    """A tiny picture network."""
    pipe = tiny.mini_like()
    pipe.scheduler = EULER.scheduler("sample")
    return VideoModel(pipe, frames=5)


@pytest.fixture(scope="module")
def experiment(model):
    return Ensemble(model, EULER)


def fresh(model, count=None, cell=CELL):
    sample = samples.draw_one(cell, 0, 7)
    return Rollouts(model, EULER, sample, samples.draw_one(OTHER, 0, 7), SEED, count)


def alone(model, schedule=EULER, number=0):
    condition = model.prepare_sample(samples.draw_one(CELL, 0, 7))
    return generate(model, condition, schedule, SEED + 1000 * number).latents[-1]


def finals(arm, rollouts):
    with torch.inference_mode():
        return arm.finals(rollouts)


def near(a, b, tolerance=1e-4):
    return float((a - b).abs().max()) < tolerance


# Arms.


def test_runs_are_bitwise_those_of_the_loop(model):
    pool = fresh(model)
    for schedule, arm in (
        (EULER, Runs(3)),
        (replace(EULER, steps=8), Runs(2, 8)),
        (replace(EULER, sampler="stochastic"), Runs(2, sampler="stochastic")),
        (replace(EULER, sampler="stochastic", steps=2), Runs(1, 2, sampler="stochastic")),
    ):
        found = finals(arm, pool)
        assert len(found) == arm.k
        for number, latents in enumerate(found):
            assert torch.equal(latents, alone(model, schedule, number))


def test_a_merge_of_one_run_is_that_run_and_one_of_several_is_not(model):
    single, third = alone(model), third_quarter(model.layers)
    for what, layers in (("x0_hat", ()), ("lock_step", third), ("delta", third), ("soft", third)):
        assert near(finals(Merged(what, 1, 2, layers), fresh(model))[0], single)
        assert not near(finals(Merged(what, 3, 2, layers), fresh(model))[0], single, 1e-3)
    ours, theirs = (Merged("x0_hat", 3, 2, company=c) for c in ("", OTHER))
    assert not near(finals(ours, fresh(model))[0], finals(theirs, fresh(model))[0], 1e-3)


def test_all_merged_runs_may_be_followed(model):
    """After the merged step each goes on from its own noise; the first is the one that is followed
    alone."""
    third = third_quarter(model.layers)
    pool = fresh(model)
    (first,) = finals(Merged("lock_step", 3, 1, third), pool)
    made: list[int] = []
    counted = fresh(model, lambda: made.append(1))
    three = finals(Merged("lock_step", 3, 1, third, followed=3), counted)
    assert torch.equal(three[0], first) and len(made) == 3 * STEPS
    assert not near(three[1], three[0], 1e-3) and not near(three[2], three[1], 1e-3)
    for number, latents in enumerate(three):
        assert not near(latents, alone(model, number=number), 1e-4), "the merge changed it"
    for number, latents in enumerate(finals(Merged("lock_step", 1, 1, third), fresh(model))):
        assert near(latents, alone(model, number=number))


def test_merged_estimates_are_the_mean_of_three(model):
    """At step 0 all runs are pure noise, so that step's merged estimate is the mean of theirs."""
    pool = fresh(model)
    with torch.inference_mode():
        own = [pool.at(Member(j), 1).x0_hat for j in range(3)]
        merged = Merged("x0_hat", 3, 1).trajectory(pool).x0_hats[0]
    assert near(merged, sum(own) / 3, 1e-5) and not near(merged, own[0], 1e-2)


def test_arms_make_the_evaluations_they_say(experiment):
    known = experiment.arms(SETTINGS)
    for arm in (arm for name, arm in known.items() if name != "refined_checked"):
        made: list[int] = []
        pool = fresh(experiment.model, lambda made=made: made.append(1))
        rollouts_made = finals(arm, pool)
        if isinstance(arm, Runs):
            for latents in rollouts_made:
                [denoising_error(pool, latents, level) for level in arm.levels]
        assert len(made) == arms.evaluations([arm], STEPS)
    assert arms.evaluations([Runs(3), Runs(2), Runs(2, 6), Refined("margin", 1, 2)], 4) == (
        3 * 4 + 2 * 6 + 2 * 3
    )
    assert arms.evaluations([Runs(3), Runs(1, sampler="stochastic")], 4) == 12 + 4


def test_a_record_gives_its_arm_back(experiment):
    for arm in experiment.arms(SETTINGS).values():
        assert arms.from_record(json.loads(json.dumps(record(arm)))) == arm
    with pytest.raises(ValueError, match="is no arm; expected one of Runs, Merged, Refined"):
        arms.from_record({"kind": "Luck"})


def test_the_paper_s_layers_are_a_quarter():
    assert third_quarter(40) == tuple(range(20, 30)) and third_quarter(2) == (1,)


def test_the_denoising_error_is_rms_at_the_nearest_step(model, monkeypatch):
    pool, asked = fresh(model), []
    clip = alone(model)

    def estimate(member, latents, level):
        asked.append((member, level))
        return latents + torch.where(torch.arange(latents.shape[-1]) % 2 == 0, 0.0, 2.0)

    monkeypatch.setattr(pool, "estimate_of_clip", estimate)
    assert denoising_error(pool, clip, 0.8) == pytest.approx(2**0.5)
    assert asked == [(Member(0), 0.8)]


def test_a_clip_is_noised_again_to_the_level_of_the_nearest_step(model, monkeypatch):
    pool, clip, seen, predict = fresh(model), alone(model), [], model.predict

    def asked(x, timestep, *rest, **hooks):
        seen.append((x, timestep))
        return predict(x, timestep, *rest, **hooks)

    monkeypatch.setattr(model, "predict", asked)
    sampler = sampler_of(EULER, model.prediction)
    for step, sigma in enumerate(sampler.sigmas[:-1].tolist()):
        for level in (sigma - 0.01, sigma + 0.01):
            with torch.inference_mode():
                found = pool.estimate_of_clip(Member(0), clip, level)
            x, timestep = seen.pop()
            expected = (1 - sigma) * clip + sigma * pool.noise(step, 0)
            torch.testing.assert_close(x, expected)
            assert timestep == sampler.timesteps[step] and found.shape == clip.shape
    assert pool.spent == 2 * EULER.steps and not seen


# Refinement in part.


def test_nothing_remade_is_the_finished_run(model):
    pool, clip = fresh(model), alone(model)
    nothing = torch.zeros(1, 1, *clip.shape[2:], dtype=torch.bool)
    with torch.inference_mode():
        assert near(refined.remade(pool, clip, nothing, 2, 1), clip, 1e-6)
        assert torch.equal(finals(Refined("margin", 2, 0), pool)[0], clip)


def test_everything_remade_is_a_restart_from_that_level(model):
    pool, clip = fresh(model), alone(model)
    everything = torch.ones(1, 1, *clip.shape[2:], dtype=torch.bool)
    sampler = sampler_of(EULER, model.prediction)
    sigma = float(sampler.sigmas[2])
    state = State(2, (1 - sigma) * clip + sigma * pool.noise(2, 1), sampler, x0_hat=clip)
    with torch.inference_mode():
        restart = denoise(model, pool.condition, EULER, state).latents[-1]
        assert near(refined.remade(pool, clip, everything, 2, 1), restart, 1e-6)
        assert not near(refined.remade(pool, clip, everything, 2, 2), restart, 1e-3)


def test_the_rest_is_kept_and_seen(model):
    """The remade half ends elsewhere than without the rest held: the network sees the rest."""
    pool, clip = fresh(model), alone(model)
    region = torch.zeros(1, 1, *clip.shape[2:], dtype=torch.bool)
    region[..., :2] = True
    with torch.inference_mode():
        half = refined.remade(pool, clip, region, 1, 1)
        whole = refined.remade(pool, clip, torch.ones_like(region), 1, 1)
    assert near(half[..., 2:], clip[..., 2:], 1e-6)
    assert not near(half[..., :2], clip[..., :2], 1e-3)
    assert not near(half[..., :2], whole[..., :2], 1e-4)


def test_every_part_has_latent_cells_of_its_own(model, pictures):
    sample = samples.draw_one(CELL, 0, 7)
    tokens = refined.regions(model, sample, (1, 4, 1, 4, 4))
    assert torch.equal(tokens.flatten(1), torch.eye(16, dtype=torch.bool))
    board = refined.regions(pictures, sample, (1, 8, 5, 6, 6))
    assert board.shape == (16, 1, 1, 5, 6, 6)
    assert not board[:, :, :, 0].any(), "the given frame is kept"
    later = board[:, 0, 0, 1:]
    assert (later.flatten(2).sum(2) == 1).all(), "one cell of the board in every other frame"
    assert later.sum(0).max() == 1 and later[0, 0].nonzero().tolist() == [[1, 1]]
    large = refined.regions(pictures, sample, (1, 8, 5, 12, 12))
    assert (large[:, 0, 0, 1:].flatten(2).sum(2) == 4).all()


def test_parts_at_fault_by_hand():
    sample = samples.draw_one("latin order=4 log2=9", 0, 7)  # no clues
    right = (0, 1, 2, 3, 1, 0, 3, 2, 2, 3, 0, 1, 3, 2, 1, 0)
    assert sample.is_valid(right) and not refined.at_fault(sample, right).any()
    wrong = (1, *right[1:])  # repeats part 1 in the row and part 4 in the column
    assert np.flatnonzero(refined.at_fault(sample, wrong)).tolist() == [0, 1, 4]
    maze = samples.draw_one("maze rooms=5 paths=1", 0, 7)
    (path,) = maze.solutions.answers
    off = (1 - path[0], *path[1:])
    assert np.flatnonzero(refined.at_fault(maze, off)).tolist() == [0]


def test_parts_of_least_margin_by_hand():
    beliefs = np.array([[1.0, 0.0], [0.5, 0.45], [0.0, 0.9], [0.6, 0.5]])
    how, rng = Refined("margin", 2, 1, share=0.5), np.random.default_rng(0)
    assert how.parts(None, beliefs, rng).tolist() == [False, True, False, True]
    tied = np.tile([[1.0, 0.0]], (40, 1))
    draws = {tuple(how.parts(None, tied, np.random.default_rng(s))) for s in range(5)}
    assert len(draws) == 5 and all(sum(draw) == 20 for draw in draws), "ties are drawn by lot"
    assert sum(Refined("margin", 2, 1, share=0.1).parts(None, beliefs[:3], rng)) == 1


def test_refinement_picks_what_it_says(model, monkeypatch):
    """By rules: a valid answer is left alone, at no cost; by margin: all rounds are made."""
    made: list[int] = []
    pool, remade = fresh(model, lambda: made.append(1)), []
    right = samples.draw_one(CELL, 0, 7).solutions.answers[0]
    shown = np.eye(4)[list(right)]
    monkeypatch.setattr(model, "beliefs", lambda sample, latents: shown, raising=False)
    original = refined.remade

    def spy(rollouts, latents, region, step, number):
        remade.append((int(region.sum()), step, number))
        return original(rollouts, latents, region, step, number)

    monkeypatch.setattr(refined, "remade", spy)
    single = finals(Refined("violations", 2, 3), pool)[0]
    assert torch.equal(single, pool.final(Member(0))) and not remade and len(made) == STEPS
    finals(Refined("margin", 2, 3), pool)
    assert remade == [(8, 2, 1), (8, 2, 2), (8, 2, 3)] and len(made) == STEPS + 3 * 2


# Choices, by hand.


RESULT = {
    "answers": ["01", "10", "10", "00", "01", "01"],
    "valids": "000110",
    "violated": [2, 1, 1, 0, 3, 3],
    "errors": [[0.5, 0.3, 0.2, 0.4, 0.1, 0.6], [0.1, 0.3, 0.2, 0.4, 0.5, 0.6]],
    "margins": [0.1, 0.2, 0.2, 0.1, 0.9, 0.3],
    "planned": [4, 3, 3, 2, 1, 0],
}


@pytest.mark.parametrize(
    ("choose", "k", "chosen"),
    [
        (choices.vote, 3, 1),
        (choices.vote, 1, 0),
        (choices.vote, 5, 0),  # two of each: the first
        (choices.vote, 6, 0),
        (choices.recognised, 3, 2),
        (choices.recognised, 6, 4),
        (choices.recognised_vote, 3, 2),  # of the two that agree, the steadier
        (choices.recognised_vote, 5, 4),  # of two pairs, the steadiest run
        (choices.early_plan, 3, 1),
        (choices.early_plan, 6, 4),
        (choices.checked_plan, 3, 1),
        (choices.checked_plan, 6, 5),
        (choices.fewest_violations, 3, 1),
        (choices.fewest_violations, 6, 3),
        (choices.first_valid, 3, 0),
        (choices.first_valid, 6, 3),
    ],
)
def test_choices_by_hand(choose, k, chosen):
    assert choose(RESULT, k) == chosen


def test_a_vote_of_runs_that_all_differ_is_the_first():
    assert choices.vote({"answers": ["0", "1", "2"]}, 3) == 0


def test_a_level_is_named_by_its_place():
    assert choices.recognised(RESULT, 3, level=1) == 0
    assert choices.recognised_vote(RESULT, 5, level=1) == 0


def test_costs_by_hand():
    known = analysis_arms(FIFTY)
    cost = {n: how.nfe(known[how.design], 50) for n, how in strategies(known).items()}
    assert cost["single"] == cost["stochastic"] == 50
    assert cost["vote_3"] == cost["pass_at_3"] == cost["more_steps_3"] == 150
    assert cost["recognised_3"] == cost["recognised_vote_3"] == 153 and cost["vote_9"] == 450
    assert cost["early_plan_3"] == cost["checked_plan_3"] == 3 * 20 + 30
    assert cost["x0_merge"] == cost["x0_stranger"] == 3 * 20 + 30
    assert cost["paper_recipe"] == 3 + 49 and cost["recipe_soft"] == 3 * 5 + 45
    assert cost["recipe_vote"] == 3 + 3 * 49 == cost["vote_3"]
    assert cost["refined"] == cost["refined_checked"] == 50 + 4 * 25
    assert cost["short"] == 15 * (9 + 1) == 150
    assert cost["recognised_9"] == 459 and cost["x0_merge_9"] == 9 * 20 + 30
    for name, how in strategies(known).items():
        assert cost[name] <= how.k * (50 + 2), "about k runs: recognised, or merged at one step"


def analysis_arms(schedule):
    return Ensemble(_Blank(), schedule).arms(PLANNED | {"stranger": "tic_tac_toe"})


class _Blank:
    """A model that is only asked for its number of layers."""

    fingerprint, size, frames, layers = "blank", 48, 5, 8


# Recognition.


def test_the_area_by_hand():
    found = recognition.auroc([1.0, 2.0, 2.0, 3.0], [True, True, False, False])
    assert found["mean"] == 0.875, "of four pairs three are told apart, one is tied"
    assert found["low"] < 0.875 < found["high"] == 1.0
    assert found["n"] == 2 and found["right"] == 2 and found["wrong"] == 2
    assert recognition.auroc([3.0, 1.0], [True, False])["mean"] == 0.0
    assert recognition.auroc([1.0, 2.0], [True, True])["n"] == 0


def test_pairs_of_one_sample_by_hand():
    """Sample 1 is hard and looks so: across samples its errors are larger, within it they mislead;
    sample 2 has no wrong run, so it says nothing."""
    errors = [1.0, 2.0, 9.0, 8.0, 0.5]
    valid = [True, False, True, False, True]
    found = recognition.auroc(errors, valid, samples=[0, 0, 1, 1, 2])
    assert found["mean"] == 0.5 and (found["right"], found["wrong"], found["n"]) == (2, 2, 2)
    assert recognition.auroc(errors, valid)["mean"] == pytest.approx(4 / 6, abs=1e-4)
    assert recognition.auroc([1.0, 2.0], [True, False], samples=[0, 1])["n"] == 0


def test_perfect_recognition_is_not_certain():
    few = recognition.auroc([0.0] * 20 + [1.0] * 3, [True] * 20 + [False] * 3)
    assert few["mean"] == few["high"] == 1.0 and few["low"] == pytest.approx(0.4385, abs=1e-3)


def test_copies_of_a_state_tell_nothing_more():
    errors = np.repeat([1.0, 2.0, 1.5, 3.0] * 2, 10)
    valid = np.repeat([True, True, False, False] * 2, 10)
    apart = recognition.auroc(errors, valid)
    copies = recognition.auroc(errors, valid, [str(i // 10) for i in range(80)])
    assert apart["mean"] == copies["mean"] == 0.75 and copies["n"] == 40
    assert copies["high"] - copies["low"] > 2 * (apart["high"] - apart["low"])


def test_the_curve_by_hand():
    found = recognition.curve([1.0, 2.0, 2.0, 3.0], [True, True, False, False])
    assert found == {"false": [0.0, 0.0, 0.5, 1.0], "true": [0.0, 0.5, 1.0, 1.0]}


# The summary, from rows made up.


def made_up(outcomes, cell=CELL, split="test", runs=3, errors=None):
    """Rows of a cell: by design a list, over samples, of the validity of each run, as text."""
    known, rows = analysis_arms(FIFTY), []
    for design, texts in outcomes.items():
        for index, text in enumerate(texts):
            k = len(text)
            own = errors or [0.1 if v == "1" else 0.2 for v in text]
            result = {
                "answers": ["right" if v == "1" else f"wrong {j}" for j, v in enumerate(text)],
                "valids": text,
                "valid": text[0] == "1",
                "violated": [0 if v == "1" else 2 for v in text],
                "margins": [j / k for j in range(k)],
                "planned": [k - j for j in range(k)],
                "sample": {"cluster": f"state {index}"},
            }
            result |= {"errors": [own] * len(LEVELS)} if k > 1 else {}
            run = {"cell": cell, "index": index, "split": split, "design": design}
            rows.append({"run": run, "result": result})
    assert set(outcomes) <= set(known)
    return rows


def summary_of(rows):
    return analysis.summary(rows, analysis_arms(FIFTY), FIFTY.record())


OUTCOMES = {
    "single": ["000", "100", "011", "010"],
    "x0_merge": ["1", "1", "0", "1"],
    "paper_recipe": ["011", "111", "011", "0"],
    "stochastic": ["1", "1", "1", "1"],
}


def test_shares_and_differences_by_hand():
    found = summary_of(made_up(OUTCOMES))["cells"][CELL]
    shares = {name: found[name]["mean"] for name in ("single", "vote_3", "pass_at_3", "x0_merge")}
    assert shares == {"single": 0.25, "vote_3": 0.5, "pass_at_3": 0.75, "x0_merge": 0.75}
    assert found["recognised_3"]["mean"] == found["fewest_violations_3"]["mean"] == 0.75
    assert found["recognised_vote_3"]["mean"] == 0.75
    assert found["early_plan_3"]["mean"] == 0.25, "the last run has the largest margin"
    assert found["merge_minus_single"]["mean"] == 0.5 and found["merge_minus_single"]["n"] == 4
    assert found["merge_minus_vote"]["mean"] == 0.25
    assert found["paper_recipe_minus_single"]["mean"] == 0.0
    assert found["recipe_vote"]["mean"] == 1.0 and found["recipe_vote"]["n"] == 3
    assert found["recipe_vote_minus_vote"]["mean"] == pytest.approx(1 / 3, abs=1e-4), (
        "of three samples with three runs on both sides, a vote of merged ones is right in all, a "
        "vote of single ones in two"
    )
    assert found["recipe_vote_minus_vote"]["n"] == 3 and found["paper_recipe"]["n"] == 4
    costs = {name: v["nfe"] for name, v in found.items() if isinstance(v, dict) and "nfe" in v}
    assert costs["paper_recipe_minus_single"] == [52, 50] and costs["merge_minus_vote"] == [90, 150]
    assert costs["recipe_vote_minus_vote"] == [150, 150]
    assert costs["best_minus_rival"] == [None, None]
    assert found["single"]["clusters"] == found["merge_minus_single"]["clusters"] == 4
    assert found["stochastic_minus_single"]["mean"] == 0.75
    assert found["minus_single"]["pass_at_3"]["mean"] == 0.5
    assert found["pass_at_9"]["n"] == found["renoise_minus_single"]["n"] == 0
    assert found["single"]["low"] > 0 and found["stochastic"]["low"] < 1, "Wilson's bounds"


def test_pairs_are_of_samples_that_have_both():
    outcomes = {"single": ["000", "100", "111"], "refined": ["1"], "more_steps_3": ["1", "0"]}
    found = summary_of(made_up(outcomes))["cells"][CELL]
    assert found["renoise_minus_single"]["mean"] == 1.0 and found["renoise_minus_single"]["n"] == 1
    assert found["more_steps_minus_single"]["mean"] == 0.0
    assert found["more_steps_minus_single"]["n"] == 2 and found["single"]["n"] == 3


def test_a_cell_of_pairs_has_single_runs_and_the_recipe():
    pairs = {"single": ["1", "0", "1"], "paper_recipe": ["1", "1", "0"]}
    rows = made_up(pairs) + made_up({"single": ["1", "1", "0", "1"]}, split="validation")
    found = summary_of(rows)["cells"][CELL]
    assert found["paper_recipe_minus_single"]["mean"] == 0.0 and found["single"]["n"] == 3
    assert found["headroom"]["mean"] == 0.75 and found["headroom"]["room"]
    assert found["vote_3"]["n"] == found["recognition_within"]["n"] == 0
    assert found["recognition_within"]["clusters"] == 0


def test_the_best_are_found_on_validation_and_compared_on_test():
    validation = {
        "single": ["001", "010", "000"],
        "x0_merge": ["1", "1", "0"],
        "short": ["0" * 15, "1" * 15, "0" * 15],
        "stochastic": ["1", "0", "0"],
        "refined": ["1", "1", "1"],
        "more_steps_3": ["0", "0", "0"],
    }
    test = OUTCOMES | {"refined": ["0", "0", "1", "1"], "short": ["1" * 15] * 4}
    rows = made_up(test) + made_up(validation, split="validation")
    found = summary_of(rows)["cells"][CELL]
    assert (found["best"], found["rival"]) == ("recognised_vote_3", "refined"), (
        "of our own, a vote that recognition settles and the merge are right in two of three: the "
        "first of equals; neither the test samples nor a checker have a say"
    )
    assert found["on_validation"]["x0_merge"]["mean"] == pytest.approx(2 / 3, abs=1e-4)
    assert "paper_recipe" not in found["on_validation"]
    assert found["best_minus_rival"]["mean"] == 0.25 and found["best_minus_rival"]["n"] == 4
    assert found["best_minus_rival"]["nfe"] == [153, 150]
    worse = validation | {"single": ["000"] * 3}
    found = summary_of(made_up(test) + made_up(worse, split="validation"))["cells"][CELL]
    assert found["best"] == "x0_merge" and found["best_minus_rival"]["mean"] == 0.25


def test_without_validation_nothing_is_best():
    found = summary_of(made_up(OUTCOMES))["cells"][CELL]
    assert found["best"] is None and found["best_minus_rival"]["n"] == 0
    assert found["headroom"]["n"] == 0 and not found["headroom"]["room"]


@pytest.mark.parametrize(("right", "room"), [(0, False), (1, True), (19, True), (20, False)])
def test_headroom_is_that_of_validation_runs(right, room):
    validation = {"single": ["1"] * right + ["0"] * (20 - right)}
    rows = made_up(OUTCOMES) + made_up(validation, split="validation")
    found = summary_of(rows)["cells"][CELL]["headroom"]
    assert found["room"] is room and found["n"] == 20
    assert found["mean"] == pytest.approx(right / 20)


def test_gains_along_k_are_of_samples_with_nine_runs():
    outcomes = {
        "single": ["000000001", "000110000", "111"],
        "x0_merge": ["1", "0", "0"],
        "x0_merge_9": ["1", "1"],
    }
    found = summary_of(made_up(outcomes))["cells"][CELL]
    curves = {name: [v["mean"] for v in of] for name, of in found["along_k"].items()}
    assert curves["vote"] == [0.0, 0.5] and curves["pass_at"] == [0.0, 1.0]
    assert curves["x0_merge"] == [0.5, 1.0] and curves["recognised"] == [0.0, 1.0]
    assert {v["n"] for of in found["along_k"].values() for v in of} == {2}
    assert found["vote_9"]["n"] == 2 and found["vote_3"]["n"] == 3


def test_recognition_is_measured_at_the_stated_level():
    rows = made_up({"single": ["100", "010"]})
    used = LEVELS.index(LEVEL)
    for row in rows:
        own = row["result"]["errors"]
        own[:] = [list(reversed(e)) if i == used else e for i, e in enumerate(own)]
    found = summary_of(rows)["cells"][CELL]
    errors, valid = [0.2, 0.2, 0.1, 0.2, 0.1, 0.2], [True, False, False, False, True, False]
    assert found["recognition_auroc"] == recognition.auroc(errors, valid, ["a"] * 3 + ["b"] * 3), (
        "reversed: the third run of the first sample looks steadiest"
    )
    assert found["recognition_auroc"] == found["auroc_at"][str(LEVEL)]
    assert found["recognised_3"]["mean"] == found["recognised_vote_3"]["mean"] == 0.5
    assert found["recognition_within"]["mean"] == 0.625, "a tie and a loss; then two gains"
    assert found["recognition_within"]["clusters"] == 2
    assert found["auroc_at"][str(LEVELS[-1])]["mean"] == 1.0


def test_the_figures_show_every_cell(tmp_path):
    nine = {"single": ["000000001", "000110000", "111000000"], "x0_merge_9": ["1", "1", "0"]}
    three = {name: texts[:3] for name, texts in OUTCOMES.items()}
    rows = made_up(three | nine) + made_up(OUTCOMES, OTHER)
    summary = summary_of(rows)
    figure = plots.forest(summary, [CELL, OTHER])
    titles = [axis.get_title() for axis in figure.axes]
    assert "runs 0.33 valid" in titles[0] and "runs 0.25 valid" in titles[1]
    for axis, n in zip(figure.axes, ({"3"}, {"3", "4"}), strict=True):
        assert {text.get_text() for text in axis.texts} == n, "the n of every row"
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert "paper's recipe, first step  (1)" in labels and "any valid one among k  (9)" in labels
    assert not any("by margin  (3)" in label for label in labels), "nothing was remade"
    axis = plots.recognition(summary).axes[0]
    at = summary["cells"][CELL]["auroc_at"]
    dots = [line for line in axis.lines if len(line.get_xdata()) == 1]
    assert [line.get_xdata()[0] for line in dots[: len(at)]] == [v["mean"] for v in at.values()]
    assert "right" in axis.get_yticklabels()[0].get_text()


# The experiment.


def small_plan(experiment, **more):
    sizes = {"samples_per_cell": 2, "deep": 1, "light_samples": 1, "validation": 1}
    cells = {"cells": [CELL], "light": [OTHER], "pairs": {CELL: 3, PAIRED: 2}, "suite_seed": 7}
    return experiment.plan(**cells | sizes | SETTINGS | more)


@pytest.fixture(scope="module")
def rows(experiment, tmp_path_factory):
    return sweep(experiment, Store(tmp_path_factory.mktemp("rows"), "x"), small_plan(experiment))


def test_a_plan_has_four_depths(experiment):
    found = defaultdict(list)
    for run in small_plan(experiment):
        found[run.cell, run.split, run.index].append(run)
    every = set(experiment.arms(SETTINGS)) - {"single_1", "single_9", "paper_recipe_3"}
    table = {"single", "paper_recipe", "x0_merge", "short", "refined", "stochastic", "more_steps_3"}
    sizes = {name: {run.design for run in runs} for name, runs in found.items()}
    assert sizes == {
        (CELL, "test", 0): every,
        (CELL, "test", 1): table,
        (CELL, "test", 2): {"single", "paper_recipe"},
        (CELL, "validation", 0): table - {"paper_recipe"},
        (OTHER, "test", 0): {"single", "paper_recipe", "x0_merge"},
        (OTHER, "validation", 0): {"single"},
        (PAIRED, "test", 0): {"single", "paper_recipe"},
        (PAIRED, "test", 1): {"single", "paper_recipe"},
        (PAIRED, "validation", 0): {"single"},
    }  # fmt: skip
    seeds = {place: {run.seed for run in runs} for place, runs in found.items()}
    assert seeds[CELL, "test", 0] == {0} and seeds[CELL, "validation", 0] == {500}
    singles = {p: r.arm.k for p, runs in found.items() for r in runs if r.design == "single"}
    assert [*singles.values()] == [9, 3, 3, 3, 1, 1, 1, 1, 1]
    recipes = {
        p: r.arm.followed for p, rs in found.items() for r in rs if r.design == "paper_recipe"
    }
    assert [*recipes.values()] == [3, 3, 1, 1, 1, 1]
    roles = strategies(experiment.arms(SETTINGS)).values()
    assert {how.design for how in roles if how.role != "control"} <= sizes[CELL, "validation", 0]
    with pytest.raises(ValueError, match="name a step that 4 steps lack"):
        small_plan(experiment, window=4)
    with pytest.raises(ValueError, match="unknown parameter 'luck'"):
        small_plan(experiment, luck=1)


def test_a_row_is_the_same_alone_and_in_company(experiment, rows):
    assert len(rows) == len(small_plan(experiment)) == 38
    for row in rows[::4]:
        assert experiment.measure(row["run"]) == row["result"]


def test_it_makes_no_more_evaluations_than_it_says(experiment):
    groups = defaultdict(list)
    for run in small_plan(experiment):
        groups[run.base].append(run)
    for runs in groups.values():
        fixed = [run for run in runs if run.design != "refined_checked"]
        made: list[int] = []
        list(experiment.results(fixed, lambda made=made: made.append(1)))
        assert len(made) == experiment.evaluations(fixed)
        assert experiment.evaluations(runs) >= len(made)


def test_rows_keep_what_choices_need(experiment, rows):
    for row in rows:
        result, arm = row["result"], experiment.run_of(row["run"]).arm
        k = arm.k if isinstance(arm, Runs) else getattr(arm, "followed", 1)
        assert len(result["answers"]) == len(result["valids"]) == len(result["violated"]) == k
        assert result["answer"] == result["answers"][0]
        assert result["valid"] == (result["valids"][0] == "1") == (result["violated"][0] == 0)
        if row["run"]["design"] == "single" and arm.levels:
            assert np.shape(result["errors"]) == (len(LEVELS), k) and np.min(result["errors"]) > 0
            assert len(result["margins"]) == len(result["planned"]) == k


def test_plans_are_read_before_their_step(experiment, rows):
    row = next(row for row in rows if row["run"]["design"] == "single")
    run = experiment.run_of(row["run"])
    pool, sample = experiment.rollouts(run), samples.draw_one(run.cell, run.index, 7)
    for number in range(run.arm.k):
        with torch.inference_mode():
            x0_hat = pool.at(Member(number), SETTINGS["early"]).x0_hat
        beliefs = np.sort(experiment.model.beliefs(sample, x0_hat))
        margin = (beliefs[:, -1] - beliefs[:, -2]).mean()
        assert row["result"]["margins"][number] == pytest.approx(margin, abs=1e-5)
        decided = assignment(experiment.model.beliefs(sample, x0_hat).argmax(1))
        assert row["result"]["planned"][number] == sample.violations(decided)


def test_a_restarted_sweep_ends_with_the_same_bytes(experiment, rows, tmp_path):
    runs = small_plan(experiment)[:5]
    for name, parts in (("whole", [runs]), ("parts", [runs[:2], runs[1:4], runs])):
        for part in parts:
            store = Store(tmp_path, name)
            sweep(experiment, store, part)
        store.seal()
    assert (tmp_path / "whole.jsonl.gz").read_bytes() == (tmp_path / "parts.jsonl.gz").read_bytes()


def test_the_showcase_is_a_run_that_merging_repairs(pictures, tmp_path):
    experiment = Ensemble(pictures, EULER)
    runs = [
        run
        for run in small_plan(experiment, stranger="tic_tac_toe")
        if run.design in ("single", "x0_merge") and run.split == "test"
    ]
    outcome = {(1, "x0_merge"): True}
    rows = [
        {
            "run": experiment.identity(run),
            "result": {"valid": outcome.get((run.index, run.design), False)},
        }
        for run in runs
    ]
    shown = experiment.showcase(rows, tmp_path)
    assert shown.steps == [0, 1, 3]
    assert [case.label for case in shown.cases] == [
        "seed 0 alone", "seed 1 alone", "seed 2 alone", "merged",
    ]  # fmt: skip
    sample = samples.draw_one(CELL, 1, 7)
    pool = Rollouts(pictures, EULER, sample, sample, 1)
    with torch.inference_mode():
        ends = [*finals(Runs(3), pool), *finals(Merged("x0_hat", 3, 2), pool)]
    for case, latents in zip(shown.cases, ends, strict=True):
        assert (case.clips[-1] == pictures.decode(latents)).all()
    stamps = [file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*.png"))]
    again = experiment.showcase(rows, tmp_path)
    assert [f.stat().st_mtime_ns for f in sorted(tmp_path.rglob("*.png"))] == stamps
    assert all((a.clips == b.clips).all() for a, b in zip(again.cases, shown.cases, strict=True))
    assert len(plots.merged_run(shown, EULER.sigmas).axes) == 4 * 4


# The notebook.


def test_parameters_are_those_of_the_notebook():
    scales = scales_of(NAME)
    assert set(scales) == {"smoke", "mini", "real"}
    for section in scales.values():
        assert set(section) == {"preset", "table"}
        assert set(section["table"]) == set(scales["mini"]["table"])


def test_the_notebook_runs_at_smoke_scale(pictures, tmp_path):
    pictures.pipe.save_pretrained(tmp_path / "model")
    smoke = scales_of(NAME)["smoke"]
    papermill.execute_notebook(
        ROOT / f"notebooks/{NAME}.ipynb",
        tmp_path / "executed.ipynb",
        {
            "section": smoke,
            "model": str(tmp_path / "model"),
            "load": {"size": 48, "frames": 5},
            "out": str(tmp_path / "figures"),
            "results": str(tmp_path / "results"),
        },
        cwd=ROOT / "notebooks",
    )
    metrics = json.loads((tmp_path / f"figures/{NAME}.json").read_text())
    known = {cell for name in ("cells", "light", "pairs") for cell in smoke["table"][name]}
    assert set(metrics["cells"]) == known and metrics["sigmas"]
    names = {f.stem for f in (tmp_path / "figures" / NAME).glob("*.png")}
    assert names == listed.parts(NAME)
