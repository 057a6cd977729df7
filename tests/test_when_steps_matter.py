"""The phase diagram: rows by identity, numbers by hand, the law on data made by a law."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import papermill
import pytest
import torch
from diffusers import WanTransformer3DModel
from PIL import Image
from scales import scales_of

from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.when_steps_matter import (
    analysis,
    diagram,
    law,
    networks,
    path_analysis,
    path_or_passes,
    path_plots,
    phase_diagram,
    plots,
    readings,
    strata,
    tiles,
)
from chain_of_steps.figures.when_steps_matter.boards import Boards
from chain_of_steps.figures.when_steps_matter.experiment import batch_of
from chain_of_steps.figures.when_steps_matter.path_or_passes import (
    WAYS,
    PathOrPasses,
    revealed,
)
from chain_of_steps.figures.when_steps_matter.phase_diagram import PhaseDiagram
from chain_of_steps.measures.batches import SymbolBatch
from chain_of_steps.measures.one_pass import COARSE, passes, renoised
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.symbols import GIVEN, LATENT, TEXT, SymbolPipeline
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles.canvas import COLOURS, PAPER

ROOT = Path(__file__).parent.parent
NAMES = ("latin-L1-0", "latin-L2-0", "latin-L2-twin", "latin-L1-0@2000", "relay-L1-0")
NAMES += ("latin-L1-1",)
UNIQUE, SEVERAL, RELAY = "latin order=4 rounds=1", "latin order=4 log2=5", "relay routes=2 moves=3"
USUAL = {"cells": [UNIQUE, SEVERAL, RELAY], "samples": 5}
PARTS = {
    "view": USUAL | {"networks": ["exact", "seed 0", "twin"], "steps": [2, 3]},
    "more": USUAL | {"networks": ["seed 0"], "steps": [3, 5]},
    "seeds": {"networks": ["other seeds"], "cells": [UNIQUE], "samples": 4, "steps": [3]},
    "training": {"networks": ["earlier"], "cells": [SEVERAL], "samples": 2, "steps": [3]},
}
ALL = {"parts": PARTS, "chunk": 3, "validation": 2, "suite_seed": 3}
PATHS = {"cells": [UNIQUE, RELAY], "samples_per_cell": 4, "validation": 3, "steps": 4}
PATHS |= {"shifts": [1.0], "late": [0, 2], "suite_seed": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Tiny untrained networks."""
    found = tmp_path_factory.mktemp("symbols")
    for number, name in enumerate(NAMES):
        torch.manual_seed(number)
        puzzle, layers = name.split("-")[0], int(name[name.index("L") + 1])
        network = WanTransformer3DModel(
            patch_size=(1, 1, 1),
            num_attention_heads=1,
            attention_head_dim=32,
            in_channels=LATENT[puzzle] + GIVEN[puzzle],
            out_channels=LATENT[puzzle],
            text_dim=TEXT,
            freq_dim=16,
            ffn_dim=32,
            num_layers=layers,
            rope_max_seq_len=16,
        )
        pipe = SymbolPipeline(network, preset("mini").scheduler("sample"), puzzle)
        pipe.save_pretrained(found / name, safe_serialization=True)
        (found / name / "training.json").write_text('{"recipe": {"size": 1, "frames": 1}}')
    return found


def experiment(kind, folder: Path):
    return kind(VideoModel.load(folder / NAMES[0]), preset("mini"))


class Counter:
    def __init__(self, total, unit):
        self.total, self.n = total, 0
        Counter.last = self

    def update(self, n=1):
        self.n += n


@pytest.fixture(scope="module")
def measured(folder, tmp_path_factory) -> tuple[PhaseDiagram, list[dict]]:
    ours = experiment(PhaseDiagram, folder)
    names = ["exact", "latin-L1-0", "latin-L2-twin", "latin-L1-0@2000"]
    runs = ours.plan(networks=str(folder), names=names, **ALL)
    store = Store(tmp_path_factory.mktemp("rows"), ours.name)
    return ours, sweep(ours, store, runs, Counter, batch=1)


def rows_of(rows: list[dict], network: str, cell: str) -> list[dict]:
    return [r for r in rows if (r["run"]["network"], r["run"]["cell"]) == (network, cell)]


# Networks.


@pytest.mark.parametrize(
    ("name", "puzzle", "layers", "width", "seed", "share", "kind"),
    [
        ("latin-L4-2", "latin", 4, 96, 2, 1.0, "plain"),
        ("relay-L8-0@2000", "relay", 8, 96, 0, 0.25, "earlier"),
        ("latin-L1w192-1", "latin", 1, 192, 1, 1.0, "wide"),
        ("latin-L2-twin", "latin", 2, 96, None, 1.0, "twin"),
        ("exact", "any", 0, 96, None, 1.0, "exact"),
    ],
)
def test_a_name_says_what_a_network_is(name, puzzle, layers, width, seed, share, kind):
    found = networks.parse(name)
    assert found == networks.Network(name, puzzle, layers, width, seed, share)
    assert found.kind == kind


