"""Symbol networks go through loop, prefix trees, sites and merges like any video model."""

import numpy as np
import pytest
import torch

from chain_of_steps.models.schedule import preset
from chain_of_steps.models.symbols import SymbolPipeline, boards
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling.denoise import begin, denoise, generate
from chain_of_steps.sampling.interventions import (
    MergeEstimates,
    NoiseAtFrame,
    NoiseAtStep,
    Source,
)
from chain_of_steps.sampling.prefix_tree import Branch, evaluations, grow
from chain_of_steps.sampling.sites import Captured
from chain_of_steps.training import symbols as training

SCHEDULE = preset("mini/5")
TASKS = {"latin": {"order": 4, "clues": 6}, "relay": {"moves": 4}, "relay_end": {"moves": 4}}


def model_of(puzzle: str, layers: int = 2) -> VideoModel:
    network = training.build(training.SymbolRecipe(puzzle, layers, width=32))
    torch.manual_seed(5)
    torch.nn.init.normal_(network.proj_out.weight, std=0.3)  # untrained, it predicts 0
    return VideoModel(
        SymbolPipeline(network, SCHEDULE.scheduler("sample"), puzzle), size=1, frames=1
    )


@pytest.fixture(params=list(TASKS))
def case(request):
    sample = suite.draw_one(request.param, 0, 3, **TASKS[request.param])
    model = model_of(sample.puzzle.name)
    return model, sample, model.prepare_sample(sample)


def test_the_loop_makes_euler_steps_towards_the_networks_estimate(case):
    model, sample, condition = case
    trajectory = generate(model, condition, SCHEDULE, seed=7)
    x, board = model.noise(condition, 7), boards([sample]).board()
    for s in range(SCHEDULE.steps):
        sigma, after = trajectory.sigmas[s], trajectory.sigmas[s + 1]
        told = torch.tensor([int(1000.0 * sigma) / 1000.0])  # the scheduler's timesteps are whole
        x0_hat = training.estimate(model.pipe.transformer, x, board, told)
        assert (x - trajectory.latents[s]).abs().max() < 1e-4
        assert (x0_hat - trajectory.x0_hats[s]).abs().max() < 1e-4
        x = x0_hat + (after / sigma) * (x - x0_hat)
    assert torch.equal(trajectory.latents[-1], trajectory.x0_hats[-1])


def test_the_truth_is_read_from_its_latents(case):
    model, sample, _ = case
    latents = boards([sample]).latents()
    read = model.beliefs(sample, latents)
    assert tuple(read.argmax(-1).tolist()) == sample.solutions.answers[0]
    assert set(np.unique(read)) == {0.0, 1.0}
    half = model.beliefs(sample, 0.5 * latents)
    assert set(np.unique(half)) == {0.25, 0.75}


def test_shared_pasts_are_bitwise_those_of_runs_alone(case):
    model, _, condition = case
    branches = [
        Branch(),
        Branch((NoiseAtStep(2),)),
        Branch((NoiseAtStep(2), NoiseAtStep(4, mode="level-correct"))),
        Branch((NoiseAtFrame(0, steps=(1, 3)),)),
        Branch((NoiseAtStep(3, mode="additive", amplitude=0.5),), until=4),
    ]
    grown = dict(grow(model, condition, SCHEDULE, 3, branches))
    for index, branch in enumerate(branches):
        state = begin(model, condition, SCHEDULE, 3)
        alone = denoise(model, condition, SCHEDULE, state, branch.interventions, until=branch.until)
        assert torch.equal(alone.latents[-1], grown[index].latents[-1])
    assert evaluations(branches, 5, 1) < 5 * len(branches)


def test_patching_in_ones_own_state_changes_nothing_and_hooks_leave_no_trace(case):
    model, _, condition = case
    clean = generate(model, condition, SCHEDULE, 1)
    captured = Captured(lambda site: site.layer == 0)
    generate(model, condition, SCHEDULE, 1, visit=captured)
    assert len(captured) == SCHEDULE.steps
    patched = generate(
        model,
        condition,
        SCHEDULE,
        1,
        visit=lambda site, hidden: captured[site][None] if site in captured else None,
    )
    assert torch.equal(patched.latents[-1], clean.latents[-1])
    zeroed = generate(
        model, condition, SCHEDULE, 1, visit=lambda site, hidden: torch.zeros_like(hidden)
    )
    assert not torch.equal(zeroed.latents[-1], clean.latents[-1])
    assert torch.equal(generate(model, condition, SCHEDULE, 1).latents[-1], clean.latents[-1])


def test_merging_a_run_with_itself_changes_little_and_with_others_more(case):
    model, _, condition = case

    def merged(seeds):
        company = tuple(Source(seed) for seed in seeds[1:])
        merge = MergeEstimates(tuple(range(3)), "x0_hat", company)
        branch = Branch((merge,), source=Source(seeds[0]))
        ((_, run),) = grow(model, condition, SCHEDULE, 0, [branch])
        return run.latents[-1]

    clean = generate(model, condition, SCHEDULE, 1).latents[-1]
    assert (merged((1, 1, 1)) - clean).abs().max() < 1e-4
    assert (merged((1, 2, 3)) - clean).abs().max() > 1e-3


def test_a_saved_network_gives_the_same_run(tmp_path):
    model = model_of("latin")
    model.pipe.save_pretrained(tmp_path / "net")
    (tmp_path / "net/training.json").write_text('{"recipe": {"size": 1, "frames": 1}}')
    again = VideoModel.load(tmp_path / "net")
    assert (again.size, again.frames, again.layers) == (1, 1, 2)
    assert again.fingerprint == model.fingerprint and again.pipe.config.puzzle == "latin"
    sample = suite.draw_one("latin", 0, 3, order=5, clues=9)
    runs = [generate(m, m.prepare_sample(sample), SCHEDULE, 0).latents[-1] for m in (model, again)]
    assert (runs[0] - runs[1]).abs().max() < 1e-4 and runs[0].shape == (1, 6, 1, 5, 5)


def test_puzzles_without_symbols_and_pictures_are_refused():
    model = model_of("latin")
    with pytest.raises(
        ValueError, match="maze has no form in symbols; expected one of latin, relay"
    ):
        model.prepare_sample(suite.draw_one("maze", 0, 1))
    with pytest.raises(ValueError, match="takes no pictures and no prompts"):
        model.prepare("", np.zeros((16, 16, 3), np.uint8), 1)
