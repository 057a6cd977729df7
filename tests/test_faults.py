"""Everything that goes wrong, as a table: what is tried, how often, and what happens.

A row is tested here by the check of its name, or elsewhere by the tests that it names. `table()` is the README's.
"""

import ast
import errno
import multiprocessing
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from chain_of_steps import faults, suites, training, vbvr
from chain_of_steps.__main__ import main
from chain_of_steps.denoise import generate
from chain_of_steps.experiments.perturbation import Perturbation
from chain_of_steps.generating import cases_of, generate_videos, given_frame
from chain_of_steps.interventions import NoiseAtCells, NoiseAtFrame, NoiseAtStep
from chain_of_steps.mini import save_pipeline
from chain_of_steps.models import VideoModel
from chain_of_steps.schedule import Schedule, preset
from chain_of_steps.store import Store
from chain_of_steps.sweep import Branch, grow, sweep

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import reproduce  # noqa: E402
import run as tool  # noqa: E402
import strip  # noqa: E402

FORK = multiprocessing.get_context("fork")
SHORT = Schedule("test", "euler", 3, shift=3.0)
PLAN = dict(
    tasks=["bounce"],
    samples_per_task=2,
    ablations_per_task=0,
    maps_per_task=0,
    map_tasks=[],
    step_stride=1,
    frame_stride=8,
    suite_seed=7,
)


@dataclass(frozen=True)
class Row:
    """One fault: a check of this file, or the names of tests elsewhere."""

    name: str
    tried: str
    times: int
    happens: str
    elsewhere: tuple[str, ...] = ()


ROWS = [
    Row("sweep_killed", "SIGKILL of a sweep, at ten moments, then two workers", 10, "it resumes; the same bytes",
        ("test_killed_at_ten_moments_it_ends_with_the_same_bytes",)),
    Row("training_killed", "SIGKILL of training at random moments", 8, "the checkpoint is whole; it goes on"),
    Row("generate_killed", "SIGKILL of `generate` at random moments", 8, "it resumes; the same bytes"),
    Row("reproduce_killed", "SIGKILL of computing `results/` at random moments", 8, "it resumes; the same bytes"),
    Row("worker_killed", "SIGKILL of a Ray worker in mid-sweep", 1, "it is replaced, its group done again; same bytes",
        ("test_a_killed_worker_is_replaced_and_its_work_done_again",)),
    Row("disk_full_rows", "the disk fills up while rows are written", 6, "a sentence; finished rows stay; same bytes"),
    Row("disk_full_files", "the disk fills up under a video, a checkpoint", 2, "a sentence; the old file stays"),
    Row("read_only", "a folder that cannot be written to: store, videos, suite", 3, "a sentence"),
    Row("budget", "a memory budget is exceeded: a path, hidden states", 2, "a sentence before memory is taken",
        ("test_a_path_beyond_its_budget_is_refused", "test_the_budget_is_kept_and_hooks_go_even_then")),
    Row("two_writers", "two or three processes write to one store, one folder of videos", 2, "nothing is lost",
        ("test_several_writers_lose_nothing", "test_sealing_keeps_what_others_wrote_meanwhile")),
    Row("two_generate", "two processes generate into one folder", 1, "every video is whole"),
    Row("rows_damaged", "rows cut short, changed, or replaced by rubbish", 8, "named, never used, computed again",
        ("test_a_line_cut_short_is_dropped_and_computed_again", "test_lines_that_are_no_rows_are_damaged",
         "test_a_changed_row_is_named_never_used_and_set_aside")),
    Row("weights_damaged", "weights missing, truncated, or without a tensor", 8, "a sentence",
        ("test_a_harmed_weight_file_is_refused", "test_a_weight_file_that_lacks_a_tensor_is_refused")),
    Row("weights_gap", "a text encoder without a tensor, which transformers would make up", 1, "a sentence"),
    Row("weights_shape", "weights of another shape, in each part", 3, "a sentence"),
    Row("weights_pickled", "a .bin checkpoint; a pickle named .safetensors", 6, "refused, never opened",
        ("test_a_pickled_checkpoint_is_refused_and_never_opened",)),
    Row("checkpoint_damaged", "`train --resume` on a checkpoint that is empty, cut, rubbish, of another model", 5,
        "a sentence"),
    Row("foreign_rows", "a store with rows of another model, schedule, size and code version", 4, "never mixed"),
    Row("parameters", "a notebook's parameter mistyped, missing, of a wrong type, out of range", 9, "a sentence"),
    Row("parameter_files", "params.yaml and claims.yaml that are no YAML, empty, a list, or lack a section", 8,
        "a sentence"),
    Row("unknown_names", "an unknown task, preset, suite, model, device, dtype, scale, experiment", 9, "a sentence",
        ("test_unknown_names_are_refused_with_what_was_expected", "test_bad_input_is_one_clear_sentence")),
    Row("unknown_cells", "a step, frame or layer that there is not", 8, "a sentence"),
    Row("no_benchmark", "a benchmark folder that is missing, empty, of another layout, or partly there", 10,
        "a sentence",
        ("test_a_folder_that_is_no_suite_is_refused", "test_a_sample_that_lacks_what_a_model_needs_is_named",
         "test_a_folder_out_of_place_is_named")),
    Row("odd_export", "`export-suite` with 0, 1, 4, 6 frames; sides of 8 and 50 pixels", 6, "a sentence"),
    Row("odd_sizes", "frames and clips of odd sides and lengths", 14,
        "rounded to what the codec takes, or a sentence",
        ("test_odd_sizes_are_refused", "test_numbers_of_frames_that_the_codec_would_cut_are_refused",
         "test_odd_sides_are_refused", "test_frames_are_rounded_up_to_what_the_codec_takes")),
    Row("first_frames", "first frames of 1 x 1 to 33 x 1001 pixels", 5, "sides become multiples of 16, 16 at least"),
    Row("no_video", "a ground truth that cannot be decoded, is empty or cut", 5, "a sentence",
        ("test_a_file_that_is_no_video_is_named", "test_a_truncated_file_is_named")),
    Row("prompts", "a prompt that is empty, very long, in another script, of odd characters", 5,
        "it runs; what goes beyond the text length is cut, as in stock diffusers"),
    Row("nan", "NaN or infinity in the weights, the latents", 3, "a sentence at the step where it appears; no row"),
    Row("no_gpu", "`--device cuda` without a GPU, with one out of range; a device that is none", 3, "a sentence"),
    Row("gpu_full", "a GPU out of memory (its error, raised on purpose)", 1,
        "a sentence; clips go one at a time, so there is no smaller batch to try"),
    Row("no_network", "commands without a network; a missing model is not looked for there", 6, "they run; a sentence",
        ("test_nothing_asks_the_network", "test_a_missing_model_is_not_looked_for_in_the_network")),
    Row("stopped", "Ctrl-C", 1, "a sentence, exit code 130; what was finished is kept"),
    Row("debug", "`--debug` before or after the command; a fault of ours", 3, "the trace-back, and only then"),
]  # fmt: skip