def test_seeds_have_parts_of_their_own():
    names = ["latin-L4-0", "latin-L4-1", "latin-L1w192-0", "latin-L4-0@2000"]
    expected = ["seed 0", "other seeds", "wide", "earlier"]
    assert [networks.parse(name).group for name in names] == expected


def test_a_faulty_name_or_folder_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"latin-L4-0"):
        networks.parse("latin-4")
    with pytest.raises(FileNotFoundError, match="no network latin-L9-0"):
        networks.listed(folder, ["latin-L9-0"])
    with pytest.raises(FileNotFoundError, match="dvc pull"):
        networks.listed(tmp_path, [])


# Runs.


def test_which_runs_there_are(folder):
    runs = experiment(PhaseDiagram, folder).plan(networks=str(folder), names=[], **ALL)
    found = {}
    for run in runs:
        chunks = found.setdefault((run.network, run.cell), {})
        chunks.setdefault(run.steps, []).append((run.first, run.count))
    whole = [(0, 3), (3, 2)]
    assert found["latin-L1-0", UNIQUE] == {2: whole, 3: whole, 5: whole}
    assert found["latin-L1-1", UNIQUE] == {3: [(0, 3), (3, 1)]}
    assert found["latin-L2-twin", SEVERAL] == {1: whole}
    assert found["exact", RELAY] == {2: whole, 3: whole}
    assert found["latin-L1-0@2000", SEVERAL] == {3: [(0, 2)]}
    assert {cell for name, cell in found if name == "relay-L1-0"} == {RELAY}
    assert {cell for name, cell in found if name == "latin-L1-0"} == {UNIQUE, SEVERAL}
    assert {cell for name, cell in found if name == "latin-L1-1"} == {UNIQUE}
    assert ("latin-L1-0@2000", UNIQUE) not in found
    assert {run.validation for run in runs if run.network == "latin-L2-twin"} == {0}
    assert len({run.weights for run in runs}) == len(NAMES) + 1


def test_no_more_evaluations_than_planned(measured):
    ours, rows = measured
    assert 0.5 * Counter.last.total < Counter.last.n <= Counter.last.total
    (twin, *_) = [ours.run_of(r["run"]) for r in rows if r["run"]["network"] == "latin-L2-twin"]
    assert ours.evaluations([twin]) == 3
    exact = [ours.run_of(r["run"]) for r in rows if r["run"]["network"] == "exact"]
    assert ours.evaluations(exact) == 0
    assert all(r["result"][name] is None for r in rows for name in ("answer", "valid", "score"))


def test_a_row_computed_alone_is_the_same(measured):
    ours, rows = measured
    for row in rows_of(rows, "latin-L1-0", SEVERAL)[-1:]:
        assert ours.measure(row["run"]) == row["result"]


def test_a_row_is_what_the_loop_decides(measured, folder):
    _, rows = measured
    row = next(r for r in rows_of(rows, "latin-L1-0", SEVERAL) if r["run"]["steps"] == 3)
    batch = batch_of(SEVERAL, 0, 3, 3, "test")
    model = VideoModel.load(folder / "latin-L1-0")
    trajectory = batch.generate(model, replace(preset("mini"), steps=3))
    own = batch.along(trajectory)
    assert row["result"]["valid_at"] == ["".join("01"[int(v)] for v in step) for step in own]
    assert len(row["result"]["exact_at"]) == 3 and len(row["result"]["sigmas"]) == 4
    assert (np.array(row["result"]["violations"]["last"]) > 0).tolist() == (~own[-1]).tolist()


def test_the_exact_posterior_is_right_where_the_answer_is_unique(measured):
    _, rows = measured
    for row in rows_of(rows, "exact", UNIQUE) + rows_of(rows, "exact", RELAY):
        result, n = row["result"], row["run"]["count"]
        everything = [*result["valid_at"], *result["I"], *(result[b] for b in "BFT")]
        assert set(everything) == {"1" * n}
        assert result["violations"] == {"first": [0] * n, "last": [0] * n}
        assert len(result["I"]) == 2  # no room, so no more passes are tried
        assert result["valid_on_validation"] == 2
    several = rows_of(rows, "exact", SEVERAL)
    assert several and all(len(row["result"]["I"]) == 20 for row in several)
    assert all(row["result"]["valid_on_validation"] < 2 for row in several)


def test_controls_belong_to_the_samples_and_not_to_the_steps(measured):
    _, rows = measured
    one, other = (
        [r["result"] for r in rows_of(rows, "latin-L1-0", SEVERAL) if r["run"]["steps"] == s]
        for s in (2, 5)
    )
    for a, b in zip(one, other, strict=True):
        assert all(a[name] == b[name] for name in ("B", "F", "T", "I", "levels", "clusters"))
        assert a["valid_at"][0] == b["valid_at"][0] == a["I"][0]  # step 0 is that of any S
        assert a["I"][1] == a["F"]
    assert one[0]["levels"] == one[1]["levels"] and len(one[0]["clusters"]) == 3
    twins = rows_of(rows, "latin-L2-twin", UNIQUE)
    assert all("I" not in row["result"] and row["result"]["exact_at"] is None for row in twins)


