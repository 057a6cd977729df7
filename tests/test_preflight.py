"""What can be known before the first forward pass: clips that fit, places to write, frames of any
proportions; and nothing is refused for our own rounding."""

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

from chain_of_steps.bench import recorded
from chain_of_steps.bench.generate import generate_videos, given_frame, unrounded
from chain_of_steps.bench.vbvr import read_suite, video_path
from chain_of_steps.cli import main
from chain_of_steps.common.files import check_place
from chain_of_steps.common.pictures import fitted, shape_at
from chain_of_steps.common.video import read_video, shape_of, write_video
from chain_of_steps.experiments import preflight
from chain_of_steps.experiments.parameters import read
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading
from chain_of_steps.puzzles.recorded import STILL, TRUTH, sample_of
from chain_of_steps.puzzles.scoring import score

ONE_STEP = Schedule("test", "euler", 1, shift=3.0)
TASK = "In-Domain_50/O-1_test_data-generator"


def story(height: int, width: int, frames: int = 9) -> np.ndarray:
    """A clip (frames, height, width, 3) in which a dark square walks to the right."""
    clip = np.full((frames, height, width, 3), 240, np.uint8)
    side = height // 3
    for f in range(frames):
        left = round((width - side) * f / (frames - 1))
        clip[f, side : 2 * side, left : left + side] = 20
    return clip


def suite_of(folder, *shapes: tuple[int, int], video: bool = True):
    """A VBVR-Bench folder with a sample of each shape (H, W)."""
    for number, shape in enumerate(shapes):
        place = folder / TASK / f"{number:05d}"
        place.mkdir(parents=True)
        clip = story(*shape)
        Image.fromarray(clip[0]).save(place / "first_frame.png")
        (place / "prompt.txt").write_text("move the square to the right")
        if video:
            write_video(place / "ground_truth.mp4", clip)
    return folder


@pytest.mark.parametrize(
    ("size", "shape", "expected"),
    [
        (480, (1024, 1024), (480, 480)),
        (48, (480, 480), (48, 48)),
        (480, (480, 832), (480, 832)),
        (480, (360, 640), (480, 864)),
        (480, (640, 360), (480, 256)),
        (48, (64, 96), (48, 64)),
        (32, (1000, 10), (32, 32)),
    ],
)
def test_frames_of_any_proportions_get_a_width_that_a_model_takes(size, shape, expected):
    assert shape_at(size, shape) == expected


def test_pictures_of_other_proportions_are_centred_on_white():
    dark = np.zeros((40, 80, 3), np.uint8)
    assert (fitted(dark, (32, 64), (20, 40)) == 0).all() and (
        fitted(dark, (48, 80), (40, 80)) == 0
    ).all()
    framed = fitted(dark, (64, 64), (10, 10))
    assert (framed[:15] == 255).all() and (framed[17:47] == 0).all() and (framed[49:] == 255).all()


@pytest.mark.parametrize("shape", [(64, 96), (96, 64), (90, 160)])
def test_recorded_samples_that_are_not_square_are_read(tmp_path, shape):
    folder = suite_of(tmp_path, shape) / TASK / "00000"
    sample = sample_of("t", folder, "move", "hash", shape)
    truth = sample.render(size=96, frames=9)
    assert truth.shape[1:3] == shape_at(96, shape)
    assert score(sample, truth) == 1.0 and reading.decided(sample, truth[-1]) == (TRUTH,)
    assert score(sample, np.repeat(truth[:1], 9, axis=0)) == 0.0
    assert reading.decided(sample, truth[0]) == (STILL,)
    assert reading.drawn(sample, truth[-1])


@pytest.mark.parametrize("pipe", [tiny.wan21_like, tiny.ltx2_like])
@pytest.mark.parametrize("shape", [(72, 128), (90, 161), (150, 90)])
def test_our_rounding_is_undone_and_never_refused(tmp_path, pipe, shape):
    """As with 640 x 360, which becomes 640 x 352: 2.3 % off."""
    suite = suite_of(tmp_path / "gt", tuple(side + side % 2 for side in shape), video=False)
    (case,) = read_suite(suite)
    Image.fromarray(story(*shape)[0]).save(case.folder / "first_frame.png")
    model = VideoModel(pipe(), frames=9)
    frame = given_frame(case, None, model.side)
    assert not any(side % model.side for side in frame.shape[:2])
    generate_videos(model, ONE_STEP, [case], tmp_path / "out", 0)
    high, wide = shape_of(video_path(tmp_path / "out", case))
    assert min(high, wide) >= 480
    assert abs(wide / high * shape[0] / shape[1] - 1) < 0.05  # one pixel, where a side was odd


