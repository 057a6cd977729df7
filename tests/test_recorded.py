"""A VBVR-Bench folder as tasks: ground truth scores 1, a still 0; experiments run on it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

from chain_of_steps.bench import recorded, tasklist, vbvr
from chain_of_steps.common.pictures import fitted
from chain_of_steps.common.video import read_video, write_video
from chain_of_steps.figures.perturbation_curves.runs import Perturbation
from chain_of_steps.figures.step_visualization.runs import StepVisualization
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "vbvr-samples" / "gt"
NEEDS_SAMPLES = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the real samples, vbvr-samples/, are not here"
)


@pytest.fixture
def folder(tmp_path):
    samples = {task: tasklist.draw(task, 2, 0) for task in ("maze", "bounce")}
    vbvr.export_suite(samples, tmp_path / "gt", size=96, frames=9)
    return tmp_path / "gt"


def test_the_tasks_of_a_folder_are_named_by_place_and_content(folder):
    names = tasklist.task_names(str(folder))
    assert [name.split("::")[1].split("@")[0] for name in names] == ["bounce", "maze"]
    assert tasklist.task_names(names) == names and tasklist.find(names[0]).split == "in-domain"


def test_ground_truth_is_the_answer_and_a_still_is_not(folder):
    for name in tasklist.task_names(str(folder)):
        sample = tasklist.draw_one(name, 0, 7)
        truth = sample.render(size=96, frames=9)
        assert sample.score(truth) == 1.0 and sample.answer(truth[-1]) == "ground truth"
        assert sample.score(np.repeat(truth[:1], 9, axis=0)) == 0.0
        assert sample.evidence(truth[-1])[0] > 0.9 > 0.1 > sample.evidence(truth[0])[0]
        assert sample.key != tasklist.draw_one(name, 1, 7).key


def test_unrelated_samples_come_from_other_tasks(folder):
    bounce, maze = tasklist.task_names(str(folder))
    assert tasklist.draw_one(maze, 0, 7).task == maze
    assert {tasklist.draw_one(maze, i, 7, "choosing").task for i in range(4)} == {bounce}
    assert tasklist.draw_one(maze, 1000, 7).task == bounce


def test_a_folder_that_has_changed_is_noticed(folder):
    name = tasklist.task_names(str(folder))[0]
    recorded._read.cache_clear()
    next(folder.glob("*/bounce*/*/prompt.txt")).write_text("something else")
    with pytest.raises(ValueError, match="or its samples have changed"):
        tasklist.find(name)


def test_a_folder_without_answers_is_refused(folder):
    next(folder.rglob("ground_truth.mp4")).unlink()
    with pytest.raises(ValueError, match=r"has no ground_truth\.mp4"):
        tasklist.task_names(str(folder))


def test_ground_truth_of_other_proportions_is_refused_before_anything_runs(folder):
    wide = next(folder.rglob("ground_truth.mp4"))
    write_video(wide, np.zeros((5, 64, 96, 3), np.uint8))
    with pytest.raises(ValueError, match=r"96 x 64 .* a first frame of 96 x 96; expected the same"):
        tasklist.task_names(str(folder))


def widen(folder, task: str, shape: tuple[int, int]) -> None:
    """Stretches the samples of a task."""
    for truth in folder.rglob(f"{task}_data-generator/*/ground_truth.mp4"):
        clip = np.stack([fitted(frame, shape, (96, 96)) for frame in read_video(truth)])
        write_video(truth, clip)
        Image.fromarray(clip[0]).save(truth.with_name("first_frame.png"))


def test_experiments_run_on_tasks_of_different_shapes(folder):
    widen(folder, "maze", (64, 96))
    bounce, maze = tasklist.task_names(str(folder))
    assert recorded.widest(folder, 96) == 128
    for name, shape in ((bounce, (96, 96)), (maze, (96, 128))):
        for index in (0, 1000):  # its own sample, and an unrelated one in its proportions
            truth = tasklist.draw_one(name, index, 7).render(size=96, frames=9)
            assert truth.shape[1:3] == shape
        sample = tasklist.draw_one(name, 0, 7)
        truth = sample.render(size=96, frames=9)
        assert sample.score(truth) == 1.0 and sample.answer(truth[-1]) == "ground truth"
    model, schedule = VideoModel(tiny.wan22_like(), size=32), Schedule("t", "euler", 3, shift=3.0)
    shown, noised = StepVisualization(model, schedule), Perturbation(model, schedule)
    for experiment, runs in (
        (shown, shown.plan(str(folder), 1, 1, 2, 7)),
        (noised, noised.plan(str(folder), 1, 1, 0, [], 1, 1, 7)),
    ):
        groups = [[run for run in runs if run.task == name] for name in (bounce, maze)]
        results = [result for _, result in experiment.results_of(groups)]
        assert len(results) == len(runs) and all(0 <= r["score"] <= 1 for r in results)


def test_step_visualization_runs_on_a_folder(folder):
    schedule = Schedule("test", "euler", 3, shift=3.0)
    experiment = StepVisualization(VideoModel(tiny.mini_like()), schedule)
    runs = experiment.plan(str(folder), 1, 0, 0, 7)
    results = [result for _, result in experiment.results(runs)]
    assert len(results) == 2 and all(len(result["score_at"]) == 3 for result in results)


@NEEDS_SAMPLES
def test_real_samples_are_tasks_too(tmp_path):
    shutil.copytree(SAMPLES, tmp_path / "gt")
    names = tasklist.task_names(str(tmp_path / "gt"))
    assert len(names) == 2
    for name in names:
        sample = tasklist.draw_one(name, 0, 7)
        truth = sample.render(size=96, frames=17)
        assert sample.score(truth) == 1.0 and sample.score(np.repeat(truth[:1], 17, axis=0)) == 0.0