# Analysis, by hand.


def made_row(network, cell, first=0, steps=3, rounds=2, log2=None, **result) -> dict:
    n = len(result["valid_at"][0])
    run = {"network": network, "cell": cell, "steps": steps, "first": first, "validation": 40}
    whole = {
        "exact_at": ["1" * n] * steps,
        "B": "0" * n,
        "F": "0" * n,
        "T": "1" * n,
        "I": ["0" * n, "0" * n, "1" * n],
        "levels": {"I": [1.0, 0.5, 0.3]},
        "valid_on_validation": 10,
        "clusters": [f"{first + i}" for i in range(n)],
        "stratum": {"rounds": rounds, "log2": log2},
        "chance": 0.5,
    }
    return {"run": run, "result": whole | result}


def three_rounds(network: str, wins: int = 90, cell: str = "latin order=4 rounds=3") -> list[dict]:
    """100 runs in two chunks: none valid at step 0, the first `wins` at the end."""
    end = "1" * wins + "0" * (100 - wins)
    return [
        made_row(network, cell, first, rounds=3, valid_at=["0" * 50, "0" * 50, end[first:][:50]])
        for first in (50, 0)
    ]


def test_chunks_are_joined_in_their_order():
    (entry,) = analysis.entries(three_rounds("latin-L4-0", 70))
    assert entry.own.shape == (3, 100) and entry.n == 100 and entry.steps == 3
    assert entry.own[-1].tolist() == [True] * 70 + [False] * 30
    assert entry.clusters[:2] == ["0", "1"] and entry.clusters[50] == "50"
    assert entry.task == "latin order=4"


def test_a_record_by_hand():
    rows = [
        *three_rounds("latin-L4-0"),
        *(r for first in three_rounds("exact", 100) for r in [first]),
        made_row(
            "latin-L4-twin", "latin order=4 rounds=3", steps=1, valid_at=["1" * 25 + "0" * 75]
        ),
    ]
    for key in ("I", "B", "F", "T"):
        del rows[-1]["result"][key]
    rows[-1]["result"]["exact_at"] = None
    found = analysis.summary(analysis.entries(rows))
    (each,) = found["cells"]
    intervals = each.pop("intervals")
    assert each == {
        "task": "latin order=4",
        "stratum": "unique/3",
        "rounds": 3,
        "log2_answers": None,
        "layers": 4,
        "seed": 0,
        "steps": 3,
        "n": 100,
        "at_step_0": 0.0,
        "at_end": 0.9,
        "exact_at_step_0": 0.0,
        "exact_at_end": 1.0,
        "uninformative": 0.0,
        "one_refinement": 0.0,
        "truth": 1.0,
        "passes_needed": 3,
        "twin": 0.25,
        "phase": "chain",
    }
    assert intervals["over_one_refinement"]["mean"] == 0.9 and intervals["gain"]["low"] > 0.8
    ours = found["strata"]["latin order=4 rounds=3/L4/S3"]
    assert ours["over_twin"]["mean"] == 0.65 and ours["over_exact"]["mean"] == -0.1
    assert ours["passes_needed"] == {"mean": 3.0, "low": 3, "high": 3, "n": 100, "networks": 1}
    assert ours["exact_at_step_0"]["mean"] == 0.0 and ours["exact_at_end"]["mean"] == 1.0
    assert ours["fresh_noise_minus_path"]["mean"] == 0.1  # I_3 is always valid
    assert found["room"]["latin order=4 rounds=3/L4/S3"]["mean"] == 0.25
    assert found["room"]["latin order=4 rounds=3/L4/S3"]["n"] == 40
    assert [e["stratum"] for e in found["exact"]] == ["unique/3"]


def test_networks_of_a_depth_agree_by_majority_and_disagree_visibly():
    wins = {"latin-L4-0": 90, "latin-L4-1": 0, "latin-L4-2": 90, "latin-L2-0": 0}
    rows = [row for name, count in wins.items() for row in three_rounds(name, count)]
    found = analysis.summary(analysis.entries(rows))
    four, two = sorted(found["diagram"], key=lambda e: -e["layers"])
    assert four["phase"] == "chain" and four["labels"] == {"chain": 2, "failure": 1}
    assert four["sure"] == pytest.approx(2 / 3, abs=0.01) and four["at_end"] == 0.6
    assert (two["phase"], two["sure"], two["networks"]) == ("failure", 1.0, 1)
    gain = found["strata"]["latin order=4 rounds=3/L4/S3"]["gain"]
    assert gain["mean"] == 0.6 and gain["low"] < 0.0 and gain["high"] > 0.9  # for each network
    assert (gain["n"], gain["networks"]) == (300, 3)
    assert "passes_needed" not in found["strata"]["latin order=4 rounds=3/L2/S3"]  # it fails
    rival = found["strata"]["latin order=4 rounds=3/L4/S3"]["over_all_rivals"]
    assert rival["low"] == gain["low"] and rival["clusters"] == 100


