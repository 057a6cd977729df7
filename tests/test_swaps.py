"""Swaps of hidden states obey trap 2: some must be degenerate, and a swap with itself changes
nothing."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import pytest
import tiny
import torch

from chain_of_steps.bench import tasklist
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.layer_roles import swaps
from chain_of_steps.figures.layer_roles.swaps import LayerSwaps, SwapRun
from chain_of_steps.models.hooks import FromLayer
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles.first.counterfactual import counterfactual, exchanged
from chain_of_steps.sampling.denoise import advance, begin, generate
from chain_of_steps.sampling.interventions import patch as patching
from chain_of_steps.sampling.interventions.patch import Patch, Variant
from chain_of_steps.sampling.sites import Captured

SCHEDULE = Schedule("test", "euler", 4, shift=3.0)
VARIANTS = get_args(Variant)


@pytest.fixture(scope="module")
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = SCHEDULE.scheduler(
        "sample"
    )  # as the mini model: the output is the clean estimate
    return VideoModel(pipe)


def swap(layer, variant="state", amount=0.5, seed=0):
    """A patch at step 0, to be applied to states."""

    def apply(own, donor, tokens=None):
        chosen = None if tokens is None else tuple(torch.nonzero(tokens).flatten().tolist())
        patch = Patch(0, layer, tokens=chosen, variant=variant, amount=amount, seed=seed)
        return patching.patched(patch, own, donor)

    return SimpleNamespace(apply=apply)


def at_step_0(model, condition, seed):
    """Hidden states by layer, and the clean estimate, of the first step."""
    state = begin(model, condition, SCHEDULE, seed)
    states = Captured()
    with torch.inference_mode():
        _, x0_hat = advance(model, condition, SCHEDULE, state, visit=states)
    return {site.layer: tensor for site, tensor in states.items()}, x0_hat


def patched(model, condition, seed, layer, state):
    here = begin(model, condition, SCHEDULE, seed)
    with torch.inference_mode():
        return advance(model, condition, SCHEDULE, here, start=FromLayer(layer, {True: state}))[1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_swap_with_oneself_changes_nothing(model, variant):
    condition = model.prepare_sample(tasklist.draw_one("maze", 0, 0))
    own, x0_hat = at_step_0(model, condition, 0)
    for layer in range(2):
        new = swap(layer, variant).apply(own, own)
        assert torch.equal(new, own[layer])
        assert torch.equal(patched(model, condition, 0, layer, new), x0_hat)


def test_a_whole_swap_at_equal_text_gives_the_donor_at_every_layer(model):
    """Trap 2: so a profile over layers of this variant would show nothing."""
    sample, other = (tasklist.draw_one("maze", i, 0) for i in range(2))
    condition, unrelated = model.prepare_sample(sample), model.prepare_sample(other)
    own, _ = at_step_0(model, condition, 0)
    donor, x0_hat = at_step_0(model, unrelated, 1)
    for layer in range(-1, 2):
        new = swap(layer).apply(own, donor)
        assert torch.equal(patched(model, condition, 0, layer, new), x0_hat)


def test_parts_updates_and_blends_do_not_collapse(model):
    sample, other = (tasklist.draw_one("maze", i, 0) for i in range(2))
    condition, unrelated = model.prepare_sample(sample), model.prepare_sample(other)
    own, before = at_step_0(model, condition, 0)
    donor, theirs = at_step_0(model, unrelated, 1)
    some = torch.arange(len(own[0])) < 40
    results = [
        patched(model, condition, 0, k, swap(k, "delta").apply(own, donor)) for k in range(2)
    ]
    results += [
        patched(model, condition, 0, k, swap(k, "blend").apply(own, donor)) for k in range(2)
    ]
    results += [patched(model, condition, 0, k, swap(k).apply(own, donor, some)) for k in range(2)]
    everything = [*results, before, theirs]
    assert all(not torch.equal(a, b) for i, a in enumerate(everything) for b in everything[:i])


def test_only_the_tokens_named_are_changed_and_noise_is_as_long_as_the_way(model):
    own, donor = (
        {k: torch.randn(10, 6, generator=torch.Generator().manual_seed(10 * s + k)) for k in (0, 1)}
        for s in (1, 2)
    )
    tokens = torch.arange(10) > 6
    for variant in VARIANTS:
        new = swap(1, variant).apply(own, donor, tokens)
        assert torch.equal(new[:7], own[1][:7]) and not torch.equal(new[7:], own[1][7:])
    noise = swap(1, "noise").apply(own, donor)
    torch.testing.assert_close((noise - own[1]).norm(dim=1), (donor[1] - own[1]).norm(dim=1))
    torch.testing.assert_close(swap(1, "blend", 1.0).apply(own, donor), donor[1])


@pytest.mark.parametrize("task", ["maze", "mark_object"])
def test_a_twin_has_the_same_board_and_another_answer(task):
    for index in range(5):
        sample = tasklist.draw_one(task, index, 3)
        target = next(i for i, c in enumerate(sample.candidates) if c.kind == "wrong")
        twin = counterfactual(sample, target)
        assert twin.valid[0].answer == sample.candidates[target].answer
        assert twin.score(twin.render()) == 1.0 and sample.score(twin.render()) < 1.0
        assert (abs(twin.first_frame() - sample.first_frame()).max() > 0.1) == (task == "maze")
        assert (twin.prompt != sample.prompt) == (task == "mark_object")
        assert [c.kind for c in twin.candidates].count("valid") == 1


def test_exchanged_things_move_the_answer_and_keep_the_prompt():
    for index in range(5):
        sample = tasklist.draw_one("mark_object", index, 3)
        target = next(i for i, c in enumerate(sample.candidates) if c.kind == "wrong")
        other = exchanged(sample, target)
        assert other.prompt == sample.prompt and other.valid[0].name == sample.valid[0].name
        assert other.valid[0].answer == sample.candidates[target].answer
        assert other.score(other.render()) == 1.0 and sample.score(other.render()) < 1.0
        changed = abs(other.first_frame() - sample.first_frame()).max(2) > 0.1
        assert 0 < changed.mean() < 2 / 9, "two of nine places"
    with pytest.raises(ValueError, match="mark_object"):
        exchanged(tasklist.draw_one("maze", 0, 3), 1)


def test_a_task_without_twins_is_refused():
    with pytest.raises(ValueError, match="maze or mark_object"):
        counterfactual(tasklist.draw_one("bounce", 0, 0), 1)


def test_the_experiment_reads_what_its_swaps_do(model, tmp_path, monkeypatch):
    experiment = LayerSwaps(model, SCHEDULE)
    both_right(monkeypatch, experiment)
    pairs = {"maze": 1, "mark_object": 1}
    runs = experiment.plan(pairs, pairs, steps=[0, 2], map_stride=3, suite_seed=7)
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    by_run = {run: row["result"] for run, row in zip(runs, rows, strict=True)}
    for run, result in by_run.items():
        assert ("final" in result) == run.final and ("moved" in result) == (run.variant != "held")
        if run.variant == "held":
            continue
        assert len(result["moved"]) == 2
        if (
            (run.task == "maze" or run.donor == "exchanged")
            and run.variant == "state"
            and run.where == "all"
        ):
            assert result["moved"] == [1.0, 1.0], "equal text: the donor's output at every layer"
    assert experiment.measure(rows[5]["run"]) == rows[5]["result"]
    assert isinstance(runs[0], SwapRun)


@pytest.mark.parametrize(("task", "donor"), [("maze", "twin"), ("mark_object", "exchanged")])
def test_an_answer_is_read_on_either_board(model, task, donor):
    experiment, sample = LayerSwaps(model, SCHEDULE), tasklist.draw_one(task, 0, 7)
    board, target = (
        experiment.board(sample, donor, SwapRun(task, 0, 7, 0, 0)),
        experiment.target(sample),
    )
    for drawn, expected in ((sample, 0), (board, target)):
        frame = drawn.picture(drawn.valid[0])
        assert swaps._shown(frame, (sample, board), sample) == expected
    assert swaps._shown(board.picture(board.valid[0]), (sample,), sample) == -1, "another board"


@torch.inference_mode()
def test_a_held_swap_of_all_tokens_is_the_donors_run_and_at_the_last_step_it_is_one_swap(model):
    experiment, last = LayerSwaps(model, SCHEDULE), SCHEDULE.steps - 1
    for step, layer in ((0, 1), (last, 0)):
        run = SwapRun("maze", 0, 7, 0, step, final=True)
        sample = tasklist.draw_one("maze", 0, 7)
        own, state = experiment._party(sample, sample, run)
        donor, _ = experiment._party(experiment.board(sample, "twin", run), sample, run, later=True)
        tokens = torch.ones(len(own.states(step)[0]), dtype=torch.bool)
        parts = run, own, donor, tokens, state
        held, once = experiment._held(layer, *parts).final, experiment._patched(layer, *parts)
        if step == 0:
            assert torch.equal(held, generate(model, donor.condition, SCHEDULE, 0).latents[-1])
            assert not torch.equal(held, once.final)
        else:
            assert torch.equal(held, once.final) and torch.equal(once.final, once.x0_hat)


def test_pairs_that_cannot_flip_are_not_swapped_but_a_random_network_always_is(model, tmp_path):
    experiment = LayerSwaps(model, SCHEDULE)
    before = {name: p.clone() for name, p in model.transformers[0].named_parameters()}
    runs = experiment.plan({"mark_object": 1}, {}, steps=[0], map_stride=3, suite_seed=7)
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    by_random = {run.random: row["result"] for run, row in zip(runs, rows, strict=True)}
    assert (
        by_random[False]["answers"] != by_random[False]["right"] and "moved" not in by_random[False]
    )
    assert by_random[True]["moved"][-1] == 1.0, (
        "the donor's last state is the donor's output, whatever the prompt"
    )
    assert all(torch.equal(p, before[name]) for name, p in model.transformers[0].named_parameters())


def both_right(monkeypatch, experiment: LayerSwaps) -> None:
    """Lets every clean run of an untrained model count as right."""
    party = experiment._party

    def right(board, reader, run, later=False):
        found, state = party(board, reader, run, later)
        answers = [
            candidate.answer for candidate in reader.candidates
        ]  # those of unrelated samples are not
        valid = board.valid[0].answer
        return replace(found, answer=answers.index(valid) if valid in answers else -1), state

    monkeypatch.setattr(experiment, "_party", right)