def table() -> str:
    """The table as Markdown."""
    lines = ["| what is tried | times | what happens |", "|---|---|---|"]
    return "\n".join(lines + [f"| {row.tried} | {row.times} | {row.happens} |" for row in ROWS]) + "\n"


CHECKS: dict[str, Callable] = {}


def check(test: Callable) -> Callable:
    CHECKS[test.__name__] = test
    return test


# Kills


def killed(work: Callable, times: int, longest: float) -> None:
    """Starts `work` again and again and kills it at random moments, then lets it end."""
    rng = random.Random(0)
    for _ in range(times):
        process = FORK.Process(target=work)
        process.start()
        process.join(rng.uniform(0.0, longest))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    process = FORK.Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the temporary ones that a kill may leave."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.suffix != ".damaged"}


@check
def training_killed(tmp_path, monkeypatch, capfd, times):
    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    monkeypatch.setattr(training, "Examples", lambda codec, frames: frames)
    monkeypatch.setattr(training, "_loss_of_step", lambda model, *_: sum(p.pow(2).sum() for p in model.parameters()))
    monkeypatch.setattr(training.shutil, "which", lambda name: None)
    file, steps = tmp_path / "denoiser.safetensors", []

    def work() -> None:
        pipe = tiny.mini_like()
        model = training.Denoiser(pipe.text_encoder, pipe.transformer)
        began = training.Progress.load(file, model).step
        assert began >= max(steps, default=0), "a finished step was lost"
        training.fit_denoiser(model, None, file, time.time() + 0.4, print)

    for _ in range(times):
        killed(work, 1, 0.6)
        steps.append(int(load_file(file)["step"]))
    assert steps == sorted(steps) and steps[0] > 0


