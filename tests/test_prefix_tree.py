"""Any combination of interventions equals its naive execution; shared pasts are computed once."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import advance, begin, generate, step_towards
from chain_of_steps.sampling.interventions import (
    Drop,
    MergeEstimates,
    MergeLatents,
    MergeLayers,
    NoiseAtCells,
    NoiseAtFrame,
    NoiseAtStep,
    Patch,
    Restart,
    Source,
    actions_at,
    from_record,
    record,
)
from chain_of_steps.sampling.layer_merge import merged_layers
from chain_of_steps.sampling.layout import Layout
from chain_of_steps.sampling.prefix_tree import Branch, evaluations, grow
from chain_of_steps.sampling.sites import Captured, in_turn
from chain_of_steps.sampling.steps import take
from chain_of_steps.sampling.work import Work

STEPS, FRAMES, SEED = 4, 5, 3
SCHEDULE = Schedule("test", "euler", STEPS, shift=3.0)
COMPANY = (Source(1000), Source(2000))


@pytest.fixture(scope="module", params=["mini", "flow", "guided"])
def case(request):
    pipe = tiny.mini_like()
    schedule = SCHEDULE
    if request.param == "mini":
        pipe.scheduler = SCHEDULE.scheduler("sample")
    if request.param == "guided":
        schedule = Schedule("test", "euler", STEPS, shift=3.0, guidance=2.0)
    model = VideoModel(pipe)
    frame = np.full((32, 32, 3), 90, np.uint8)
    own = model.prepare("fill the empty place", frame, FRAMES)
    frame[8:24, 8:24] = 200
    return (
        model,
        schedule,
        {"own": own, "twin": model.prepare("turn the shape left", frame, FRAMES)},
    )


OWN = Source()


def naive(case, interventions, source=OWN, until=STEPS, place=0):
    """A run without sharing, step by step; `x_s` and clean estimate of every step."""
    model, schedule, conditions = case
    merges = [i for i in interventions if isinstance(i, MERGES)]
    sources = [source, *(merges[0].company if merges else ())]
    told = [conditions[s.condition] for s in sources]
    with torch.inference_mode():
        states = [
            begin(model, c, schedule, SEED + s.seed) for c, s in zip(told, sources, strict=True)
        ]
        latents, x0_hats = [], []
        for step in range(until):
            actions = actions_at(interventions, step, FRAMES)
            donors = {d: states_of(case, d, step) for action in actions for d in action.donors}
            on = [actions if i == place else () for i in range(len(states))]
            if merges and step in merges[0].steps:
                _merged_step(case, states, told, merges[0], on, place, donors)
            else:
                for state, c, own in zip(states, told, on, strict=True):
                    state.seen, _ = advance(model, c, schedule, state, own, donors=donors)
            latents.append(states[place].seen)
            x0_hats.append(states[place].x0_hat)
    return [*latents, states[place].latents], x0_hats, states[place]


def _merged_step(case, states, told, merge, on, place, donors):
    model, schedule, _ = case
    if merge.acts == "within":
        assert not any(on)
        towards = merged_layers(model, told, schedule, states, merge)
    elif merge.acts == "before":
        sigma = float(states[0].sampler.sigmas[states[0].step])
        latents = merge.merged([s.latents for s in states], [s.x0_hat for s in states], sigma)
        for state in states:
            state.latents = latents
        one = states[0].copy()
        x, _ = advance(model, told[0], schedule, one, on[place], donors=donors)
        for i in range(len(states)):
            states[i] = one.copy()
            states[i].seen = x
        return
    else:
        each = [state.copy() for state in states]
        own = [
            advance(model, c, schedule, s, actions, donors=donors)
            for c, s, actions in zip(told, each, on, strict=True)
        ]
        for state, (x, _), after in zip(states, own, each, strict=True):
            state.latents, state.cells, state.energy = x, after.cells, after.energy
        towards = merge.combine([x0_hat for _, x0_hat in own], [x for x, _ in own])
    for state, c, x0_hat in zip(states, told, towards, strict=True):
        state.seen = state.latents
        step_towards(model, c, state, x0_hat)


def states_of(case, source, step):
    model, schedule, conditions = case
    captured = Captured(lambda site: site.step == step)
    generate(model, conditions[source.condition], schedule, SEED + source.seed, visit=captured)
    return captured


MERGES = (MergeEstimates, MergeLatents, MergeLayers)
NOISES = [
    NoiseAtStep(1),
    NoiseAtStep(2, mode="level-correct", seed=4),
    NoiseAtFrame(2, steps=(1, 3), mode="additive", amplitude=0.5),
    NoiseAtCells(((0, 1), (2, 3))),
]
OTHERS = [
    Restart(2, seed=4),
    Drop(2),
    Drop(1, until=3, given=False, prompt=True),
    Patch(1, 0),
    Patch(2, 1, donor=Source(0, "twin"), variant="delta", held=True),
    Patch(1, 1, donor=Source(1000, "twin"), variant="blend", tokens=(3, 4, 20), amount=0.3),
    Patch(0, 0, variant="noise", seed=2),
    Patch(1, 1, variant="delta", unguided=True),
]
SHARED = [
    MergeEstimates((0, 1), company=COMPANY),
    MergeEstimates((1,), "velocity", company=COMPANY[:1]),
    MergeEstimates((0, 2), "weighted", company=(Source(0, "twin"), Source(1000))),
    MergeLatents((1,), company=COMPANY),
    MergeLatents((0, 1), rescale=False, company=COMPANY),
    MergeLayers((1,), (0, 1), company=COMPANY),
    MergeLayers((0, 1), (1,), "delta", company=COMPANY),
]
PAIRS = [
    (a, b)
    for a, b in itertools.combinations([*NOISES, *OTHERS, *SHARED], 2)
    if not (isinstance(a, MERGES) and isinstance(b, MERGES))
    and not isinstance(b, MergeLayers)  # acts on a batch: only where nothing else does
]
COMBINATIONS = [(), *((i,) for i in (*NOISES, *OTHERS, *SHARED)), *PAIRS[::4]]


def test_every_combination_is_its_naive_execution_and_costs_less(case):
    model, schedule, conditions = case
    branches = [Branch(c) for c in COMBINATIONS]
    branches += [Branch((NoiseAtStep(1),), until=2), Branch(source=Source(1000))]
    branches += [Branch((merge,), place=1) for merge in SHARED]
    branches += [
        Branch((SHARED[0], NoiseAtStep(1)), place=2),
        Branch((SHARED[3], Drop(2)), place=1),
    ]
    counted = []
    grown = grow(
        model,
        conditions["own"],
        schedule,
        SEED,
        branches,
        count=lambda: counted.append(1),
        others=conditions,
    )
    found = dict(grown)
    assert set(found) == set(range(len(branches)))
    for index, branch in enumerate(branches):
        latents, x0_hats, end = naive(
            case, branch.interventions, branch.source, branch.until or STEPS, branch.place
        )
        ours = found[index]
        for a, b in zip([*latents, *x0_hats], [*ours.latents, *ours.x0_hats], strict=True):
            assert torch.equal(a, b), branch
        assert (ours.cells, ours.energy) == (end.cells, end.energy), branch
    assert len(counted) == evaluations(branches, STEPS, FRAMES)
    assert len(counted) < 0.75 * sum(cost_alone(branch) for branch in branches)


def cost_alone(branch) -> int:
    return evaluations([branch], STEPS, FRAMES)


@pytest.mark.parametrize("intervention", [*NOISES, *OTHERS, *SHARED], ids=repr)
def test_an_intervention_survives_its_record(intervention):
    data = record(intervention)
    assert data["kind"] == type(intervention).__name__
    again = from_record(data)
    assert again == intervention and hash(again) == hash(intervention)
    assert record(again) == data


@pytest.mark.parametrize("intervention", [*OTHERS, *SHARED], ids=repr)
def test_every_intervention_does_something(case, intervention):
    model, schedule, conditions = case
    branches = [Branch(), Branch((intervention,))]
    clean, changed = (
        t
        for _, t in sorted(
            dict(
                grow(model, conditions["own"], schedule, SEED, branches, others=conditions)
            ).items()
        )
    )
    assert not torch.equal(clean.latents[-1], changed.latents[-1])


def test_a_whole_patch_of_state_is_the_donors_estimate_and_a_patch_from_oneself_is_none(case):
    model, schedule, conditions = case
    branches = [
        Branch(),
        Branch(source=Source(1000)),
        Branch((Patch(1, 0, donor=Source()),)),
        Branch((Patch(0, 1),)),
    ]
    runs = dict(grow(model, conditions["own"], schedule, SEED, branches))
    assert torch.equal(runs[2].latents[-1], runs[0].latents[-1])
    if schedule.guidance == 1.0 and model.prediction == "sample":
        # Trap 2: with equal text the whole state after any block decides the step.
        assert torch.equal(runs[3].x0_hats[0], runs[1].x0_hats[0])
        assert not torch.equal(runs[3].latents[-1], runs[1].latents[-1])


def test_the_budget_is_kept_and_memory_is_let_go(case):
    model, schedule, conditions = case
    branches = [Branch((NoiseAtStep(s),)) for s in range(STEPS)]
    one = conditions["own"].shape
    clip = 4 * int(np.prod(one))
    needed = 2 * (STEPS + 2) * clip  # one path and the start of the next
    assert len(dict(grow(model, conditions["own"], schedule, SEED, branches, budget=needed))) == 4
    with pytest.raises(MemoryError, match="more than their budget of"):
        dict(grow(model, conditions["own"], schedule, SEED, branches, budget=3 * clip))


def test_what_donors_capture_has_the_budget_of_the_work(case):
    model, schedule, conditions = case
    layout = Layout(STEPS, FRAMES, model.layers)
    layout.plan(Branch((Patch(0, 0, donor=COMPANY[0]),)))
    (donor,) = [node for node in layout.nodes.values() if node.wanted]
    work = Work(model, conditions, schedule, SEED, budget=100)
    donor.needs[0].value = work.compute(donor.needs[0])
    with pytest.raises(MemoryError, match="capture fewer layers"), torch.inference_mode():
        take(model, schedule, [work.move(donor)])


def test_what_is_watched_and_visited_is_seen_once_per_evaluation(case):
    model, schedule, conditions = case
    seen, visited = [], []
    branches = [Branch(), Branch((NoiseAtStep(2),))]
    runs = dict(
        grow(
            model,
            conditions["own"],
            schedule,
            SEED,
            branches,
            watch=lambda s, x, x0_hat: seen.append(s) or s,
            visit=in_turn(lambda site, hidden: visited.append(site) if site.layer == 0 else None),
        )
    )
    assert sorted(seen) == [0, 1, 2, 2, 3, 3]
    assert runs[1].watched == [0, 1, 2, 3]
    passes = 2 if schedule.guidance > 1 else 1
    assert len(visited) == 6 * passes


@pytest.mark.parametrize("intervention", [Patch(2, 1), *SHARED], ids=repr)
def test_donors_and_company_are_neither_watched_nor_visited(case, intervention):
    """What is watched and visited is the run itself, step by step; nothing is decoded in vain."""
    model, schedule, conditions = case
    reports, visited = [], Captured(lambda site: site.guided and site.layer == 1)
    branch = Branch((intervention,))

    def watch(s, x, x0_hat):
        reports.append((s, x0_hat, visited.take()))

    grown = grow(
        model,
        conditions["own"],
        schedule,
        SEED,
        [branch],
        watch=watch,
        visit=visited,
        others=conditions,
    )
    ((_, run),) = grown
    assert [s for s, *_ in reports] == list(range(STEPS))
    assert all(torch.equal(x0_hat, run.x0_hats[s]) for s, x0_hat, _ in reports)
    assert [[site.step for site in states] for *_, states in reports] == [[0], [1], [2], [3]]


def test_two_merges_and_unknown_conditions_are_refused(case):
    model, schedule, conditions = case
    with pytest.raises(ValueError, match="no place 3 among 3 generations"):
        next(grow(model, conditions["own"], schedule, SEED, [Branch((SHARED[0],), place=3)]))
    with pytest.raises(ValueError, match="merging needs an Euler preset; unipc rebuilds"):
        unipc = replace(schedule, sampler="unipc")
        next(grow(model, conditions["own"], unipc, SEED, [Branch((SHARED[0],))]))
    two = Branch((SHARED[0], SHARED[1]))
    with pytest.raises(ValueError, match="a run has one merge"):
        next(grow(model, conditions["own"], schedule, SEED, [two]))
    lost = Branch((Patch(1, 0, donor=Source(0, "nobody")),))
    with pytest.raises(ValueError, match="no condition 'nobody'; expected one of own"):
        dict(grow(model, conditions["own"], schedule, SEED, [lost]))
    with pytest.raises(ValueError, match="names layer 9"):
        next(grow(model, conditions["own"], schedule, SEED, [Branch((Patch(1, 9),))]))