def test_the_hull_says_of_how_few_states_it_is():
    one = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 10, "clusters": 7}
    found = strata.hull([one, one | {"low": 0.1, "clusters": 3}, one | {"mean": 0.2}])
    assert found == one | {"mean": 0.4, "low": 0.1, "n": 30, "clusters": 3, "networks": 3}
    few = strata.contrast(found, one | {"networks": 1})
    assert few["networks"] == 1 and few["clusters"] == 3 and few["n"] == 10


def test_the_level_of_one_pass_is_chosen_on_more_samples_than_that_of_many(folder, monkeypatch):
    seen = []
    monkeypatch.setattr(phase_diagram, "FEW", 2)
    monkeypatch.setattr(readings, "best_level", lambda runs, *_: seen.append(len(runs.names)) or 1)
    monkeypatch.setattr(
        readings, "best_levels", lambda runs, *_: [0, seen.append(-len(runs.names))]
    )
    ours = experiment(PhaseDiagram, folder)
    part = USUAL | {"networks": ["seed 0"], "cells": [UNIQUE], "steps": [2]}
    wanted = ALL | {"parts": {"all": part}, "validation": 5}
    first = ours.plan(networks=str(folder), names=["latin-L1-0"], **wanted)[0]
    monkeypatch.setattr(readings, "has_room", lambda valid: True)
    ours._levels(first, ours.subject("latin-L1-0"), None)
    assert seen == [5, 5, 5, -2]


def test_equally_many_labels_give_the_earlier_phase():
    rows = three_rounds("latin-L4-0", 90) + three_rounds("latin-L4-1", 0)
    assert analysis.summary(analysis.entries(rows))["diagram"][0]["phase"] == "failure"


def test_more_passes_than_were_tried():
    rows = three_rounds("latin-L4-0")
    for row in rows:
        row["result"]["I"] = ["0" * 50] * 3
    (entry,) = analysis.entries(rows)
    assert strata.passes_interval(entry) == {"mean": 4, "low": 4, "high": 4, "n": 100}
    assert analysis.record(entry, {})["passes_needed"] is None


def test_as_many_passes_as_steps_and_no_fewer():
    """I_k of 100 runs: 0, 20, 80 valid; 3 steps: 50, of which I_3 has 40. 4 steps: no I_4."""
    rows = [
        made_row(
            "latin-L4-0",
            "latin order=4 rounds=3",
            steps=steps,
            valid_at=["0" * 100] * (steps - 1) + ["1" * 50 + "0" * 50],
            I=["0" * 100, "1" * 20 + "0" * 80, "0" * 10 + "1" * 80 + "0" * 10],
        )
        for steps in (3, 4, 2, 1)
    ]
    found = analysis.summary(analysis.entries(rows))
    name = "latin order=4 rounds=3/L4/S{}"
    three = found["strata"][name.format(3)]["fresh_noise_minus_path"]
    assert (three["mean"], three["n"], three["networks"]) == (0.3, 100, 1)
    assert 0.15 < three["low"] < 0.3 < three["high"] < 0.45
    assert found["strata"][name.format(2)]["fresh_noise_minus_path"]["mean"] == -0.3
    for steps in (1, 4):
        assert "fresh_noise_minus_path" not in found["strata"][name.format(steps)]
    (each,) = found["at_one_level"]
    assert each["passes"] == [1, 2, 3] and each["levels"] == [[1.0], [0.5], [0.3]]
    assert [v["mean"] for v in each["path"]] == [0.5, 0.5, 0.5]
    assert [v["mean"] for v in each["fixed"]] == [0.0, 0.2, 0.8]


def test_a_curve_is_of_the_same_networks_at_every_number_of_steps():
    """Another network was run with 3 steps only, and does not count."""
    cell = "latin order=4 rounds=3"
    rows = [
        made_row(f"latin-L4-{seed}", cell, steps=steps, valid_at=[right * 100] * steps)
        for seed, steps, right in ((0, 2, "1"), (0, 3, "1"), (1, 3, "0"))
    ]
    (each,) = path_analysis.at_one_level(analysis.entries(rows))
    assert [(v["mean"], v["networks"]) for v in each["path"]] == [(1.0, 1), (1.0, 1)]
    assert path_analysis.at_one_level(analysis.entries(rows[1:]))[0]["path"][0]["networks"] == 2
    assert path_analysis.at_one_level(analysis.entries([rows[0], rows[2]])) == []


def test_what_the_drawn_route_adds_by_hand():
    """Drawn: from .1 to .9; end only: from .4 to .7; 100 runs each."""
    shares = {"relay routes=2 moves=3": (10, 90), "relay_end routes=2 moves=3": (40, 70)}
    rows = [
        made_row(
            "relay-L1-0",
            cell,
            steps=2,
            rounds=3,
            valid_at=["1" * k + "0" * (100 - k) for k in ends],
        )
        for cell, ends in shares.items()
    ]
    summary = analysis.summary(analysis.entries(rows))
    found = analysis.metrics(summary, {}, [], {"cells": []}, {})["strata"]
    drawn = found["relay routes=2 moves=3/L1/S2"]
    assert drawn["gain"]["mean"] == 0.8 and drawn["gain_minus_end_only"]["mean"] == 0.5
    assert drawn["at_end_minus_end_only"]["mean"] == 0.2
    assert drawn["at_end_minus_end_only"]["n"] == 100
    assert "gain_minus_end_only" not in found["relay_end routes=2 moves=3/L1/S2"]


