"""Strategies: costs are as stated, sharing changes no bit, and results match known cases."""

from dataclasses import replace

import pytest
import tiny
import torch

from chain_of_steps.bench import tasklist
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import generate, step_towards
from chain_of_steps.sampling.interventions.merge import mean
from chain_of_steps.sampling.rollouts import Member, Rollouts
from chain_of_steps.sampling.strategies import (
    STRATEGIES,
    Strategy,
    evaluations,
    hypotheses,
    merged,
    nfe,
    run,
)
from chain_of_steps.sampling.strategies.variants import quarter, variants

STEPS, SEED = 4, 4
EULER = Schedule("test", "euler", STEPS, shift=3.0)
NAMED = {
    name: s for group in variants(2, STEPS, window=2, early=2).values() for name, s in group.items()
}
FREE = ("single", "vote", "best_agreed", "early_plan", "early_steady")


@pytest.fixture(scope="module")
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = EULER.scheduler(
        "sample"
    )  # as the mini model: the output is the clean estimate
    return VideoModel(pipe)


@pytest.fixture
def pool(model):
    """A pool that the test may change."""
    return fresh(model)


@pytest.fixture(scope="module")
def company(model):
    """A pool shared by all strategies; tests must not change it."""
    pool = fresh(model)
    for number in range(3):
        pool.final(Member(number))
    return pool


def fresh(model, count=None):
    sample, stranger = (tasklist.draw_one("maze", i, 7) for i in range(2))
    return Rollouts(model, EULER, sample, stranger, SEED, count)


def final(model, number):
    """The final latents of a generation, made alone."""
    sample = tasklist.draw_one("maze", 0, 7)
    return generate(model, model.prepare_sample(sample), EULER, SEED + 1000 * number).latents[-1]


def near(a, b, tolerance=1e-4):
    return float((a - b).abs().max()) < tolerance


@pytest.mark.parametrize("name", NAMED)
def test_the_cost_is_what_it_takes_alone_and_in_company(model, company, name, monkeypatch):
    made, counted, predict = [], [], model.predict
    monkeypatch.setattr(
        model,
        "predict",
        lambda x, *rest, **hooks: made.extend([1] * len(x)) or predict(x, *rest, **hooks),
    )
    outcome = run(NAMED[name], fresh(model, lambda: counted.append(1)))
    runs = 3 if name == "single" else 1  # the mean over three runs is worth one
    assert outcome.cost * runs == len(made) == len(counted)
    again = run(NAMED[name], company)
    assert again.cost == outcome.cost
    assert all(map(torch.equal, again.finals, outcome.finals)) and len(again.finals) == len(
        outcome.finals
    )


@pytest.mark.parametrize(
    "name", [name for name, s in NAMED.items() if s.name != "merge_until_agreed"]
)
def test_beyond_the_clean_generations_it_makes_as_many_evaluations_as_at_most(model, name):
    made: list[int] = []
    pool = fresh(model, lambda: made.append(1))
    count, of = STRATEGIES[NAMED[name].name].rests_on(NAMED[name], STEPS)
    for number in range(count):
        pool.final(Member(number), of)
    made.clear()
    run(NAMED[name], pool)
    assert len(made) == nfe(NAMED[name], STEPS)
    assert {of for _, of in pool.clean} <= {STEPS, of}
    assert evaluations([NAMED[name]], STEPS) == count * of + nfe(NAMED[name], STEPS)


def test_strategies_share_clean_generations():
    choices = [Strategy("single", 2), Strategy("vote"), Strategy("nearest", 5, 2)]
    assert evaluations(choices, STEPS) == 3 * STEPS + 5 * 2
    merge = Strategy("merge", steps=1, merge="x0_hat")
    assert evaluations([*choices, merge], STEPS) == 3 * STEPS + 5 * 2 + nfe(merge, STEPS)


