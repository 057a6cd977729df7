"""Interventions change the cells they name and nothing else, and obey their equations."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import begin, denoise, generate
from chain_of_steps.sampling.interventions import (
    MODES,
    Drop,
    NoiseAtCells,
    NoiseAtFrame,
    NoiseAtStep,
    Patch,
    Restart,
    from_record,
    record,
)
from chain_of_steps.sampling.interventions.patch import patched
from chain_of_steps.sampling.state import State

PROMPT, FRAMES, SEED = "draw the path from green to red", 9, 3
EULER, UNIPC = Schedule("test", "euler", 6, shift=5.0), Schedule("test", "unipc", 10, shift=5.0)


@pytest.fixture
def condition(model, picture):
    return model.prepare(PROMPT, picture, FRAMES)


def run(model, condition, *interventions, schedule=EULER, **options):
    return generate(model, condition, schedule, SEED, interventions=interventions, **options)


def same(a, b) -> bool:
    return all(map(torch.equal, a.latents, b.latents)) and all(
        map(torch.equal, a.x0_hats, b.x0_hats)
    )


def changed_cells(a, b) -> set[tuple[int, int]]:
    """(step, frame) cells in which two trajectories' `x_s` differ."""
    return {
        (s, f)
        for s, (x, y) in enumerate(zip(a.latents, b.latents, strict=True))
        for f in range(x.shape[2])
        if not torch.equal(x[:, :, f], y[:, :, f])
    }


@pytest.mark.parametrize("mode", MODES)
def test_no_cells_change_nothing(model, condition, mode):
    clean = run(model, condition)
    assert same(
        clean,
        run(model, condition, NoiseAtCells((), mode=mode), NoiseAtStep(2, frames=(), mode=mode)),
    )
    assert same(clean, run(model, condition, NoiseAtStep(2, mode="additive", amplitude=0.0)))


@pytest.mark.parametrize("mode", MODES)
def test_noise_enters_at_its_step_and_frames_only(model, condition, mode):
    clean, noised = (
        run(model, condition),
        run(model, condition, NoiseAtStep(3, frames=(1,), mode=mode)),
    )
    cells = changed_cells(clean, noised)
    assert {cell for cell in cells if cell[0] <= 3} == {(3, 1)}
    assert {s for s, _ in cells} == {3, 4, 5, 6}, "and it spreads from there"
    assert (noised.cells, clean.cells) == (1, 0)
    assert noised.energy > 0.0 == clean.energy


@pytest.mark.parametrize("mode", MODES)
def test_three_ways_to_name_the_same_cells(model, condition, mode):
    frames = condition.shape[2]
    row = [NoiseAtStep(2, mode=mode), NoiseAtCells(tuple((2, f) for f in range(frames)), mode=mode)]
    column = [NoiseAtFrame(1, mode=mode), NoiseAtCells(tuple((s, 1) for s in range(6)), mode=mode)]
    for a, b in (row, column):
        assert same(run(model, condition, a), run(model, condition, b))
        assert changed_cells(run(model, condition, a), run(model, condition))


def test_disjoint_interventions_compose_in_any_order(model, condition):
    a, b = NoiseAtStep(1, frames=(0,)), NoiseAtFrame(1, steps=(1, 4))
    together = run(model, condition, a, b)
    assert same(together, run(model, condition, b, a))
    assert same(together, run(model, condition, NoiseAtCells(((1, 0), (1, 1), (4, 1)))))
    assert together.cells == 3


def test_replaced_cells_are_standard_noise_and_do_not_depend_on_what_was_there(model, condition):
    a = run(model, condition, NoiseAtStep(3)).latents[3]
    b = generate(model, condition, EULER, SEED + 1, interventions=[NoiseAtStep(3)]).latents[3]
    assert torch.equal(a, b)
    moved = _moved(condition, a)
    assert abs(float(moved.std()) - 1.0) < 0.1
    assert not torch.equal(moved, _moved(condition, model.noise(condition, 0)))