def test_what_is_published(measured):
    entries = analysis.entries(measured[1])
    laws = {"made up": law.law(points(1, 1), ["cell 3"]), "none": None}
    name = f"{SEVERAL}/L1/S3"
    asked = {"trend": ["gain", name, name]}
    found = analysis.metrics(analysis.summary(entries), laws, [], {"cells": []}, asked)
    assert isinstance(found["cells"], list) and found["cells"]
    assert found["contrasts"]["trend"]["mean"] == 0.0
    assert found["strata"]["trend"] == {"difference": found["contrasts"]["trend"]}
    lawful = found["strata"]["law/made up"]
    assert (lawful["constant"]["n"], lawful["constant"]["networks"]) == (12000, 3)
    assert (lawful["held_out_error"]["n"], lawful["held_out_error"]["networks"]) == (3000, 3)
    assert found["room"][name]["n"] == 2 and "law/none" not in found["strata"]
    assert "gain" in found["strata"][name]


def test_contrasts_by_hand():
    one = {"mean": 0.8, "low": 0.5, "high": 0.9, "n": 40}
    other = {"mean": 0.3, "low": 0.2, "high": 0.7, "n": 30}
    found = strata.contrasts({"a": {"x": one}, "b": {"x": other}}, {
        "ours": ["x", "a", "b"], "missing": ["x", "a", "c"], "unknown": ["y", "a", "b"],
    })  # fmt: skip
    expected = {"mean": 0.5, "low": 0.0, "high": round(0.5 + 0.02**0.5, 4), "n": 30}
    assert found == {"ours": expected}  # sqrt(.3^2 + .4^2) = .5


def test_equal_work_is_blocks_times_steps():
    cells = [{"layers": 4, "steps": 4}, {"layers": 1, "steps": 16}, {"layers": 2, "steps": 4}]
    assert [c["layers"] for c in analysis.equal_work(cells, [16])] == [4, 1]


# The law.


def points(alpha: float, beta: float, c: float = 2.0, slope: float = 3.0) -> list[law.Point]:
    found = []
    for layers in (1, 2, 4):
        for x in (1.0, 2.0, 3.0, 4.0, 6.0):
            for k in range(1, 9):
                share = 1 / (1 + (x / (c * k**alpha * layers**beta)) ** slope)
                place = f"latin-L{layers}-0", f"cell {x:.0f}", x, layers, k
                hits = np.arange(1000) < round(1000 * share)  # each run its own cluster
                found.append(law.Point(*place, np.stack([hits, np.ones(1000)], 1)))
    return found


@pytest.mark.parametrize(
    ("alpha", "beta", "form"),
    [
        (1, 1, "passes x depth"),
        (1, 0, "passes"),
        (0, 1, "depth"),
        (1, 0.5, "passes, any depth"),
        (0.5, 0.3, "any passes, any depth"),
    ],
)
def test_data_made_by_a_law_give_the_law(alpha, beta, form):
    held_out = ["cell 3"]
    found = law.law(points(alpha, beta), held_out)
    assert found["candidates"][form] == pytest.approx(0.0, abs=0.01)
    wrong = [name for name in ("neither", "depth", "passes") if name != form]
    assert all(found["candidates"][name] > 0.02 for name in wrong)
    assert found["constant"]["mean"] == pytest.approx(2.0, rel=0.02)
    assert found["slope"] == pytest.approx(3.0, rel=0.02)
    assert found["exponent_of_passes"]["mean"] == pytest.approx(alpha, abs=0.02)
    assert found["exponent_of_depth"]["mean"] == pytest.approx(beta, abs=0.02)
    assert found["constant"]["low"] < found["constant"]["mean"] < found["constant"]["high"]
    assert found["held_out_error"]["mean"] < 0.01 < found["baseline_error"]
    assert (found["n_cells"], found["n_held_out"], found["n_networks"]) == (4, 1, 3)
    assert all(p["held_out"] == (p["cell"] == "cell 3") for p in found["points"])


def test_held_out_cells_do_not_shape_the_law():
    none = [0, 1]  # of the hits and of the runs
    other = [
        replace(p, by_cluster=p.by_cluster * none) if p.cell == "cell 3" else p
        for p in points(1, 1)
    ]
    one, two = law.law(points(1, 1), ["cell 3"]), law.law(other, ["cell 3"])
    assert one["constant"]["mean"] == two["constant"]["mean"] and one["form"] == two["form"]
    assert two["held_out_error"]["mean"] > 0.3


