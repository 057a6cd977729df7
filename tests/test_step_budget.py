"""The step budget: rows by identity on tiny random models, statistics against cases by hand."""

from dataclasses import replace
from pathlib import Path

import listed
import nbformat
import numpy as np
import papermill
import pytest
import tiny
import torch
import yaml
from scales import scales_of

from chain_of_steps.bench import samples
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import planned, sweep
from chain_of_steps.figures.step_budget import analysis, labels, plots
from chain_of_steps.figures.step_budget.runs import (
    EXPERIMENTS,
    FewSteps,
    Frames,
    StepBudget,
    Student,
)
from chain_of_steps.figures.step_budget.symbol_runs import DeepBudget, ShallowBudget
from chain_of_steps.measures import traces
from chain_of_steps.measures.batches import SymbolBatch
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import scoring
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.training import symbols as training

ROOT = Path(__file__).parent.parent
PARAMETERS = scales_of("6_step_budget")
SEVERAL, MARK = "latin order=4 log2=5", "mark named=true answers=1"
USUAL = Schedule("usual", "euler", 6, shift=5.0)
GROUP = {"samples_per_cell": 1, "samples_of": {}, "suite_seed": 1007}
GRID = GROUP | {"cells": [SEVERAL, MARK], "samples_of": {"mark": 2}, "steps": [1, 2, 6]}
GRID |= {"traced": [2, 6], "ways": {"stochastic/2": [SEVERAL], "unipc/3": [SEVERAL]}}


def picture_pipe():
    pipe = tiny.mini_like()
    pipe.scheduler = USUAL.scheduler("sample")
    return pipe


def symbol_pipe(layers: int):
    torch.manual_seed(layers)
    network = training.build(training.SymbolRecipe("latin", layers, width=32))
    torch.nn.init.normal_(network.proj_out.weight, std=0.3)
    return training.SymbolPipeline(network, USUAL.scheduler("sample"), "latin")


@pytest.fixture(scope="module")
def model():
    return VideoModel(picture_pipe(), frames=5)


@pytest.fixture(scope="module")
def grid(model, tmp_path_factory):
    experiment = StepBudget(model, USUAL)
    runs = experiment.plan(**GRID)
    return experiment, runs, sweep(experiment, Store(tmp_path_factory.mktemp("x"), "x"), runs)


# Rows.


def test_every_way_is_run_once_with_the_seed_of_its_sample(grid):
    _, runs, rows = grid
    assert len(runs) == len(set(runs)) == len(rows) == (3 + 2) * 1 + 3 * 2
    assert all(run.seed == run.index for run in runs)
    ways = {(run.sampler, run.steps) for run in runs if run.cell == SEVERAL}
    assert ways == {("euler", n) for n in (1, 2, 6)} | {("stochastic", 2), ("unipc", 3)}
    assert {(r.sampler, r.steps) for r in runs if r.traced} == {("euler", 2), ("euler", 6)}


def test_a_cell_may_have_a_number_of_samples_of_its_own():
    cells = [SEVERAL, "latin order=4 rounds=1", MARK]
    found = samples.numbered(cells, 2, {"latin": 4, SEVERAL: 9})
    assert found == dict(zip(cells, (9, 4, 2), strict=True))


@pytest.mark.parametrize("way", ["euler", "euler/", "euler/0", "euler/x"])
def test_a_faulty_way_is_refused(model, way):
    with pytest.raises(ValueError, match="write euler/100"):
        StepBudget(model, USUAL).plan(**GRID | {"ways": {way: [SEVERAL]}})


def test_a_row_is_the_loop_on_its_own_grid(grid, model):
    experiment, runs, rows = grid
    for run, row in zip(runs, rows, strict=True):
        sample = samples.draw_one(run.cell, run.index, 1007)
        schedule = Schedule("any", run.sampler, run.steps, shift=5.0)
        made = generate(model, model.prepare_sample(sample), schedule, run.index)
        expected = traces.outcome(model, sample, made.latents[-1])
        assert {name: row["result"][name] for name in expected} == expected
        assert np.array_equal(experiment.clip(run), model.decode(made.latents[-1]))


def test_more_steps_and_other_samplers_change_what_a_run_ends_with(grid):
    experiment, runs, _ = grid
    clips = [experiment.clip(run) for run in runs if run.cell == SEVERAL]
    assert len({clip.tobytes() for clip in clips}) == len(clips)


def test_rows_can_be_recomputed_one_by_one(grid):
    experiment, _, rows = grid
    assert all(experiment.measure(row["run"]) == row["result"] for row in rows)


