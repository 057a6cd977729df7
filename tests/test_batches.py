"""Many evaluations in one forward pass give what each gives alone, on every family of models."""

import copy

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling.interventions import (
    Drop,
    MergeEstimates,
    MergeLatents,
    MergeLayers,
    NoiseAtFrame,
    NoiseAtStep,
    Patch,
    Source,
)
from chain_of_steps.sampling.prefix_tree import Branch, Tree, grow, grow_all
from chain_of_steps.sampling.sites import Captured
from chain_of_steps.training import symbols as training

STEPS = 4
COMPANY = (Source(1000), Source(2000))
RUNS = [
    (),
    (NoiseAtStep(1),),
    (NoiseAtStep(2, mode="level-correct"), Drop(2)),
    (Patch(1, 0, donor=Source(1000), variant="blend", tokens=(0, 2)),),
    (Patch(2, 1, donor=Source(1000), variant="delta", held=True),),
    (MergeEstimates((0, 1), company=COMPANY),),
    (MergeLatents((1,), company=COMPANY), NoiseAtStep(3, mode="additive", amplitude=0.2)),
    (NoiseAtFrame(0, steps=(1, 3)),),
]


def pictures(make, guidance=1.0, sampler="euler", size=32, frames=5):
    """A model and the conditions of two samples."""
    schedule = Schedule("test", sampler, STEPS, shift=3.0, guidance=guidance)
    model = VideoModel(make())
    conditions = []
    for grey, prompt in ((90, "fill the empty place"), (200, "turn the shape left")):
        frame = np.full((size, size, 3), grey, np.uint8)
        frame[8:24, 8:24] = 255 - grey
        conditions.append(model.prepare(prompt, frame, frames))
    return model, schedule, conditions


def symbols():
    recipe = training.SymbolRecipe("latin", 2, width=32)
    network = training.build(recipe)
    torch.nn.init.normal_(network.proj_out.weight, std=0.3)
    schedule = Schedule("test", "euler", STEPS, shift=3.0)
    scheduler = schedule.scheduler("sample")
    model = VideoModel(training.SymbolPipeline(network, scheduler, "latin"))
    samples = suite.draw("latin", 2, seed=0, order=4, clues=4)
    return model, schedule, [model.prepare_sample(sample) for sample in samples]


FAMILIES = {
    "clean estimates": lambda: pictures(tiny.mini_like),
    "guided": lambda: pictures(tiny.mini_like, guidance=2.0),
    "stochastic": lambda: pictures(tiny.mini_like, sampler="stochastic"),
    "Wan 2.1": lambda: pictures(tiny.wan21_like, guidance=2.0),
    "two experts": lambda: pictures(tiny.wan22_like, guidance=2.0),
    "given frame at time 0": lambda: pictures(tiny.ti2v_like, guidance=2.0),
    "video and audio": lambda: pictures(tiny.ltx2_like, guidance=2.0, size=64, frames=9),
    "symbols": symbols,
}


@pytest.fixture(scope="module", params=FAMILIES)
def case(request):
    return FAMILIES[request.param]()


def trees(case) -> list[Tree]:
    """Two samples and three seeds, with all runs that the case allows."""
    model, schedule, conditions = case
    runs = [run for run in RUNS if schedule.sampler == "euler" or not _merges(run)]
    if model.audio_noise(conditions[0], 0) is None and schedule.sampler == "euler":
        runs = [*runs, (MergeLayers((1,), (0,), company=COMPANY),)]
    branches = [Branch(run) for run in runs] + [Branch((NoiseAtStep(1),), until=2)]
    pairs = [(conditions[0], 0), (conditions[1], 1), (conditions[0], 2)]
    return [Tree(condition, seed, branches) for condition, seed in pairs]


def _merges(run) -> bool:
    return any(isinstance(i, MergeEstimates | MergeLatents) for i in run)


def grown(case, batch: int, made: list | None = None) -> dict:
    model, schedule, _ = case
    count = (lambda: made.append(1)) if made is not None else None
    found = grow_all(model, schedule, trees(case), batch, count=count)
    return {(tree, index): trajectory for tree, index, trajectory in found}