def test_networks_without_held_out_cells_are_not_drawn():
    more = [
        replace(p, network=p.network.replace("-0", f"-{seed}"))
        for p in points(1, 1)
        for seed in (1, 2)
        if p.cell != "cell 3"
    ]
    found = law.law(points(1, 1) + more, ["cell 3"])
    assert found["held_out_error"]["networks"] == 3 and found["n_networks"] == 9
    assert law.law(more, ["cell 3"]) is None
    apart = [p for p in points(1, 1) if p.cell == "cell 3"]
    assert law.law(more + apart, ["cell 3"]) is None  # no network has cells of both kinds


def test_the_baseline_of_the_law_knows_depth_and_passes():
    same = [p for p in points(1, 1) if p.cell == "cell 2"]
    cells = [replace(p, cell=f"cell {i}") for p in same for i in range(1, 5)]
    assert law.law(cells, ["cell 3"])["baseline_error"] == 0.0


def test_passes_are_drawn_together():
    fitting = [p for p in points(1, 1) if p.cell != "cell 3"]
    test = [p for p in points(1, 1) if p.cell == "cell 3"]
    drawn, _ = next(law._resampled(fitting, test))
    for shares in ([p.share for p in drawn if p.cell == "cell 4" and p.layers == 1],):
        assert shares == sorted(shares) and shares != [p.share for p in fitting[:8]]


def test_no_law_of_too_little():
    assert law.law(points(1, 1), []) is None
    assert law.law([p for p in points(1, 1) if p.layers == 1], ["cell 3"]) is None
    assert law.law([p for p in points(1, 1) if p.x < 4], ["cell 3"]) is None


def test_points_are_of_one_family_and_of_plain_networks():
    rows = three_rounds("latin-L4-0") + three_rounds("latin-L4-0@2000") + three_rounds("exact")
    found = law.points_of(analysis.entries(rows), "latin", "rounds")
    assert [(p.passes, p.share, p.x, p.layers) for p in found] == [
        (1, 0.0, 3.0, 4), (2, 0.0, 3.0, 4), (3, 1.0, 3.0, 4)
    ]  # fmt: skip
    assert not law.points_of(analysis.entries(rows), "relay", "rounds")
    assert not law.points_of(analysis.entries(rows), "latin", "log2")


# Path or passes.


@pytest.fixture(scope="module")
def walked(folder, tmp_path_factory) -> tuple[PathOrPasses, dict[tuple, dict]]:
    ours = experiment(PathOrPasses, folder)
    names = ["latin-L2-0", "relay-L1-0"]
    runs = ours.plan(networks=str(folder), names=names, **PATHS)
    store = Store(tmp_path_factory.mktemp("rows"), ours.name)
    rows = sweep(ours, store, runs, Counter, batch=1)
    assert Counter.last.n == Counter.last.total
    return ours, {(row["run"]["cell"], row["run"]["way"]): row for row in rows}


def test_every_way_starts_from_step_0_and_has_its_evaluations(walked):
    ours, rows = walked
    assert {way for cell, way in rows if cell == UNIQUE} == set(WAYS)
    assert {way for cell, way in rows if cell == RELAY} == set(WAYS) - {"late clues"}
    for (_, way), row in rows.items():
        valid = row["result"]["valid_at"]
        assert len(valid) == (3 if way == "late clues" else 4)
        if way != "late clues":
            assert valid[0] == rows[row["run"]["cell"], "path"]["result"]["valid_at"][0]
        options = {"equal noise": COARSE, "tuned path": (1.0, 5.0)}.get(way, (None,))
        assert row["result"]["chosen"] in options
        assert ours.measure(row["run"]) == row["result"]


def test_a_restart_is_one_pass_on_the_estimate_of_step_0(walked, folder):
    model, batch = VideoModel.load(folder / "latin-L2-0"), batch_of(UNIQUE, 0, 4, 3, "test")
    path = batch.generate(model, replace(preset("mini"), steps=4))
    x = renoised(path.x0_hats[0], path.sigmas[2], batch.names)
    output = model.predict(
        x, torch.tensor(1000.0 * path.sigmas[2]), batch.condition, preset("mini")
    )
    expected = "".join("01"[int(v)] for v in batch.valid(output.float()))
    assert walked[1][UNIQUE, "restart"]["result"]["valid_at"][2] == expected


def test_half_of_the_open_cells_are_revealed():
    for sample in batch_of(SEVERAL, 0, 5, 3, "test").samples:
        shown = revealed(sample)
        before, after = (np.array(s.state["clues"]) for s in (sample, shown))
        opened = (before < 0).sum()
        assert (after < 0).sum() == opened // 2 and (after == before)[before >= 0].all()
        assert set(shown.solutions.answers) <= set(sample.solutions.answers)
        assert len(shown.solutions) >= 1
        assert revealed(sample).state == shown.state


def test_clues_that_arrive_at_once_were_there_from_the_start(walked, folder):
    model, batch = VideoModel.load(folder / "latin-L2-0"), batch_of(UNIQUE, 0, 4, 3, "test")
    shown = SymbolBatch([revealed(s) for s in batch.samples], batch.seeds)
    schedule = replace(preset("mini"), steps=4)
    never = shown.valid(batch.generate(model, schedule).x0_hats[-1])
    at_once = shown.valid(shown.generate(model, schedule).x0_hats[-1])
    valid = walked[1][UNIQUE, "late clues"]["result"]["valid_at"]
    assert valid[0] == "".join("01"[int(v)] for v in at_once)
    assert valid[-1] == "".join("01"[int(v)] for v in never)