def test_many_samples_at_once_decide_what_each_does_alone(grid, tmp_path):
    experiment, runs, rows = grid
    together = sweep(experiment, Store(tmp_path, "x"), runs, batch=4)
    pairs = [(a["result"], b["result"]) for a, b in zip(rows, together, strict=True)]
    assert all(a["answer"] == b["answer"] for a, b in pairs)
    assert all(len(a.get("decided", ())) == len(b.get("decided", ())) for a, b in pairs)


def test_every_evaluation_is_counted(grid):
    experiment, runs, _ = grid
    made = []
    list(experiment.results_of([[run] for run in runs], lambda: made.append(1)))
    assert len(made) == sum(experiment.evaluations([run]) for run in runs) == 2 + 3 + 3 * 9


def test_one_step_is_the_clean_estimate_of_step_0_of_any_grid(model, grid):
    sample = samples.draw_one(SEVERAL, 0, 1007)
    condition = model.prepare_sample(sample)
    one = generate(model, condition, replace(USUAL, steps=1), 0)
    assert torch.equal(one.latents[-1], one.x0_hats[0])
    for sampler in ("euler", "stochastic"):
        for steps in (2, 4, 8, 20, 50, 100):
            schedule = replace(USUAL, sampler=sampler, steps=steps)
            assert schedule.sigmas[0] == 1.0
            if steps <= 8:
                made = generate(model, condition, schedule, 0)
                assert torch.equal(made.x0_hats[0], one.latents[-1])
    results = {row["run"]["steps"]: row["result"] for row in grid[2][:3]}
    assert results[1]["answer"] == results[2]["decided"][0] == results[6]["decided"][0]
    assert results[6]["answer"] == results[6]["decided"][-1] and len(results[6]["decided"]) == 6


def test_clips_of_other_lengths_are_generated_and_scored_in_that_length(model):
    experiment = Frames(model, USUAL)
    runs = experiment.plan(**GROUP, cells=["out_and_back"], frames=[5, 9, 13])
    sample = samples.draw_one("out_and_back", 0, 1007)
    for run, length in zip(runs, (5, 9, 13), strict=True):
        assert len(experiment.clip(run)) == run.frames == length
        assert (run.sampler, run.steps, run.traced) == ("euler", 6, False)
        made = generate(model, model.prepare_sample(sample, frames=length), USUAL, 0)
        expected = traces.outcome(model, sample, made.latents[-1])
        (result,) = (result for _, result in experiment.results([run]))
        assert {name: result[name] for name in expected} == expected
        assert scoring.score(sample, sample.render(frames=length)) == 1.0


def test_the_student_and_its_control_have_their_own_model_and_noise_levels(model):
    loaded = []

    def load(folder):
        loaded.append(folder)
        return model

    group = GROUP | {"cells": [SEVERAL], "preset": "student"}
    pupil, runs = planned(Student, group | {"model": "elsewhere"}, load, "here", "mini")
    few, same = planned(FewSteps, group, load, "here", "mini")
    assert loaded == ["elsewhere", "here"] and runs == same and len(runs) == 1
    assert pupil.schedule == few.schedule == preset("student")
    assert len({kind.name for kind in EXPERIMENTS.values()}) == len(EXPERIMENTS)


def test_the_pictures_are_the_ends_of_the_first_squares_with_fewest_and_most_clues(model, tmp_path):
    experiment = StepBudget(model, USUAL)
    cells = [f"latin order=4 clues={n}" for n in (12, 4, 0)]
    group = GRID | {"cells": cells, "samples_per_cell": 2, "ways": {"stochastic/2": cells}}
    runs = experiment.plan(**group | {"steps": [6, 1], "traced": []})
    cases = experiment.squares(sweep(experiment, Store(tmp_path, "x"), runs), tmp_path)
    assert [case.label for case in cases] == ["0 clues", "12 clues"]
    first = [run for run in runs if run.index == 0 and run.sampler == "euler"]
    for case, cell in zip(cases, (cells[2], cells[0]), strict=True):
        own = sorted((run for run in first if run.cell == cell), key=lambda run: run.steps)
        expected = np.stack([experiment.clip(run) for run in own])
        assert len(own) == 2 and np.array_equal(case.clips, expected)
    kept = sorted((tmp_path / "showcase").iterdir())
    again = experiment.squares(Store(tmp_path, "x").rows.values(), tmp_path)
    assert sorted((tmp_path / "showcase").iterdir()) == kept and len(kept) == 4
    assert np.array_equal(again[1].clips, cases[1].clips)


