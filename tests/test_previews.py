"""Step previews: complete, faithful to the trajectory, and in the common format."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline
from PIL import Image

from chain_of_steps.bench.previews import write_previews
from chain_of_steps.common.video import enlarge, read_video
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling import denoise
from chain_of_steps.training import recipe

SCHEDULE = Schedule("tiny", "euler", steps=3, shift=3.0)
KEYS = {
    "model_path",
    "sampler",
    "num_inference_steps",
    "guidance_scale",
    "seed",
    "height",
    "width",
    "num_frames",
    "fps",
}
KEYS |= {"sigmas", "timesteps", "step_previews"}
PREVIEW_KEYS = {
    "display_step",
    "file_index",
    "kind",
    "source_sigma",
    "source_timestep",
    "output_sigma",
    "file",
}


def tiny_model() -> VideoModel:
    """An untrained mini model, as small as it gets, whose velocity is not zero."""
    torch.manual_seed(0)
    sizes = recipe.Recipe(
        latent_channels=4, width=32, layers=2, heads=2, text_width=16, text_layers=1
    )
    tokenizer = recipe.build_tokenizer()
    transformer = recipe.build_transformer(sizes)
    torch.nn.init.normal_(transformer.proj_out.weight)
    pipe = WanImageToVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=recipe.build_text_encoder(sizes, len(tokenizer)),
        vae=recipe.build_codec(sizes),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        transformer=transformer,
    )
    return VideoModel(pipe, "tiny")


@pytest.fixture(scope="module")
def model() -> VideoModel:
    return tiny_model()


@pytest.fixture(scope="module")
def condition(model):
    return model.prepare_sample(suite.draw_one("maze", 0, seed=0), frames=5)


@pytest.fixture(scope="module")
def trajectory(model, condition) -> denoise.Trajectory:
    return denoise.generate(model, condition, SCHEDULE, seed=7, keep_states=True)


@pytest.fixture(scope="module")
def folder(model, trajectory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("previews")
    write_previews(folder, model, trajectory, SCHEDULE, seed=7)
    return folder


@pytest.fixture(scope="module")
def manifest(folder) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_the_folder_holds_the_files_of_the_format_and_no_others(folder):
    steps = {f"step_{s:02d}.mp4" for s in range(3)}
    others = {"final_00.mp4", "steps_grid.mp4", "step_contact_sheet.jpg", "manifest.json"}
    assert {path.name for path in folder.iterdir()} == steps | others


def test_the_manifest_has_the_keys_of_the_format(manifest):
    assert set(manifest) == KEYS
    assert all(set(preview) == PREVIEW_KEYS for preview in manifest["step_previews"])
    shape = [manifest[key] for key in ("num_frames", "height", "width", "fps")]
    assert shape == [5, 480, 480, 16]
    assert (manifest["model_path"], manifest["sampler"], manifest["seed"]) == ("tiny", "euler", 7)


def test_the_manifest_tells_every_noise_level(manifest):
    sigmas, previews = manifest["sigmas"], manifest["step_previews"]
    assert sigmas == SCHEDULE.sigmas and len(sigmas) == 4 and sigmas[-1] == 0.0
    assert np.allclose(manifest["timesteps"], 1000 * np.array(sigmas[:-1]))
    assert [preview["source_sigma"] for preview in previews] == sigmas[:-1]
    assert [preview["source_timestep"] for preview in previews] == manifest["timesteps"]
    assert [preview["display_step"] for preview in previews] == [1, 2, 3]
    assert [preview["file"] for preview in previews] == [
        "step_00.mp4",
        "step_01.mp4",
        "step_02.mp4",
    ]
    assert [preview["kind"] for preview in previews] == ["predicted_clean_x0"] * 2 + [
        "final_latent"
    ]


def test_every_clip_shows_its_clean_estimate(folder, model, trajectory):
    for s, x0_hat in enumerate(trajectory.x0_hats):
        expected = enlarge(model.decode(x0_hat)).astype(int)
        assert np.abs(read_video(folder / f"step_{s:02d}.mp4") - expected).mean() < 4
    assert (
        np.abs(expected - enlarge(model.decode(trajectory.x0_hats[0]))).mean() > 8
    )  # they are distinguishable


def test_the_last_step_is_the_final_video(folder):
    assert (folder / "step_02.mp4").read_bytes() == (folder / "final_00.mp4").read_bytes()


def test_the_overviews_show_all_steps(folder):
    grid = read_video(folder / "steps_grid.mp4")
    assert grid.shape == (5, 2 * 178, 2 * 160, 3)
    assert (grid[:, 178 + 18 :, 160:] > 250).all()  # the fourth place stays white
    with Image.open(folder / "step_contact_sheet.jpg") as sheet:
        assert sheet.size == (5 * 160, 3 * 178)


def test_the_same_trajectory_gives_the_same_files_whatever_was_there(
    folder, model, trajectory, tmp_path
):
    (tmp_path / "step_49.mp4").write_bytes(b"of an older run")
    write_previews(tmp_path, model, trajectory, SCHEDULE, seed=7)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_folder_without_manifest_is_what_an_interruption_leaves(
    folder, model, trajectory, tmp_path, monkeypatch
):
    write_previews(tmp_path, model, trajectory, SCHEDULE, seed=7)
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_previews(tmp_path, model, trajectory, SCHEDULE, seed=7)
    assert (tmp_path / "final_00.mp4").is_file() and not (tmp_path / "manifest.json").exists()


def test_a_restarted_trajectory_keeps_its_step_numbers(
    model, condition, trajectory, folder, tmp_path
):
    restarted = denoise.denoise(model, condition, SCHEDULE, trajectory.states[1])
    manifest = write_previews(tmp_path, model, restarted, SCHEDULE, seed=7)
    whole = json.loads((folder / "manifest.json").read_text())
    assert manifest["step_previews"] == whole["step_previews"][1:]
    assert not (tmp_path / "step_00.mp4").exists()
    assert (tmp_path / "step_01.mp4").read_bytes() == (folder / "step_01.mp4").read_bytes()


def test_a_trajectory_that_stopped_early_has_estimates_only(
    model, condition, trajectory, folder, tmp_path
):
    (tmp_path / "final_00.mp4").write_bytes(b"of an older run")
    early = denoise.denoise(model, condition, SCHEDULE, trajectory.states[0], until=2)
    manifest = write_previews(tmp_path, model, early, SCHEDULE, seed=7)
    assert [preview["kind"] for preview in manifest["step_previews"]] == ["predicted_clean_x0"] * 2
    assert len(manifest["sigmas"]) == 4 and not (tmp_path / "final_00.mp4").exists()
    assert (tmp_path / "step_01.mp4").read_bytes() == (folder / "step_01.mp4").read_bytes()
    nothing = denoise.denoise(model, condition, SCHEDULE, trajectory.states[0], until=0)
    with pytest.raises(ValueError, match="took no step"):
        write_previews(tmp_path, model, nothing, SCHEDULE, seed=7)


def test_a_trajectory_of_another_schedule_is_refused(model, trajectory, tmp_path):
    with pytest.raises(
        ValueError, match="not made with schedule 'tiny': their noise levels differ"
    ):
        write_previews(tmp_path, model, trajectory, replace(SCHEDULE, shift=5.0), seed=7)