def test_costs_by_hand():
    named = {
        name: s for group in variants(2, 5, window=3, early=2).values() for name, s in group.items()
    }
    cost = {name: nfe(strategy, 5) for name, strategy in named.items()}
    assert cost["paper_recipe"] == 3 + 4 and cost["recipe_all"] == 15
    assert cost["x0_merge_k3"] == 3 * 3 + 2 and cost["merge_vote"] == 15
    assert (
        cost["nearest_short"] == 0 and cost["recognised_short"] == 5 and cost["recognised_k3"] == 3
    )
    assert cost["recipe_stored"] == 3 * 6 + 2 and cost["latents_mean"] == 3 + 1 + 3


def test_single_runs_are_bitwise_those_of_the_loop(model, pool):
    finals = run(Strategy("single"), pool).finals
    assert all(torch.equal(latents, final(model, number)) for number, latents in enumerate(finals))
    assert pool.at(Member(0), 2).step == 2, (
        "a state that was handed out and used leaves the pool's own alone"
    )
    pool.finish(pool.at(Member(0), 2))
    assert torch.equal(pool.finish(pool.at(Member(0), 2)), finals[0])


@pytest.mark.parametrize("name", ["vote", "best_agreed", "early_plan", "early_steady"])
def test_choosing_gives_one_of_the_single_runs(pool, name):
    singles = run(Strategy("single"), pool).finals
    (chosen,) = run(Strategy(name, steps=2), pool).finals
    assert any(torch.equal(chosen, latents) for latents in singles)


def test_choices_follow_agreement(pool):
    """Made-up finals: generations 1 and 2 agree, generation 0 stands alone."""
    pool.final(Member(0)), pool.final(Member(1)), pool.final(Member(2))
    plain = torch.zeros(pool.condition.shape)
    for number, value in enumerate((-1.0, 1.0, 1.01)):
        clip = plain.clone()
        clip[:, :, 1:] = value
        for state in pool.clean[Member(number), STEPS]:
            state.latents, state.x0_hat = clip, clip
    for name in ("vote", "best_agreed", "early_plan"):
        assert float(run(Strategy(name, steps=2), pool).finals[0].max()) >= 1.0


def test_the_steadiest_plan_is_the_one_that_changed_least(pool):
    for number in range(3):
        pool.final(Member(number))
        for s, state in enumerate(pool.clean[Member(number), STEPS]):
            state.x0_hat = torch.zeros(pool.condition.shape)
            state.x0_hat[:, :, 1:] = 1.0 + (number != 1) * s
    assert torch.equal(
        run(Strategy("early_steady", steps=2), pool).finals[0], pool.final(Member(1))
    )


@pytest.mark.parametrize("name", ["nearest", "recognised"])
def test_short_runs_are_bitwise_runs_of_so_many_steps(model, company, name):
    (chosen,) = run(Strategy(name, 3, 2, amount=0.8), company).finals
    sample, short = tasklist.draw_one("maze", 0, 7), replace(EULER, steps=2)
    condition = model.prepare_sample(sample)
    alone = [generate(model, condition, short, SEED + 1000 * j).latents[-1] for j in range(3)]
    assert any(torch.equal(chosen, latents) for latents in alone)


def test_the_nearest_pair_is_found(pool, monkeypatch):
    """Made-up clips: 2 and 3 agree best, though most clips agree roughly with 0."""
    values = iter((1.0, 1.4, 3.0, 3.1, 0.7))

    def made_up(member, of):
        clip = torch.zeros(pool.condition.shape)
        clip[:, :, 1:] = next(values)
        return clip

    monkeypatch.setattr(pool, "final", made_up)
    assert float(run(Strategy("nearest", 5, 2), pool).finals[0].max()) == pytest.approx(3.0)


def test_what_the_model_changes_least_is_recognised(pool, monkeypatch):
    clips = [
        torch.randn(pool.condition.shape, generator=torch.Generator().manual_seed(j))
        for j in range(3)
    ]
    monkeypatch.setattr(pool, "final", lambda member, of: clips[member.number])
    monkeypatch.setattr(
        pool,
        "estimate_of_clip",
        lambda member, clip, level: clip + (0.1 if clip is clips[1] else 0.2),
    )
    assert torch.equal(run(Strategy("recognised", 3, 2, amount=0.8), pool).finals[0], clips[1])


