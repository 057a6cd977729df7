"""A sweep on a Ray cluster of two processes: the rows of one machine, bit by bit, also if a worker is killed."""

import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import tiny

from chain_of_steps import cluster, registry
from chain_of_steps.experiments.perturbation import Perturbation, Run
from chain_of_steps.experiments.step_visualization import StepVisualization
from chain_of_steps.interventions import NoiseAtStep
from chain_of_steps.mini import save_pipeline
from chain_of_steps.models import VideoModel
from chain_of_steps.schedule import Schedule, preset
from chain_of_steps.store import Store
from chain_of_steps.sweep import sweep

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import another  # noqa: E402

SCHEDULE = Schedule("test", "euler", steps=4, shift=3.0)
RUNS = [
    Run("bounce", index, 7, index, design, noises)
    for index in range(6)
    for design, noises in (("clean", ()), ("step", (NoiseAtStep(2),)), ("step", (NoiseAtStep(1),)))
]


class Traced(Perturbation):
    """Leaves a note of the process and the group it begins, and gives it time to be killed."""

    def __init__(self, model: VideoModel, schedule: Schedule, notes: Path, fatal: str = ""):
        super().__init__(model, schedule)
        self.notes, self.fatal = notes, fatal

    def results(self, runs, count=None):
        (self.notes / f"{os.getpid()}.{runs[0].index}.{time.time_ns()}").touch()
        if self.fatal == "error" and runs[0].index == 3:
            raise ValueError("no answer to sample 3")
        if self.fatal == "death" and runs[0].index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.3)
        yield from super().results(runs, count)


class Bar:
    """A progress bar that only counts."""

    def __init__(self, total, unit):
        self.total, self.n = total, 0

    def update(self, n=1):
        self.n += n


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="Ray is not installed; `pip install 'chain-of-steps[ray]'` brings it")
    path = os.pathsep.join([str(Path(cluster.__file__).parents[1]), str(Path(__file__).parent), *sys.path])
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    yield ray
    ray.shutdown()


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "notes").mkdir()
    return Traced(VideoModel(tiny.mini_like()), SCHEDULE, tmp_path / "notes")


def sealed(folder: Path) -> bytes:
    Store(folder, "x").seal()
    return (folder / "x.jsonl").read_bytes()


def test_rows_are_those_of_one_machine_and_each_worker_takes_its_share(ray, experiment, tmp_path):
    bars = []
    rows = sweep(
        experiment, Store(tmp_path / "ray", "x"), RUNS, lambda **how: bars.append(Bar(**how)) or bars[0], executor="ray"
    )
    workers = {note.name.split(".")[0] for note in experiment.notes.iterdir()}
    assert len(workers) == 2 and str(os.getpid()) not in workers
    assert len(bars) == 1 and bars[0].n == bars[0].total > 0, "one progress bar, and it fills"
    assert rows == sweep(experiment, Store(tmp_path / "here", "x"), RUNS)
    assert sealed(tmp_path / "ray") == sealed(tmp_path / "here")


def test_a_killed_worker_is_replaced_and_its_work_done_again(ray, experiment, tmp_path):
    killed = []

    def kill() -> None:
        while len(notes := sorted(experiment.notes.iterdir(), key=lambda note: note.name.split(".")[2])) < 3:
            time.sleep(0.01)
        killed.append(notes[-1].name.split("."))
        os.kill(int(killed[0][0]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    sweep(experiment, Store(tmp_path / "ray", "x"), RUNS, executor="ray")
    thread.join()
    notes = [note.name.split(".") for note in experiment.notes.iterdir()]
    process, group, _ = killed[0]
    assert len({note[0] for note in notes}) == 3, "a new process took the place of the killed one"
    assert {note[0] for note in notes if note[1] == group} > {process}, "its group was begun again by another"
    sweep(experiment, Store(tmp_path / "here", "x"), RUNS)
    assert sealed(tmp_path / "ray") == sealed(tmp_path / "here")


def test_what_an_experiment_raises_arrives_and_finished_rows_are_kept(ray, experiment, tmp_path):
    experiment.fatal = "error"
    with pytest.raises(ValueError, match="no answer to sample 3"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor="ray")
    assert 0 < len(Store(tmp_path, "x").rows) < len(RUNS)


def test_a_group_that_kills_every_worker_is_given_up(ray, experiment, tmp_path):
    experiment.fatal = "death"
    with pytest.raises(RuntimeError, match=f"lost its worker {cluster.LOST + 1} times, perhaps for want of memory"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor="ray")
    deaths = [note for note in experiment.notes.iterdir() if note.name.split(".")[1] == "3"]
    assert len(deaths) == cluster.LOST + 1 and Store(tmp_path, "x").rows


def test_a_cluster_without_a_gpu_is_said(ray, experiment, tmp_path):
    with pytest.raises(ValueError, match="the Ray cluster has no GPU; start its nodes with some"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor=cluster.Ray(device="cuda"))


def test_another_model_is_computed_on_the_cluster_ahead_of_its_notebooks(ray, tmp_path):
    tiny.wan21_like().save_pretrained(tmp_path / "tiny-wan")
    section = {"tasks": ["bounce"], "samples_per_task": 2, "null_per_task": 0, "null_seeds": 0, "suite_seed": 7}
    wanted = {"1_step_visualization": section | {"preset": "student"}}
    load = {"device": "cpu", "dtype": "float32", "size": 48, "frames": 9}
    another.ahead(wanted, str(tmp_path / "tiny-wan"), load, tmp_path / "runs", cluster.Ray("auto"))
    model = VideoModel.load(tmp_path / "tiny-wan", **load)
    experiment = StepVisualization(model, preset("student"))
    store = Store(tmp_path / "runs", experiment.name)
    assert all(store.get(experiment.identity(run)) for run in experiment.plan(**section))


def test_every_experiment_can_be_sent(ray):
    found = registry.experiments(ROOT / "params.yaml", "smoke", lambda _: VideoModel(tiny.mini_like()))
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
    with pytest.raises(ValueError, match="holds other weights here than where the sweep was started"):
        pickle.loads(sent)


def test_an_unknown_executor_is_refused_and_a_missing_ray_is_said(experiment, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="unknown executor 'slurm'; expected local or ray"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor="slurm")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="Ray is not installed; `pip install"):
        sweep(experiment, Store(tmp_path, "x"), RUNS, executor="ray")
