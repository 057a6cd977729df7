"""Energy and probes by layer: curves against directly computed values, labels against drawings,
readouts against counts."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.bench import tasklist
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.layer_roles import analysis, plots, swap_plots
from chain_of_steps.figures.layer_roles.energy import LayerEnergy, maps_of
from chain_of_steps.figures.layer_roles.probes import LayerProbes
from chain_of_steps.measures.linear_probes import FLOORS
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles.first.reading import to_float

SCHEDULE = Schedule("test", "euler", 4, shift=3.0)
TASKS = ["maze", "mark_object"]


@pytest.fixture(scope="module")
def model():
    return VideoModel(tiny.mini_like())


@pytest.fixture(scope="module")
def probe_rows(model, tmp_path_factory):
    experiment = LayerProbes(model, SCHEDULE)
    runs = experiment.plan(TASKS, samples=5, step_stride=3, suite_seed=7)
    return experiment, sweep(experiment, Store(tmp_path_factory.mktemp("x"), "x"), runs)


# Energy.


def test_energy_curves_are_those_of_the_states(model):
    experiment = LayerEnergy(model, SCHEDULE)
    (run,) = experiment.plan(["maze"], 1, 7)
    states = experiment.states(run)  # (S, 1 + L, F, h w, D)
    result = experiment.measure(experiment.identity(run))
    assert states.shape[:4] == (4, 3, 9, 36)
    assert result["norm"][2][1] == pytest.approx(float(states[2, 1].norm(dim=-1).mean()), abs=1e-3)
    assert result["frames"][3][2][8] == pytest.approx(
        float(states[3, 2, 8].norm(dim=-1).mean()), abs=1e-3
    )
    change = (states[0, 0, 1:] - states[0, 0, :-1]).norm(dim=-1).mean()
    assert result["temporal"][0][0] == pytest.approx(float(change), abs=1e-3)


def test_growth_compares_the_last_block_with_the_first():
    rows = [
        {
            "result": {
                "norm": [[9.0, 2.0, 6.0]],
                "channel_variance": [[0.0]],
                "temporal": [[0.0]],
                "frames": [[]],
            }
        }
    ]
    assert analysis.energy(rows)["growth_with_depth"]["mean"] == 3.0


def test_colours_tell_directions_not_lengths():
    torch.manual_seed(0)
    kinds = torch.randint(3, (2, 2, 3, 4))  # (S, 1 + L, F, h w)
    states = torch.eye(8)[kinds] * torch.rand(2, 2, 3, 4, 1).add(0.5)
    maps = maps_of(states, 2)
    assert maps["norm"].shape == (2, 2, 3, 2, 2) and maps["colours"].shape == (2, 2, 3, 2, 2, 3)
    colours, flat = maps["colours"].float().flatten(0, 4), kinds.flatten()
    for kind in range(3):
        own = colours[flat == kind]
        assert (own - own[0]).abs().max() < 0.01, "one direction, one colour, in all panels"
    assert (colours[flat == 0][0] - colours[flat == 1][0]).abs().max() > 0.2


# Probes.


def test_walls_are_where_the_drawing_is_dark(model):
    experiment, sample = LayerProbes(model, SCHEDULE), tasklist.draw_one("maze", 0, 7)
    labels = experiment._labels("wall", sample, sample.render(sample.candidates[0])[-1]).reshape(
        6, 6
    )
    dark = sample.first_frame().max(2) < 0.5
    assert labels.any() and not labels.all()
    assert (
        dark[labels.repeat(8, 0).repeat(8, 1)].mean()
        > dark[~labels.repeat(8, 0).repeat(8, 1)].mean() + 0.1
    )


def test_marked_is_what_the_runs_own_answer_changes(model):
    experiment, sample = LayerProbes(model, SCHEDULE), tasklist.draw_one("mark_object", 0, 7)
    final = sample.render(sample.candidates[1])[-1]
    labels = experiment._labels("marked", sample, final)
    changed = np.abs(to_float(final) - sample.first_frame()).max(2) > 0.25
    assert labels.any() and (changed.reshape(6, 8, 6, 8).any((1, 3)).flatten() >= labels).all()
    assert not experiment._labels(
        "marked", sample, sample.render(sample.candidates[0], frames=9)[0]
    ).any()


def test_every_source_has_its_row_and_is_the_same_alone(probe_rows):
    experiment, rows = probe_rows
    assert len(rows) == 2 * 2 * (2 + len(FLOORS))
    for row in rows[:: len(rows) // 3]:
        assert experiment.measure(row["run"]) == row["result"]
    result = rows[0]["result"]
    assert result["step"] == [0, 3] and len(result["hits"]) == 2 and len(result["hits"][0]) == 5
    assert all(h <= p for h, p in zip(result["hits"][0], result["positives"][0], strict=True))


def test_balanced_accuracy_by_hand():
    counts = {"hits": [1, 3], "positives": [2, 4], "rejections": [5, 9], "negatives": [10, 10]}
    both = analysis.balanced_accuracy(counts, np.array([True, True]))
    assert both["mean"] == pytest.approx(0.5 * (4 / 6 + 14 / 20), abs=1e-4) and both["n"] == 2
    assert analysis.balanced_accuracy(counts, np.array([True, False]))["mean"] == pytest.approx(0.5)


def test_figures_draw(probe_rows, model, tmp_path):
    summary = analysis.probes(probe_rows[1])
    assert set(summary) == set(TASKS) and set(summary["maze"]["wall"]["0"]) == {"0", "3"}
    experiment = LayerEnergy(model, SCHEDULE)
    rows = sweep(experiment, Store(tmp_path, "x"), experiment.plan(["maze"], 1, 7))
    maps, sigmas = experiment.showcase(rows, tmp_path), SCHEDULE.sigmas
    for figure in (
        plots.energy_maps(maps["norm"], 2),
        plots.colours(maps["colours"], sigmas),
        plots.energy_curves(analysis.energy(rows), sigmas),
        plots.probe_curves(summary, 2, sigmas),
        plots.probe_gains(analysis.gains(probe_rows[1])),
    ):
        figure.savefig(tmp_path / "x.png")
        plt.close(figure)


# Swaps.


def swap_row(index, donor, own, final, answers=(0, 3), where="all", step=0) -> dict:
    run = {
        "task": "maze",
        "index": index,
        "step": step,
        "variant": "state",
        "where": where,
        "donor": "twin",
    }
    run["random"] = False
    result = {
        "right": [0, 3],
        "answers": [*answers],
        "moved": [1.0, 0.5],
        "donor": donor,
        "own": own,
        "final": final,
    }
    return {"run": run, "result": result}


def test_flips_are_counted_only_where_both_clean_runs_are_right():
    rows = [
        swap_row(0, donor=[0.9, 0.1], own=[0.1, 0.9], final=[3, 0]),
        swap_row(1, donor=[0.5, 0.5], own=[0.45, 0.0], final=[-1, 3]),
        swap_row(
            2, donor=[0.9, 0.9], own=[0.0, 0.0], final=[3, 3], answers=(1, 3)
        ),  # the receiver was wrong
    ]
    lines = analysis.swaps(rows)
    assert set(lines["index"]) == {0, 1}
    assert lines["flip"].tolist() == [1, 0, 0, 1], "a lead of less than 0.1 is neither"
    assert lines["kept"].tolist() == [0, 1, 0, 0]
    assert lines["final_flip"].tolist() == [1, 0, 0, 1] and lines["final_kept"].tolist() == [
        0,
        1,
        0,
        0,
    ]
    summary = analysis.swap_summary(lines, pairs={"maze": 3})
    assert summary["pairs"] == {"maze": 3} and summary["eligible"] == {"maze": 2}
    kind = summary["maze"]["step0"]["state-all-twin"]
    assert [layer["mean"] for layer in kind["final_flip"]] == [0.5, 0.5]
    assert [layer["mean"] for layer in kind["final_kept"]] == [0.0, 0.5]
    best = kind["final_best"]
    assert best["layers"] == [1, 0] and best["mean"] == 0.0 and best["n"] == 2, (
        "never measured where it was chosen"
    )


def test_ramps_keep_the_random_network_apart():
    rows = [swap_row(i, donor=[0.0, 0.0], own=[0.0, 0.0], final=[0, 0]) for i in range(3)]
    rows[2]["run"]["random"], rows[2]["result"]["moved"] = True, [0.0, 1.0]
    del rows[1]["result"]["moved"]  # a pair that was not swapped
    ramps = analysis.ramps(rows, 0)["maze"]
    assert [layer["mean"] for layer in ramps["state-all"]] == [1.0, 0.5] and ramps["state-all"][0][
        "n"
    ] == 1
    assert [layer["mean"] for layer in ramps["random network"]] == [0.0, 1.0]
    assert analysis.ramps(rows, 3) == {}


def test_order_is_the_difference_of_the_layers_at_which_labels_are_read():
    def row(label, source, hits):
        counts = {
            "hits": [[hits] * 4],
            "positives": [[10] * 4],
            "rejections": [[5] * 4],
            "negatives": [[10] * 4],
        }
        return {"run": {"task": "maze", "label": label, "source": source}, "result": counts}

    rises = {"wall": [0, 9, 9, 9], "marked": [0, 0, 5, 9]}  # input, then three layers
    rows = [
        row(n, s, h)
        for n, hits in rises.items()
        for s, h in zip(("input", "0", "1", "2"), hits, strict=True)
    ]
    found = analysis.order(rows, "maze", "wall", "marked")
    assert (found["mean"], found["low"], found["high"], found["n"]) == (2.0, 2.0, 2.0, 4)
    assert analysis.order(rows, "mark_object", "named", "marked")["n"] == 0


def test_gains_are_over_the_best_floor_of_each_step():
    def row(source, *hits):  # at two steps; four samples, the first two end right
        counts = {"hits": [[h] * 4 for h in hits], "positives": [[10] * 4] * 2}
        counts |= {
            "rejections": [[5] * 4] * 2,
            "negatives": [[10] * 4] * 2,
            "step": [0, 9],
            "right": [1, 1, 0, 0],
        }
        return {"run": {"task": "maze", "label": "wall", "source": source}, "result": counts}

    rows = [
        row("0", 8, 8),
        row("1", 10, 2),
        *(row(floor, 0, 0) for floor in FLOORS[1:]),
        row(FLOORS[0], 4, 2),
    ]
    found = analysis.gains(rows)["maze"]["wall"]
    assert [layer["mean"] for layer in found["all"]] == [0.25, 0.15], (
        "half of (.4 + .6) / 2, of (.6 + 0) / 2"
    )
    assert found["right"][0]["n"] == found["wrong"][0]["n"] == 2


def test_without_any_pair_that_counts_the_figures_are_empty(tmp_path):
    lines = analysis.swaps([swap_row(0, [0.0], [0.0], [3], answers=(-1, 3))])
    summary = analysis.swap_summary(lines, {"maze": 1})
    grid = analysis.map_of(lines, "maze", "answer", held=False)
    assert summary == {"pairs": {"maze": 1}, "eligible": {}} and grid[2] == 0
    for figure in (
        swap_plots.swap_maps({("clean estimate", "maze"): grid}, SCHEDULE.sigmas),
        swap_plots.swap_curves(summary, ["maze"], [0]),
        swap_plots.swap_outcomes(summary, ["maze"], [0]),
    ):
        figure.savefig(tmp_path / "x.png")
        plt.close(figure)


def test_the_map_has_steps_as_rows_and_layers_as_columns(tmp_path):
    rows = [
        swap_row(i, [0.0, 0.9], [0.0, 0.0], [0, 3], where="answer", step=s)
        for i in range(2)
        for s in (0, 2)
    ]
    rows.append(
        swap_row(2, [0.9, 0.9], [0.0, 0.0], [3, 3], where="answer", step=0)
    )  # not at every step
    held = swap_row(3, None, None, [0, 3], where="answer", step=0)
    held["run"]["variant"] = "held"
    for name in ("moved", "donor", "own"):
        del held["result"][name]
    lines = analysis.swaps([*rows, held])
    assert analysis.map_of(lines, "maze", "answer", held=True)[0].tolist() == [[0.0, 1.0]]
    grid, steps, pairs = analysis.map_of(lines, "maze", "answer", held=False)
    assert steps == [0, 2] and pairs == 2 and grid.tolist() == [[0.0, 1.0], [0.0, 1.0]]
    rows[2]["run"] |= {"task": "mark_object", "donor": "exchanged"}
    assert set(analysis.swaps(rows)["task"]) == {"maze", "mark_object_exchanged"}
    summary = analysis.swap_summary(lines, {"maze": 3})
    for figure in (
        swap_plots.swap_maps({("clean estimate", "maze"): (grid, steps, pairs)}, SCHEDULE.sigmas),
        swap_plots.swap_curves(summary, ["maze"], [0, 2]),
        swap_plots.swap_outcomes(summary, ["maze"], [0, 2]),
        swap_plots.swap_ramps(analysis.ramps(rows, 0)),
    ):
        figure.savefig(tmp_path / "x.png")
        plt.close(figure)