# Symbols.


@pytest.fixture(scope="module")
def network():
    return VideoModel(symbol_pipe(2))


def test_a_row_of_symbols_says_of_each_sample_what_it_does_alone(network, tmp_path):
    experiment = ShallowBudget(network, USUAL)
    cells = ["latin order=4 rounds=1"]
    runs = experiment.plan(cells=cells, samples_per_cell=5, steps=[1, 3], suite_seed=3)
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    drawn = samples.draw(cells[0], 5, 3)
    for row, steps in zip(rows, (1, 3), strict=True):
        schedule = replace(USUAL, steps=steps)
        alone = []
        for i, sample in enumerate(drawn):
            batch = SymbolBatch([sample], [i])
            alone += batch.valid(batch.generate(network, schedule).latents[-1]).tolist()
        assert traces.unflagged(row["result"]["valid_each"]).tolist() == alone
        assert row["result"]["share"] == np.mean(alone)
        assert row["result"]["valid"] is row["result"]["answer"] is row["result"]["score"] is None
        assert experiment.measure(row["run"]) == row["result"] and "batch" not in row["run"]
    assert experiment.evaluations(runs) == 4


def test_an_exact_network_is_valid_in_one_step(network, tmp_path, monkeypatch):
    drawn = SymbolBatch(samples.draw("latin order=4 rounds=1", 3, 3), range(3))
    monkeypatch.setattr(VideoModel, "predict", lambda *_, **__: drawn.truth())
    experiment = ShallowBudget(network, USUAL)
    runs = experiment.plan(["latin order=4 rounds=1"], 3, [1, 2], 3)
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    assert [row["result"]["valid_each"] for row in rows] == ["111", "111"]


def test_samples_of_one_board_share_a_cluster(network):
    cell = "latin order=4 log2=7"  # one clue: 64 boards
    ((_, result),) = DeepBudget(network, USUAL).results(
        DeepBudget(network, USUAL).plan([cell], 20, [1], 3)
    )
    boards = [str(sample.canonical) for sample in samples.draw(cell, 20, 3)]
    assert 1 < len(set(boards)) < 20
    for i in range(20):
        for j in range(20):
            assert (result["clusters"][i] == result["clusters"][j]) == (boards[i] == boards[j])


# Numbers, by hand.


def row(index, sampler="euler", steps=50, valid=True, frames=None, cell=SEVERAL, **more):
    run = {"cell": cell, "index": index, "seed": index, "traced": "valid_at" in more}
    run |= {"sampler": sampler, "steps": steps, "frames": frames}
    sample = {"cluster": more.pop("cluster", f"board {index}"), "stratum": "several/5"}
    result = {"valid": valid, "drawn": more.pop("drawn", valid), "score": float(valid)}
    return {"run": run, "result": result | {"sample": sample} | more}


def rows_of(steps: int, pattern: str, **more) -> list[dict]:
    return [row(i, steps=steps, valid=c == "1", **more) for i, c in enumerate(pattern)]


CURVE = {1: "0000000000", 4: "1111000000", 8: "1111111100", 20: "1111111110", 50: "0111111111"}


@pytest.fixture
def hand() -> dict[str, list[dict]]:
    """Ten samples: none is right in one step; samples 0 to 3 in 4 steps; all but 0 in 50."""
    grid = [each for count, pattern in CURVE.items() for each in rows_of(count, pattern)]
    grid += rows_of(100, "11111")  # five of the ten
    grid += rows_of(20, "0000000000", sampler="stochastic", drawn=True)
    student = [row(i, valid=i >= 4, drawn=i == 0) for i in range(10)]
    few = [row(i, valid=i == 9) for i in range(10)]
    frames = [row(i, frames=5, valid=i == 0) for i in range(4)]
    frames += [row(i, frames=13, valid=i != 0, drawn=False) for i in range(4)]
    symbols = {"shallow": "0001", "deep": "1101"}
    more = {name: [symbol_row(4, pattern)] for name, pattern in symbols.items()}
    return {"grid": grid, "student": student, "few": few, "frames": frames} | more


def symbol_row(steps: int, pattern: str, clusters=(0, 1, 2, 3)) -> dict:
    result = {"valid_each": pattern, "clusters": list(clusters)}
    return {"run": {"cell": SEVERAL, "steps": steps}, "result": result}


