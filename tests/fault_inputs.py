"""Checks of the table of faults: weights, parameters, names, videos, devices."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from fault_table import PLAN, SHORT, check, one_sentence, tiny_model
from noised import Noised
from safetensors.torch import load_file, save_file

from chain_of_steps.bench import vbvr
from chain_of_steps.bench.generate import given_frame
from chain_of_steps.cli import main
from chain_of_steps.common import errors
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.models.hooks import FromLayer
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import advance, begin, generate
from chain_of_steps.sampling.interventions import NoiseAtCells, NoiseAtFrame, NoiseAtStep
from chain_of_steps.sampling.prefix_tree import Branch, grow
from chain_of_steps.training.progress import Progress

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import strip  # noqa: E402
from run import execute  # noqa: E402

# Weights


def changed(folder: Path, change: Callable[[dict], dict]) -> bytes:
    """Changes the tensors of a component; returns the original bytes."""
    (file,) = folder.glob("*.safetensors")
    whole = file.read_bytes()
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return whole


@check
def weights_gap(saved, capfd, times):
    for name in [
        n for n in load_file(saved / "text_encoder/model.safetensors") if "layer_norm" in n
    ][:times]:
        whole = changed(
            saved / "text_encoder", lambda t, name=name: {n: x for n, x in t.items() if n != name}
        )
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
    Progress(7, {n: p.detach().clone() for n, p in model.named_parameters()}).save(file, model)
    other = file.read_bytes()
    damages = [
        (b"", b""),
        (other[: len(other) // 2], b""),
        (b"rubbish" * 20, b""),
        (other, other),
        (other, None),
    ]
    assert len(damages) == times
    for checkpoint, codec in damages:
        file.write_bytes(checkpoint)
        code.unlink(missing_ok=True) if codec is None else code.write_bytes(codec)
        train = [
            "train",
            "--budget",
            "1s",
            "--resume",
            "--work",
            str(tmp_path),
            "--out",
            str(tmp_path / "out"),
        ]
        assert main(train) == 2
        one_sentence(capfd, "checkpoint", "move its folder away")
        assert file.read_bytes() == checkpoint
    with pytest.raises(
        ValueError,
        match=r"belongs to another model: average/weight has shape \(3, 3\); expected \(4, 4\)",
    ):
        file.write_bytes(other)
        Progress.load(file, torch.nn.Linear(4, 4))


@check
def foreign_rows(tmp_path, monkeypatch, capfd, times):
    from dataclasses import replace

    ours = Noised(tiny_model(), SHORT)
    runs = ours.plan(**PLAN)
    store = Store(tmp_path, "x")
    sweep(ours, store, runs)
    larger = VideoModel(tiny.mini_like(), size=96)
    others = [Noised(VideoModel(tiny.mini_like(seed=1)), SHORT), Noised(larger, SHORT)]
    others.append(Noised(tiny_model(), replace(SHORT, shift=3.1)))
    monkeypatch.setattr("chain_of_steps.experiments.base.EXPERIMENT_VERSION", -1)
    others.append(Noised(tiny_model(), SHORT))
    assert len(others) == times
    for other in others:
        assert not any(store.get(other.identity(run)) for run in runs)
    assert all(store.get(ours.identity(run)) for run in runs)


# Parameters and names


@check
def parameters(tmp_path, monkeypatch, capfd, times):
    plan = Noised(tiny_model(), SHORT).plan
    wrong = [
        ({"clels": ["maze"]}, "unknown parameter 'clels'; expected cells, samples_per_cell"),
        ({"samples_per_cell": "two"}, "parameter 'samples_per_cell' is 'two'"),
        ({"samples_per_cell": 2.5}, "parameter 'samples_per_cell' is 2.5"),
        ({"samples_per_cell": -1}, "parameter 'samples_per_cell' is -1; expected 0 or more"),
        ({"step_stride": 0}, "parameter 'step_stride' is 0; expected 1 or more"),
        ({"cells": "maze"}, "parameter 'cells' is 'maze'"),
        ({"cells": ["chess"]}, "unknown task 'chess'"),
        ({"cells": ["maze rooms"]}, "fixes no knob by 'rooms'"),
        ({"cells": None}, "parameter 'cells"),
    ]
    for changes, said in wrong:
        assert errors.run_command(lambda changes=changes: plan(**PLAN | changes), "x") == 2
        one_sentence(capfd, said)
    monkeypatch.setattr("run.ROOT", ROOT)
    with pytest.raises(ValueError, match="notebook 2_perturbation_curves has no parameter 'taks'"):
        strip.main(ROOT / "notebooks", ROOT / "build" / "notebooks")
        execute("2_perturbation_curves", "smoke", str(tmp_path), taks=["maze"])
    assert len(wrong) + 1 == times


@check
def parameter_files(tmp_path, monkeypatch, capfd, times):
    file, texts = (
        tmp_path / "x.yaml",
        ("real: [1, {", "", "[1, 2]", "other: 3", "?", "claims:", "claims:\n- a: 1"),
    )
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
        (["plan", "--model", "nowhere"], "is neither a model folder nor a known name"),
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
    for layer in (-2, 2):
        state = begin(model, condition, SHORT, 0)
        with pytest.raises(ValueError, match=f"there is no layer {layer}; expected -1 to 1"):
            advance(model, condition, SHORT, state, start=FromLayer(layer, {}))
    assert len(wrong) + 2 == times


@check
def odd_export(tmp_path, monkeypatch, capfd, times):
    export = ["export-suite", "--samples-per-task", "1", "--out", str(tmp_path / "suite")]
    wrong = [*(("--frames", str(n)) for n in (0, 1, 4, 6)), ("--size", "8"), ("--size", "50")]
    for option in wrong:
        assert main([*export, *option]) == 2 and not (tmp_path / "suite").exists()
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
    model, odd = (
        tiny_model(),
        ["", "draw " * 5000, "画出从绿色到红色的路", "путь 🟢→🔴", "\x00\x07\u202e"],
    )
    assert len(odd) == times
    for prompt in odd:
        condition = model.prepare(prompt, np.zeros((16, 16, 3), np.uint8), 5)
        assert (
            condition.prompt.shape
            == model.prepare("draw", np.zeros((16, 16, 3), np.uint8), 5).prompt.shape
        )
        assert generate(model, condition, SHORT, 0).latents[-1].isfinite().all()


@check
def nan(tmp_path, monkeypatch, capfd, times):
    values = (float("nan"), float("inf"), float("-inf"))
    assert len(values) == times
    for value in values:
        model = tiny_model()
        model.pipe.transformer.proj_out.bias[0] = value
        experiment, store = Noised(model, SHORT), Store(tmp_path, "x")
        assert (
            errors.run_command(
                lambda e=experiment, s=store: sweep(e, s, e.plan(**PLAN)) and None, "x"
            )
            == 2
        )
        one_sentence(capfd, "the clean estimate at step 0 is not finite")
        assert not store.rows


# Devices


@check
def no_gpu(saved, capfd, times):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    for device in ("cuda", "cuda:7"):
        assert main(["bench", "--model", str(saved), "--device", device]) == 2
        one_sentence(capfd, f"there is no GPU for device {device!r}", "use cpu")
    assert main(["generate", "--model", str(saved), "--device", "gpu", "--out", "x"]) == 2
    one_sentence(capfd, "unknown device 'gpu'")
    assert times == 3


@check
def gpu_full(saved, capfd, times, monkeypatch):
    def out_of_memory(*_, **__):
        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 20 GiB.\nSee documentation"
        )

    monkeypatch.setattr(VideoModel, "predict", out_of_memory)
    assert (
        main(["bench", "--model", str(saved), "--samples-per-task", "1", "--task", "bounce"]) == 2
    )
    one_sentence(capfd, "the GPU's memory is full; clips are already processed one at a time")


@check
def stopped(tmp_path, monkeypatch, capfd, times):
    def work() -> None:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(5)

    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # it is ignored in the separate process of a test
    try:
        assert errors.run_command(work, "x") == 130
    finally:
        signal.signal(signal.SIGINT, before)
    one_sentence(capfd, "interrupted; finished work is kept")


@check
def debug(tmp_path, monkeypatch, capfd, times):
    for command in (
        ["--debug", "claims", "--claims", "nowhere"],
        ["claims", "--debug", "--claims", "nowhere"],
    ):
        with pytest.raises(FileNotFoundError):
            main(command)
    assert errors.run_command(lambda: {}["x"], "x") == 70
    one_sentence(capfd, "this is a bug in Chain of Steps: run it again with --debug")
