"""Training depends on the step alone, and can be taken up again."""

import json

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps import examples, processor, release, suites, training
from chain_of_steps.clips import LATER_SHARES, SHARES, Ring, clip
from chain_of_steps.mini import save_pipeline
from chain_of_steps.optimizer import Optimizer
from chain_of_steps.schedule import preset
from chain_of_steps.tasks.base import partition_of


def test_shares_cover_the_in_domain_tasks_and_sum_to_one():
    for shares in (SHARES, LATER_SHARES):
        assert set(shares) == set(suites.task_names("in-domain"))
        assert sum(shares.values()) == pytest.approx(1.0)


def test_a_clip_depends_on_its_number_alone():
    first, again, other = clip(7, 5), clip(7, 5), clip(8, 5)
    assert first.prompt == again.prompt and np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)
    assert first.frames.shape == (5, 48, 48, 3)


def test_a_ring_holds_the_newest_items_however_it_got_there():
    slow, fast = (Ring(10, lambda start, stop: list(range(start, stop))) for _ in range(2))
    for end in (3, 8, 15, 31):
        slow.advance(end)
    fast.advance(31)
    assert slow.items == fast.items == list(range(21, 31))


@pytest.mark.parametrize("step", [0, 100, examples.SHORT_STEPS + 100])
def test_lengths_are_those_that_the_codec_takes(step):
    frames, visits = examples.length_at(step, np.random.default_rng(0))
    assert frames in examples.LENGTHS and frames % 4 == 1
    assert 0 <= visits <= step


def test_progress_survives_a_restart(tmp_path):
    model = torch.nn.Linear(3, 3)
    progress = training.Progress.load(tmp_path / "x.safetensors", model)
    with torch.no_grad():
        model.weight += 1.0
    progress.advance(model)
    progress.save(tmp_path / "x.safetensors", model)
    again = torch.nn.Linear(3, 3)
    resumed = training.Progress.load(tmp_path / "x.safetensors", again)
    assert resumed.step == resumed.began == 1
    assert torch.equal(again.weight, model.weight)
    assert torch.equal(resumed.average["weight"], progress.average["weight"])


def test_the_optimizer_descends_on_matrices_and_on_the_rest():
    torch.manual_seed(0)
    pipe = tiny.mini_like()
    model = training.Denoiser(pipe.text_encoder, pipe.transformer)
    optimizer = Optimizer(model, (1e-2, 1e-2))
    z = tiny.RECIPE.latent_channels
    latents, noise = torch.randn(4, z, 5, 6, 6), torch.randn(4, z, 5, 6, 6)
    words, sigma = torch.ones(4, 16, dtype=torch.long), torch.full((4,), 0.8)
    losses = []
    for _ in range(12):
        loss = training.loss_at(model, latents, latents, words, sigma, noise)
        losses.append(loss.item())
        optimizer.descend(loss, 1.0, clip_norm=1.0)
    assert losses[-1] < 0.9 * losses[0]
    moved = [p for p in optimizer.hidden if not torch.equal(p, torch.zeros_like(p))]
    assert moved and all(torch.isfinite(p).all() for p in model.parameters())


def test_training_refuses_to_overwrite_an_earlier_one(tmp_path):
    (tmp_path / "denoiser.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="holds an earlier training; go on with --resume"):
        training.train(tmp_path / "out", tmp_path, 1.0, False, tiny.RECIPE, print)
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a trained model; go on with --resume, or name another folder"):
        training.train(tmp_path, tmp_path / "new", 1.0, False, tiny.RECIPE, print)


def test_training_clips_are_of_the_training_partition():
    rng = np.random.default_rng(0)
    for task in suites.task_names("in-domain"):
        sample = suites.TASKS[task].sample(rng, "training")
        module = __import__(f"chain_of_steps.tasks.{sample.module}", fromlist=["canonical"])
        assert partition_of(module.canonical(sample.state)) == "training"


def test_a_session_is_recorded_with_the_scores_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "SCORED", 1)
    pipe = tiny.mini_like()
    save_pipeline(tmp_path, pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    for step in (100, 200):
        release.record(tmp_path, {"layers": 2}, {"to_step": step, "clips": 32 * step})
    record = json.loads((tmp_path / "training.json").read_text())
    assert [session["to_step"] for session in record["sessions"]] == [100, 200] and record["recipe"] == {"layers": 2}
    scores = record["sessions"][1]["scores"]
    assert scores["partition"] == "choosing" and scores["n"] == 1
    assert set(suites.task_names("in-domain")) == set(scores["solved"])
    release.write_card(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert f"| bounce | {scores['solved']['bounce']:.2f} |" in card and "200 steps, 6400 clips" in card


@pytest.mark.parametrize(
    ("able", "native"),
    [({"avx2": True}, False), ({"avx512_f": True, "avx512_bf16": False}, False), ({"amx_bf16": True}, True)],
)
def test_bfloat16_only_where_the_processor_has_it(able, native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    with processor.mixed_precision():
        assert torch.is_autocast_enabled("cpu") == native
