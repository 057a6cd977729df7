"""Merges obey traps 3 and 5: some must collapse, others must not; equal generations stay equal."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny
import torch

from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling.agreement import (
    contrast,
    disagreement,
    disagreements,
    majority,
    medoid,
    weights,
)
from chain_of_steps.sampling.denoise import begin, estimate, generate, step_towards
from chain_of_steps.sampling.interventions import (
    MergeEstimates,
    MergeLatents,
    MergeLayers,
    NoiseAtStep,
    Source,
)
from chain_of_steps.sampling.prefix_tree import Branch, grow
from chain_of_steps.sampling.sites import Site
from chain_of_steps.training.recipe import Recipe

STEPS = 4
EULER = Schedule("test", "euler", STEPS, shift=3.0)
GUIDED = Schedule("guided", "euler", STEPS, shift=3.0, guidance=2.0)
ALL = tuple(range(STEPS))
VARIANTS = ("lock_step", "stored", "delta", "soft")


@pytest.fixture(scope="module", params=["flow_prediction", "sample"])
def model(request):
    """A tiny model of four blocks, of either kind of prediction."""
    usual, tiny.RECIPE = (
        tiny.RECIPE,
        Recipe(8, width=32, layers=4, heads=2, text_width=16, text_layers=1),
    )
    pipe = tiny.mini_like()
    tiny.RECIPE = usual
    if request.param == "sample":
        pipe.scheduler = EULER.scheduler("sample")
    return VideoModel(pipe)


def condition_of(model, index=0):
    return model.prepare_sample(suite.draw_one("maze", index, 0))


def merged(model, merge, seeds=(0, 1, 2), until=STEPS, schedule=EULER):
    """The last latents and clean estimates of all generations, and how many evaluations were
    made."""
    merge, made = replace(merge, company=tuple(Source(seed) for seed in seeds[1:])), []
    branches = [
        Branch((merge,), until, Source(seeds[0]), place=place) for place in range(len(seeds))
    ]
    condition = condition_of(model)
    runs = dict(grow(model, condition, schedule, 0, branches, count=lambda: made.append(1)))
    states = [
        SimpleNamespace(latents=run.latents[-1], x0_hat=run.x0_hats[-1])
        for _, run in sorted(runs.items())
    ]
    return states, len(made)


def mean_of(merge, states):
    """The latents that replace all others."""
    sigma = float(states[0].sampler.sigmas[states[0].step])
    return merge.merged([s.latents for s in states], [s.x0_hat for s in states], sigma)


def layer_merge(model, layers, variant="lock_step", **options):
    """Clean estimates of step 0, merged in some layers; (k, C, F, H, W)."""
    states, _ = merged(model, MergeLayers(layers, (0,), variant), until=1, **options)
    return torch.cat([state.x0_hat for state in states])


def clean(model, seed=0, schedule=EULER):
    return generate(model, condition_of(model), schedule, seed)


def near(a, b, tolerance=1e-4):
    return float((a - b).abs().max()) < tolerance


@pytest.mark.parametrize("schedule", [EULER, GUIDED])
def test_lock_step_over_several_layers_is_the_first_of_them(model, schedule):
    assert near(
        layer_merge(model, (1, 2, 3), schedule=schedule),
        layer_merge(model, (1,), schedule=schedule),
        1e-5,
    )
    assert not near(
        layer_merge(model, (2,), schedule=schedule),
        layer_merge(model, (1,), schedule=schedule),
        1e-3,
    )


def test_stored_means_over_several_layers_are_the_last_of_them(model):
    assert torch.equal(layer_merge(model, (0, 1, 2), "stored"), layer_merge(model, (2,), "stored"))


def test_the_two_differ_and_agree_in_a_single_layer(model):
    assert not near(layer_merge(model, (0, 1, 2)), layer_merge(model, (0, 1, 2), "stored"), 1e-3)
    assert near(layer_merge(model, (1,)), layer_merge(model, (1,), "stored"), 1e-5)


@pytest.mark.parametrize("variant", ["delta", "soft"])
def test_deltas_and_soft_merges_do_not_collapse(model, variant):
    several = layer_merge(model, (1, 2, 3), variant)
    assert all(
        not near(several, layer_merge(model, (layer,), variant), 1e-3) for layer in (1, 2, 3)
    )


def test_after_a_merge_of_states_the_generations_are_told_one_thing(model):
    """The blocks' outputs are then equal; each generation still adds the velocity to its
    latents."""
    condition = condition_of(model)
    x = [model.noise(condition, seed) for seed in range(3)]
    for variant, equal in [
        ("lock_step", True),
        ("stored", True),
        ("delta", False),
        ("soft", False),
    ]:
        x0_hats = layer_merge(model, (1, 2), variant).split(1)
        outputs = (
            x0_hats
            if model.prediction == "sample"
            else [a - b for a, b in zip(x, x0_hats, strict=True)]
        )
        assert near(outputs[0], outputs[1], 1e-5) == equal


def test_a_soft_merge_reaches_from_nothing_to_the_whole(model):
    condition = condition_of(model)

    def soft(amount):
        return merged(model, MergeLayers((1,), (0,), "soft", amount), until=1)[0][0].x0_hat

    with torch.inference_mode():
        alone = estimate(model, condition, EULER, begin(model, condition, EULER, 0))
    assert near(soft(0.0), alone) and near(soft(1.0), layer_merge(model, (1,))[:1])
    assert not near(soft(0.5), alone, 1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seeds", [(0,), (0, 0, 0)])
def test_one_seed_or_equal_seeds_merge_to_themselves_in_layers(model, variant, seeds):
    states, _ = merged(model, MergeLayers((1, 2), ALL, variant), seeds)
    assert all(near(state.latents, clean(model).latents[-1]) for state in states)


@pytest.mark.parametrize(
    "merge",
    [
        *(MergeEstimates(ALL, what) for what in ("x0_hat", "weighted", "medoid", "velocity")),
        *(MergeLatents((2,), rescale) for rescale in (False, True)),
        MergeLatents((0,)),
    ],
)
@pytest.mark.parametrize("seeds", [(0,), (0, 0, 0)])
def test_one_seed_or_equal_seeds_merge_to_themselves(model, merge, seeds):
    states, _ = merged(model, merge, seeds)
    assert all(near(state.latents, clean(model).latents[-1]) for state in states)


def test_steps_without_a_merge_are_bitwise_those_of_single_runs(model):
    states, made = merged(model, MergeEstimates(()))
    assert made == 3 * STEPS
    assert all(
        torch.equal(state.latents, clean(model, seed).latents[-1])
        for seed, state in enumerate(states)
    )


def test_merged_clean_estimates_over_all_steps_leave_one_clip(model):
    """With Euler the difference of two generations shrinks with sigma if both share an estimate."""
    condition, sigmas = condition_of(model), EULER.sigmas
    for until in range(1, STEPS + 1):
        states, _ = merged(model, MergeEstimates(ALL), until=until)
        expected = sigmas[until] * (model.noise(condition, 0) - model.noise(condition, 1))
        assert near(states[0].latents - states[1].latents, expected)
    assert near(states[0].latents, states[0].x0_hat)


def test_merged_velocities_keep_the_noises_apart_to_the_end(model):
    """Trap 5: the final clips still differ by the noises that they started from."""
    condition = condition_of(model)
    states, _ = merged(model, MergeEstimates(ALL, "velocity"))
    assert near(
        states[0].latents - states[1].latents,
        model.noise(condition, 0) - model.noise(condition, 1),
        1e-3,
    )


def test_both_take_the_mean_of_the_latents_to_the_same_place(model):
    means = [
        sum(state.latents for state in merged(model, MergeEstimates((0,), what), until=1)[0]) / 3
        for what in ("x0_hat", "velocity")
    ]
    assert near(*means)


def test_merging_from_step_0_is_asking_one_belief_under_several_noises(model):
    """So seeds that are merged from the start differ only in their noise: x_i = m + sigma eps_i."""
    condition = condition_of(model)
    states, _ = merged(model, MergeEstimates(ALL), until=2)
    beliefs = [
        state.latents - EULER.sigmas[2] * model.noise(condition, i)
        for i, state in enumerate(states)
    ]
    assert near(beliefs[0], beliefs[1]) and near(beliefs[0], beliefs[2])


def test_the_mean_of_latents_loses_noise_and_rescaling_gives_it_back(model):
    condition = condition_of(model)
    states = [begin(model, condition, EULER, seed) for seed in range(9)]
    assert float(mean_of(MergeLatents((0,), rescale=False), states).var()) == pytest.approx(
        1 / 9, rel=0.1
    )
    assert float(mean_of(MergeLatents((0,)), states).var()) == pytest.approx(1.0, rel=0.1)


def test_rescaling_leaves_the_clean_part_alone(model):
    """States of one clean clip: the mean keeps the clip, with noise of the level of the step."""
    condition, clip = condition_of(model), torch.linspace(-3, 3, 8)[None, :, None, None, None]
    states = [begin(model, condition, EULER, seed) for seed in range(3)]
    sigma = float(states[0].sampler.sigmas[2])
    for state in states:
        state.x0_hat = clip.expand(condition.shape)
        state.step, state.latents = 2, (1 - sigma) * state.x0_hat + sigma * state.latents
    rest = mean_of(MergeLatents((2,)), states) - (1 - sigma) * states[0].x0_hat
    assert float(rest.std()) == pytest.approx(sigma, rel=0.05)
    rest = mean_of(MergeLatents((2,), rescale=False), states) - (1 - sigma) * states[0].x0_hat
    assert float(rest.std()) == pytest.approx(sigma / 3**0.5, rel=0.05)


@pytest.mark.parametrize("step", [0, 2])
def test_merged_latents_are_made_of_the_states_of_single_runs(model, step):
    runs, merge = [clean(model, seed) for seed in range(3)], MergeLatents((step,))
    condition, company = condition_of(model), (Source(1), Source(2))
    branch = Branch((replace(merge, company=company), NoiseAtStep(step + 1)))
    ((_, run),) = grow(model, condition, EULER, 0, [branch])
    before = [each.x0_hats[step - 1] if step else None for each in runs]
    expected = merge.merged([each.latents[step] for each in runs], before, EULER.sigmas[step])
    torch.testing.assert_close(run.latents[step], expected)


def test_noise_under_a_merge_of_estimates_is_counted(model):
    condition, merge = condition_of(model), MergeEstimates((1,), company=(Source(1),))
    ((_, run),) = grow(model, condition, EULER, 0, [Branch((merge, NoiseAtStep(1)))])
    assert run.cells == condition.shape[2] and run.energy > 0.0


def test_the_medoid_is_one_of_the_estimates(model):
    own = [clean(model, seed).x0_hats[0] for seed in range(3)]
    taken = merged(model, MergeEstimates((0,), "medoid"), until=1)[0][0].x0_hat
    assert any(near(taken, x0_hat) for x0_hat in own)


def test_taking_the_networks_own_estimate_is_the_clean_step(model):
    condition, state = condition_of(model), begin(model, condition_of(model), EULER, 0)
    with torch.inference_mode():
        for _ in range(STEPS):
            own = estimate(model, condition, EULER, state)
            step_towards(model, condition, state, own)
    assert near(state.latents, clean(model).latents[-1])


@pytest.mark.parametrize(
    "merge",
    [
        MergeLayers((1,), (0,)),
        MergeLayers((1,), (0, 1), "stored"),
        MergeEstimates(ALL),
        MergeLatents((1,)),
    ],
)
def test_it_makes_as_many_evaluations_as_it_says(model, merge, monkeypatch):
    made, predict = [], model.predict
    monkeypatch.setattr(
        model,
        "predict",
        lambda x, *rest, **hooks: made.append(len(x)) or predict(x, *rest, **hooks),
    )
    assert merged(model, merge)[1] == sum(made)


def test_strangers_join_with_their_own_condition(model):
    """A generation of another sample keeps its own condition, so its estimate is that of a run
    alone."""
    conditions = [condition_of(model, 0), condition_of(model, 1)]
    with torch.inference_mode():
        states = [begin(model, c, EULER, seed) for seed, c in enumerate(conditions)]
        own = [estimate(model, c, EULER, s) for c, s in zip(conditions, states, strict=True)]
        wrong = estimate(model, conditions[0], EULER, states[1])
    merge = MergeLayers((3,), (0,), "soft", 0.0, company=(Source(1, "other"),))
    branch, others = Branch((merge,), until=1, place=1), {"other": conditions[1]}
    ((_, run),) = grow(model, conditions[0], EULER, 0, [branch], others=others)
    assert near(run.x0_hats[0], own[1]) and not near(run.x0_hats[0], wrong, 1e-3)


def test_the_model_is_left_as_it_was(model):
    before = clean(model).latents[-1]
    layer_merge(model, (0, 1), "stored")
    assert torch.equal(clean(model).latents[-1], before)


def test_what_cannot_be_merged_is_refused(model):
    with pytest.raises(ValueError, match="names layer 4"):
        layer_merge(model, (4,))
    with pytest.raises(ValueError, match="outside of 0 to 3"):
        layer_merge(model, (-1,))
    with pytest.raises(ValueError, match="lock_step"):
        MergeLayers((1,), (0,), "mean")
    with pytest.raises(ValueError, match="'x0_hat', 'weighted', 'medoid' or 'velocity'"):
        MergeEstimates((0,), "noise")
    with pytest.raises(ValueError, match="needs an Euler preset"):
        merged(model, MergeEstimates(ALL), schedule=Schedule("test", "unipc", STEPS, shift=3.0))


def clip(*changes):
    """A clip (1, 1, 1 + F, 1, 2) with a first frame of 5; later frames differ from it by
    `changes`."""
    return 5.0 + torch.tensor([[0.0, 0.0], *changes])[None, None, :, None]


def test_agreement_is_told_by_what_happens():
    left, right, still = clip((1.0, 0.0)), clip((0.0, 1.0)), clip((0.0, 0.0))
    assert disagreement(left, left) == 0.0
    assert disagreement(left, right) == pytest.approx(2**0.5)
    assert disagreement(clip((3.0, 0.0)), clip((0.0, 3.0))) == pytest.approx(2**0.5)
    assert contrast(still) == 0.0 and contrast(left) == pytest.approx(0.5)
    assert contrast((left + right) / 2) < contrast(left), "a mean over answers is paler than each"
    assert torch.equal(disagreements([left, right]), disagreements([right, left]))


def test_votes_medoids_and_weights_follow_the_majority():
    a, nearly_a, b, c = clip((1.0, 0.0)), clip((1.0, 0.1)), clip((0.0, 1.0)), clip((-1.0, 0.0))
    assert majority([b, a, nearly_a]) == 1 and medoid([b, a, nearly_a]) in (1, 2)
    assert majority([a, b, c]) == 0, "all differ: generation 0 goes on"
    heavy = weights(disagreements([b, a, nearly_a]))
    assert sum(heavy) == pytest.approx(1.0) and heavy[0] == min(heavy)
    assert weights(disagreements([a, a, a])) == pytest.approx([1 / 3] * 3)


def test_weights_by_hand():
    """The sums of disagreement are r, r and 2 r, of mean 4 r / 3: exponents of -3, -3 and -6."""
    left, right = clip((1.0, 0.0)), clip((0.0, 1.0))
    by_place = {0: [right, left, left], 2: [left, left, right]}
    for place, own in by_place.items():
        found = weights(disagreements(own))
        assert found[place] == pytest.approx(0.024289, abs=1e-6)
        (merged, *_) = MergeEstimates((0,), "weighted").combine(own, own)
        expected = 0.975711 * left + 0.024289 * right
        torch.testing.assert_close(merged, expected, atol=1e-5, rtol=0)
        assert majority(own) == medoid(own) == (1 if place == 0 else 0)


def test_merged_states_by_hand():
    """Two generations with states 1 and 3 before a block, 2 and 8 after it."""
    before, after = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 8.0])
    expected = {"lock_step": [5.0, 5.0], "stored": [7.0, 7.0], "delta": [4.0, 6.0]}
    for variant, states in (expected | {"soft": [2.75, 7.25]}).items():
        merge = MergeLayers((1,), (0,), variant, amount=0.25)
        sites = [Site(0, 0, True, layer) for layer in (0, 1, 2)]
        stored = {sites[1]: torch.full((1, 1, 1), 7.0)} if variant == "stored" else {}
        visit, given = merge.change(stored), (before, after, after)
        seen = [visit(site, x.view(2, 1, 1)) for site, x in zip(sites, given, strict=True)]
        assert torch.equal(seen[0].flatten(), before) and torch.equal(seen[2].flatten(), after)
        assert seen[1].flatten().tolist() == states
