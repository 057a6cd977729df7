"""A sweep on a Ray cluster of two processes: the same rows as on one machine, bit by bit, whatever
is killed meanwhile."""

import os
import pickle
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny
import torch
from noised import Noised
from traced import Traced

from chain_of_steps.experiments import ray_cluster
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures import registry
from chain_of_steps.figures.sample_runs import SampleRun
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.interventions import NoiseAtStep
from chain_of_steps.training.recipe import save_pipeline

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import reproduce_model  # noqa: E402

SCHEDULE = Schedule("test", "euler", steps=4, shift=3.0)
RUNS = [
    SampleRun("bounce walls=1", index, 7, index, design, noises)
    for index in range(6)
    for design, noises in (("clean", ()), ("step", (NoiseAtStep(2),)), ("step", (NoiseAtStep(1),)))
]


class Bar:
    """A progress bar that only counts."""

    def __init__(self, total, unit):
        self.total, self.n = total, 0

    def update(self, n=1):
        self.n += n


def start(ray, **more) -> None:
    path = os.pathsep.join(
        [str(Path(ray_cluster.__file__).parents[1]), str(Path(__file__).parent), *sys.path]
    )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    python = shlex.quote(sys.executable)  # Ray hands it to a shell, and paths may have spaces
    env = {"env_vars": {"PYTHONPATH": path}, "py_executable": python}
    ray.init(log_to_driver=False, runtime_env=env, **more)


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip(
        "ray", reason="Ray is not installed; `pip install 'chain-of-steps[ray]'` brings it"
    )
    start(ray, num_cpus=2, include_dashboard=False)
    yield ray
    ray.shutdown()


def traced(notes: Path, fatal: str = "") -> Traced:
    return Traced(VideoModel(tiny.mini_like()), SCHEDULE, notes, fatal)


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "notes").mkdir()
    return traced(tmp_path / "notes")


def begun(experiment: Traced) -> list[tuple[str, int]]:
    """(process, group) of every note."""
    notes = [note.name.split(".") for note in experiment.notes.iterdir()]
    return [(process, int(group)) for process, group in notes]


def sealed(folder: Path) -> bytes:
    Store(folder, "x").seal()
    return (folder / "x.jsonl.gz").read_bytes()


def test_workers_killed_at_five_moments_are_replaced_and_the_bytes_are_the_same(
    ray, experiment, tmp_path
):
    assert experiment.evaluations(RUNS[:3]) == 9
    experiment.kills, bars = {0: 1, 1: 3, 2: 5, 3: 7, 4: 9}, []
    rows = sweep(
        experiment,
        Store(tmp_path / "ray", "x"),
        RUNS,
        lambda **how: bars.append(Bar(**how)) or bars[0],
        executor="ray",
    )
    notes = begun(experiment)
    assert sorted(group for _, group in notes) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5], (
        "what was killed was begun again"
    )
    workers = {process for process, _ in notes}
    assert len(workers) == 2 + 5, "a new process took the place of each that was killed"
    assert str(os.getpid()) not in workers
    assert len(bars) == 1 and bars[0].n == bars[0].total > 0, "one progress bar, and it fills"
    experiment.kills = {}
    assert rows == sweep(experiment, Store(tmp_path / "here", "x"), RUNS)
    assert sealed(tmp_path / "ray") == sealed(tmp_path / "here")


def drive(address: str, folder: str) -> None:
    """A process to be killed: it connects to the cluster and drives a sweep that does not end."""
    import ray

    start(ray, address=address)
    torch.set_num_threads(1)
    sweep(
        traced(Path(folder) / "notes", "wait"),
        Store(Path(folder) / "ray", "x"),
        RUNS,
        executor="ray",
    )


