"""Captured hidden states are those of the block, step, expert and pass that their site names."""

import pytest
import torch

from chain_of_steps.denoise import generate
from chain_of_steps.schedule import Schedule
from chain_of_steps.sites import Site, capture

STEPS = 4
GUIDED = Schedule("test", "euler", STEPS, shift=5.0, guidance=2.0)


@pytest.fixture
def condition(model, picture):
    return model.prepare("draw the path from green to red", picture, 9)


def test_every_site_is_captured_once_under_its_own_address(model, condition):
    with capture(model, lambda site: True) as states:
        trajectory = generate(model, condition, GUIDED, seed=0)
    experts = [0 if model.experts == 1 or sigma >= 0.875 else 1 for sigma in trajectory.sigmas[:-1]]
    layers = len(model.blocks[0])
    expected = {Site(s, experts[s], g, k) for s in range(STEPS) for g in (True, False) for k in range(layers)}
    assert set(states) == expected


def test_a_state_is_what_the_block_put_out(model, condition):
    outputs = []
    handle = model.blocks[0][1].register_forward_hook(lambda module, inputs, output: outputs.append(output[0]))
    with capture(model, lambda site: site.layer == 1 and site.expert == 0) as states:
        generate(model, condition, GUIDED, seed=0)
    handle.remove()
    order = sorted(states, key=lambda site: (site.step, not site.guided))
    assert all(torch.equal(states[site], output) for site, output in zip(order, outputs, strict=True))


def test_capturing_changes_nothing_and_leaves_no_hook(model, condition):
    clean = generate(model, condition, GUIDED, seed=0)
    with capture(model, lambda site: True):
        watched = generate(model, condition, GUIDED, seed=0)
    assert all(map(torch.equal, clean.latents, watched.latents))
    assert not any(block._forward_hooks for blocks in model.blocks for block in blocks)


def test_the_budget_is_kept_and_hooks_go_even_then(model, condition):
    with pytest.raises(MemoryError, match="capture fewer layers"), capture(model, lambda site: True, budget=3000):
        generate(model, condition, GUIDED, seed=0)
    assert not any(block._forward_hooks for blocks in model.blocks for block in blocks)