def test_a_video_of_the_same_proportions_is_left_alone():
    video = story(48, 64)
    assert unrounded(video, (480, 640)) is video
    assert unrounded(video, (361, 641)).shape == (9, 362, 642, 3)


def test_a_model_of_fixed_size_takes_frames_of_any_size(tmp_path):
    cases = read_suite(suite_of(tmp_path / "gt", (64, 96), (480, 480), (50, 50)))
    model = VideoModel(tiny.mini_like(), fixed=True)
    assert [given_frame(c, 48, model.side).shape[:2] for c in cases] == [
        (48, 64),
        (48, 48),
        (48, 48),
    ]
    generate_videos(model, ONE_STEP, cases, tmp_path / "out", 0)
    shapes = [read_video(video_path(tmp_path / "out", case)).shape[1:3] for case in cases]
    assert [round(w / h, 2) for h, w in shapes] == [1.5, 1.0, 1.0]


def test_what_one_sample_lacks_is_found_before_any_is_generated(tmp_path, monkeypatch):
    cases = read_suite(suite_of(tmp_path / "gt", (64, 96), (64, 64)))
    (cases[1].folder / "first_frame.png").write_bytes(b"not a picture")
    model = VideoModel(tiny.mini_like())
    monkeypatch.setattr(model, "predict", lambda *_: pytest.fail("a step was taken"))
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        generate_videos(model, ONE_STEP, cases, tmp_path / "out", 0)
    assert not (tmp_path / "out").exists()


def test_clips_that_do_not_fit_are_named():
    model = VideoModel(tiny.mini_like())
    fine, wrong = preflight.Clip("a", 48, 48, 9), preflight.Clip("b", 50, 48, 9)
    preflight.check_clips(model, [fine])
    with pytest.raises(ValueError, match=r"^b: frames of 50 x 48 pixels do not fit the model"):
        preflight.check_clips(model, [fine, wrong])


def test_a_clip_needs_a_frame_between_the_first_and_the_last():
    preflight.check_length(VideoModel(tiny.wan21_like(), frames=9))
    with pytest.raises(ValueError, match=r"5 frames are 2 latent frames; .*: 9 frames or more"):
        preflight.check_length(VideoModel(tiny.wan21_like(), frames=5))
    with pytest.raises(ValueError, match=r"9 frames are 2 latent frames; .*: 17 frames or more"):
        preflight.check_length(VideoModel(tiny.ltx2_like(), frames=9))


def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    check_place(tmp_path / "new" / "deep")
    assert not any(tmp_path.iterdir()), "nothing is made"
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name, kind in (("file", "a file"), ("file/in", "a file"), ("link", "a link to nowhere")):
        with pytest.raises(ValueError, match=f"is {kind}, but .* has to be a folder"):
            check_place(tmp_path / name)
    with pytest.raises(
        ValueError, match=r"has .* MB of free space, but at least 1000000000000\.0 MB"
    ):
        check_place(tmp_path / "new", 10**18)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(PermissionError) as raised:
        check_place(tmp_path / "new")
    assert raised.value.errno == errno.EACCES


def test_a_clip_with_more_tokens_than_positions_is_refused():
    model = VideoModel(tiny.mini_like())
    most = model.transformers[0].config.rope_max_seq_len
    wide = (most + 2) * model.patch
    with pytest.raises(ValueError, match=rf"has {most + 2} tokens along an axis, .* takes {most};"):
        model.check_clip(wide, 48, 9)
    with pytest.raises(ValueError, match="tokens along an axis"):
        model.check_clip(48, 48, 1 + most * model.stride)