@pytest.mark.filterwarnings("ignore:.*damaged")  # a line that the kill cut short
def test_when_the_driving_process_is_killed_the_next_goes_on_with_the_same_bytes(
    ray, experiment, tmp_path
):
    address = ray.get_runtime_context().gcs_address
    call = f"import test_cluster; test_cluster.drive({address!r}, {str(tmp_path)!r})"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    driver = subprocess.Popen([sys.executable, "-c", call], env=os.environ | {"PYTHONPATH": path})
    file = tmp_path / "ray" / "x.jsonl"
    while driver.poll() is None and (not file.exists() or file.read_bytes().count(b"\n") < 4):
        time.sleep(0.01)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL, "it should have been killed in the middle"
    kept = Store(tmp_path / "ray", "x").rows
    assert 4 <= len(kept) < len(RUNS)
    for note in experiment.notes.iterdir():
        note.unlink()
    rows = sweep(experiment, Store(tmp_path / "ray", "x"), RUNS, executor="ray")
    missing = {row["run"]["index"] for row in rows if row["key"] not in kept}
    assert {group for _, group in begun(experiment)} == missing, (
        "only what was missing was computed"
    )
    sweep(experiment, Store(tmp_path / "here", "x"), RUNS)
    assert sealed(tmp_path / "ray") == sealed(tmp_path / "here")


def test_what_an_experiment_raises_arrives_and_finished_rows_are_kept(ray, experiment, tmp_path):
    experiment.fatal = "error"
    with pytest.raises(ValueError, match="no answer to sample 3"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor="ray")
    assert 0 < len(Store(tmp_path, "x").rows) < len(RUNS)


def test_a_group_that_kills_every_worker_is_given_up(ray, experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster, "LOST", 1)
    experiment.fatal = "death"
    with pytest.raises(RuntimeError, match="lost its worker 2 times, perhaps for lack of memory"):
        sweep(
            experiment,
            Store(tmp_path, "x"),
            [run for run in RUNS if run.index == 3],
            executor="ray",
        )
    assert [group for _, group in begun(experiment)] == [3, 3]


def test_a_cluster_without_a_gpu_is_said(ray, experiment, tmp_path):
    with pytest.raises(ValueError, match="the Ray cluster has no GPU; start its nodes with some"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor=ray_cluster.Ray(device="cuda"))


def test_another_model_is_computed_on_the_cluster_ahead_of_its_notebooks(
    ray, tmp_path, monkeypatch
):
    monkeypatch.setattr(registry, "classes", lambda folder: {registry.WHOLE: Noised})
    tiny.wan21_like().save_pretrained(tmp_path / "tiny-wan")
    section = {
        "cells": ["bounce walls=1"],
        "samples_per_cell": 2,
        "suite_seed": 7,
        "step_stride": 2,
        "frame_stride": 8,
    }
    wanted = {"1_step_visualization": section | {"preset": "student"}}
    load = {"device": "cpu", "dtype": "float32", "size": 48, "frames": 9}
    reproduce_model.ahead(
        wanted, str(tmp_path / "tiny-wan"), load, tmp_path / "runs", ray_cluster.Ray("auto")
    )
    model = VideoModel.load(tmp_path / "tiny-wan", **load)
    experiment = Noised(model, preset("student"))
    store = Store(tmp_path / "runs", experiment.name)
    assert all(store.get(experiment.identity(run)) for run in experiment.plan(**section))


def test_every_experiment_can_be_sent(ray):
    found = registry.experiments(
        ROOT / "params.yaml", "smoke", lambda _: VideoModel(tiny.mini_like())
    )
    for experiment, _ in found.values():
        sent = ray.cloudpickle.loads(ray.cloudpickle.dumps(experiment))
        assert sent.model.fingerprint == experiment.model.fingerprint


def test_a_model_of_a_folder_travels_as_its_address_and_must_be_the_same_there(tmp_path):
    pipe = tiny.mini_like()
    save_pipeline(tmp_path, pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    model = VideoModel.load(tmp_path)
    sent = pickle.dumps(model)
    assert len(sent) < 1000 and pickle.loads(sent).fingerprint == model.fingerprint
    other = tiny.mini_like(seed=1)
    save_pipeline(tmp_path, other.vae, other.text_encoder, other.transformer, preset("mini"))
    with pytest.raises(
        ValueError, match="holds other weights here than where the sweep was started"
    ):
        pickle.loads(sent)


def test_an_unknown_executor_is_refused_and_a_missing_ray_is_said(
    experiment, tmp_path, monkeypatch
):
    with pytest.raises(ValueError, match="unknown executor 'slurm'; expected local or ray"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor="slurm")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="Ray is not installed; `pip install"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor="ray")