def tiny_model() -> VideoModel:
    return VideoModel(tiny.mini_like(), fixed=True)


def some_videos(out: Path) -> None:
    cases = cases_of("mini", 1, 0, "bounce") + cases_of("mini", 1, 0, "rotate")
    generate_videos(tiny_model(), SHORT, cases, out, seed=0, every_step=True)


@check
def generate_killed(tmp_path, monkeypatch, capfd, times):
    some_videos(tmp_path / "whole")
    killed(lambda: some_videos(tmp_path / "killed"), times, 2.0)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@check
def reproduce_killed(tmp_path, monkeypatch, capfd, times):
    experiment = Perturbation(tiny_model(), SHORT)
    monkeypatch.setattr(reproduce, "experiments", lambda: {"x": (experiment, experiment.plan(**PLAN))})
    monkeypatch.setattr(reproduce, "WORKERS", 1)
    reproduce.compute(tmp_path / "whole")
    killed(lambda: reproduce.compute(tmp_path / "killed"), times, 1.0)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


# Disks


def limited(work: Callable, size: int) -> str:
    """Runs `work` in a process that may not write files of more than `size` bytes; its sentence, if it fails."""
    receive, send = FORK.Pipe(duplex=False)

    def inside() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            work()
            send.send("")
        except Exception as error:
            send.send(faults.sentence(error))

    process = FORK.Process(target=inside)
    process.start()
    process.join()
    return receive.recv()


