"""Maps of hidden states by cases worked out by hand."""

import torch

from chain_of_steps.figures.token_maps import energy_maps
from chain_of_steps.measures.token_maps import maps_of


def test_norms_lie_where_their_tokens_are_and_may_be_large():
    states = torch.zeros(1, 2, 3, 4, 8)
    states[0, 1, 2, 1, 3] = -300_000.0  # step 0, layer 0, frame 2, token 1: above what fp16 holds
    norm = maps_of(states, 2)["norm"]
    assert norm.shape == (1, 2, 3, 2, 2)
    assert norm[0, 1, 2, 0, 1] == 300_000.0 and norm.sum() == 300_000.0


def test_colours_depend_on_direction_alone():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(2, 3, 2, 4, 8, generator=generator)
    lengths = 1.0 + torch.rand(2, 3, 2, 4, 1, generator=generator)
    first, second = (maps_of(s, 2)["colours"].float() for s in (states, lengths * states))
    assert first.shape == (2, 3, 2, 2, 2, 3) and (first - second).abs().max() < 2e-3
    spread = first.flatten(0, -2).var(0)
    assert spread[0] > spread[1] > spread[2] > 0, "the largest component first"


def test_both_scales_are_drawn():
    figure = energy_maps(torch.rand(2, 4, 3, 2, 2), step=1)
    left, right = figure.subfigs
    assert [half.get_suptitle() for half in (left, right)] == [
        "one scale for all",
        "each layer on its own",
    ]
    limits = [[a.images[0].get_clim() for a in half.axes] for half in (left, right)]
    assert len(set(limits[0])) == 1 and len(set(limits[1])) == 4 and len(limits[0]) == 4 * 3
