"""EvalKit's results are read correctly; it is run clip by clip; failures do not count as zeros."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from chain_of_steps.bench import evalkit, evalkit_results, vbvr
from chain_of_steps.cli import main
from chain_of_steps.common.video import read_video
from chain_of_steps.puzzles.suite import draw

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "vbvr-samples"
NEEDS_SAMPLES = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the real samples, vbvr-samples/, are not here"
)
FAKE = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
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
    results = evalkit_results.read_results(file)
    assert results["score"].mean() == pytest.approx(stated["overall"]["mean_score"])
    for category, mean in stated["In_Domain"]["by_category"].items():
        assert results[results["category"] == category]["score"].mean() == pytest.approx(mean)
    assert len(results) == len(vbvr.read_suite(SAMPLES / "gt"))


@NEEDS_SAMPLES
def test_the_table_shows_the_floor_beside_the_model():
    read = {n: evalkit_results.read_results(SAMPLES / "evalkit-results" / f"{n}_vbvr_results.json")
            for n in ("half_done", "frozen_first_frame")}  # fmt: skip
    text = evalkit_results.table(
        {"half done": read["half_done"]}, read["frozen_first_frame"], "abc"
    )
    assert (
        "| half done | 6 | 0 | 0.649 | 0.649 |" in text
        and "| frozen first frame | 6 | 0 | 0.617 |" in text
    )
    assert "commit: abc" in text and "No floor was given" in evalkit_results.table(read)


def test_a_row_with_an_error_is_no_zero(written):
    results = evalkit_results.read_results(
        written(result(), result(video_file="00001.mp4", score=0.0, error="broke"))
    )
    assert np.isnan(results["score"][1]) and results["error"][1] == "broke"
    assert "| m | 1 | 1 | 0.500 |" in evalkit_results.table({"m": results})


@pytest.mark.parametrize("text", ["", "[]", '{"samples": [{}]}', '{"samples": [1]}', "{}"])
def test_what_is_no_result_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"is not a result of VBVR-EvalKit .*; expected the"):
        evalkit_results.read_results(tmp_path / "x.json")


@pytest.mark.parametrize("score", [1.5, -0.1, None, "high"])
def test_a_score_outside_of_its_range_is_refused(written, score):
    with pytest.raises(ValueError, match="is not a result"):
        evalkit_results.read_results(written(result(score=score)))


# Running it.


@pytest.fixture
def suite(tmp_path):
    vbvr.export_suite({"maze": draw("maze", 4, 0)}, tmp_path / "gt", size=480, frames=5)
    cases = vbvr.read_suite(tmp_path / "gt")
    evalkit.write_frozen(tmp_path / "frozen", cases[:3])
    return tmp_path, cases


@pytest.fixture
def installed(tmp_path, monkeypatch):
    command = tmp_path / "bin" / evalkit_results.COMMAND
    command.parent.mkdir()
    command.write_text(FAKE.format(python=sys.executable))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=":")
    return command


def test_every_clip_has_a_score_or_says_why_not(suite, installed):
    folder, cases = suite
    file = evalkit.evaluate(folder / "frozen", folder / "gt", cases, folder / "out", limit=5.0)
    results = evalkit_results.read_results(file)
    assert results["score"][0] == 0.75
    assert list(results["error"][1:]) == [
        "not scored within 5 s",
        "EvalKit returned no result: scorer broke",
        "no video",
    ]
    (clip,) = (folder / "out/clips").iterdir()  # errors are not kept
    kept = clip.stat().st_mtime_ns
    evalkit.evaluate(folder / "frozen", folder / "gt", cases[:1], folder / "out", limit=5.0)
    assert clip.stat().st_mtime_ns == kept, "it continues, it does not start over"
    other = evalkit.evaluate(
        folder / "nothing", folder / "gt", cases[:1], folder / "out", limit=5.0
    )
    assert list(evalkit_results.read_results(other)["error"]) == ["no video"], (
        "another model's clips are not this one's"
    )


def test_a_case_without_ground_truth_is_not_scored_zero(suite, installed):
    folder, cases = suite
    cases[0].ground_truth.unlink()
    results = evalkit_results.read_results(
        evalkit.evaluate(folder / "frozen", folder / "gt", cases[:1], folder / "out")
    )
    assert results["error"][0].startswith("no ground truth")


def test_what_has_changed_is_scored_again(suite, installed):
    """Another video or ground truth of the same names is not the old one; a raised limit and a
    second model of the same base name count, too."""
    folder, cases = suite
    parts = (folder / "gt", cases[:1], folder / "out")
    evalkit.evaluate(folder / "frozen", *parts)
    assert len(list((folder / "out/clips").iterdir())) == 1
    twin = folder / "elsewhere" / "frozen"
    shutil.copytree(folder / "frozen", twin)
    evalkit.evaluate(twin, *parts)
    assert len(list((folder / "out/clips").iterdir())) == 1, "the same videos by another path"
    video = vbvr.video_path(folder / "frozen", cases[0])
    video.write_bytes(video.read_bytes() + b"changed")
    evalkit.evaluate(folder / "frozen", *parts)
    assert len(list((folder / "out/clips").iterdir())) == 2
    cases[0].ground_truth.write_bytes(cases[0].ground_truth.read_bytes() + b"changed")
    evalkit.evaluate(folder / "frozen", *parts)
    assert len(list((folder / "out/clips").iterdir())) == 3


def test_a_clip_that_failed_is_tried_again(suite, installed):
    folder, cases = suite
    parts = (folder / "frozen", folder / "gt", cases[2:3], folder / "out")
    assert evalkit_results.read_results(evalkit.evaluate(*parts))["error"].notna().all()
    installed.write_text(
        installed.read_text().replace("scorer broke", "").replace("sys.exit", "str")
    )
    assert evalkit_results.read_results(evalkit.evaluate(*parts))["score"][0] == 0.75


def test_the_command_fails_where_a_clip_was_not_scored(suite, installed, capsys):
    folder, _ = suite
    names = [f"--{name}={folder / where}" for name, where in
             (("videos", "frozen"), ("suite", "gt"), ("out", "out"))]  # fmt: skip
    assert main(["evalkit", *names, "--limit", "3"]) != 0
    said = capsys.readouterr()
    assert "3 of 4 clips were not scored, first: not scored within 3 s" in said.err
    assert said.out.strip().endswith("frozen_vbvr_results.json")


def test_without_evalkit_one_sentence(suite):
    folder, cases = suite
    with pytest.raises(ValueError, match="nothing-like-this is not installed; clone"):
        evalkit.evaluate(
            folder / "frozen", folder / "gt", cases, folder / "out", command="nothing-like-this"
        )


def test_evalkits_own_python_is_asked(tmp_path, installed):
    """Its environment is not ours: the guard and the commit are of its own packages."""
    other = tmp_path / "a b" / "python"
    other.parent.mkdir()
    packages = tmp_path / "packages"
    for name, version in (("opencv_python", "4.9.0"), ("vbvr_bench", "1.0")):
        info = packages / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {name.replace('_', '-')}\nVersion: {version}\n")
    origin = {"url": "x", "vcs_info": {"commit_id": "abc", "vcs": "git"}}
    (packages / "vbvr_bench-1.0.dist-info/direct_url.json").write_text(json.dumps(origin))
    other.write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    quotes = 3 * "'"
    installed.write_text(f'#!/bin/sh\n{quotes}exec\' "{other}" "$0" "$@"\n\' {quotes}\nimport x\n')
    assert evalkit.interpreter(installed) == str(other)
    assert evalkit.EvalKit.installed().commit == "abc"
    (packages / "opencv_python-4.9.0.dist-info/METADATA").write_text(
        "Name: opencv-python\nVersion: 5.0.0\n"
    )
    with pytest.raises(ValueError, match=r"5\.0\.0 makes VBVR-EvalKit silently score 0\.0"):
        evalkit.EvalKit.installed()


def test_the_python_of_other_scripts(tmp_path):
    for text, python in (
        ("#!/usr/bin/python3\n", "/usr/bin/python3"),
        ("#!/usr/bin/env python3\n", "python3"),
        ("#!/bin/bash\necho\n", sys.executable),
        ("", sys.executable),
    ):
        (tmp_path / "script").write_text(text)
        assert evalkit.interpreter(tmp_path / "script") == python


# The table.


def test_results_of_one_base_name_are_told_apart(tmp_path):
    files = [tmp_path / a / "m_vbvr_results.json" for a in ("one", "two")]
    assert evalkit_results.names(files) == ["one/m", "two/m"]
    assert evalkit_results.names(files[:1]) == ["m"]
    with pytest.raises(ValueError, match="named twice"):
        evalkit_results.names([files[0], files[0]])


def test_the_floor_is_over_the_models_own_samples(written):
    floor = evalkit_results.read_results(
        written(result(score=0.8), result(video_file="00001.mp4", score=0.2))
    )
    model = evalkit_results.read_results(written(result(score=0.9)))
    text = evalkit_results.table({"m": model}, floor)
    assert "| m | 1 | 0 | 0.900 |" in text and "| frozen first frame | 1 | 0 | 0.800 |" in text
    assert "Over the 1 samples that all rows have, of up to 2." in text


def test_a_score_that_is_not_a_number_is_an_error_of_that_clip(written):
    results = evalkit_results.read_results(
        written(result(), result(video_file="00001.mp4", score=float("nan")))
    )
    assert results["score"][0] == 0.5 and np.isnan(results["score"][1])
    assert results["error"][1] == "EvalKit's score is not a number"


def test_a_frozen_model_holds_its_first_frame(suite):
    folder, cases = suite
    clip = read_video(vbvr.video_path(folder / "frozen", cases[0]))
    assert clip.shape[1] >= 480 and np.abs(clip[-1].astype(int) - clip[0]).max() < 12