def _moved(condition, latents: torch.Tensor) -> torch.Tensor:
    """Latents without the given frame where the model holds it, which no noise can change."""
    return latents if condition.free is None else latents[:, :, 1:]


def test_noise_in_a_frame_that_the_model_holds_changes_nothing_and_is_no_dose(model, condition):
    clean, noised = (run(model, condition, *noise) for noise in ((), (NoiseAtFrame(0),)))
    held = condition.free is not None
    assert torch.equal(clean.latents[-1], noised.latents[-1]) == held
    assert (noised.energy == 0.0) == held


def test_noise_put_in_is_never_the_noise_that_a_run_starts_from(model, condition):
    starts = [model.noise(condition, seed) for seed in range(30)]
    put_in = [
        run(model, condition, NoiseAtStep(0, seed=seed), until=1).latents[0] for seed in range(3)
    ]
    assert not any(torch.equal(a, b) for a in starts for b in put_in)
    assert not torch.equal(put_in[0], put_in[1])


def test_additive_noise_adds(model, condition):
    x = run(model, condition).latents[3]
    half, full = (
        run(model, condition, NoiseAtStep(3, mode="additive", amplitude=a)).latents[3] - x
        for a in (0.5, 1.0)
    )
    torch.testing.assert_close(2 * half, full)
    replaced = run(model, condition, NoiseAtStep(3)).latents[3]
    torch.testing.assert_close(
        _moved(condition, full), _moved(condition, replaced), atol=1e-5, rtol=1e-5
    )


def test_level_correct_noise_is_an_euler_step_with_fresh_noise(model, condition):
    clean, noised = (
        run(model, condition),
        run(model, condition, NoiseAtStep(3, mode="level-correct")),
    )
    sigma, eps = clean.sigmas[3], run(model, condition, NoiseAtStep(3)).latents[3]
    torch.testing.assert_close(noised.latents[3], (1 - sigma) * clean.x0_hats[2] + sigma * eps)
    implied = (
        clean.latents[3] - (1 - sigma) * clean.x0_hats[2]
    ) / sigma  # what Euler kept of the old noise
    before = (clean.latents[2] - (1 - clean.sigmas[2]) * clean.x0_hats[2]) / clean.sigmas[2]
    torch.testing.assert_close(implied, before, atol=1e-4, rtol=1e-4)


def test_at_step_0_level_correct_noise_is_plain_noise(model, condition):
    plain, fresh = (
        run(model, condition, NoiseAtStep(0, mode=mode)) for mode in ("replace", "level-correct")
    )
    torch.testing.assert_close(plain.latents[0], fresh.latents[0])


def test_a_restart_is_a_loop_by_hand_that_knows_only_the_first_estimate(model, condition):
    clean, restarted = run(model, condition), run(model, condition, Restart(3, seed=2))
    eps = run(model, condition, NoiseAtStep(3, seed=2)).latents[3]
    sigma, first = clean.sigmas[3], clean.x0_hats[0]
    by_hand = State(3, (1 - sigma) * first + sigma * eps, begin(model, condition, EULER, 0).sampler)
    by_hand.latents = model.hold(by_hand.latents, condition)
    after = denoise(model, condition, EULER, by_hand)
    assert all(map(torch.equal, restarted.x0_hats, [*clean.x0_hats[:3], *after.x0_hats]))
    assert torch.equal(restarted.latents[-1], after.latents[-1])
    assert not torch.equal(restarted.x0_hats[3], clean.x0_hats[3])


def test_the_dose_of_a_restart_is_all_frames_of_its_step(model, condition):
    clean, restarted = run(model, condition), run(model, condition, Restart(3))
    change = restarted.latents[3] - clean.latents[3]
    assert restarted.cells == condition.shape[2]
    expected = float(change.pow(2).sum()) / change[:, :, 0].numel()
    assert np.isclose(restarted.energy, expected, rtol=1e-5) and expected > 0


