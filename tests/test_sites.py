"""Captured hidden states are those of the block, step, expert and pass that their site names."""

import pytest
import torch

from chain_of_steps.models.hooks import FromLayer
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.sampling.denoise import begin, generate
from chain_of_steps.sampling.sites import Captured, Site, at_step, in_turn, region

STEPS = 4
GUIDED = Schedule("test", "euler", STEPS, shift=5.0, guidance=2.0)


@pytest.fixture
def condition(model, picture):
    return model.prepare("draw the path from green to red", picture, 9)


def test_every_site_is_captured_once_under_its_own_address(model, condition):
    states = Captured(lambda site: True)
    trajectory = generate(model, condition, GUIDED, seed=0, visit=states)
    experts = [0 if model.experts == 1 or sigma >= 0.875 else 1 for sigma in trajectory.sigmas[:-1]]
    layers = len(model.transformers[0].blocks)
    expected = {
        Site(s, experts[s], g, k)
        for s in range(STEPS)
        for g in (True, False)
        for k in range(-1, layers)
    }
    assert set(states) == expected


def test_a_state_is_what_the_block_put_out(model, condition):
    outputs = []
    handle = (
        model.transformers[0]
        .blocks[1]
        .register_forward_hook(lambda module, inputs, output: outputs.append(output[0]))
    )
    states = Captured(lambda site: site.layer == 1 and site.expert == 0)
    generate(model, condition, GUIDED, seed=0, visit=states)
    handle.remove()
    order = sorted(states, key=lambda site: (site.step, not site.guided))
    assert all(
        torch.equal(states[site], output) for site, output in zip(order, outputs, strict=True)
    )


def test_capturing_changes_nothing_and_leaves_no_hook(model, condition):
    clean = generate(model, condition, GUIDED, seed=0)
    watched = generate(model, condition, GUIDED, seed=0, visit=Captured())
    assert all(map(torch.equal, clean.latents, watched.latents))
    assert not any(block._forward_hooks for expert in model.transformers for block in expert.blocks)


def test_the_budget_is_kept_and_hooks_go_even_then(model, condition):
    with pytest.raises(MemoryError, match="capture fewer layers"):
        generate(model, condition, GUIDED, seed=0, visit=Captured(budget=3000))
    assert not any(block._forward_hooks for expert in model.transformers for block in expert.blocks)


def test_writing_back_what_was_there_changes_nothing(model, condition):
    states = Captured(lambda site: True)
    clean = generate(model, condition, GUIDED, seed=0, visit=states)
    swapped = generate(
        model, condition, GUIDED, seed=0, visit=lambda site, state: states[site][None]
    )
    assert all(map(torch.equal, clean.latents, swapped.latents))


def test_an_edit_acts_at_its_site_and_later_only(model, condition):
    def shift(site: Site, state: torch.Tensor) -> torch.Tensor | None:
        return state + 1.0 if (site.step, site.guided, site.layer) == (1, True, 0) else None

    clean = generate(model, condition, GUIDED, seed=0)
    edited = Captured(lambda site: site.step == 1 and site.guided)
    noised = generate(model, condition, GUIDED, seed=0, visit=in_turn(shift, edited))
    states = Captured(lambda site: site.step == 1 and site.guided)
    generate(model, condition, GUIDED, seed=0, visit=states)
    same = {site.layer for site in states if torch.equal(states[site], edited[site])}
    assert same == {-1}
    assert torch.equal(clean.latents[1], noised.latents[1]) and not torch.equal(
        clean.latents[2], noised.latents[2]
    )


def test_starting_at_a_layer_gives_the_same_bytes(model, condition):
    schedule = Schedule("test", "euler", STEPS, shift=5.0, guidance=2.0)
    state = begin(model, condition, schedule, 0)
    t = state.sampler.timesteps[0]
    states = Captured()
    with torch.inference_mode():
        whole = model.predict(state.latents, t, condition, schedule, at_step(0, states))
        for layer in range(-1, len(model.transformers[0].blocks)):
            kept = {guided: states[Site(0, 0, guided, layer)] for guided in (True, False)}
            blocks = model.transformers[0].blocks
            later = model.predict(
                state.latents, t, condition, schedule, start=FromLayer(layer, kept)
            )
            assert torch.equal(whole, later)
            assert model.transformers[0].blocks is blocks


def test_only_the_tokens_asked_for_are_kept(model, condition):
    states = Captured(lambda site: site.layer == 0)
    generate(model, condition, GUIDED, seed=0, visit=states)
    some = torch.zeros(len(next(iter(states.values()))), dtype=torch.bool)
    some[::3] = True
    fewer = Captured(lambda site: site.layer == 0, tokens=some)
    generate(model, condition, GUIDED, seed=0, visit=fewer)
    assert all(torch.equal(states[site][some], fewer[site]) for site in states)


def test_a_cache_is_refused(model, condition):
    kind = type(model.transformers[0])
    original = kind.is_cache_enabled
    kind.is_cache_enabled = property(lambda self: True)
    try:
        with pytest.raises(RuntimeError, match="cache"):
            generate(model, condition, GUIDED, seed=0, visit=Captured())
        generate(model, condition, GUIDED, seed=0)  # nothing is wanted of the states
    finally:
        kind.is_cache_enabled = original


def test_a_region_names_tokens_in_the_order_frame_row_column():
    mask = torch.zeros(16, 24, dtype=torch.bool)
    mask[9, 20] = True  # second row of tokens, third column
    tokens = region(mask, [False, True, True], patch=8)
    assert torch.nonzero(tokens).flatten().tolist() == [6 + 3 + 2, 12 + 3 + 2]