@pytest.fixture(scope="module")
def alone(case):
    made: list = []
    return grown(case, 1, made), len(made)


@pytest.mark.parametrize("batch", [2, 7, 100])
def test_a_batch_gives_what_each_evaluation_gives_alone(case, alone, batch):
    made: list = []
    one, many = alone[0], grown(case, batch, made)
    assert many.keys() == one.keys() and len(made) == alone[1]
    for tree in range(3):  # of each tree the order does not depend on the batch
        assert [i for t, i in many if t == tree] == [i for t, i in one if t == tree]
    for key, run in many.items():
        rest = one[key]
        assert (run.cells, len(run.x0_hats)) == (rest.cells, len(rest.x0_hats))
        assert run.energy == pytest.approx(rest.energy, rel=1e-4)
        pairs = zip([*run.latents, *run.x0_hats], [*rest.latents, *rest.x0_hats], strict=True)
        for a, b in pairs:
            torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-5)
        if rest.audio is not None:
            torch.testing.assert_close(run.audio, rest.audio, rtol=1e-4, atol=2e-5)


def test_a_batch_of_one_is_each_tree_by_itself(case, alone):
    model, schedule, _ = case
    for number, tree in enumerate(trees(case)):
        parts = (model, tree.condition, schedule, tree.seed, tree.branches)
        for index, run in grow(*parts):
            rest = alone[0][number, index]
            assert all(map(torch.equal, run.latents, rest.latents))


def test_a_visitor_sees_one_run_at_a_time(case):
    model, schedule, conditions = case
    made = {}

    def tree(number: int) -> Tree:
        states = Captured(lambda site: site.guided and site.layer == 0)

        def watch(s, x, x0_hat):
            (state,) = states.take().values()
            made[number, s, float(x.sum())] = state

        return Tree(conditions[0], number, [Branch(), Branch((NoiseAtStep(1),))], watch, states)

    found = {}
    for batch in (1, 8):
        made.clear()
        list(grow_all(model, schedule, [tree(0), tree(1)], batch))
        found[batch] = [(key[:2], made[key]) for key in sorted(made)]
    for (key, a), (other, b) in zip(found[1], found[8], strict=True):
        assert key == other
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-5)


def test_little_memory_is_enough_however_large_the_batch(case):
    model, schedule, conditions = case
    branches = [Branch((NoiseAtStep(s),)) for s in range(STEPS)]
    clip = 4 * int(np.prod(conditions[0].shape))
    trees = [Tree(conditions[0], 0, branches)] * 3
    # A batch of 64 would hold 81 clips at once, one run after the other 9.
    assert len(list(grow_all(model, schedule, trees, 64, budget=40 * clip))) == 12
    with pytest.raises(MemoryError, match="more than their budget of"):
        list(grow_all(model, schedule, trees, 64, budget=8 * clip))


def test_a_loop_over_runs_is_not_in_inference_mode(case):
    model, schedule, conditions = case
    for _ in grow(model, conditions[0], schedule, 0, [Branch(), Branch((NoiseAtStep(1),))]):
        assert not torch.is_inference_mode_enabled()


def test_a_batch_below_one_is_refused(case):
    model, schedule, conditions = case
    with pytest.raises(ValueError, match="batch is 0; expected 1 or more"):
        next(grow_all(model, schedule, [Tree(conditions[0], 0, [Branch()])], 0))


def test_clips_decoded_together_are_those_decoded_alone(case):
    model, _, conditions = case
    latents = [0.5 * model.noise(conditions[0], seed) for seed in range(3)]
    together = model.decode_all(latents, batch=2).astype(int)
    alone = np.stack([model.decode(each) for each in latents]).astype(int)
    assert together.shape == alone.shape and abs(together - alone).max() <= 1


def test_a_batch_is_the_default_only_where_it_is_faster(case):
    model, *_ = case
    assert model.batch == (64 if model.family.encode_sample is not None else 1)
    if model.family.encode_sample is None:
        on_a_gpu = copy.copy(model)
        on_a_gpu.device = torch.device("cuda")
        assert on_a_gpu.batch == 16