def test_a_clip_is_asked_about_at_the_step_of_that_level(model, pool):
    clip, state = pool.final(Member(0)), pool.at(Member(0), 2)
    sigma = float(state.sampler.sigmas[2])
    state.latents = (1 - sigma) * clip + sigma * pool.noise(2, 0)
    with torch.inference_mode():
        own = pool.estimate_of_clip(Member(0), clip, sigma + 0.01)
        assert torch.equal(own, pool.estimate(state))
        assert not torch.equal(
            pool.estimate_of_clip(Member(0, unrelated=True), clip, sigma), pool.estimate(state)
        )


ALONE = [
    Strategy("merge", steps=3, merge="x0_hat", company="repeated"),
    Strategy("merge", steps=3, merge="lock_step", layers=(1,), company="repeated"),
    Strategy("merge", 1, 3, "x0_hat"),
    Strategy("merge_vote", 1, 3, "x0_hat"),
    Strategy("merge_until_agreed", 1, 3),
    Strategy("noisy_mean", steps=3, amount=0.0),
    Strategy("linger", 1, 3),
    Strategy("branch_late", 1, 3),
    Strategy("merge", steps=0, merge="x0_hat"),
]


@pytest.mark.parametrize("strategy", ALONE, ids=str)
def test_without_company_or_dose_it_is_the_single_run(model, company, strategy):
    assert near(run(strategy, company).finals[0], final(model, 0))


MAY_KEEP = {
    "medoid_each_step",
    "branch_late",
    "recipe_repeated",
    "recognised_k3",
    "recognised_long",
}  # the choice may fall on generation 0


@pytest.mark.parametrize(
    "name", [n for n, s in NAMED.items() if s.name not in FREE and n not in MAY_KEEP]
)
def test_with_company_it_is_not(model, company, name):
    assert not near(run(NAMED[name], company).finals[-1], final(model, 0), 1e-3)


def test_strangers_bring_something_of_their_own(company):
    for ours, theirs in (("x0_merge_k3", "x0_strangers"), ("recipe_window", "recipe_strangers")):
        assert not near(
            run(NAMED[ours], company).finals[0], run(NAMED[theirs], company).finals[0], 1e-3
        )


def test_merging_over_all_steps_leaves_all_generations_one_clip(pool):
    finals = run(Strategy("merge_all", steps=STEPS, merge="x0_hat"), pool).finals
    assert near(finals[0], finals[1]) and near(finals[0], finals[2])


def test_merged_seeds_are_one_belief_asked_under_their_noises(model, pool):
    """The identity behind the three accounts: redrawn noises replaced by those of the seeds."""
    noises = [model.noise(pool.condition, SEED + 1000 * number) for number in range(3)]
    state = pool.at(Member(0), 0)
    initial = state.latents
    with torch.inference_mode():
        for _ in range(NAMED["x0_merge_k3"].steps):
            own = [hypotheses.estimate_under(pool, state, initial, eps, 1.0) for eps in noises]
            step_towards(model, pool.condition, state, mean(own))
    assert near(state.x0_hat, run(NAMED["x0_merge_k3"], pool).early)


def test_redrawn_noise_keeps_the_level(model, pool):
    state, seen = pool.at(Member(0), 0), []
    pool.estimate = lambda asked: seen.append(asked.latents) or asked.latents
    for amount in (0.3, 1.0):
        hypotheses.estimate_under(pool, state, state.latents, pool.noise(0, 1), amount)
    assert [float(x.std()) for x in seen] == pytest.approx([1.0, 1.0], abs=0.05)
    correlation = [
        float(torch.corrcoef(torch.stack([x.flatten(), state.latents.flatten()]))[0, 1])
        for x in seen
    ]
    assert correlation == pytest.approx([(1 - 0.3**2) ** 0.5, 0.0], abs=0.05)