def test_passes_under_equal_noise_are_those_of_the_controls(walked, folder):
    ours, rows = walked
    result = rows[UNIQUE, "equal noise"]["result"]
    batch = batch_of(UNIQUE, 0, 4, 3, "test")
    subject = ours.subject("latin-L2-0")
    path = subject.generate(batch, ours.in_steps(4))
    runs = ours.started(batch, subject, path, None)
    again = passes(runs, path.x0_hats[0], result["chosen"], 3, fresh=False)
    assert result["valid_at"][1:] == ["".join("01"[int(v)] for v in each) for each in again]


def test_the_shift_is_the_best_one_on_validation_samples(walked, monkeypatch):
    """With shift 1 the validation samples are all valid, with 5 none."""
    ours, rows = walked
    work = path_or_passes._Work(ours, ours.run_of(rows[UNIQUE, "path"]["run"]), None)
    own = work._generated
    monkeypatch.setattr(
        work, "_generated", lambda batch, s: s if batch is work.others else own(batch, s)
    )

    class Others:
        def valid(self, estimates):
            return np.full(4, estimates == 1.0)

    work.others = Others()
    monkeypatch.setattr(
        type(ours.schedule), "x0_hats", property(lambda s: [s.shift]), raising=False
    )
    shift, valid = work.tuned()
    expected = work.batch.along(own(work.batch, replace(work.schedule, shift=1.0)))
    assert shift == 1.0 and (valid == expected).all()


def way_rows(valid: dict[str, list[str]], network: str = "latin-L1-0") -> list[dict]:
    return [
        {
            "run": {"network": network, "cell": UNIQUE, "way": way, "late": [0, 1]},
            "result": {"valid_at": texts, "clusters": list("abcd"), "sigmas": [1.0, 0.5, 0.0]}
            | {"chosen": 0.5 if way == "equal noise" else None},
        }
        for way, texts in valid.items()
    ]


def test_ways_are_compared_with_the_path_by_hand():
    valid = {
        "path": ["0000", "1100", "1100"],
        "stochastic": ["0000", "0000", "1110"],
        "equal noise": ["0000", "0000", "1000"],
        "tuned path": ["0000", "0000", "1111"],
        "restart": ["0000", "1000", "1111"],
        "late clues": ["1111", "1100", "0000"],
    }
    (each,) = path_analysis.curves(way_rows(valid))
    assert [v["mean"] for v in each["ways"]["path"]] == [0.0, 0.5, 0.5]
    assert each["chosen"] == {"equal noise": 0.5}
    expected = {
        "stochastic_minus_path": 0.25,
        "equal_noise_minus_path": -0.25,
        "tuned_path_minus_path": 0.5,
        "restart_minus_own": 0.125,  # -1/4 at one step, 1/2 at the next
        "late_minus_early_clues": -0.5,
    }
    assert {name: v["mean"] for name, v in each["statistics"].items()} == expected
    found = path_analysis.strata([each])[f"{UNIQUE}/L1/S3"]
    assert {name: v["mean"] for name, v in found.items()} == expected


def test_the_ways_of_several_networks_of_a_depth_are_one_stratum():
    better = {"path": ["0000", "0000"], "stochastic": ["0000", "1111"]}
    equal = {"path": ["0000", "0000"], "stochastic": ["0000", "0000"]}
    rows = way_rows(better) + way_rows(equal, "latin-L1-1") + way_rows(better, "latin-L2-0")
    found = path_analysis.strata(path_analysis.curves(rows))
    one = found[f"{UNIQUE}/L1/S2"]["stochastic_minus_path"]
    assert (one["mean"], one["n"], one["networks"]) == (0.5, 8, 2) and one["low"] < 0.0
    assert found[f"{UNIQUE}/L2/S2"]["stochastic_minus_path"]["mean"] == 1.0


def test_passes_under_fresh_noise_come_from_the_diagram():
    row = made_row("latin-L1-0", UNIQUE, valid_at=["0000"] * 3, I=["0000", "0110", "0111"])
    entries = analysis.entries([row])
    rows = way_rows({"path": ["0000", "1100", "1100"]})
    (each,) = path_analysis.curves(rows, entries)
    assert [v["mean"] for v in each["ways"]["fresh noise"]] == [0.0, 0.5, 0.75]
    assert each["chosen"] == {"fresh noise": 0.3}
    (short,) = path_analysis.curves(way_rows({"path": ["0000"] * 4}), entries)
    assert "fresh noise" not in short["ways"]  # of 4 passes, 3 were tried


def test_statistics_of_a_stratum_from_two_sources_are_kept_together():
    found = strata.joined({"a": {"x": 1}}, {"a": {"y": 2}, "b": {"x": 3}})
    assert found == {"a": {"x": 1, "y": 2}, "b": {"x": 3}}


