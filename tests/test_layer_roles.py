"""Layers: patches by identity, labels and regions by drawing, statistics by hand."""

import json
from pathlib import Path

import listed
import nbformat
import numpy as np
import papermill
import pytest
import tiny
import torch
from scales import scales_of

from chain_of_steps.bench import samples
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import planned, sweep
from chain_of_steps.figures.layer_roles import (
    analysis,
    pairs,
    places,
    plots,
    readability,
    swap_plots,
)
from chain_of_steps.figures.layer_roles.energy import LayerEnergy
from chain_of_steps.figures.layer_roles.pairs import Pair
from chain_of_steps.figures.layer_roles.probes import LayerProbes, ProbeRun, labelled
from chain_of_steps.figures.layer_roles.runs import EXPERIMENTS
from chain_of_steps.figures.layer_roles.swaps import KINDS, LayerSwaps, SwapRun
from chain_of_steps.measures.linear_probes import FLOORS, guessed, shaken
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import mark
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import Source
from chain_of_steps.sampling.prefix_tree import grow_all
from chain_of_steps.sampling.sites import Captured

SCHEDULE = Schedule("test", "euler", 5, shift=3.0)
SHORT = Schedule("test", "euler", 3, shift=3.0)
DONOR = Source(1000)
ROOT, NAME = Path(__file__).parent.parent, "4_layer_roles"
LATIN, MARK = "latin order=4 log2=5", "mark named=false answers=3"
UNIQUE, NAMED = "latin order=4 rounds=1", "mark named=true answers=1"


@pytest.fixture(scope="module")
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = SCHEDULE.scheduler("sample")
    return VideoModel(pipe, frames=5)


def pair_of(model, cell, index=0, schedule=SCHEDULE):
    """A pair whose answers are two solutions of a sample, whatever the network draws."""
    sample = samples.draw_one(cell, index, 7)
    answers = np.array(sample.solutions.answers)
    condition = model.prepare_sample(sample)
    hats = [generate(model, condition, schedule, s).x0_hats for s in (0, DONOR.seed)]
    return Pair(sample, sample, DONOR, answers[0], answers[-1], *hats)


@pytest.fixture
def always(monkeypatch):
    """Every run of a task with several answers has a made-up pair: no tiny network is right."""

    def pair(self, run, count=None):
        return pair_of(self.model, run.cell, run.index, self.schedule)

    monkeypatch.setattr(LayerSwaps, "pair", pair)


# Regions.


def test_a_cell_is_one_token_a_frame_and_none_of_the_given_one(model):
    pair = pair_of(model, LATIN)
    tokens, (part,) = pairs.region(model, pair, "cell")
    row, column = 1 + part // 4, 1 + part % 4  # order 4 leaves a margin of one cell
    assert tokens == tuple(36 * f + 6 * row + column for f in range(1, model.latent_frames))
    assert pair.own[part] != pair.donor[part] and places.open_parts(pair.sample)[part]


