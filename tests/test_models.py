"""Loading, prediction and decoding equal stock diffusers; bad input fails with a clear error."""

import json

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from chain_of_steps.models import loading
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite

WEIGHTS = (
    "transformer/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)
REFUSED = (
    r"^(the model in .* cannot be loaded: |.* is damaged or cut short ).*; fetch the model again$"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny"
    tiny.mini_like().to(torch.float16).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def loaded(folder) -> VideoModel:
    return VideoModel.load(folder, size=48)


def test_a_saved_model_is_loaded_in_float32_and_ready_to_be_asked(loaded):
    parts = (loaded.pipe.transformer, loaded.pipe.vae, loaded.pipe.text_encoder)
    assert loaded.name == "tiny" and loaded.experts == 1
    for part in parts:
        assert not part.training
        assert {(p.dtype, p.requires_grad) for p in part.parameters()} == {(torch.float32, False)}


def test_a_small_model_loads_without_progress_bars_and_a_large_one_with(folder, capfd, monkeypatch):
    VideoModel.load(folder)
    assert "Loading" not in capfd.readouterr().err
    monkeypatch.setattr(loading, "SLOW", 0)
    VideoModel.load(folder)
    assert "Loading pipeline components" in capfd.readouterr().err


def test_the_fingerprint_tells_weights_apart(folder, loaded):
    other = VideoModel(tiny.mini_like(seed=1))
    assert VideoModel.load(folder).fingerprint == loaded.fingerprint != other.fingerprint


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r"is not a model folder \(no model_index.json\); fetch .* `dvc pull`, or allow .*",
    ):
        VideoModel.load(tmp_path)


@pytest.mark.parametrize("file", WEIGHTS)
@pytest.mark.parametrize("harm", ["missing", "truncated"])
def test_a_harmed_weight_file_is_refused(folder, file, harm):
    whole = (folder / file).read_bytes()
    if harm == "missing":
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(whole[: len(whole) // 2])
    try:
        with pytest.raises(ValueError, match=REFUSED):
            VideoModel.load(folder)
    finally:
        (folder / file).write_bytes(whole)


@pytest.mark.parametrize(
    "file", WEIGHTS[:2]
)  # of a text encoder transformers makes up what is missing
def test_a_weight_file_that_lacks_a_tensor_is_refused(folder, file):
    whole, tensors = (folder / file).read_bytes(), load_file(folder / file)
    save_file(dict(sorted(tensors.items())[1:]), folder / file, metadata={"format": "pt"})
    try:
        with pytest.raises(ValueError, match=REFUSED):
            VideoModel.load(folder)
    finally:
        (folder / file).write_bytes(whole)


@pytest.mark.parametrize(
    ("make", "boundary", "said"),
    [
        (tiny.wan22_like, None, "two experts, but .* has no boundary_ratio"),
        (tiny.mini_like, 0.9, r"one expert, but .* has boundary_ratio 0\.9"),
    ],
)
def test_a_boundary_goes_with_two_experts(make, boundary, said, tmp_path):
    make().save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps(index | {"boundary_ratio": boundary}))
    with pytest.raises(ValueError, match=f"{said}.*; fetch the model again"):
        VideoModel.load(tmp_path)


@pytest.mark.parametrize(("height", "width"), [(33, 48), (48, 40)])
def test_odd_sizes_are_refused(loaded, height, width):
    with pytest.raises(
        ValueError,
        match=f"^frames of {width} x {height} pixels do not fit the model; both .* of 16$",
    ):
        loaded.prepare("", np.zeros((height, width, 3), np.uint8), 9)


@pytest.mark.parametrize("frames", [-3, 0, 4, 6, 8])
def test_numbers_of_frames_that_the_codec_would_cut_are_refused(loaded, frames):
    expected = (
        f"^{frames} frames do not fit the video codec; it takes 4 k \\+ 1 frames: 5, 9, 13, ...$"
    )
    with pytest.raises(ValueError, match=expected):
        loaded.prepare("", np.zeros((48, 48, 3), np.uint8), frames)
    with pytest.raises(ValueError, match="frames do not fit the video codec"):
        loaded.encode(np.zeros((max(frames, 0), 48, 48, 3), np.uint8))


@pytest.mark.parametrize("frames", [5, 9, 13])
def test_a_clip_and_its_latents_have_the_shapes_of_a_generation(model, frames):
    clip = np.random.default_rng(0).integers(0, 256, (frames, 32, 48, 3), dtype=np.uint8)
    condition, latents = model.prepare("turn the shape left", clip[0], frames), model.encode(clip)
    assert latents.shape == condition.shape == model.noise(condition, 0).shape
    assert latents.dtype == torch.float32
    decoded = model.decode(latents)
    assert decoded.shape == clip.shape and decoded.dtype == np.uint8


def test_decoding_is_that_of_the_stock_pipeline(model, picture):
    condition = model.prepare("", picture, 9)
    latents = torch.randn(condition.shape, generator=torch.Generator().manual_seed(0))
    video = model.pipe(
        image=Image.fromarray(picture),
        prompt="",
        height=32,
        width=32,
        num_frames=tiny.stock_frames(model, 9),
        num_inference_steps=1,
        latents=latents,
        guidance_scale=1.0,
        max_sequence_length=model.pipe.tokenizer.model_max_length,
        callback_on_step_end=lambda pipe, step, t, given: {"latents": latents},
    ).frames[0]
    assert np.abs(model.decode(model.hold(latents, condition)) / 255.0 - video).max() < 0.51 / 255.0


def test_floats_greys_and_pictures_are_all_understood(loaded):
    (sample,) = suite.draw("maze", 1, seed=0)
    pixels = (sample.first_frame() * 255 + 0.5).astype(np.uint8)
    expected = loaded.prepare_sample(sample, frames=9)
    for image in (
        pixels,
        sample.first_frame(),
        Image.fromarray(pixels),
        Image.fromarray(pixels).convert("RGBA"),
    ):
        assert torch.equal(loaded.prepare(sample.prompt, image, 9).image, expected.image)
    assert loaded.prepare("", pixels[..., 0], 9).shape == expected.shape
