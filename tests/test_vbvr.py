"""VBVR-Bench folders: exact round trips; real ones are read; others fail with a clear error."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

from chain_of_steps.bench import vbvr
from chain_of_steps.bench.generate import cases_of, generate_videos
from chain_of_steps.common.hashing import digest
from chain_of_steps.common.video import read_video
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import scoring
from chain_of_steps.puzzles import suite as puzzles

REAL = Path(__file__).parents[2] / "shared" / "vbvr-samples"
needs_real_samples = pytest.mark.skipif(
    not REAL.is_dir(),
    reason="needs real VBVR-Bench samples in ../shared/vbvr-samples next to the repository",
)


@pytest.fixture(scope="module")
def samples() -> dict[str, list]:
    """Two samples of every task of the mini suite."""
    return {task: puzzles.draw(task, 2, seed=0) for task in puzzles.task_names()}


@pytest.fixture(scope="module")
def exported(samples, tmp_path_factory) -> Path:
    """All of them as a folder; do not change it."""
    out = tmp_path_factory.mktemp("suite")
    vbvr.export_suite(samples, out, size=48, frames=5)
    return out


@pytest.fixture
def suite(exported, tmp_path) -> Path:
    """A copy of two tasks, which a test may damage."""
    for path in ("In-Domain_50/maze_data-generator", "Out-of-Domain_50/relay_long_data-generator"):
        shutil.copytree(exported / path, tmp_path / "suite" / path)
    return tmp_path / "suite"


def final_frame(case: vbvr.Case) -> np.ndarray:
    return np.asarray(Image.open(case.folder / "final_frame.png").convert("RGB"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_exported_suite_gives_the_same_samples_back(exported, samples):
    cases = vbvr.read_suite(exported)
    assert len(cases) == 2 * len(puzzles.task_names())
    for case in cases:
        original = samples[case.task][int(case.index)]
        assert case.sample.key == original.key and case.domain == puzzles.TASKS[case.task].domain
        assert (
            case.prompt == case.sample.prompt == original.prompt
            and case.sample.state == original.state
        )
        assert digest(case.sample.canonical) == digest(original.canonical), "of the same cluster"
        assert (case.sample.knobs, case.sample.seen) == (original.knobs, original.seen)
        truth = original.render(size=48, frames=5)
        assert np.array_equal(case.first_frame, truth[0])
        assert np.array_equal(final_frame(case), truth[-1])
        assert case.ground_truth.is_file()


def test_rebuilt_samples_have_the_same_answers_and_draw_the_same_pictures(exported, samples):
    for case in vbvr.read_suite(exported):
        original = samples[case.task][int(case.index)]
        assert case.sample.solutions == original.solutions
        assert case.sample.stratum == original.stratum and case.sample.parts == original.parts
        for answer in original.solutions.answers[:3]:
            ours, theirs = (one.picture(answer, 0.6) for one in (case.sample, original))
            assert np.array_equal(ours, theirs)


def test_cases_are_sorted_by_domain_task_and_index(exported):
    order = [(case.domain, case.task, case.index) for case in vbvr.read_suite(exported)]
    assert order == sorted(order) and order[0] == ("in-domain", "bounce", "00000")


def test_the_layout_on_disk_is_that_of_the_benchmark(exported):
    folder = exported / "Out-of-Domain_50" / "size_rule_data-generator" / "00001"
    names = {
        "first_frame.png",
        "final_frame.png",
        "ground_truth.mp4",
        "prompt.txt",
        "metadata.json",
    }
    assert {path.name for path in folder.iterdir()} == names
    metadata = json.loads((folder / "metadata.json").read_text())
    described = [metadata[name] for name in ("task", "category", "domain", "size", "frames")]
    assert described == ["size_rule", "Abstraction", "out-of-domain", 48, 5]


def test_by_default_an_export_is_large_enough_for_evalkit_and_its_ground_truth_is_solved(
    tmp_path, samples
):
    sample = samples["maze"][0]
    vbvr.export_suite({"maze": [sample]}, tmp_path)
    (case,) = vbvr.read_suite(tmp_path)
    clip = read_video(case.ground_truth)
    assert clip.shape == (13, 480, 480, 3) and scoring.score(case.sample, clip) == 1.0


def test_an_interrupted_export_can_be_completed(suite, exported, samples):
    before = contents(suite)
    (suite / "In-Domain_50/maze_data-generator/00001/first_frame.png").unlink()
    shutil.rmtree(suite / "Out-of-Domain_50")
    vbvr.export_suite(
        {task: samples[task] for task in ("maze", "relay_long")}, suite, size=48, frames=5
    )
    assert contents(suite) == before


def test_an_export_does_not_mix_with_other_samples(suite, samples):
    before = contents(suite)
    for other in (
        {"maze": samples["maze"][:1]},
        {"rotate": samples["rotate"]},
        {"maze": samples["maze"][::-1]},
    ):
        with pytest.raises(
            ValueError, match=r"already holds other samples, such as .*; give a new folder"
        ):
            vbvr.export_suite(other, suite, size=48, frames=5)
    assert contents(suite) == before


def test_an_export_of_wrong_tasks_is_refused(tmp_path, samples):
    with pytest.raises(ValueError, match="unknown task 'chess'; expected one of latin, "):
        vbvr.export_suite({"chess": []}, tmp_path)
    with pytest.raises(ValueError, match="sample 0 of maze is a sample of rotate"):
        vbvr.export_suite({"maze": samples["rotate"]}, tmp_path)
    small = puzzles.draw("latin_small", 1, 0)
    with pytest.raises(ValueError, match="'latin_small' is neither in-domain nor out-of-domain"):
        vbvr.export_suite({"latin_small": small}, tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_model_video_lies_where_evalkit_reads_it_and_is_enlarged(exported, tmp_path):
    case = next(case for case in vbvr.read_suite(exported) if case.task == "rotate_new")
    path = vbvr.write_model_video(tmp_path / "mini", case, case.sample.render(size=48, frames=5))
    assert (
        path == tmp_path / "mini" / "Out-of-Domain_50" / "rotate_new_data-generator" / "00000.mp4"
    )
    assert read_video(path).shape == (5, 480, 480, 3)


def test_a_model_video_of_other_proportions_is_refused(exported, tmp_path):
    case = vbvr.read_suite(exported)[0]
    with pytest.raises(
        ValueError, match=r"64 x 48 pixels does not have the proportions .* 48 x 48; generate"
    ):
        vbvr.write_model_video(tmp_path, case, np.zeros((5, 48, 64, 3), np.uint8))
    assert not any(tmp_path.iterdir())


def test_frames_are_rounded_up_to_what_the_codec_takes(suite):
    case = vbvr.read_suite(suite)[0]
    assert vbvr.frames_for(case, 13) == 5
    case.ground_truth.unlink()
    assert case.ground_truth is None
    assert [vbvr.frames_for(case, n) for n in (13, 14, 16, 17, 70, 81)] == [13, 17, 17, 17, 73, 81]


def test_a_suite_needs_neither_answers_nor_metadata(suite):
    for name in ("ground_truth.mp4", "final_frame.png", "metadata.json"):
        (suite / "In-Domain_50/maze_data-generator/00001" / name).unlink()
    case = vbvr.read_suite(suite)[1]
    assert (case.ground_truth, case.sample) == (None, None)
    assert case.first_frame.shape == (48, 48, 3) and case.prompt


def test_a_folder_that_is_no_suite_is_refused(tmp_path, suite):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for path, complaint in (
        (tmp_path / "absent", "absent is not a folder; expected one holding In-Domain_50/ or"),
        (tmp_path / "file", "file is not a folder; expected one holding In-Domain_50/ or"),
        (tmp_path / "empty", "empty is empty; expected In-Domain_50/ or"),
        (suite / "In-Domain_50", "In-Domain_50 has another layout; expected In-Domain_50/ or"),
        (tmp_path, "has another layout; expected In-Domain_50/ or"),
    ):
        with pytest.raises(ValueError, match=complaint):
            vbvr.read_suite(path)


@pytest.mark.parametrize("name", ["first_frame.png", "prompt.txt"])
def test_a_sample_that_lacks_what_a_model_needs_is_named(suite, name):
    (suite / "In-Domain_50/maze_data-generator/00001" / name).unlink()
    with pytest.raises(
        ValueError, match=f"sample .*maze_data-generator/00001 has no {name}; a model needs"
    ):
        vbvr.read_suite(suite)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        (
            "In-Domain_50/chess",
            "In-Domain_50/chess does not belong here; expected folders named <task>_data",
        ),
        (
            "In-Domain_50/chess_data-generator",
            "chess_data-generator holds no samples; expected folders 00000, 00001",
        ),
        (
            "In-Domain_50/maze_data-generator/first",
            "maze_data-generator/first is not a sample; expected folders 00000",
        ),
        *(
            (
                f"In-Domain_50/maze_data-generator/{digits}",
                f"maze_data-generator/{digits} is not a sample; expected folders 00000",
            )
            for digits in ("0007", "00000007", "0000a")
        ),
    ],
)
def test_a_folder_out_of_place_is_named(suite, path, complaint):
    (suite / path).mkdir()
    with pytest.raises(ValueError, match=complaint):
        vbvr.read_suite(suite)


def test_hidden_files_and_files_beside_the_splits_do_not_matter(suite):
    (suite / "README.md").write_text("a suite")
    for path in (
        ".cache",
        "In-Domain_50/.cache",
        "In-Domain_50/maze_data-generator/.ipynb_checkpoints",
    ):
        (suite / path).mkdir()
    assert len(vbvr.read_suite(suite)) == 4


def test_a_changed_metadata_file_is_named(suite):
    path = suite / "In-Domain_50/maze_data-generator/00000/metadata.json"
    text = path.read_text()
    data = json.loads(text)
    for damage in (
        text[:100],
        text.replace('"seen": false', '"seen": true'),
        text.replace(data["prompt"], "draw nothing"),
        json.dumps({**data, "task": "chess"}),
    ):
        assert damage != text
        path.write_text(damage)
        with pytest.raises(
            ValueError,
            match=r"00000/metadata\.json is damaged or was changed; export the suite again",
        ):
            vbvr.read_suite(suite)


def test_unreadable_pictures_and_prompts_are_named(suite):
    folder = suite / "In-Domain_50/maze_data-generator/00000"
    case = vbvr.read_suite(suite)[0]
    for damage in (b"", b"no picture", (folder / "first_frame.png").read_bytes()[:200]):
        (folder / "first_frame.png").write_bytes(damage)
        with pytest.raises(
            ValueError, match=r"first_frame\.png cannot be read as a picture; fetch it again"
        ):
            _ = case.first_frame
    (folder / "prompt.txt").write_bytes("gr\xfcn".encode("latin-1"))
    with pytest.raises(ValueError, match=r"prompt\.txt is not UTF-8 text"):
        vbvr.read_suite(suite)


@needs_real_samples
def test_real_samples_are_read():
    cases = vbvr.read_suite(REAL / "gt")
    expected = [
        (task, f"{i:05d}")
        for task in ("O-34_dot_to_dot_task", "O-47_sliding_puzzle")
        for i in range(3)
    ]
    assert [(case.task, case.index) for case in cases] == expected
    assert all(case.domain == "in-domain" and case.sample is None for case in cases)
    assert cases[0].prompt.startswith("The scene shows 5 numbered dots")
    assert cases[0].first_frame.shape == (1024, 1024, 3)
    assert [vbvr.frames_for(case, 81) for case in cases] == [73, 57, 73, 61, 53, 89]


@needs_real_samples
def test_a_real_ground_truth_runs_from_the_first_to_the_final_frame():
    case = vbvr.read_suite(REAL / "gt")[1]
    clip = read_video(case.ground_truth)
    assert clip.shape == (55, 1024, 1024, 3)
    for frame, given in ((clip[0], case.first_frame), (clip[-1], final_frame(case))):
        assert np.abs(frame.astype(int) - given).mean() < 4


@needs_real_samples
def test_a_models_folder_has_its_videos_where_we_write_ours_and_is_no_suite():
    assert all(
        vbvr.video_path(REAL / "half_done", case).is_file() for case in vbvr.read_suite(REAL / "gt")
    )
    with pytest.raises(ValueError, match="holds no samples; expected folders 00000, 00001"):
        vbvr.read_suite(REAL / "half_done")


def test_videos_of_other_settings_are_not_taken_for_ones_own(tmp_path):
    """A folder remembers model, preset and seed; the same call again completes it."""
    model = VideoModel(tiny.mini_like(), size=48, frames=5)
    other = VideoModel(tiny.mini_like(seed=1), size=48, frames=5)
    schedule = Schedule("test", "euler", 2, 3.0)
    cases = cases_of("mini", 1, 0, "mark")
    generate_videos(model, schedule, cases, tmp_path, seed=0)
    before = video_files(tmp_path)
    generate_videos(model, schedule, cases, tmp_path, seed=0)
    for changed, parts in (
        ("model", (other, schedule, cases, tmp_path, 0)),
        ("schedule", (model, Schedule("test", "euler", 3, 3.0), cases, tmp_path, 0)),
        ("seed", (model, schedule, cases, tmp_path, 1)),
    ):
        with pytest.raises(ValueError, match=f"holds videos made with another {changed}; name a"):
            generate_videos(*parts)
    assert video_files(tmp_path) == before


def video_files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*.mp4")}