@check
@pytest.mark.filterwarnings("ignore:.*damaged")
def disk_full_rows(tmp_path, monkeypatch, capfd, times):
    def work(name: str = "full") -> None:
        experiment = Perturbation(tiny_model(), SHORT)
        store = Store(tmp_path, name)
        sweep(experiment, store, experiment.plan(**PLAN))

    work("whole")
    whole = (tmp_path / "whole.jsonl").stat().st_size
    for part in range(1, times + 1):
        assert "the disk is full" in limited(work, whole * part // (times + 2))
    before = len(Store(tmp_path, "full").rows)
    assert before > 0
    work()
    for name in ("full", "whole"):
        Store(tmp_path, name).seal()
    assert (tmp_path / "full.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@check
def disk_full_files(tmp_path, monkeypatch, capfd, times):
    from chain_of_steps.checkpoints import save_tensors
    from chain_of_steps.video import write_video

    clip = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    writers = {
        "x.mp4": lambda file: write_video(file, clip),
        "x.safetensors": lambda file: save_tensors(file, {"x": torch.zeros(9000)}),
    }
    assert len(writers) == times
    for name, write in writers.items():
        (tmp_path / name).write_bytes(b"old")
        said = limited(lambda name=name, write=write: write(tmp_path / name), 4096)
        assert "the disk is full" in said, said
        assert (tmp_path / name).read_bytes() == b"old" and len(list(tmp_path.glob(f"*{name}"))) == 1


@check
def read_only(tmp_path, monkeypatch, capfd, times):
    place = tmp_path / "closed"
    place.mkdir(mode=0o555)
    if os.access(place, os.W_OK):  # root may write anywhere: the kernel's own folder refuses it too
        place = Path("/proc/self/task")
    tries = (
        lambda: Store(place / "x", "x").put({"a": 1}, {}),
        lambda: some_videos(place / "videos"),
        lambda: vbvr.export_suite({"bounce": suites.draw("bounce", 1, 0)}, place / "suite", 48, 5),
    )
    for number, write in enumerate(tries):
        assert faults.told(write, "x") == 2, number
        assert one_sentence(capfd)
    assert len(tries) == times
    assert "cannot be written to" in faults.sentence(OSError(errno.EROFS, "Read-only file system", "x"))


@check
def two_generate(tmp_path, monkeypatch, capfd, times):
    writers = [FORK.Process(target=some_videos, args=(tmp_path / "both",)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    some_videos(tmp_path / "one")
    some_videos(tmp_path / "both")
    assert contents(tmp_path / "both") == contents(tmp_path / "one")


# Weights


def one_sentence(capfd, *parts: str) -> str:
    """The single line on standard error, which is no trace-back."""
    said = capfd.readouterr().err
    lines = [line for line in re.split(r"[\r\n]", said) if re.search(r"(chain-of-steps|\bx): ", line)]
    assert len(lines) == 1 and "Traceback" not in said, said
    assert all(part in lines[0] for part in parts), lines[0]
    return lines[0]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    pipe = tiny.mini_like()
    save_pipeline(folder, pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    (folder / "training.json").write_text("{}")
    return folder


def changed(folder: Path, change: Callable[[dict], dict]) -> bytes:
    """Changes the tensors of a part; returns the bytes that were there."""
    (file,) = folder.glob("*.safetensors")
    whole = file.read_bytes()
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return whole


@check
def weights_gap(saved, capfd, times):
    for name in [n for n in load_file(saved / "text_encoder/model.safetensors") if "layer_norm" in n][:times]:
        whole = changed(saved / "text_encoder", lambda t, name=name: {n: x for n, x in t.items() if n != name})
        assert main(["bench", "--model", str(saved), "--samples-per-task", "1"]) == 2
        one_sentence(capfd, "lacks 1 tensors, such as", "dvc pull --force")
        (saved / "text_encoder/model.safetensors").write_bytes(whole)


@check
def weights_shape(saved, capfd, times):
    parts = ("transformer", "vae", "text_encoder")
    assert len(parts) == times
    for part in parts:
        first = min(load_file(next((saved / part).glob("*.safetensors"))))
        whole = changed(saved / part, lambda t, first=first: t | {first: torch.zeros(3, 5)})
        try:
            assert main(["bench", "--model", str(saved), "--samples-per-task", "1"]) == 2
            one_sentence(capfd, "cannot be loaded")
        finally:
            next((saved / part).glob("*.safetensors")).write_bytes(whole)


@check
def checkpoint_damaged(tmp_path, monkeypatch, capfd, times):
    file, code = tmp_path / "denoiser.safetensors", tmp_path / "codec.safetensors"
    model = torch.nn.Linear(3, 3)
    training.Progress(7, {n: p.detach().clone() for n, p in model.named_parameters()}).save(file, model)
    other = file.read_bytes()
    damages = [(b"", b""), (other[: len(other) // 2], b""), (b"rubbish" * 20, b""), (other, other), (other, None)]
    assert len(damages) == times
    for checkpoint, codec in damages:
        file.write_bytes(checkpoint)
        code.unlink(missing_ok=True) if codec is None else code.write_bytes(codec)
        train = ["train", "--budget", "1s", "--resume", "--work", str(tmp_path), "--out", str(tmp_path / "out")]
        assert main(train) == 2
        one_sentence(capfd, "checkpoint", "move its folder away")
        assert file.read_bytes() == checkpoint
    with pytest.raises(ValueError, match=r"is of another model: average/weight has shape \(3, 3\), not \(4, 4\)"):
        file.write_bytes(other)
        training.Progress.load(file, torch.nn.Linear(4, 4))


@check
def foreign_rows(tmp_path, monkeypatch, capfd, times):
    from dataclasses import replace

    from chain_of_steps import sweep as sweeping

    ours = Perturbation(tiny_model(), SHORT)
    runs = ours.plan(**PLAN)
    store = Store(tmp_path, "x")
    sweep(ours, store, runs)
    larger = VideoModel(tiny.mini_like(), size=96)
    others = [Perturbation(VideoModel(tiny.mini_like(seed=1)), SHORT), Perturbation(larger, SHORT)]
    others.append(Perturbation(tiny_model(), replace(SHORT, shift=3.1)))
    monkeypatch.setattr(sweeping, "EXPERIMENT_VERSION", -1)
    others.append(Perturbation(tiny_model(), SHORT))
    assert len(others) == times
    for other in others:
        assert not any(store.get(other.identity(run)) for run in runs)
    assert all(store.get(ours.identity(run)) for run in runs)


# Parameters and names


@check
def parameters(tmp_path, monkeypatch, capfd, times):
    plan = Perturbation(tiny_model(), SHORT).plan
    wrong = [
        ({"taks": ["maze"]}, "unknown parameter 'taks'; expected tasks, samples_per_task"),
        ({"samples_per_task": "two"}, "parameter 'samples_per_task' is 'two'"),
        ({"samples_per_task": 2.5}, "parameter 'samples_per_task' is 2.5"),
        ({"samples_per_task": -1}, "parameter 'samples_per_task' is -1; expected 0 or more"),
        ({"step_stride": 0}, "parameter 'step_stride' is 0; expected 1 or more"),
        ({"map_tasks": "maze"}, "parameter 'map_tasks' is 'maze'"),
        ({"tasks": ["chess"]}, "unknown task 'chess'"),
        ({"tasks": None}, "parameter 'tasks"),
    ]
    for changes, said in wrong:
        assert faults.told(lambda changes=changes: plan(**PLAN | changes), "x") == 2
        one_sentence(capfd, said)
    monkeypatch.setattr(tool, "ROOT", ROOT)
    with pytest.raises(ValueError, match="notebook 2_perturbation_curves has no parameter 'taks'"):
        strip.main(ROOT / "notebooks", ROOT / "build" / "notebooks")
        tool.execute("2_perturbation_curves", "smoke", str(tmp_path), taks=["maze"])
    assert len(wrong) + 1 == times


@check
def parameter_files(tmp_path, monkeypatch, capfd, times):
    file, texts = tmp_path / "x.yaml", ("real: [1, {", "", "[1, 2]", "other: 3")
    assert 2 * len(texts) == times
    for text in texts:
        file.write_text(text)
        for command in (
            ["claims", "--claims", str(file)],
            ["plan", "--model", "wan2.1-i2v-14b", "--params", str(file)],
        ):
            assert main(command) == 2
            one_sentence(capfd)


@check
def unknown_names(saved, capfd, times):
    bench, plan = ["bench", "--model", str(saved)], ["plan", "--model", str(saved)]
    wrong = [
        ([*bench, "--task", "chess"], "unknown task 'chess'"),
        ([*bench, "--preset", "fast"], "unknown preset 'fast'"),
        ([*bench, "--suite", "big"], "unknown suite 'big'"),
        (["bench", "--model", "nowhere"], "nowhere is not a model folder"),
        ([*bench, "--device", "nonsense"], "unknown device 'nonsense'; expected cpu, cuda"),
        ([*plan, "--scale", "huge"], "unknown scale 'huge'"),
        ([*plan, "--experiment", "9_magic"], "unknown experiment '9_magic'"),
        (["plan", "--model", "nowhere"], "is no model folder and no known name"),
    ]
    for command, said in wrong:
        assert main(command) == 2
        assert "dvc pull" not in one_sentence(capfd, said) or "nowhere" in said
    with pytest.raises(ValueError, match="unknown dtype 'float7'"):
        VideoModel.load(saved, dtype="float7")
    assert len(wrong) + 1 == times


@check
def unknown_cells(tmp_path, monkeypatch, capfd, times):
    model = tiny_model()
    condition = model.prepare("", np.zeros((16, 16, 3), np.uint8), 5)
    wrong = [
        (NoiseAtStep(3), "names step 3; expected 0 to 2"),
        (NoiseAtStep(-1), "names step -1"),
        (NoiseAtStep(0, frames=(5,)), "names a frame outside of 0 to 4"),
        (NoiseAtFrame(7), "names a frame outside of 0 to 4"),
        (NoiseAtFrame(0, steps=(1, 9)), "names step 9"),
        (NoiseAtCells(((2, 0), (3, 1))), "names step 3"),
    ]
    for noise, said in wrong:
        with pytest.raises(ValueError, match=said):
            generate(model, condition, SHORT, 0, interventions=(noise,))
        with pytest.raises(ValueError, match=said):
            next(grow(model, condition, SHORT, 0, [Branch(), Branch((noise,))]))
    from chain_of_steps.sites import start_at

    for layer in (-2, 2):
        with (
            pytest.raises(ValueError, match=f"there is no layer {layer}; expected -1 to 1"),
            start_at(model, layer, {}),
        ):
            pass
    assert len(wrong) + 2 == times


@check
def odd_export(tmp_path, monkeypatch, capfd, times):
    export = ["export-suite", "--samples-per-task", "1", "--out", str(tmp_path / "suite")]
    wrong = [*(("--frames", str(n)) for n in (0, 1, 4, 6)), ("--size", "8"), ("--size", "50")]
    for option in wrong:
        try:
            code = main([*export, *option])
        except SystemExit as stop:  # argparse's own refusal
            code = stop.code
        assert code == 2 and not (tmp_path / "suite").exists()
        assert "Traceback" not in capfd.readouterr().err
    assert len(wrong) == times


@check
def first_frames(tmp_path, monkeypatch, capfd, times):
    from PIL import Image

    sizes = [(1, 1), (7, 300), (15, 17), (33, 1001), (480, 832)]
    assert len(sizes) == times
    for height, width in sizes:
        Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(tmp_path / "first_frame.png")
        frame = given_frame(vbvr.Case("in-domain", "x", "00000", "", tmp_path), None)
        assert all(side >= 16 and side % 16 == 0 for side in frame.shape[:2])


@check
def prompts(tmp_path, monkeypatch, capfd, times):
    model, odd = tiny_model(), ["", "draw " * 5000, "画出从绿色到红色的路", "путь 🟢→🔴", "\x00\x07\u202e"]
    assert len(odd) == times
    for prompt in odd:
        condition = model.prepare(prompt, np.zeros((16, 16, 3), np.uint8), 5)
        assert condition.prompt.shape == model.prepare("draw", np.zeros((16, 16, 3), np.uint8), 5).prompt.shape
        assert generate(model, condition, SHORT, 0).latents[-1].isfinite().all()


@check
def nan(tmp_path, monkeypatch, capfd, times):
    values = (float("nan"), float("inf"), float("-inf"))
    assert len(values) == times
    for value in values:
        model = tiny_model()
        model.pipe.transformer.proj_out.bias[0] = value
        experiment, store = Perturbation(model, SHORT), Store(tmp_path, "x")
        assert faults.told(lambda e=experiment, s=store: sweep(e, s, e.plan(**PLAN)) and None, "x") == 2
        one_sentence(capfd, "the clean estimate at step 0 is not finite")
        assert not store.rows


# Devices


@check
def no_gpu(saved, capfd, times):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    for device in ("cuda", "cuda:7"):
        assert main(["bench", "--model", str(saved), "--device", device]) == 2
        one_sentence(capfd, f"there is no GPU for device {device!r}", "take cpu")
    assert main(["generate", "--model", str(saved), "--device", "gpu", "--out", "x"]) == 2
    one_sentence(capfd, "unknown device 'gpu'")
    assert times == 3


@check
def gpu_full(saved, capfd, times, monkeypatch):
    def out_of_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nSee documentation")

    monkeypatch.setattr(VideoModel, "predict", out_of_memory)
    assert main(["bench", "--model", str(saved), "--samples-per-task", "1", "--task", "bounce"]) == 2
    one_sentence(capfd, "the GPU's memory is full; clips already go one at a time")


@check
def stopped(tmp_path, monkeypatch, capfd, times):
    def work() -> None:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(5)

    assert faults.told(work, "x") == 130
    one_sentence(capfd, "stopped; what was finished is kept")


@check
def debug(tmp_path, monkeypatch, capfd, times):
    for command in (["--debug", "claims", "--claims", "nowhere"], ["claims", "--debug", "--claims", "nowhere"]):
        with pytest.raises(FileNotFoundError):
            main(command)
    assert faults.told(lambda: {}["x"], "x") == 70
    one_sentence(capfd, "this is our fault, not yours: --debug shows where")


# The table


HERE = [row for row in ROWS if row.name in CHECKS]


@pytest.mark.filterwarnings("ignore:.*damaged")  # a line that was cut short
@pytest.mark.parametrize("row", HERE, ids=lambda row: row.name)
def test_fault(row, request, tmp_path, monkeypatch, capfd):
    test = CHECKS[row.name]
    wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
    known = {"tmp_path": tmp_path, "monkeypatch": monkeypatch, "capfd": capfd, "times": row.times}
    test(**{name: known[name] if name in known else request.getfixturevalue(name) for name in wanted})


def test_every_row_has_its_check_or_tests_that_exist():
    assert len(HERE) == len(CHECKS) and all(row.name in CHECKS or row.elsewhere for row in ROWS)
    assert len({row.name for row in ROWS}) == len(ROWS)
    tests = {
        node.name
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    for row in ROWS:
        assert set(row.elsewhere) <= tests, row.name


def test_the_readme_shows_this_table():
    texts = [file.read_text(encoding="utf-8") for file in ROOT.glob("README*.md")]
    assert any(table() in text for text in texts), f"the README lacks this table:\n{table()}"


def test_the_command_line_itself_ends_so():
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "chain_of_steps", "claims", "--claims", "nowhere"]
    said = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert said.returncode == 2 and said.stderr.startswith("chain-of-steps: ") and "Traceback" not in said.stderr
    assert said.stderr.count("\n") == 1