def test_right_after_step_0_a_restart_is_level_correct_noise(model, condition):
    restarted, noised = (
        run(model, condition, change)
        for change in (Restart(1, seed=5), NoiseAtStep(1, mode="level-correct", seed=5))
    )
    assert same(restarted, noised)


def test_a_restart_needs_an_estimate_of_step_0(model, condition):
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Restart(0)
    state = begin(model, condition, EULER, SEED)
    state.step = 2
    with pytest.raises(ValueError, match="restart at step 3 needs the clean estimate of step 0"):
        denoise(model, condition, EULER, state, [Restart(3)])


STATES = (  # of two tokens, after blocks 0 and 1: the own and the donor's
    {0: [[1.0, 0.0], [1.0, 2.0]], 1: [[2.0, 0.0], [2.0, 4.0]]},
    {0: [[0.0, 5.0], [1.0, 0.0]], 1: [[0.0, 7.0], [4.0, 4.0]]},
)
PATCHED = {
    "state": [[0.0, 7.0], [4.0, 4.0]],
    "delta": [[1.0, 2.0], [4.0, 6.0]],  # (2, 0) + ((0, 7) - (0, 5)) - ((2, 0) - (1, 0)), ...
    "blend": [[1.5, 1.75], [2.5, 4.0]],  # (2, 0) + .25 ((0, 7) - (2, 0)), ...
}


@pytest.mark.parametrize("variant", PATCHED)
def test_patched_states_by_hand(variant):
    own, donor = ({k: torch.tensor(v) for k, v in states.items()} for states in STATES)
    change = Patch(1, 1, variant=variant, amount=0.25)
    expected = torch.tensor(PATCHED[variant])
    assert torch.equal(patched(change, own, donor), expected)
    for token in (0, 1):
        new = patched(replace(change, tokens=(token,)), own, donor)
        assert torch.equal(new[token], expected[token])
        assert torch.equal(new[1 - token], own[1][1 - token])


def test_the_null_of_a_patch_is_as_long_as_the_way_to_the_donor():
    own, donor = ({k: torch.tensor(v) for k, v in states.items()} for states in STATES)
    changes = [patched(Patch(1, 1, variant="noise", seed=s), own, donor) - own[1] for s in (0, 1)]
    for change in changes:
        assert change.norm(dim=1).tolist() == pytest.approx([53**0.5, 2.0])
    assert (changes[0][0] - changes[1][0]).norm() > 0.1


def test_the_dose_is_what_was_changed(model, condition):
    noised, clean = run(model, condition, NoiseAtStep(3)), run(model, condition)
    change = noised.latents[3] - clean.latents[3]
    assert noised.cells == condition.shape[2]
    assert np.isclose(
        noised.energy, float(change.pow(2).sum()) / change[:, :, 0].numel(), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("intervention", "steps"),
    [
        (NoiseAtStep(1), [1]),
        (NoiseAtFrame(1), [0, 1, 2, 3, 4]),
        (NoiseAtFrame(1, steps=(1, 4)), [1, 4]),
        (NoiseAtCells(((2, 0), (3, 1))), [2, 3]),
        (Restart(2), [2]),
        (Drop(), [0, 1, 2, 3, 4]),
        (Drop(1), [1, 2, 3, 4]),
        (Drop(1, until=3), [1, 2]),
        (Patch(2, 0), [2]),
        (Patch(2, 0, held=True), [2, 3, 4]),
    ],
    ids=repr,
)
def test_an_intervention_acts_at_the_steps_it_names(intervention, steps):
    assert [step for step in range(5) if intervention.at(step, 9) is not None] == steps