# Pictures.


def test_a_board_mixes_the_colours_that_it_shows():
    beliefs = np.array([[0.5, 0.5], [0.0, 0.0], [1.0, 1.0], [0.0, 0.25]])
    pixels = tiles.board(beliefs, [[-1, -1], [-1, 1]]) / 255
    red, yellow = (np.array(COLOURS[name]) for name in ("red", "yellow"))
    middle = [tiles.GAP + tiles.TILE // 2 + (tiles.GAP + tiles.TILE) * i for i in (0, 1)]
    expected = [
        red / 2 + yellow / 2,
        PAPER,
        red / 2 + yellow / 2,
        0.25 * yellow + 0.75 * np.array(PAPER),
    ]
    for cell, colour in enumerate(expected):
        place = middle[cell // 2], middle[cell % 2]
        np.testing.assert_allclose(pixels[place], colour, atol=0.01)
    corner = tiles.GAP + tiles.GAP + tiles.TILE
    assert pixels[corner, corner].max() < 0.2 < pixels[tiles.GAP, tiles.GAP].max()  # a clue's frame
    clues = tiles.board(None, [[-1, -1], [-1, 1]]) / 255
    np.testing.assert_allclose(clues[middle[1], middle[1]], yellow, atol=0.01)
    np.testing.assert_allclose(clues[middle[0], middle[0]], PAPER, atol=0.01)


@pytest.fixture(scope="module")
def shown(folder, tmp_path_factory) -> list[dict]:
    ours = experiment(Boards, folder)
    fixed = {"cells": [UNIQUE, RELAY], "index": 1, "steps": 3, "suite_seed": 3}
    runs = ours.plan(networks=str(folder), names=["latin-L1-0", "latin-L2-0"], **fixed)
    rows = sweep(ours, Store(tmp_path_factory.mktemp("rows"), ours.name), runs, Counter, batch=1)
    assert Counter.last.n == Counter.last.total == 6 and {r["run"]["cell"] for r in rows} == {
        UNIQUE
    }
    return rows


def test_boards_show_what_is_decided(shown):
    for row in shown:
        result, sample = row["result"], batch_of(UNIQUE, 1, 1, 3, "test").samples[0]
        assert result["clues"] == sample.state["clues"]
        last = np.array(result["beliefs"])[-1]
        assert last.shape == (16, 4)
        assert [last[p, int(v)] for p, v in enumerate(result["answer"])] == last.max(1).tolist()
        assert result["valid"] is (result["valid_at"][-1] == "1")


def test_the_animation_is_the_same_every_time(shown, measured):
    summary = analysis.summary(analysis.entries(measured[1]))
    moving = tiles.animation(shown, summary)
    assert moving == tiles.animation(shown, summary)
    with Image.open(io.BytesIO(moving)) as image:
        assert image.n_frames == 3 and image.format == "GIF"


def test_figures_are_drawn_of_whatever_there_is(measured, walked, shown):
    entries = analysis.entries(measured[1])
    summary = analysis.summary(entries)
    paths = path_analysis.curves(walked[1].values())
    figures = [
        diagram.diagram(summary, [2, 3]),
        plots.gains(summary["strata"], 3),
        plots.gains(summary["strata"], 99),
        plots.law({"made up": law.law(points(1, 1), ["cell 3"]), "none": None}),
        plots.law({}),
        path_plots.at_one_level(summary["at_one_level"]),
        path_plots.paths(paths),
        path_plots.late(paths),
        plots.scratchpad(summary["scratchpad"], 3),
        plots.equal(summary["cells"], [4, 5]),
        plots.training(summary["training"]),
        tiles.headline(shown, summary, 3),
    ]
    texts = [t.get_text() for axis in figures[0].axes for t in axis.texts]
    shares = {each["at_end"] for each in summary["diagram"]}
    assert texts and all("\u2192" in text for text in texts) and shares
    plt.close("all")


# The notebook.


def test_the_notebook_runs(folder, tmp_path):
    smoke = scales_of("7_when_steps_matter")["smoke"]
    for name in ("latin-L1-0", "latin-L4-0"):
        shutil.copytree(folder / "latin-L1-0", tmp_path / "nets" / name)
    place = {"networks": str(tmp_path / "nets"), "model": str(tmp_path / "nets/latin-L1-0")}
    for group in ("diagram", "passes", "boards"):
        smoke[group] |= place
    out = {"results": str(tmp_path / "results"), "out": str(tmp_path / "figures")}
    source = ROOT / "notebooks/7_when_steps_matter.ipynb"
    papermill.execute_notebook(
        source, tmp_path / "done.ipynb", {"section": smoke} | out, cwd=ROOT, progress_bar=False,
        kernel_name="python3",
    )  # fmt: skip
    done = nbformat.read(tmp_path / "done.ipynb", 4)
    assert sum(bool(c.get("outputs")) for c in done.cells) >= 2
    assert (tmp_path / "figures/7_when_steps_matter.json").exists()
    assert (tmp_path / "figures/7_when_steps_matter/headline.gif").stat().st_size < 2e6
