"""What `make reproduce` verifies: stored rows against the weights, and the exit code."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import yaml

from chain_of_steps.experiments.store import Store, key_of
from chain_of_steps.figures import registry
from chain_of_steps.figures.step_visualization.runs import Room
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import EXPERIMENT_VERSION

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import reproduce  # noqa: E402

AFFORDABLE = 250  # model evaluations to compute one row again
ROW = {"score": 0.5, "answer": 2, "x": [0.1, None, 0.3]}


def load_tiny(folder: str) -> VideoModel:
    return VideoModel(tiny.mini_like())


def test_equal_results_are_identical():
    assert reproduce.compare(ROW, ROW | {"x": [0.1, None, 0.3]}) == (
        True,
        True,
        True,
    )


def test_another_answer_and_another_number_are_seen():
    assert reproduce.compare(ROW, ROW | {"answer": -1}) == (False, False, False)
    assert reproduce.compare(ROW, ROW | {"score": 0.505}) == (False, True, True), "within tolerance"
    assert reproduce.compare(ROW, ROW | {"score": 0.6}) == (False, True, False)
    assert reproduce.compare(ROW, ROW | {"x": [0.1]})[2] is False


def test_the_exit_code_is_one_only_if_more_than_a_twentieth_differs(capsys):
    good, bad = (False, True, True), (False, False, True)
    assert reproduce.table({"a": [good] * 19 + [bad]}, {"a": 20}) == 0
    assert reproduce.table({"a": [good] * 18 + [bad] * 2}, {"a": 20}) == 1
    assert reproduce.table({"a": [], "b": [(True, True, True)]}, {"a": 3, "b": 1}) == 0
    assert "a | 20 | 20 | 0 | 19 | 20" in capsys.readouterr().out


def test_every_experiment_is_among_the_recomputed_runs(released):
    stored = {
        name: (
            experiment,
            {key_of(experiment.identity(run)): {"run": experiment.identity(run)} for run in runs},
        )
        for name, (experiment, runs) in released.items()
    }
    jobs, too_dear = reproduce.draw(stored, 1e9)
    assert not too_dear and {name for name, _ in jobs[: len(stored)]} == set(stored)
    assert sorted(jobs) == sorted((name, key) for name, (_, rows) in stored.items() for key in rows)
    assert jobs == reproduce.draw(stored, 1e9)[0]
    cheap, too_dear = reproduce.draw(stored, 10)
    assert {name for name, _ in cheap} | set(too_dear) == set(stored)
    assert {"1_room", "6_symbol_budget_shallow"} <= {name for name, _ in cheap}, (
        "symbol networks are faster"
    )
    assert too_dear["3_onsets"] > 10 * released["3_onsets"][0].speed


def test_the_documentation_says_how_much_may_differ():
    text = " ".join((ROOT / "docs" / "robustness.md").read_text(encoding="utf-8").split())
    share, tolerance = f"{100 * reproduce.MAY_DIFFER:.0f} %", reproduce.TOLERANCE
    assert (
        f"more than {share} of them differ in their answer, or by more than {tolerance} in a number"
        in text
    )


@pytest.mark.parametrize("notebook", registry.folders(ROOT / "params.yaml"))
def test_every_section_of_the_parameters_has_its_experiments(notebook):
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text())
    for scale in ("smoke", "mini", "real"):
        assert set(parameters[scale]) == set(parameters["figures"])
        section = {notebook: parameters[scale][notebook]}
        try:
            uses = registry.uses(ROOT / "params.yaml", section, load_tiny, "data/mini")
        except FileNotFoundError as error:
            pytest.skip(str(error))  # symbol networks
        for _, runs in registry.together(uses).values():
            assert len(set(runs)) == len(runs) > 0


def test_notebooks_share_rows_and_choose_their_pictures_from_their_own(tmp_path, monkeypatch):
    shown: list[list[int]] = []

    class Noted(Room):
        showcases = ("note",)

        def note(self, rows: list[dict], results: Path) -> None:
            shown.append([row["run"]["index"] for row in rows])

    experiment = Noted(load_tiny(""), preset("mini/2"))
    plans = [experiment.plan(["bounce walls=1"], count, 7) for count in (1, 2)]
    monkeypatch.setattr(
        reproduce, "uses", lambda: [registry.Use("x", experiment, runs) for runs in plans]
    )
    monkeypatch.setattr(reproduce, "WORKERS", 1)
    reproduce.compute(tmp_path)
    assert len(Store(tmp_path, experiment.name).rows) == 2, "none was deleted"
    assert shown == [[0], [0, 1]]


NAMES = [
    kind.name
    for folder in registry.folders(ROOT / "params.yaml").values()
    for kind in registry.classes(folder).values()
]


@pytest.fixture(scope="module")
def released() -> dict[str, tuple]:
    for name in ("mini", "student", "symbols/latin-L4-0"):
        if not (ROOT / "data" / name / "model_index.json").exists():
            pytest.skip(f"data/{name} is not here; `dvc pull` fetches it")
    return reproduce.experiments()


@pytest.mark.parametrize("name", NAMES)
def test_stored_rows_come_out_again_bit_by_bit(name, request):
    """Twenty rows of all experiments; a failure may mean that `EXPERIMENT_VERSION` was not raised.

    On another kind of machine than that which wrote the rows, answers and numbers must agree, but
    not the bits.
    """
    rows = Store(ROOT / "results", name).rows
    if not rows:
        pytest.skip("its rows are not here; `dvc pull` fetches them")
    experiment, runs = request.getfixturevalue("released")[
        name
    ]  # after it is known that there is a model
    by_key = {reproduce.key_of(experiment.identity(run)): run for run in runs}
    assert {row["run"]["version"] for row in rows.values()} == {EXPERIMENT_VERSION}
    assert set(rows) == set(by_key)
    cheap = [key for key in sorted(rows) if experiment.evaluations([by_key[key]]) <= AFFORDABLE]
    if not cheap:
        pytest.skip("each of its rows takes thousands of evaluations; see `make reproduce FULL=1`")
    for key in random.Random(0).sample(cheap, min(len(cheap), 20 // len(NAMES) + 1)):
        identical, *near = reproduce.compare(
            rows[key]["result"], experiment.measure(rows[key]["run"])
        )
        assert identical if reproduce.same_machine(ROOT / "results") else all(near), rows[key][
            "run"
        ]


def test_rows_do_not_hang_on_whether_a_processor_has_avx512():
    assert "AVX512" not in reproduce.machine()["kernels"]


@pytest.fixture
def edited(tmp_path, monkeypatch) -> Path:
    """A project whose params.yaml the reader has changed since the last commit."""
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
    for name in reproduce.DECIDE:
        (tmp_path / name).write_text("committed: 1\n")
    for call in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *call], cwd=tmp_path, check=True)
    assert reproduce.changes(tmp_path) == []
    (tmp_path / "params.yaml").write_text("committed: 2\n")
    monkeypatch.setattr(reproduce, "ROOT", tmp_path)
    return tmp_path


def test_changed_parameters_do_not_replace_committed_figures_unasked(edited, monkeypatch):
    done: list[tuple] = []
    monkeypatch.setattr(reproduce, "_pull", lambda: done.append(("pull",)))
    monkeypatch.setattr(reproduce, "_dvc", lambda *call: done.append(call))
    with pytest.raises(ValueError, match=r"^params\.yaml differs .* add REPLACE=1 .* `make figure"):
        reproduce.redraw()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: "n")
    with pytest.raises(ValueError, match="would be replaced"):
        reproduce.redraw()
    assert not done
    monkeypatch.setattr("builtins.input", lambda: "y")
    reproduce.redraw()
    reproduce.redraw(replace=True)
    assert done == [("pull",), ("repro", "--force")] * 2


def test_without_git_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert reproduce.changes(tmp_path) == []