def test_videos_never_go_into_the_suite_itself(tmp_path, monkeypatch, capsys):
    suite = suite_of(tmp_path / "gt", (64, 64))
    (tmp_path / "link").symlink_to(suite)
    before = sorted(suite.rglob("*"))
    assert main(["generate", "--suite", str(suite), "--out", str(tmp_path / "link")]) == 2
    assert "--out is the suite itself" in capsys.readouterr().err
    assert sorted(suite.rglob("*")) == before


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--budget", "1s", "--out"],
        ["train", "--budget", "1s", "--symbols", "--work"],
        ["distill", "--budget", "1s", "--out"],
        ["export-suite", "--out"],
        ["generate", "--out"],
        ["export-web", "--out"],
        ["evalkit", "--videos", "v", "--suite", "s", "--out"],
    ],
)
def test_every_command_refuses_a_file_as_its_folder_at_once(command, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main([*command, str(tmp_path / "file")]) == 2
    assert "is a file, but" in capsys.readouterr().err


# Names and texts


@pytest.mark.parametrize("name", ["run:1", "50%d", "a::b", "ünï", os.fsdecode(b"caf\xe9"), "-x"])
def test_folders_of_any_name_are_read_and_written(tmp_path, monkeypatch, name):
    """A colon makes a protocol for FFmpeg, `::` separates a suite from its task."""
    monkeypatch.chdir(tmp_path)
    suite = suite_of(Path(name), (64, 64))
    (task,) = recorded.names_of(str(suite))
    assert recorded.find(task).own[0].first_frame(48).shape == (48, 48, 3)
    (case,) = read_suite(suite)
    generate_videos(VideoModel(tiny.mini_like()), ONE_STEP, [case], Path(f"{name}/out"), 0)
    assert shape_of(video_path(f"{name}/out", case)) == (512, 512)


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfgo\r\n", b"go\r\n", b"  go"])
def test_a_prompt_is_its_words_alone(tmp_path, text):
    suite = suite_of(tmp_path, (64, 64), video=False)
    (suite / TASK / "00000" / "prompt.txt").write_bytes(text)
    assert read_suite(suite)[0].prompt == "go"


def test_an_empty_prompt_is_refused(tmp_path):
    suite = suite_of(tmp_path, (64, 64), video=False)
    (suite / TASK / "00000" / "prompt.txt").write_bytes(b"\xef\xbb\xbf \r\n")
    with pytest.raises(ValueError, match=r"prompt\.txt is empty; write what the model is to do"):
        read_suite(suite)


def test_pictures_turned_by_their_header_are_turned(tmp_path):
    suite = suite_of(tmp_path, (64, 96))
    file = suite / TASK / "00000" / "first_frame.png"
    picture = Image.open(file).convert("RGB").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # the viewer turns it back, clockwise
    picture.save(file, exif=exif)
    (case,) = read_suite(suite)
    assert given_frame(case, None, 32).shape == (64, 96, 3)
    assert recorded.widest(str(suite), 64) == 96


def test_a_name_that_occurs_twice_in_a_file_of_parameters_is_refused(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("mini:\n  samples: 3\n  seed: 1\n  samples: 30\n")
    with pytest.raises(ValueError, match="'samples' occurs twice, again in line 4"):
        read(file)
    file.write_bytes(b"\xef\xbb\xbfmini:\r\n  samples: 3\r\n")
    assert read(file) == {"mini": {"samples": 3}}


def test_what_cannot_be_printed_is_escaped(tmp_path):
    call = "run_command(lambda: print('\\udce9 é'), 'x')"
    code = f"from chain_of_steps.common.errors import run_command; {call}"
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.returncode == 0 and run.stdout == b"\\udce9 \\xe9\n"


def test_every_text_is_read_and_written_as_utf_8():
    """Whatever the locale: a Latin-1 one would otherwise write other bytes."""
    root = Path(__file__).parent.parent
    for file in [*(root / "src").rglob("*.py"), *(root / "tools").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                text = node.func.attr in ("read_text", "write_text")
                named = any(keyword.arg == "encoding" for keyword in node.keywords)
                unnamed = isinstance(node.func.value, ast.Call) and "metadata" in ast.dump(node)
                assert not text or named or unnamed, f"{file}, line {node.lineno}"