def test_noise_of_every_step_and_seed_is_its_own_whatever_names_the_cell():
    x = torch.zeros(1, 4, 3, 8, 8)
    drawn = [
        NoiseAtStep(step, seed=seed).at(step, 3).latents(step, x, None, 1.0)
        for step in range(3)
        for seed in range(2)
    ]
    correlated = torch.corrcoef(torch.stack(drawn).flatten(1)).fill_diagonal_(0.0)
    assert correlated.abs().max() < 0.2
    frame = NoiseAtFrame(1, seed=1).at(2, 3).latents(2, x, None, 1.0)
    assert torch.equal(frame[:, :, 1], drawn[-1][:, :, 1]) and not frame[:, :, [0, 2]].any()


def test_cells_that_two_interventions_change_are_counted_once(model, condition):
    both = run(model, condition, NoiseAtStep(2, frames=(0, 1)), NoiseAtFrame(1, steps=(2, 3)))
    assert both.cells == 3


def test_what_is_dropped_is_what_the_model_does_without():
    class Model:
        def without(self, condition, given, prompt):
            return condition, given, prompt

    for given, prompt in ((True, False), (False, True), (True, True)):
        action = Drop(1, given=given, prompt=prompt).at(1, 9)
        assert action.condition(Model(), "all") == ("all", given, prompt)


def test_every_record_can_be_read_back():
    for intervention in (
        NoiseAtStep(2, frames=(0, 1), mode="additive", amplitude=0.3),
        NoiseAtFrame(1, seed=4),
    ):
        assert from_record(json.loads(json.dumps(record(intervention)))) == intervention
    cells = NoiseAtCells(((1, 2), (3, 4)))
    assert from_record(json.loads(json.dumps(record(cells)))) == cells


def test_a_frame_or_mode_that_does_not_exist_is_refused(picture):
    model = VideoModel(tiny.mini_like())
    condition = model.prepare(PROMPT, picture, FRAMES)
    with pytest.raises(ValueError, match="outside of 0 to 8"):
        run(model, condition, NoiseAtFrame(9))
    with pytest.raises(ValueError, match="'replace', 'additive' or 'level-correct'"):
        NoiseAtStep(0, mode="louder")


class Perfect(VideoModel):
    """A model whose clean estimate is always zero, so that what is left of added noise is
    visible."""

    prediction = "sample"

    def predict(self, x, timestep, condition, schedule, visit=None, start=None):
        return torch.zeros_like(x)


def kick(schedule: Schedule, picture, **options) -> float:
    """How much of the noise added before step 5 is left one step later, relative to Euler."""
    model = Perfect(tiny.mini_like())
    condition = model.prepare(PROMPT, picture, FRAMES)
    clean = generate(model, condition, schedule, SEED)
    start = begin(model, condition, schedule, SEED)
    noised = denoise(model, condition, schedule, start, [NoiseAtStep(5)], **options)
    moved, left = ((clean.latents[s] - noised.latents[s]).norm() for s in (5, 6))
    return float(left / moved) / (clean.sigmas[6] / clean.sigmas[5])


def test_unipc_would_erase_the_noise_so_the_edit_is_refused(picture):
    with pytest.raises(ValueError, match="trap 1"):
        kick(UNIPC, picture)


def test_euler_keeps_the_noise_and_so_does_unipc_without_its_history(picture):
    assert np.isclose(kick(Schedule("test", "euler", 10, shift=5.0), picture), 1.0, atol=1e-3)
    assert np.isclose(kick(UNIPC, picture, reset_history=True), 1.0, atol=1e-3)


def test_the_artefact_itself(picture):
    """Trap 1: with its history UniPC undoes most of the noise within one step."""
    model = Perfect(tiny.mini_like())
    condition = model.prepare(PROMPT, picture, FRAMES)
    whole = generate(model, condition, UNIPC, SEED, keep_states=True)
    state = whole.states[5]
    kicked = State(
        5, torch.randn(condition.shape, generator=torch.Generator().manual_seed(0)), state.sampler
    )
    after = denoise(model, condition, UNIPC, kicked, until=6).latents[-1]
    left = float((after - whole.latents[6]).norm() / (kicked.latents - whole.latents[5]).norm())
    assert left < 0.5 * whole.sigmas[6] / whole.sigmas[5]
