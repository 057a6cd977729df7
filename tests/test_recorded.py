"""A VBVR-Bench folder as tasks: ground truth scores 1, a still 0; experiments run on it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

from chain_of_steps.bench import recorded, samples, vbvr
from chain_of_steps.common.pictures import fitted
from chain_of_steps.common.video import read_video, write_video
from chain_of_steps.figures.sample_runs import SampleBranches, SampleRun
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading, suite
from chain_of_steps.puzzles.recorded import STILL, TRUTH
from chain_of_steps.puzzles.scoring import score

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "vbvr-samples" / "gt"
NEEDS_SAMPLES = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the real samples, vbvr-samples/, are not here"
)


@pytest.fixture
def folder(tmp_path):
    drawn = {task: suite.draw(task, 2, 0) for task in ("maze", "bounce")}
    vbvr.export_suite(drawn, tmp_path / "gt", size=96, frames=9)
    return tmp_path / "gt"


def test_the_tasks_of_a_folder_are_named_by_place_and_content(folder):
    names = samples.cells(str(folder))
    assert [samples.short(name) for name in names] == ["bounce", "maze"]
    assert samples.cells(names) == names and samples.find(names[0]).domain == "in-domain"


def test_ground_truth_is_the_answer_and_a_still_is_not(folder):
    for name in samples.cells(str(folder)):
        sample = samples.draw_one(name, 0, 7)
        truth = sample.render(size=96, frames=9)
        assert score(sample, truth) == 1.0 and reading.decided(sample, truth[-1]) == (TRUTH,)
        assert score(sample, np.repeat(truth[:1], 9, axis=0)) == 0.0
        assert reading.decided(sample, truth[0]) == (STILL,)
        shown = reading.belief(sample, truth[[0, -1]])[:, 0, TRUTH]
        assert shown[0] < 0.1 < 0.9 < shown[1]
        assert sample.key != samples.draw_one(name, 1, 7).key


def test_unrelated_samples_come_from_other_tasks(folder):
    bounce, maze = samples.cells(str(folder))
    assert samples.draw_one(maze, 0, 7).task == maze
    assert {samples.draw_one(maze, i, 7, "validation").task for i in range(4)} == {bounce}
    assert samples.draw_one(maze, 1000, 7).task == bounce
    with pytest.raises(ValueError, match="unknown split 'choosing'"):
        samples.draw_one(maze, 0, 7, "choosing")


def test_a_folder_with_a_space_in_its_name_is_a_cell_without_knobs(folder):
    spaced = folder.rename(folder.parent / "my bench x=1")
    bounce, _ = samples.cells(str(spaced))
    assert samples.task_of(bounce) == bounce and samples.knobs_of(bounce) == {}
    assert samples.draw_one(bounce, 0, 7).task == bounce


def test_what_is_neither_domain_nor_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"unknown domain .*, or a VBVR-Bench folder"):
        samples.cells(str(tmp_path / "absent"))


def test_a_folder_that_has_changed_is_noticed(folder):
    name = samples.cells(str(folder))[0]
    recorded._read.cache_clear()
    next(folder.glob("*/bounce*/*/prompt.txt")).write_text("something else")
    with pytest.raises(ValueError, match="or its samples have changed"):
        samples.find(name)


def test_a_folder_without_answers_is_refused(folder):
    next(folder.rglob("ground_truth.mp4")).unlink()
    with pytest.raises(ValueError, match=r"has no ground_truth\.mp4"):
        samples.cells(str(folder))


def test_ground_truth_of_other_proportions_is_refused_before_anything_runs(folder):
    wide = next(folder.rglob("ground_truth.mp4"))
    write_video(wide, np.zeros((5, 64, 96, 3), np.uint8))
    with pytest.raises(ValueError, match=r"96 x 64 .* a first frame of 96 x 96; expected the same"):
        samples.cells(str(folder))


def widen(folder, task: str, shape: tuple[int, int]) -> None:
    """Stretches the samples of a task."""
    for truth in folder.rglob(f"{task}_data-generator/*/ground_truth.mp4"):
        clip = np.stack([fitted(frame, shape, (96, 96)) for frame in read_video(truth)])
        write_video(truth, clip)
        Image.fromarray(clip[0]).save(truth.with_name("first_frame.png"))


def test_experiments_run_on_tasks_of_different_shapes(folder):
    widen(folder, "maze", (64, 96))
    bounce, maze = samples.cells(str(folder))
    assert recorded.widest(folder, 96) == 128
    for name, shape in ((bounce, (96, 96)), (maze, (96, 128))):
        for index in (0, 1000):  # its own sample, and an unrelated one in its proportions
            truth = samples.draw_one(name, index, 7).render(size=96, frames=9)
            assert truth.shape[1:3] == shape
        sample = samples.draw_one(name, 0, 7)
        truth = sample.render(size=96, frames=9)
        assert score(sample, truth) == 1.0 and reading.decided(sample, truth[-1]) == (TRUTH,)
    model = VideoModel(tiny.wan22_like(), size=32)
    experiment = Cleans(model, Schedule("test", "euler", 3, shift=3.0))
    runs = [
        SampleRun(cell, index, 7, 0, traced=True) for cell in (bounce, maze) for index in (0, 1000)
    ]
    results = [result for _, result in experiment.results_of([[run] for run in runs])]
    assert len(results) == 4 and all(len(result["decided"]) == 3 for result in results)


class Cleans(SampleBranches):
    name = "test"


def test_experiments_run_on_a_folder(folder):
    schedule = Schedule("test", "euler", 3, shift=3.0)
    experiment = Cleans(VideoModel(tiny.mini_like()), schedule)
    runs = [SampleRun(cell, 0, 7, 0, traced=True) for cell in samples.cells(str(folder))]
    results = [result for _, result in experiment.results(runs)]
    assert len(results) == 2 and all(len(result["decided"]) == 3 for result in results)
    assert {result["sample"]["stratum"] for result in results} == {"unique/unknown"}


@NEEDS_SAMPLES
def test_real_samples_are_tasks_too(tmp_path):
    shutil.copytree(SAMPLES, tmp_path / "gt")
    names = samples.cells(str(tmp_path / "gt"))
    assert len(names) == 2
    for name in names:
        sample = samples.draw_one(name, 0, 7)
        truth = sample.render(size=96, frames=17)
        assert score(sample, truth) == 1.0
        assert score(sample, np.repeat(truth[:1], 17, axis=0)) == 0.0
