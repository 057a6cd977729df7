"""Distillation by identity: targets fit one Euler step, waypoints are the loop's, and an
interruption loses nothing."""

import json

import pytest
import tiny
import torch

from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.training import distillation
from chain_of_steps.training.data import clip
from chain_of_steps.training.mini import Denoiser

FEW = 6


@pytest.fixture
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = preset("mini").scheduler("sample")
    return VideoModel(pipe, frames=5)


@pytest.fixture
def folder(model, tmp_path):
    model.pipe.save_pretrained(tmp_path / "teacher")
    recipe = {"recipe": {"size": model.size, "frames": model.frames}}
    (tmp_path / "teacher" / "training.json").write_text(json.dumps(recipe))
    return tmp_path


def test_the_target_takes_one_euler_step_to_the_teachers_state():
    x, after = torch.randn(2, 3, 8, 2, 6, 6).double()
    sigma, later = torch.tensor([1.0, 0.9, 0.5]).double(), torch.tensor([0.9, 0.75, 0.0]).double()
    x0_hat = distillation.target(x, after, sigma, later)
    ratio = (later / sigma).view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(x0_hat + ratio * (x - x0_hat), after)
    torch.testing.assert_close(x0_hat[2], after[2])  # the last step lands on the clean estimate


def test_the_students_levels_are_every_fifth_of_the_teachers():
    teacher, student = (
        preset(name).sigmas for name in (distillation.TEACHER, distillation.STUDENT)
    )
    assert teacher[::5] == pytest.approx(student, abs=1e-6)


def test_waypoints_are_states_of_the_loop(model):
    teacher = Denoiser(model.pipe.text_encoder, model.pipe.transformer)
    made = distillation.make(model, teacher, range(3, 5), batch=2)
    assert made["states"].shape[:2] == (2, 5) and made["states"].dtype == torch.float16
    first = clip(3, model.frames, seed=distillation.CLIP_SEED)
    condition = model.prepare(first.prompt, first.frames[0], model.frames)
    trajectory = generate(model, condition, preset(distillation.TEACHER), seed=3)
    for ours, theirs in zip(made["states"][0].float(), trajectory.latents[::5], strict=True):
        difference = (ours - theirs[0]).abs().max()
        assert difference < 0.05 * theirs.abs().max(), "bfloat16 against float32"


def test_it_goes_on_where_it_stopped_and_keeps_to_one_teachers_trajectories(
    folder, model, monkeypatch
):
    monkeypatch.setattr(distillation, "CHUNK", 3)
    monkeypatch.setattr(distillation, "compile_blocks", lambda transformer: None)
    said: list[str] = []
    arguments = folder / "teacher", folder / "student", folder / "work"
    distillation.distill(*arguments, FEW, 2.0, said.append)
    made = [line for line in said if line.startswith("trajectories")]
    assert len(made) == 2
    first = json.loads((folder / "student/training.json").read_text())
    assert first["teacher"] == model.fingerprint and first["steps"] > 0
    distillation.distill(*arguments, FEW, 2.0, said.append)
    assert [line for line in said if line.startswith("trajectories")] == made, "made once"
    assert json.loads((folder / "student/training.json").read_text())["steps"] > first["steps"]
    student = VideoModel.load(folder / "student")
    assert (student.size, student.frames) == (48, 5), "the teacher's"
    assert student.prediction == "sample" and student.fingerprint != model.fingerprint
    assert {path.name for path in (folder / "work").iterdir()} == {model.fingerprint}


def test_it_moves_the_transformer_towards_the_target_and_leaves_the_text_encoder(model):
    student = Denoiser(model.pipe.text_encoder, model.pipe.transformer)
    stored = distillation.make(model, student, range(4), batch=4)
    text = [p.clone() for p in student.text_encoder.parameters()]
    levels = torch.tensor(preset(distillation.STUDENT).sigmas)
    before = distillation._loss(student, stored, levels, 0).item()
    transformer = student.transformer.train().requires_grad_(True)
    optimizer = distillation.Optimizer(transformer, distillation.RATES)
    for _ in range(10):
        optimizer.descend(distillation._loss(student, stored, levels, 0), 0.3, clip_norm=1.0)
    assert distillation._loss(student, stored, levels, 0).item() < 0.9 * before
    after = student.text_encoder.parameters()
    assert all(torch.equal(a, b) for a, b in zip(text, after, strict=True))


@pytest.mark.parametrize("count", [0, distillation.MOST + 1])
def test_it_refuses_more_than_ten_thousand_trajectories(tmp_path, count):
    with pytest.raises(ValueError, match="expected 1 to 10000"):
        distillation.distill(tmp_path, tmp_path, tmp_path, count, 1.0, print)