def test_losses_are_paired_differences_of_the_same_samples(hand):
    found = analysis.metrics(hand, (1, 4))[SEVERAL]
    assert list(found["valid_at_steps"]) == ["1", "4", "8", "20", "50", "100"]
    assert [found[f"at_{n}"]["mean"] for n in (1, 4, 8, 20, 50, 100)] == [
        0,
        0.4,
        0.8,
        0.9,
        0.9,
        1,
    ]
    means = {name: found[name]["mean"] for name in analysis.LOSSES}
    expected = {"steps_gain": 0.9, "four_steps_loss": 0.5, "twenty_steps_loss": 0.0}
    assert means == pytest.approx(expected | {"beyond_fifty": 0.2})
    # Of the five samples with 100 steps, all are right, and with 50 steps all but sample 0.
    assert found["beyond_fifty"]["n"] == found["at_100"]["n"] == 5
    assert found["four_steps_loss"]["n"] == 10 and found["four_steps_loss"]["low"] < 0.2
    assert found["strata"] == ["several/5"]


def test_a_pair_that_swaps_shows_in_the_width_and_not_in_the_mean(hand):
    loss = analysis.metrics(hand, (1, 4))[SEVERAL]["twenty_steps_loss"]  # +1 and -1 of ten
    none = analysis.of_steps(
        analysis.outcomes(analysis.table(rows_of(50, "0111111111") + rows_of(20, "0111111111")))
    )["twenty_steps_loss"]
    assert loss["mean"] == none["mean"] == 0 and loss["high"] > none["high"] > 0


def test_other_ways_are_compared_with_the_grid(hand):
    found = analysis.metrics(hand, (1, 4))[SEVERAL]
    assert found["stochastic_minus_euler"].keys() == {"20"} and "unipc_minus_euler" not in found
    assert found["stochastic_minus_euler"]["20"]["mean"] == pytest.approx(-0.9)
    # The student is right in samples 4 to 9; the model in 0 to 3 with 4 steps, in 1 to 9 with 50.
    assert found["student_minus_four"]["mean"] == pytest.approx(0.2)
    assert found["student_minus_fifty"]["mean"] == pytest.approx(-0.3)
    assert found["fifty_minus_student"]["mean"] == pytest.approx(0.3)
    assert found["student_minus_few"]["mean"] == pytest.approx(0.5)
    assert found["student"]["valid"]["mean"] == 0.6 and found["student"]["drawn"]["mean"] == 0.1
    assert found["few"]["valid"]["mean"] == 0.1
    assert found["drawn_at_steps"]["4"]["mean"] == found["score_at_steps"]["4"]["mean"] == 0.4


def test_frames_are_compared_within_their_own_rows(hand):
    found = analysis.metrics(hand, (1, 4))[SEVERAL]
    assert found["frames"].keys() == {"5", "13"}
    means = [found["frames"][f][what]["mean"] for f in ("5", "13") for what in ("valid", "drawn")]
    assert means == [0.25, 0.25, 0.75, 0.0] and found["frames"]["13"]["score"]["mean"] == 0.75
    assert found["frames_loss"]["mean"] == 0.5 and found["frames_loss"]["n"] == 4


def test_networks_are_compared_on_the_same_samples(hand):
    found = analysis.metrics(hand, (1, 4))[SEVERAL]["symbols"]
    assert found["L1"]["at_4"]["mean"] == 0.25 and found["L4"]["at_4"]["mean"] == 0.75
    assert found["last_minus_first"]["4"]["mean"] == 0.5
    assert found["L4"]["four_steps_loss"]["n"] == 0


