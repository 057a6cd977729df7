"""EvalKit's results are read correctly; it is run clip by clip; failures do not count as zeros."""

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from chain_of_steps.bench import evalkit, vbvr
from chain_of_steps.common.video import read_video
from chain_of_steps.puzzles.suite import draw

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "vbvr-samples"
NEEDS_SAMPLES = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the real samples, vbvr-samples/, are not here"
)
FAKE = """#!{python}
import json, sys, time
from pathlib import Path
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
video = next(Path(given["--model_path"]).glob("*/*/*.mp4"))
task, folder = video.parent.name, video.parent.parent.name
if "00001" in video.name:
    time.sleep(30)
if "00002" in video.name:
    sys.exit("scorer broke")
sample = dict(video_path=str(video), video_file=video.name, task_name=task, folder=folder,
              split="In_Domain", category="Spatiality", score=0.75, dimensions={{}}, error=None)
file = Path(given["--output_dir"]) / (Path(given["--model_path"]).name + "_vbvr_results.json")
file.write_text(json.dumps(dict(samples=[sample])))
"""


def result(**changes) -> dict:
    sample = {
        "video_path": "m/In-Domain_50/x_data-generator/00000.mp4",
        "video_file": "00000.mp4",
        "task_name": "x_data-generator",
        "folder": "In-Domain_50",
        "category": "Knowledge",
        "score": 0.5,
        "error": None,
    }
    return sample | changes


@pytest.fixture
def written(tmp_path):
    def write(*samples: dict) -> Path:
        file = tmp_path / "m_vbvr_results.json"
        file.write_text(json.dumps({"samples": samples}))
        return file

    return write


@NEEDS_SAMPLES
@pytest.mark.parametrize("name", ["ground_truth", "frozen_first_frame", "half_done"])
def test_real_results_have_the_means_that_they_state(name):
    file = SAMPLES / "evalkit-results" / f"{name}_vbvr_results.json"
    stated = json.loads(file.read_text())["summary"]
    results = evalkit.read_results(file)
    assert results["score"].mean() == pytest.approx(stated["overall"]["mean_score"])
    for category, mean in stated["In_Domain"]["by_category"].items():
        assert results[results["category"] == category]["score"].mean() == pytest.approx(mean)
    assert len(results) == len(vbvr.read_suite(SAMPLES / "gt"))


@NEEDS_SAMPLES
def test_the_table_shows_the_floor_beside_the_model():
    read = {n: evalkit.read_results(SAMPLES / "evalkit-results" / f"{n}_vbvr_results.json")
            for n in ("half_done", "frozen_first_frame")}  # fmt: skip
    text = evalkit.table({"half done": read["half_done"]}, read["frozen_first_frame"], "abc")
    assert (
        "| half done | 6 | 0 | 0.649 | 0.649 |" in text
        and "| frozen first frame | 6 | 0 | 0.617 |" in text
    )
    assert "commit: abc" in text and "No floor was given" in evalkit.table(read)


def test_a_row_with_an_error_is_no_zero(written):
    results = evalkit.read_results(
        written(result(), result(video_file="00001.mp4", score=0.0, error="broke"))
    )
    assert np.isnan(results["score"][1]) and results["error"][1] == "broke"
    assert "| m | 1 | 1 | 0.500 |" in evalkit.table({"m": results})


@pytest.mark.parametrize("text", ["", "[]", '{"samples": [{}]}', '{"samples": [1]}', "{}"])
def test_what_is_no_result_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"is not a result of VBVR-EvalKit .*; expected the"):
        evalkit.read_results(tmp_path / "x.json")


@pytest.mark.parametrize("score", [1.5, -0.1, None, "high"])
def test_a_score_outside_of_its_range_is_refused(written, score):
    with pytest.raises(ValueError, match="is not a result"):
        evalkit.read_results(written(result(score=score)))


# Running it.


@pytest.fixture
def suite(tmp_path):
    vbvr.export_suite({"maze": draw("maze", 4, 0)}, tmp_path / "gt", size=480, frames=5)
    cases = vbvr.read_suite(tmp_path / "gt")
    evalkit.write_frozen(tmp_path / "frozen", cases[:3])
    return tmp_path, cases


@pytest.fixture
def installed(tmp_path, monkeypatch):
    command = tmp_path / "bin" / evalkit.COMMAND
    command.parent.mkdir()
    command.write_text(FAKE.format(python=sys.executable))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=":")


def test_every_clip_has_a_score_or_says_why_not(suite, installed):
    folder, cases = suite
    file = evalkit.evaluate(folder / "frozen", folder / "gt", cases, folder / "out", limit=5.0)
    results = evalkit.read_results(file)
    assert results["score"][0] == 0.75
    assert list(results["error"][1:]) == [
        "not scored within 5 s",
        "EvalKit returned no result: scorer broke",
        "no video",
    ]
    kept = (folder / "out/clips/frozen/in-domain/maze/00000.json").stat().st_mtime_ns
    evalkit.evaluate(folder / "frozen", folder / "gt", cases[:1], folder / "out", limit=5.0)
    assert (folder / "out/clips/frozen/in-domain/maze/00000.json").stat().st_mtime_ns == kept, (
        "it continues, it does not start over"
    )
    other = evalkit.evaluate(
        folder / "nothing", folder / "gt", cases[:1], folder / "out", limit=5.0
    )
    assert list(evalkit.read_results(other)["error"]) == ["no video"], (
        "another model's clips are not this one's"
    )


def test_a_case_without_ground_truth_is_not_scored_zero(suite, installed):
    folder, cases = suite
    cases[0].ground_truth.unlink()
    results = evalkit.read_results(
        evalkit.evaluate(folder / "frozen", folder / "gt", cases[:1], folder / "out")
    )
    assert results["error"][0].startswith("no ground truth")


def test_without_evalkit_or_with_opencv_5_one_sentence(suite, tmp_path, monkeypatch):
    folder, cases = suite
    with pytest.raises(ValueError, match="nothing-like-this is not installed; clone"):
        evalkit.evaluate(
            folder / "frozen", folder / "gt", cases, folder / "out", command="nothing-like-this"
        )
    monkeypatch.setattr(metadata, "version", lambda name: "5.0.0")
    with pytest.raises(ValueError, match=r"5\.0\.0 makes VBVR-EvalKit silently score 0\.0"):
        evalkit.refuse_opencv_5()


def test_a_frozen_model_holds_its_first_frame(suite):
    folder, cases = suite
    clip = read_video(vbvr.video_path(folder / "frozen", cases[0]))
    assert clip.shape[1] >= 480 and np.abs(clip[-1].astype(int) - clip[0]).max() < 12