def test_lingering_asks_k_times_at_every_step(model, pool):
    asked, own = [], pool.estimate
    pool.estimate = lambda state: asked.append(state.step) or own(state)
    run(Strategy("linger", steps=2), pool)
    assert asked == [0, 0, 0, 1, 1, 1]


def test_fresh_noise_differs_by_step_and_number(pool):
    draws = [pool.noise(s, j).sum().item() for s in range(3) for j in range(3)]
    assert len(set(draws)) == 9
    assert torch.equal(pool.noise(1, 2), pool.noise(1, 2))
    assert pool.noise(0, 0).std().item() == pytest.approx(1.0, abs=0.05)


def test_fresh_noise_is_no_generations_initial_noise(model, pool):
    """A CPU generator keeps 32 bits of its seed, so offsets of the first seeds could collide."""
    pool.seed = 0
    initial = [model.noise(pool.condition, seed) for seed in range(20)]
    fresh = [pool.noise(s, j) for s in range(2) for j in range(3)]
    assert not any(torch.equal(a, b) for a in initial for b in fresh)


def test_a_branch_has_the_level_of_its_step(pool):
    state = pool.at(Member(0), 3)
    sigma = float(state.sampler.sigmas[3])
    rest = pool.renoised(state, 1).latents - (1 - sigma) * state.x0_hat
    assert float(rest.std()) == pytest.approx(sigma, rel=0.05)
    assert not torch.equal(pool.renoised(state, 1).latents, pool.renoised(state, 2).latents)


def test_the_vote_midway_draws_the_winner(pool):
    """Generations that show candidates 1, 2 and 1: without noise, the winner's clip is what is
    left."""
    sample = pool.sample
    clips = [pool.model.encode(sample.render(c, frames=9)) for c in sample.candidates[:3]]
    pool.model.decode, drawn, shown = (lambda latents: shown[id(latents)]), [], {}
    for number, which in enumerate((1, 2, 1)):
        pool.final(Member(number))
        state = pool.clean[Member(number), STEPS][3]
        shown[id(state.x0_hat)] = sample.render(sample.candidates[which], frames=9)
    pool.finish = lambda state: drawn.append(state) or state.latents
    try:
        run(Strategy("vote_midway", steps=3), pool)
    finally:
        del pool.model.decode
    first = pool.clean[Member(0), STEPS][3]
    sigma = float(first.sampler.sigmas[3])
    noise = (first.latents - (1 - sigma) * first.x0_hat) / sigma
    assert near(drawn[0].latents, (1 - sigma) * clips[1] + sigma * noise)


def test_it_stops_paying_once_generations_agree(pool, monkeypatch):
    how = NAMED["merge_until_agreed"]
    monkeypatch.setattr(merged, "SAME", 1e9)
    assert run(how, pool).cost == 3 + (STEPS - 1)
    monkeypatch.setattr(merged, "SAME", 0.0)
    assert run(how, pool).cost == 3 * how.steps + (STEPS - how.steps)
    assert near(
        run(how, pool).finals[0],
        run(Strategy("merge", steps=how.steps, merge="x0_hat"), pool).finals[0],
    )


def test_random_layers_are_drawn_by_sample(pool):
    drawn = [replace(NAMED["layers_random"], name="merge", layers=(layer,)) for layer in range(2)]
    ours = run(NAMED["layers_random"], pool).finals[0]
    assert sum(near(ours, run(other, pool).finals[0], 1e-5) for other in drawn) == 1


def test_quarters_cover_the_depth():
    assert [quarter(8, n) for n in range(4)] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert quarter(40, 2) == tuple(range(20, 30)), "the paper's layers"
    assert all(quarter(2, n) for n in range(4))


def test_every_strategy_is_among_the_variants():
    assert {strategy.name for strategy in NAMED.values()} == set(STRATEGIES)


def test_an_unknown_strategy_is_refused(pool):
    with pytest.raises(ValueError, match="unknown strategy 'luck'; expected one of single"):
        run(Strategy("luck"), pool)