def test_clusters_widen_intervals(hand):
    alone = analysis.of_symbols(
        {"L1": analysis.symbol_table([symbol_row(4, "0011" * 5, range(20))])}
    )
    twice = [i // 5 if i // 5 < 2 else i for i in range(20)]
    bound = analysis.of_symbols(
        {"L1": analysis.symbol_table([symbol_row(4, "1" * 5 + "0" * 5 + "10" * 5, twice)])}
    )
    (one, other) = (found[SEVERAL]["L1"]["at_4"] for found in (alone, bound))
    assert one["mean"] == other["mean"] == 0.5
    assert other["high"] - other["low"] > 1.2 * (one["high"] - one["low"])
    pictures = [row(i, valid=i < 5, cluster=f"board {i // 5}") for i in range(10)]
    wide = analysis.by_cell(analysis.table(pictures))[SEVERAL]["at_50"]
    narrow = analysis.by_cell(analysis.table([row(i, valid=i < 5) for i in range(10)]))[SEVERAL]
    assert wide["high"] - wide["low"] > 1.2 * (narrow["at_50"]["high"] - narrow["at_50"]["low"])


def valid_of(curve: dict[int, str]) -> tuple[list[int], np.ndarray]:
    columns = [[c == "1" for c in pattern] for pattern in curve.values()]
    return list(curve), np.array(columns).T


def test_the_least_number_of_steps_reaches_nine_tenths(hand):
    # A_50 = .9, of which nine tenths are .81: 8 steps (.8) are not enough, 20 (.9) are.
    found = analysis.metrics(hand, (1, 4))[SEVERAL]["steps_to_90"]
    assert (found["mean"], found["n"]) == (20, 10) and found["low"] <= 20 <= found["high"]
    assert sum(found["shares"].values()) == pytest.approx(1) and "100" not in found["shares"]
    exactly = analysis.least_steps(*valid_of({4: "1" * 9 + "0", 50: "1" * 10}), None)
    below = analysis.least_steps(*valid_of({4: "1" * 8 + "00", 50: "1" * 10}), None)
    assert exactly["mean"] == 4 and below["mean"] == 50
    assert below["shares"].keys() == {"4", "50"} and below["low"] == 4 and below["high"] == 50


def test_the_first_that_is_enough_counts_even_if_a_later_one_is_not():
    found = analysis.least_steps(*valid_of({1: "0" * 9, 4: "1" * 9, 8: "0" * 9, 50: "1" * 9}), None)
    assert found == {"mean": 4, "low": 4, "high": 4, "n": 9, "shares": {"4": 1.0}}


def test_where_all_steps_fail_no_number_of_steps_is_named():
    fails = analysis.least_steps(*valid_of({1: "0" * 40, 50: "1" + "0" * 39}), None)
    assert fails["mean"] is None and fails["n"] == 0 and fails["shares"] == {}
    holds = analysis.least_steps(*valid_of({1: "0" * 40, 50: "1" * 20 + "0" * 20}), None)
    assert holds["mean"] == 50
    # Of 4 of 40 the upper bound is .23: not surely a failure, so a number is named.
    assert analysis.least_steps(*valid_of({50: "1111" + "0" * 36}), None)["mean"] == 50


def test_the_bootstrap_draws_whole_boards():
    # Board 0 needs 50 steps, board 1 needs 4: with one board drawn twice the others are absent.
    steps, valid = valid_of({4: "00001111", 50: "1" * 8})
    found = analysis.least_steps(steps, valid, [0] * 4 + [1] * 4)
    assert found["shares"]["4"] == pytest.approx(0.25, abs=0.04)
    alone = analysis.least_steps(steps, valid, None)
    assert alone["shares"].get("4", 0) < 0.02
    made = [row(i, steps=4, valid=i > 3, cluster=f"board {i // 4}") for i in range(8)]
    made += [row(i, steps=50, cluster=f"board {i // 4}") for i in range(8)]
    of_rows = analysis.by_cell(analysis.table(made))[SEVERAL]
    assert of_rows["steps_to_90"] == found
    bound, free = (
        of_rows["four_steps_loss"],
        analysis.difference([True] * 8, [False] * 4 + [True] * 4),
    )
    assert bound["mean"] == free["mean"] == 0.5 and bound["low"] < free["low"] - 0.05


def test_valid_estimates_along_the_noise_levels():
    made = [row(i, steps=4, valid_at=text) for i, text in enumerate(("0011", "0111"))]
    made += [row(0, steps=2, valid_at="01"), row(0, steps=1)]
    found = analysis.along(made, USUAL)[SEVERAL]
    assert list(found) == ["2", "4"] and found["4"]["valid"] == [0, 0.5, 1, 1]
    assert found["4"]["n"] == 2 and found["2"]["n"] == 1
    # sigma = 5 u / (1 + 4 u) at u = 1, 3/4, 1/2, 1/4
    assert found["4"]["sigmas"] == pytest.approx([1, 3.75 / 4, 2.5 / 3, 1.25 / 2], abs=1e-4)


def test_a_way_that_was_not_run_is_no_number():
    found = analysis.by_cell(analysis.table(rows_of(4, "01")))[SEVERAL]
    assert found["four_steps_loss"]["mean"] is None and found["at_4"]["mean"] == 0.5
    assert "student" not in found and "frames" not in found


# Figures.


def test_cells_by_panel():
    known = SEVERAL, "latin order=5 rounds=1", "maze rooms=5 paths=1", MARK
    curve = {"valid_at_steps": {"4": {"n": 3}}}
    cells = {cell: curve | {"strata": ["several/5"]} for cell in (*known, "latin")}
    cells |= {MARK: curve | {"strata": ["unique/0"]}, "latin clues=3": curve}
    cells |= {"latin order=4 log2=9": {"symbols": {}}}  # without pictures
    panels = labels.groups(cells)
    assert panels[labels.SEVERAL] == [SEVERAL] and panels[labels.CONTROLS] == [MARK]
    assert panels[labels.UNIQUE] == ["latin order=5 rounds=1"]
    assert panels[labels.OTHERS] == ["maze rooms=5 paths=1", "latin"]


def test_the_figures_show_the_numbers(hand, tmp_path):
    for clues, pattern in ((12, "1111"), (0, "0011")):
        cell = f"latin order=4 clues={clues}"
        hand["grid"] += rows_of(4, "0011", cell=cell) + rows_of(50, pattern, cell=cell)
    cells = analysis.metrics(hand, (1, 4))
    steps = plots.by_steps(cells).axes[0]
    assert steps.get_legend_handles_labels()[1] == ["order 4: 32 to 63 answers (n = 10)"]
    (bars,) = steps.containers
    assert bars[0].get_ydata().tolist() == [0, 0.4, 0.8, 0.9, 0.9, 1]
    student = plots.student(cells).axes[0]
    dots = [line.get_xdata() for line in student.lines if len(line.get_xdata()) == 1]
    assert [float(x[0]) for x in dots] == [0.9, 0.4, 0.1, 0.6]
    for draw in (plots.depth, plots.samplers, plots.frames):
        draw(cells).savefig(tmp_path / "x.png")


def test_figures_of_nothing_say_so():
    for draw in (plots.student, plots.samplers, plots.frames, plots.by_sigma):
        (text,) = draw({}).axes[0].texts
        assert text.get_text()


# Notebook.


@pytest.mark.parametrize("scale", ["smoke", "mini", "real"])
def test_every_experiment_has_its_parameters(scale, model):
    section = PARAMETERS[scale]
    for name, kind in EXPERIMENTS.items():
        _, runs = planned(kind, section[name], lambda _: model, "", "mini")
        assert runs and len(set(runs)) == len(runs)
    assert section["student"]["cells"] == section["few"]["cells"]
    assert section["shallow"]["cells"] == section["deep"]["cells"]


def test_the_notebook_runs_at_smoke_scale(tmp_path, monkeypatch):
    folders = {name: str(tmp_path / name) for name in ("pictures", "shallow", "deep")}
    pipes = (picture_pipe(), symbol_pipe(1), symbol_pipe(2))
    for folder, pipe in zip(folders.values(), pipes, strict=True):
        pipe.save_pretrained(folder)
    given = {
        name: dict(group) if isinstance(group, dict) else group
        for name, group in PARAMETERS["smoke"].items()
    }
    for name, folder in (("student", "pictures"), ("shallow", "shallow"), ("deep", "deep")):
        given[name]["model"] = folders[folder]
    given = {"section": given, "model": folders["pictures"], "load": {"size": 48, "frames": 5}}
    given |= {"results": str(tmp_path / "results"), "out": str(tmp_path / "out")}
    executed = tmp_path / "executed.ipynb"
    source = ROOT / "notebooks" / "6_step_budget.ipynb"
    papermill.execute_notebook(source, executed, given, cwd=ROOT, progress_bar=False)
    outputs = [o for c in nbformat.read(executed, 4).cells for o in c.get("outputs", [])]
    assert not [o for o in outputs if o.output_type == "error"]
    drawn = {file.stem for file in (tmp_path / "out" / "6_step_budget").glob("*.png")}
    assert drawn == listed.parts("6_step_budget")
    found = yaml.safe_load((tmp_path / "out" / "6_step_budget.json").read_text())
    assert found["cells"][SEVERAL]["four_steps_loss"]["n"] == 1
    assert found["cells"][SEVERAL]["symbols"].keys() == {"L1", "L2", "last_minus_first"}


def test_without_symbol_networks_nothing_is_said_about_them():
    """As where another model is studied."""
    tables = {name: analysis.symbol_table([]) for name in ("L1", "L4")}
    assert analysis.of_symbols(tables) == {}
    figure = plots.depth({"maze": {}})
    assert [text.get_text() for text in figure.axes[0].texts] == ["no symbol network was run"]