def test_a_row_is_its_open_cells_and_is_read_where_the_answers_differ(model):
    pair = pair_of(model, LATIN)
    _, (part,) = pairs.region(model, pair, "cell")
    tokens, parts = pairs.region(model, pair, "row")
    row = [p for p in range(16) if p // 4 == part // 4]
    free = [p for p in row if np.ravel(pair.sample.state["clues"])[p] < 0]
    first = [36 + 6 * (1 + p // 4) + 1 + p % 4 for p in free]
    assert list(tokens[: len(free)]) == first
    assert len(tokens) == len(free) * (model.latent_frames - 1)
    assert parts == [p for p in row if pair.own[p] != pair.donor[p]] and part in parts


def test_things_are_told_apart_and_are_where_they_are_drawn(model):
    pair = pair_of(model, MARK)
    regions = {name: pairs.region(model, pair, name)[0] for name in pairs.REGIONS["mark"]}
    x, y = pair.sample.state["things"][int(pair.donor[0])][2:]
    corner = 6 * (y - 1) + x - 1
    assert set(regions["donor's thing"]) == {
        36 * f + corner + d for f in range(1, model.latent_frames) for d in (0, 1, 6, 7)
    }
    count = len(pair.sample.state["things"])
    assert [len(tokens) // (model.latent_frames - 1) for tokens in regions.values()] == [
        4,
        4,
        4 * (count - 2),
    ]
    assert len(set().union(*regions.values())) == sum(map(len, regions.values()))


@pytest.mark.parametrize(("cell", "name"), [(LATIN, "cell"), (LATIN, "row"), (MARK, "own thing")])
def test_elsewhere_is_as_large_and_apart_from_both_answers(model, cell, name):
    pair = pair_of(model, cell)
    other, (tokens, parts) = pairs.elsewhere(model, pair, name), pairs.region(model, pair, name)
    both = [(p, int(a[p])) for p in parts for a in (pair.own, pair.donor)]
    assert len(other) == len(tokens) and min(other) >= 36
    assert not set(other) & {*tokens, *places.tokens(model, pair.sample, both)}
    assert other == pairs.elsewhere(model, pair, name)


def test_another_thing_is_named_on_the_same_board():
    sample = samples.draw_one(NAMED, 0, 7)
    (named,) = sample.solutions.answers[0]
    for thing in set(range(len(sample.state["things"]))) - {named}:
        other = mark.naming(sample, thing)
        assert other.solutions.answers == ((thing,),) and other.prompt != sample.prompt
        assert np.array_equal(other.first_frame(), sample.first_frame())
        assert other.canonical == sample.canonical and other.key != sample.key
    assert sample.solutions.answers == ((named,),), "the sample itself stays as it is"
    with pytest.raises(ValueError, match="names a colour"):
        mark.naming(samples.draw_one(MARK, 0, 7), 0)


def test_donors_have_another_seed_another_prompt_or_another_board():
    def tried(cell):
        sample = samples.draw_one(cell, 0, 7)
        return sample, pairs.sources(sample, cell, 0, 7, "test")

    for cell in (LATIN, MARK):
        sample, found = tried(cell)
        assert found == [(sample, Source(1000)), (sample, Source(2000))]
    sample, ((other, source),) = tried(NAMED)
    assert source == Source(0, "other") and other.canonical == sample.canonical
    assert other.solutions.answers != sample.solutions.answers
    sample, ((other, source),) = tried(UNIQUE)
    assert source == Source(0, "other") and other.canonical != sample.canonical


def test_a_pair_needs_two_valid_answers_that_differ(model, monkeypatch):
    sample = samples.draw_one(LATIN, 0, 7)
    first, second = (np.array(answer) for answer in sample.solutions.answers[:2])
    wrong = np.where(np.arange(16) < 8, 0, first)
    made = []

    def answers(*drawn):
        queue = list(drawn)
        monkeypatch.setattr(pairs.decisions, "decide", lambda _: queue.pop(0))

    def find():
        made.clear()
        donors = [(sample, Source(1000)), (sample, Source(2000))]
        return pairs.find(model, SCHEDULE, sample, 3, donors, lambda: made.append(1))

    answers(first, first, second)
    pair = find()
    assert pair.source == Source(2000) and len(made) == 15, "the first donor does not differ"
    assert pair.differing.tolist() == np.flatnonzero(first != second).tolist()
    condition = model.prepare_sample(sample)
    for hats, seed in ((pair.own_hats, 3), (pair.donor_hats, 2003)):
        assert torch.equal(hats[-1], generate(model, condition, SCHEDULE, seed).latents[-1])
    answers(wrong)
    assert find() is None and len(made) == 5, "no donor is tried"
    answers(first, wrong, first)
    assert find() is None


# Patches.


def trajectories(experiment, runs):
    """The generations of the branches of runs of one pair, the clean one first."""
    tree, _ = experiment.tree(runs)
    grown = grow_all(experiment.model, experiment.schedule, [tree])
    return {index: trajectory for _, index, trajectory in grown}


def test_the_whole_state_gives_the_donors_output_after_any_layer(model, always):
    """Trap 2: this variant cannot tell layers apart."""
    run = SwapRun(LATIN, 0, 7, 0, pairs.WHOLE, "state", 2, (0, 1))
    found = trajectories(LayerSwaps(model, SCHEDULE), [run])
    pair = pair_of(model, LATIN)
    for index in (1, 2):
        assert torch.equal(found[index].x0_hats[2], pair.donor_hats[2])
    experiment = LayerSwaps(model, SCHEDULE)
    result = experiment.measure(experiment.identity(run))
    assert result["way"] == [1.0, 1.0] and result["estimate"][0] == result["estimate"][1]


def test_a_patch_changes_its_step_and_those_after_it_and_held_more_so(model, always):
    base = (LATIN, 0, 7, 0, "cell", "state", 2, (1,))
    once, held = SwapRun(*base, final=True), SwapRun(*base, held=True, final=True)
    clean, single, steady = trajectories(LayerSwaps(model, SCHEDULE), [once, held]).values()
    assert torch.equal(clean.x0_hats[1], single.x0_hats[1])
    assert not torch.equal(clean.x0_hats[2], single.x0_hats[2])
    assert torch.equal(single.x0_hats[2], steady.x0_hats[2])
    assert not torch.equal(single.x0_hats[3], steady.x0_hats[3])


def test_after_the_last_layer_a_patch_pastes_the_donors_cell(model, always):
    run = SwapRun(LATIN, 0, 7, 0, "cell", "state", 2, (model.layers - 1,))
    found = trajectories(LayerSwaps(model, SCHEDULE), [run])[1].x0_hats[2]
    pair = pair_of(model, LATIN)
    _, (part,) = pairs.region(model, pair, "cell")
    row, column = 1 + part // 4, 1 + part % 4
    expected = pair.own_hats[2].clone()
    expected[:, :, 1:, row, column] = pair.donor_hats[2][:, :, 1:, row, column]
    assert torch.allclose(found, expected, atol=1e-5)


def test_both_nulls_are_patches_of_the_same_size(model, always):
    base = (LATIN, 0, 7, 0, "cell")
    runs = [SwapRun(*base, kind, 2, (1,)) for kind in KINDS]
    pair = pair_of(model, LATIN)
    _, state, noise, elsewhere = (
        b.interventions[0] if b.interventions else None
        for b in LayerSwaps(model, SCHEDULE).branches(runs, pair)
    )
    assert (state.variant, noise.variant, elsewhere.variant) == ("state", "noise", "state")
    assert state.tokens == noise.tokens == pairs.region(model, pair, "cell")[0]
    assert elsewhere.tokens == pairs.elsewhere(model, pair, "cell")
    assert state.donor == noise.donor == elsewhere.donor == Source(1000)


def test_evaluations_are_an_upper_bound_that_is_reached(model, monkeypatch):
    experiment = LayerSwaps(model, SHORT)
    runs = experiment.plan({LATIN: 1}, {LATIN: 1}, {LATIN: 1}, map_stride=2, suite_seed=7)
    bound, made = experiment.evaluations(runs), []
    sample = samples.draw_one(LATIN, 0, 7)
    one, two = (np.array(answer) for answer in sample.solutions.answers[:2])
    queue = [one, one, two]
    monkeypatch.setattr(pairs.decisions, "decide", lambda _: queue.pop(0))
    results = dict(experiment.results(runs, lambda: made.append(1)))
    assert set(results) == set(runs) and len(made) == bound
    assert all(result["eligible"] for result in results.values())


def test_without_a_pair_a_row_says_so(model, tmp_path):
    experiment = LayerSwaps(model, SCHEDULE)
    runs = experiment.plan({LATIN: 1}, {}, {}, map_stride=1, suite_seed=7)
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    assert len(rows) == len(runs)
    assert not any(row["result"]["eligible"] or row["result"]["answer"] for row in rows)
    found = analysis.swaps(rows, middle=1, early=1, late=2)[LATIN]
    assert (found["drawn"], found["eligible"]) == (1, 0)
    assert found["flip_held_minus_null"]["n"] == found["regions"]["row"]["flip_held"]["n"] == 0
    assert experiment.showcase(rows, tmp_path) is None


def test_rows_are_the_same_alone_and_figures_draw(model, always, tmp_path):
    experiment = LayerSwaps(model, SHORT)
    runs = experiment.plan({LATIN: 1}, {LATIN: 1}, {LATIN: 1}, map_stride=2, suite_seed=7)
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    for row in (rows[0], rows[-2]):
        assert experiment.measure(row["run"]) == row["result"]
    held = next(r for r in rows if r["run"]["held"] and r["run"]["layers"] == [0, 1])
    assert len(held["result"]["answer"]) == 2 and "estimate" not in held["result"]
    found = analysis.swaps(rows, experiment.middle, experiment.early, experiment.late)
    lines = analysis.swap_lines(rows)
    grid = analysis.swap_map(lines, LATIN, "flip_held")
    assert grid["steps"] == [0, 2] and np.shape(grid["values"]) == (2, 2) and grid["n"] == 1
    shown = experiment.showcase(rows, tmp_path)
    assert shown.frames.shape == (5, 48, 48, 3)
    (part,) = pairs.region(model, pair_of(model, LATIN), "cell")[1]
    corner = [8 * (1 + part // 4), 8 * (1 + part % 4)]
    assert np.argwhere(shown.where).min(0).tolist() == corner and shown.where.sum() == 64
    clean = model.decode(
        generate(model, model.prepare_sample(experiment.sample(runs[0])), SHORT, 0).latents[-1]
    )[-1]
    assert np.array_equal(shown.frames[0], clean)
    for figure in (
        swap_plots.swap_curves(found, experiment.early),
        swap_plots.swap_regions(found),
        swap_plots.whole_state(found),
        swap_plots.pictures(shown),
        swap_plots.pictures(None),
        swap_plots.swap_curves({}, 1),
    ):
        figure.savefig(tmp_path / "x.png")


def test_which_patches_are_planned():
    experiment = LayerSwaps(_Blank(), Schedule("twenty", "euler", 20, shift=5.0))
    assert (experiment.early, experiment.late, experiment.middle) == (4, 17, 4)
    runs = experiment.plan({LATIN: 3}, {LATIN: 2}, {LATIN: 1}, map_stride=8, suite_seed=7)
    every, middle = tuple(range(8)), (4,)

    def planned(index, region="cell"):
        own = (r for r in runs if (r.index, r.region, r.kind) == (index, region, "noise"))
        return {(r.step, r.layers, r.held, r.final) for r in own}

    plain = {(4, every, False, False), (0, middle, False, True), (4, middle, False, True)}
    plain |= {(4, middle, True, True), (17, middle, True, True)}
    assert planned(2) == plain
    assert planned(1) == plain | {(4, every, True, True)}
    grid = {(s, every, held, held) for s in (0, 8, 16) for held in (False, True)}
    assert planned(0) == planned(1) | grid
    assert planned(2, "row") == plain - {(4, every, False, False), (0, middle, False, True)}
    assert {r.kind for r in runs if r.region == "row"} == set(KINDS)
    short = LayerSwaps(_Blank(), SHORT)
    assert (short.early, short.late) == (0, 0), "no step before the first"


class _Blank:
    """A model that is only asked for its layers."""

    fingerprint, size, frames, layers = "blank", 48, 5, 8


def test_a_plan_refuses_what_it_cannot_do(model):
    experiment = LayerSwaps(model, SCHEDULE)
    common = {"layer_pairs": {}, "map_pairs": {}, "map_stride": 1, "suite_seed": 7}
    with pytest.raises(ValueError, match="has no regions"):
        experiment.plan(**common | {"pairs": {"maze rooms=5": 1}})
    with pytest.raises(ValueError, match="has no labels"):
        LayerProbes(model, SCHEDULE).plan(
            cells=["bounce"], samples_per_cell=1, step_stride=1, suite_seed=7
        )


# Numbers of patches.


def swap_row(index, kind, answers, cell=LATIN, region="cell", held=True, step=1, estimate=None):
    """A row of patches after layers 0, 1, ... of a board of one row: own 0123, donor 1032, where
    the first two parts are read."""
    run = {"cell": cell, "index": index, "region": region, "kind": kind, "step": step}
    run |= {"layers": list(range(len(answers or estimate))), "held": held}
    result = {"eligible": True, "own": "0123", "donor": "1032", "parts": [0, 1]}
    result |= {"sample": {"cluster": str(index)}, "answer": answers, "tokens": 8}
    result |= {"valid": [a in ("0123", "1032") for a in answers or ()]}
    if estimate:
        result |= {"estimate": estimate, "way": [0.5] * len(estimate)}
    return {"run": run, "result": result}


def test_what_a_patched_answer_shows():
    own, donor = np.array([0, 1, 2, 3]), np.array([1, 0, 3, 2])
    assert analysis.shown("1023", own, donor, [0, 1]) == (True, False, True)
    assert analysis.shown("0123", own, donor, [0, 1]) == (False, True, True)
    assert analysis.shown("1123", own, donor, [0, 1]) == (False, False, True)
    assert analysis.shown("103.", own, donor, [0, 1]) == (True, False, False)
    assert analysis.shown("1", own[:1], donor[:1], [0]) == (True, False, None), "there is no rest"


def test_flips_are_counted_above_a_flip_under_either_null():
    rows = []
    states = ["1023", "1032", "1023", "0123"]  # after layer 1: three of four flip
    noises = ["0123", "1023", "0123", "0123"]  # one
    others = ["0123", "0123", "1023", "0123"]  # another
    for i, answers in enumerate(zip(states, noises, others, strict=True)):
        for kind, answer in zip(KINDS, answers, strict=True):
            rows.append(swap_row(i, kind, ["0123", answer]))
    found = analysis.swaps(rows, middle=1, early=1, late=2)[LATIN]
    assert found["flip_held"]["mean"] == 0.75 and found["flip_held"]["n"] == 4
    assert found["flip_held"]["clusters"] == found["flip_held_minus_null"]["clusters"] == 4
    assert found["flip_held_minus_noise"]["mean"] == 0.5
    assert found["flip_held_minus_elsewhere"]["mean"] == 0.5
    assert found["flip_held_minus_null"]["mean"] == 0.25, "3 flip, 2 of them under some null"
    assert found["kept_held"]["mean"] == 0.25
    assert found["rest_held"]["mean"] == 0.75, "1032 also changes the rest"
    assert found["valid_held"]["mean"] == 0.5
    assert found["curves"]["flip_held"]["state"][0]["mean"] == 0.0
    assert found["curves"]["flip_held"]["state"][1]["mean"] == 0.75
    nothing = ("flip_single", "flip_estimate", "flip_first", "flip_late_held")
    assert {found[name]["n"] for name in nothing} == {0}
    assert analysis.swaps(rows, middle=0, early=1, late=2)[LATIN]["flip_held"]["mean"] == 0.0
    later = analysis.swaps(rows, middle=1, early=2, late=1)[LATIN]
    assert later["flip_held"]["n"] == 0
    assert later["flip_late_held"]["mean"] == 0.75, "the same rows, if that is the late step"
    assert later["flip_late_held_minus_null"]["mean"] == 0.25


def test_how_long_a_patch_lasts_by_hand():
    """Of four pairs, the first step flips none, one step two, held four, the last steps one."""
    rows, flip = [], {True: "1023", False: "0123"}
    for i in range(4):
        for kind in KINDS:
            state = kind == "state"
            early = flip[(state and i < 2) or (kind == "noise" and i == 0)]
            rows += [swap_row(i, kind, [flip[False]], held=False, step=0, estimate=[flip[state]])]
            rows += [swap_row(i, kind, [early], held=False, step=4, estimate=[early])]
            rows += [swap_row(i, kind, [flip[state]], step=4)]
            rows += [swap_row(i, kind, [flip[state and i == 3]], step=17)]
    found = analysis.swaps(rows, middle=0, early=4, late=17)[LATIN]
    names = ("first", "single", "held", "late_held", "first_estimate", "estimate")
    assert [found[f"flip_{name}"]["mean"] for name in names] == [0.0, 0.5, 1.0, 0.25, 1.0, 0.5]
    gains = [found[f"flip_{name}_minus_null"]["mean"] for name in names]
    assert gains == [0.0, 0.25, 1.0, 0.25, 1.0, 0.25], "noise flips one pair after one step"
    assert found["flip_single_minus_noise"]["mean"] == 0.25
    assert found["flip_single_minus_elsewhere"]["mean"] == 0.5
    assert found["valid_held"]["mean"] == 0.0 and found["valid_first"]["mean"] == 1.0
    assert found["valid_late_held"]["mean"] == 0.75 and found["rest_single"]["mean"] == 1.0
    assert found["regions"]["cell"]["flip_single_minus_null"] == found["flip_single_minus_null"]
    assert found["regions"]["row"]["flip_single_minus_null"]["n"] == 0


def test_a_curve_is_of_the_pairs_with_every_layer():
    rows = [swap_row(0, "state", ["1023", "0123"]), swap_row(1, "state", ["1023", "1023"])]
    rows += [swap_row(2, "state", ["1023"])]
    curve = analysis.swaps(rows, middle=0, early=1, late=2)[LATIN]["curves"]["flip_held"]["state"]
    assert [(one["mean"], one["n"]) for one in curve] == [(1.0, 2), (0.5, 2)]
    alone = analysis.swaps(rows[2:], middle=0, early=1, late=2)[LATIN]["curves"]["flip_held"]
    assert [(one["layer"], one["n"]) for one in alone["state"]] == [(0, 1)]


def test_single_steps_estimates_and_held_patches_are_kept_apart():
    rows = [swap_row(0, "state", ["0123"], held=False, estimate=["1023"])]
    rows += [swap_row(0, "state", ["1032"])]
    found = analysis.swaps(rows, middle=0, early=1, late=2)[LATIN]
    names = ("flip_estimate", "flip_single", "flip_held")
    assert [found[name]["mean"] for name in names] == [1.0, 0.0, 1.0]
    assert found["way"]["cell"][0]["mean"] == 0.5
    assert found["flip_held_minus_null"]["n"] == 0, "no null was run"


def test_a_map_is_of_pairs_with_every_step():
    rows = []
    for i, steps in enumerate([(0, 2), (0, 2), (0,)]):
        for step in steps:
            flips = ["1023" if (i, step) == (0, 2) else "0123", "1023"]
            rows.append(swap_row(i, "state", flips, step=step))
            rows.append(swap_row(i, "noise", ["0123", "0123"], step=step))
            null = "1023" if (i, step) == (1, 2) else "0123"
            rows.append(swap_row(i, "elsewhere", ["0123", null], step=step))
    for kind in KINDS:  # the late control, at one layer
        rows += [swap_row(i, kind, ["1023"], step=3) for i in range(3)]
    found = analysis.swap_map(analysis.swap_lines(rows), LATIN, "flip_held")
    assert found == {"values": [[0.0, 1.0], [0.5, 0.5]], "steps": [0, 2], "n": 2}
    assert analysis.swap_map(analysis.swap_lines(rows), LATIN, "flip_estimate")["n"] == 0


# Energy.


def test_energy_is_that_of_the_states_of_the_clean_run(model, tmp_path):
    experiment = LayerEnergy(model, SCHEDULE)
    (run,) = runs = experiment.plan([LATIN], 1, 7)
    captured = Captured()
    condition = model.prepare_sample(experiment.sample(run))
    clean = generate(model, condition, SCHEDULE, run.seed, visit=captured)
    states = torch.stack(list(captured.values())).reshape(5, 3, model.latent_frames, 36, -1)
    rows, made = sweep(experiment, Store(tmp_path, "x"), runs), []
    result = rows[0]["result"]
    assert result["norm"][2][1] == pytest.approx(float(states[2, 1].norm(dim=-1).mean()), abs=1e-3)
    variance = states[4, 2].var(dim=-1).mean()
    assert result["channel_variance"][4][2] == pytest.approx(float(variance), abs=1e-3)
    change = (states[0, 0, 1:] - states[0, 0, :-1]).norm(dim=-1).mean()
    assert result["temporal"][0][0] == pytest.approx(float(change), abs=1e-3)
    assert {"answer", "valid", "score"} <= set(result)
    norms = experiment.showcase(rows, tmp_path)
    assert torch.allclose(norms.flatten(3)[3, 2], states[3, 2].norm(dim=-1), atol=1e-4)
    dict(experiment.results(runs, lambda: made.append(1)))
    assert len(made) == experiment.evaluations(runs) == len(clean.x0_hats)
    plots.energy_maps(norms, 1, 0.9, LATIN).savefig(tmp_path / "x.png")


def test_growth_compares_the_last_block_with_the_first_step_by_step():
    def row(index, norm):
        run = {"cell": LATIN, "index": index}
        curves = {name: norm for name in ("norm", "channel_variance", "temporal")}
        return {"run": run, "result": {"sample": {"cluster": str(index)}} | curves}

    rows = [row(0, [[9.0, 2.0, 6.0], [9.0, 1.0, 1.0]]), row(1, [[9.0, 1.0, 4.0], [9.0, 1.0, 4.0]])]
    found = analysis.energy(rows)[LATIN]
    assert found["growth"]["mean"] == 3.0 and found["growth"]["n"] == found["n"] == 2
    assert found["norm"] == [[9.0, 1.5, 5.0], [9.0, 1.0, 2.5]]


# Probes.


def test_latin_labels_are_the_given_and_the_answered_values():
    sample = samples.draw_one(LATIN, 0, 7)
    clues = np.ravel(sample.state["clues"])
    answer = np.array(sample.solutions.answers[3])
    seen, decided = (dict(labelled(label, sample, answer)) for label in ("clue", "decision"))
    assert seen == {(p, 0): clues[p] for p in range(16) if clues[p] >= 0}
    assert decided == {(p, 0): answer[p] for p in range(16) if clues[p] < 0}
    undecided = np.where(np.arange(16) == np.argmax(clues < 0), -1, answer)
    assert len(labelled("decision", sample, undecided)) == len(decided) - 1


def test_mark_labels_are_what_fits_and_which_of_these_is_marked():
    sample = samples.draw_one(MARK, 0, 7)
    fits = [answer[0] for answer in sample.solutions.answers]
    things = range(len(sample.state["things"]))
    found = labelled("clue", sample, np.array([fits[1]]))
    assert found == [((0, thing), int(thing in fits)) for thing in things]
    found = labelled("decision", sample, np.array([fits[1]]))
    assert found == [((0, thing), int(thing == fits[1])) for thing in fits]
    assert labelled("decision", sample, np.array([-1])) == []
    named = samples.draw_one(NAMED, 0, 7)
    answer = np.array(named.solutions.answers[0])
    assert labelled("decision", named, answer) == labelled("clue", named, answer), "the control"


def test_maze_labels_are_the_doors_that_a_path_may_take_or_not():
    sample = samples.draw_one("maze rooms=5 paths=2", 0, 7)
    one, two = (np.array(answer) for answer in sample.solutions.answers)
    found = labelled("decision", sample, two)
    assert found == [((p, 1), two[p]) for p in np.flatnonzero(one != two)]
    assert {label for _, label in found} == {0, 1}


def test_an_example_is_the_mean_of_the_tokens_under_it(model):
    sample = samples.draw_one(MARK, 0, 7)
    x, y = sample.state["things"][1][2:]
    (weights,) = LayerProbes(model, SCHEDULE)._weights(sample, [((0, 1), 1)])
    corner = 6 * (y - 1) + x - 1
    assert np.flatnonzero(weights).tolist() == [corner, corner + 1, corner + 6, corner + 7]
    assert weights.sum() == pytest.approx(1.0) and weights[corner] == pytest.approx(0.25, abs=0.01)


def test_what_is_kept_of_a_generation(model):
    experiment, sample = LayerProbes(model, SCHEDULE), samples.draw_one(LATIN, 0, 7)
    captured, condition = Captured(), model.prepare_sample(sample)
    clean = generate(model, condition, SCHEDULE, 3, visit=captured)
    seen = experiment.look(sample, 3, [0, 3])
    by_place = {(site.step, site.layer): state for site, state in captured.items()}
    assert torch.equal(seen.tokens[3, "1"], by_place[3, 1][-36:])
    assert torch.equal(seen.tokens[0, "input"], by_place[0, -1][-36:])
    assert seen.tokens[3, "x0_hat"][7].tolist() == clean.x0_hats[3][0, :, -1, 1, 1].tolist()
    assert seen.tokens[3, "x"][7].tolist() == clean.latents[3][0, :, -1, 1, 1].tolist()
    assert set(seen.states) == {0, 3}
    assert torch.allclose(experiment.blind(seen)[3], by_place[3, 1][-36:], atol=1e-6)
    with shaken(model):
        other = experiment.blind(seen)[3]
    assert not torch.allclose(other, by_place[3, 1][-36:], atol=0.1)


def test_a_probe_reads_what_is_there_and_only_that():
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 3, size) for size in (4, 0, 5, 6, 3, 4, 5, 6, 4, 5)]
    there = [np.eye(3)[known] + 0.1 * rng.normal(size=(len(known), 3)) for known in labels]
    found = guessed(there, labels)
    assert [len(one) for one in found] == [len(known) for known in labels]
    assert all((one == known).all() for one, known in zip(found, labels, strict=True))
    absent = [rng.normal(size=one.shape) for one in there]
    right = np.concatenate(guessed(absent, labels)) == np.concatenate(labels)
    assert right.mean() < 0.6
    alone = guessed([np.ones((2, 3))] * 6, [np.array([2, 2])] * 5 + [np.array([1, 1])])
    assert alone[5].tolist() == [2, 2], "the probe never saw the sample it judges"


@pytest.fixture(scope="module")
def probe_rows(model, tmp_path_factory):
    experiment = LayerProbes(model, SCHEDULE)
    runs = experiment.plan([LATIN], samples_per_cell=5, step_stride=3, suite_seed=7)
    return experiment, sweep(experiment, Store(tmp_path_factory.mktemp("x"), "x"), runs)


def test_every_source_has_its_row_and_is_the_same_alone(probe_rows, tmp_path):
    experiment, rows = probe_rows
    assert len(rows) == 2 * (2 + len(FLOORS))
    alone = rows[1]
    assert experiment.measure(alone["run"]) == alone["result"]
    result, made = rows[0]["result"], []
    assert result["step"] == [0, 3] and np.shape(result["hits"]) == (2, 4, 5)
    assert (np.array(result["hits"]) <= np.array(result["total"])).all()
    runs = [experiment.run_of(row["run"]) for row in rows[-2:]]  # the last is of a random network
    dict(experiment.results(runs, lambda: made.append(1)))
    assert len(made) == experiment.evaluations(runs) == 5 * (5 + 2)
    found = readability.probes(rows, SCHEDULE.steps)
    assert {"clue_gain", "decision_gain", "depth_of_perception_minus_decision"} <= set(found[LATIN])
    plots.probe_curves(found).savefig(tmp_path / "x.png")
    plots.probe_maps(found, SCHEDULE.sigmas).savefig(tmp_path / "x.png")


def probe_row(source, *hits, label="clue", steps=(0, 10, 20), totals=(10, 10)):
    """Two classes, four samples that are alike; hits by step, the same in both classes."""
    result = {"step": list(steps), "cluster": list("abcd"), "right": [True] * 4}
    result |= {"hits": [[[h] * 4, [h] * 4] for h in hits], "total": [[t] * 4 for t in totals]}
    return {"run": {"cell": LATIN, "label": label, "source": source}, "result": result}


def test_balanced_accuracy_is_the_mean_over_classes():
    row = probe_row("0", 5, totals=(10, 20), steps=(0,))
    counts = readability.counts_of([row], "clue")
    assert readability.accuracy(counts, "0").tolist() == [pytest.approx((0.5 + 0.25) / 2)]


def test_gains_are_over_the_best_floor_of_each_step_of_the_middle():
    rows = [
        probe_row("0", 0, 0, 0),
        probe_row("1", 10, 8, 7),
    ]  # of 50 steps, 0 is not in the middle
    rows += [probe_row(f, 9, 1, 1) for f in FLOORS if f not in ("x0_hat", "input")]
    rows += [probe_row("x0_hat", 9, 6, 2), probe_row("input", 9, 1, 5)]
    found = readability.probes(rows, 50)[LATIN]
    assert found["clue_gain"]["mean"] == 0.2, "(.8 - .6 + .7 - .5) / 2, at layer 1 of 2"
    assert found["clue_over_input"]["mean"] == 0.45, "(.8 - .1 + .7 - .5) / 2"
    assert found["clue_gain"]["n"] == found["clue_over_input"]["clusters"] == 4 and found["clue"][
        "middle_steps"
    ] == [10, 20]
    assert found["clue"]["over_input"][0] == [-0.9, 0.1]
    assert found["clue"]["over_input"][2] == [-0.5, 0.2], "the clean estimate is no floor here"
    assert found["clue"]["curve"][1]["mean"] == 0.75 and found["clue"]["chance"] == 0.5


def depth_rows(label, *hits):  # of input, 0, 1, 2
    sources = ("input", "0", "1", "2", *(f for f in FLOORS if f != "input"))
    hits = (*hits, *[5] * (len(FLOORS) - 1))
    return [probe_row(s, h, label=label, steps=(10,)) for s, h in zip(sources, hits, strict=True)]


def difference_of_depths(rows):
    return readability.probes(rows, 50)[LATIN]["depth_of_perception_minus_decision"]


def test_depth_is_where_a_label_is_read_half_as_far_above_chance_as_at_best():
    both = depth_rows("clue", 5, 7, 9, 9) + depth_rows("decision", 5, 6, 6, 10)
    expected = {"mean": -1.375, "low": -1.375, "high": -1.375, "n": 4, "clusters": 4}
    assert difference_of_depths(both) == expected, (
        "half way from chance, .5, to .9 is .7, at layer 0; half way to 1.0 is .75, and from .6 at "
        "layer 1 to 1.0 at layer 2 that is at 1.375"
    )
    both = depth_rows("clue", 9, 9, 9, 9) + depth_rows("decision", 5, 6, 8, 10)
    assert difference_of_depths(both)["mean"] == -1.75, "the input; .75 lies 3/4 from 0 to 1"
    both = depth_rows("clue", 5, 9, 9, 9) + depth_rows("decision", 5, 5, 9, 9)
    assert difference_of_depths(both)["mean"] == -1.0, "a layer later, half way both times"
    both = depth_rows("clue", 5, 9, 9, 9) + depth_rows("decision", 5, 5, 4, 5)
    assert difference_of_depths(both)["n"] == 0, "a decision that is nowhere read has no depth"


def test_draws_of_depth_are_not_steps():
    rows = depth_rows("clue", 9, 9, 9, 9) + depth_rows("decision", 5, 6, 8, 10)
    for row in rows[10:12]:  # layers 1 and 2, of the decision
        row["result"]["hits"] = [[[10, 10, 6, 6]] * 2]
    found = difference_of_depths(rows)
    assert rows[11]["run"] == {"cell": LATIN, "label": "decision", "source": "2"}
    assert found["low"] < found["mean"] == -1.25 < found["high"], "layer .25: .65 of .6 to .8"


def test_intervals_draw_clusters_of_samples():
    row = probe_row("0", 5, steps=(0,))
    row["result"]["hits"] = [[[10, 0, 10, 0], [10, 0, 10, 0]]]
    apart = readability.counts_of([row], "clue")
    row["result"]["cluster"] = ["a", "b", "a", "b"]
    together = readability.counts_of([row], "clue")

    def width(counts):
        found = readability._interval(
            lambda t: readability.accuracy(counts, "0", t)[..., 0], counts
        )
        assert found["mean"] == 0.5 and found["n"] == 4
        return found["high"] - found["low"]

    assert width(together) >= width(apart) > 0


def test_what_a_run_is_comes_back_from_its_record(model):
    swap = SwapRun(LATIN, 0, 7, 0, "cell", "noise", 1, (0, 1), held=True, split="validation")
    probe = ProbeRun(LATIN, 5, 7, "clue", 3, "input", "validation")
    for experiment, run in (
        (LayerSwaps(model, SCHEDULE), swap),
        (LayerProbes(model, SCHEDULE), probe),
    ):
        stored = json.loads(json.dumps(experiment.identity(run)))
        assert experiment.run_of(stored) == run


# The notebook.


def test_parameters_are_those_of_the_notebook_and_its_plans(model):
    scales = scales_of(NAME)
    assert set(scales) == {"smoke", "mini", "real"}
    for section in scales.values():
        assert set(section) == {"preset", *EXPERIMENTS}
        for name, kind in EXPERIMENTS.items():
            _, runs = planned(kind, section[name], lambda _: model, "", section["preset"])
            assert runs
    assert set(scales["mini"]["swaps"]["map_pairs"]) <= set(scales["mini"]["swaps"]["pairs"])


def test_the_notebook_runs_at_smoke_scale(model, tmp_path):
    notebook = ROOT / f"notebooks/{NAME}.ipynb"
    model.pipe.save_pretrained(tmp_path / "model")
    smoke = scales_of(NAME)["smoke"]
    paths = {name: str(tmp_path / name) for name in ("model", "results", "out")}
    papermill.execute_notebook(
        *(
            notebook,
            tmp_path / "executed.ipynb",
            {"section": smoke} | paths | {"load": {"size": 48, "frames": 5}},
        ),
        cwd=ROOT / "notebooks",
    )
    metrics = json.loads((tmp_path / f"out/{NAME}.json").read_text())
    assert {"sigmas", "swap_sigmas", "maps"} < set(metrics)
    (cell,) = metrics["cells"].values()
    assert {"mean", "low", "high", "n"} <= set(cell["flip_held_minus_null"])
    assert {"clue_gain", "decision_gain"} <= set(cell["probe"]) and "growth" in cell["energy"]
    names = {file.stem for file in (tmp_path / "out" / NAME).glob("*.png")}
    assert names == listed.parts(NAME)
    cells = nbformat.read(notebook, as_version=4).cells
    assert not any(cell.get("outputs") for cell in cells)
