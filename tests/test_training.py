"""Training depends only on the step, and can be resumed."""

import functools
import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.bench import validation
from chain_of_steps.measures.intervals import share
from chain_of_steps.models import cpu
from chain_of_steps.models.schedule import preset
from chain_of_steps.puzzles import latin, relay, suite, tic_tac_toe
from chain_of_steps.puzzles.base import Answer, Sample
from chain_of_steps.puzzles.splits import split_of
from chain_of_steps.training import data, mini, model_card
from chain_of_steps.training.codec import encode, encode_blank, fit_codec
from chain_of_steps.training.data import GENERALIST, Examples, Ring, World, clip
from chain_of_steps.training.optimizer import Optimizer
from chain_of_steps.training.progress import WARM_UP, Progress
from chain_of_steps.training.recipe import (
    TEXT_LENGTH,
    build_codec,
    build_tokenizer,
    save_pipeline,
)

ROUNDING = {"rtol": 0.0, "atol": 1e-4}  # the codec's, of batches of another size

CLIP = {"layers": 2, "size": 48, "frames": 9}  # of a record


@pytest.fixture(scope="module")
def codec():
    codec = build_codec(tiny.RECIPE).eval()
    fit_codec(codec, [clip(i, 5, seed=1).frames for i in range(40)])
    return codec


@pytest.fixture
def small(monkeypatch):
    """Batches of eight clips from rings of sixteen; nothing is compiled."""
    monkeypatch.setattr(mini, "BATCH", 8)
    monkeypatch.setattr(mini, "Examples", functools.partial(Examples, capacity=16))
    monkeypatch.setattr(mini, "compile_blocks", lambda transformer: None)


def denoiser() -> mini.Denoiser:
    pipe = tiny.mini_like()
    return mini.Denoiser(pipe.text_encoder, pipe.transformer)


# Clips.


SHORT = World(GENERALIST.shares, {5: 1.0})


def test_shares_cover_the_in_domain_tasks_and_sum_to_one():
    assert set(GENERALIST.shares) == set(suite.task_names("in-domain"))
    assert sum(GENERALIST.shares.values()) == pytest.approx(1.0)


def test_a_clip_depends_on_its_number_alone():
    first, again, other = clip(7, 5), clip(7, 5), clip(8, 5)
    assert first.prompt == again.prompt and np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)
    assert first.frames.shape == (5, 48, 48, 3) and first.frames.dtype == np.uint8


def test_only_tasks_with_a_share_are_drawn_however_large_the_shares():
    prompts = {
        clip(i, 5, world=World({"relay": 3.0, "relay_end": 1.0}, {5: 1.0})).prompt
        for i in range(20)
    }
    assert prompts == set(relay.PROMPTS.values())


@pytest.mark.parametrize("task", GENERALIST.shares)
def test_training_clips_show_a_valid_answer_and_are_of_the_training_split(task):
    rng = np.random.default_rng(0)
    for _ in range(20):
        sample, answer = suite.TASKS[task].training_sample(rng)
        assert sample.task == task and sample.is_valid(answer)
        assert is_of_training(sample, answer)


def is_of_training(sample: Sample, answer: Answer) -> bool:
    if sample.puzzle.name == "latin":  # boards and squares have a split each
        square = np.reshape(answer, (sample.state["order"], -1)).tolist()
        board = sample.seen or split_of(sample.canonical, latin.BUCKETS) == "training"
        return board and split_of(["latin square", square], latin.BUCKETS) == "training"
    if sample.puzzle.name == "tic_tac_toe":  # boards are few and listed
        winning = len(sample.solutions)
        return sample.state["board"] in tic_tac_toe.boards("X", winning, "training")
    return split_of(sample.canonical) == "training"


@pytest.mark.parametrize("task", suite.TASKS)
def test_the_tokenizer_knows_every_word_of_every_prompt(task):
    tokenizer, rng = build_tokenizer(), np.random.default_rng(0)
    prompts = {suite.TASKS[task].training_sample(rng)[0].prompt for _ in range(100)}
    for prompt in sorted(prompts):
        ids = tokenizer(prompt).input_ids
        assert tokenizer.unk_token_id not in ids and len(ids) <= TEXT_LENGTH, prompt


def test_a_dropped_prompt_is_the_empty_one():
    empty = build_tokenizer()("", padding="max_length", return_tensors="pt").input_ids
    assert torch.equal(empty, mini.EMPTY_PROMPT)


# Rings and batches.


def test_a_ring_holds_the_newest_items_however_it_got_there():
    slow, fast = (Ring(10, lambda start, stop: list(range(start, stop))) for _ in range(2))
    for end in (3, 8, 15, 31):
        slow.advance(end)
    fast.advance(31)
    assert slow.items == fast.items == list(range(21, 31))


def test_lengths_are_those_that_the_codec_takes_and_visits_only_grow():
    assert sum(GENERALIST.lengths.values()) == pytest.approx(1.0)
    before = dict.fromkeys(GENERALIST.lengths, 0)
    for step in range(0, 2000, 10):
        frames, visits = data.length_at(step, np.random.default_rng(step))
        assert frames in GENERALIST.lengths and frames % 4 == 1
        assert before[frames] <= visits <= step
        before[frames] = visits
    assert all(before.values())


def test_an_example_is_a_clip_its_given_frame_and_its_prompt(codec):
    examples, shown = Examples(codec, 5, capacity=1), clip(0, 5)
    latents, given, words = examples.batch(np.random.default_rng(0), 0, 2)
    frames = np.stack([shown.frames] * 2)
    torch.testing.assert_close(latents, encode(codec, frames), **ROUNDING)
    torch.testing.assert_close(given, encode(codec, frames, only_first=True), **ROUNDING)
    assert examples.tokenizer.decode(words[0], skip_special_tokens=True) == shown.prompt


def test_the_batch_of_a_step_depends_on_the_step_alone(codec, small):
    walked = mini.Batches(codec, GENERALIST)
    batches = [walked.at(step) for step in range(12)]
    for step in (3, 11):
        jumped = mini.Batches(codec, GENERALIST).at(step)
        for name, found in vars(jumped).items():
            torch.testing.assert_close(found, getattr(batches[step], name), **ROUNDING)
    assert not torch.equal(batches[3].sigma, batches[4].sigma)
    assert len({batch.latents.shape[2] for batch in batches}) > 1, "clips of several lengths"


def test_one_length_is_used_at_every_step(codec, small):
    batches = mini.Batches(codec, SHORT)
    assert all(batches.at(step).latents.shape[2] == 5 for step in range(5))


@pytest.mark.parametrize("dropout", [0.0, 1.0])
def test_a_dropped_given_frame_leaves_nothing_behind(codec, small, monkeypatch, dropout):
    monkeypatch.setattr(mini, "GIVEN_DROPOUT", dropout)
    batch, model = mini.Batches(codec, SHORT).at(0), denoiser()
    seen: list[torch.Tensor] = []
    model.transformer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    batch.loss(model)
    z = tiny.RECIPE.latent_channels
    mask, given = seen[0][:, z : z + 1], seen[0][:, z + 1 :]
    blank = encode_blank(codec, 5)
    torch.testing.assert_close(given[:, :, 1:], blank[:, :, 1:].expand_as(given[:, :, 1:]))
    assert not mask[:, :, 1:].any()
    if dropout:
        assert not batch.known.any() and not mask.any()
        assert torch.equal(given, blank.expand_as(given))
    else:
        assert batch.known.all() and (mask[:, :, 0] == 1.0).all()
        torch.testing.assert_close(given[:, :, 0], batch.latents[:, :, 0])


@pytest.mark.parametrize("dropout", [0.0, 1.0])
def test_a_dropped_prompt_leaves_nothing_behind(codec, small, monkeypatch, dropout):
    monkeypatch.setattr(mini, "PROMPT_DROPOUT", dropout)
    words = mini.Batches(codec, SHORT).at(0).words
    assert (words == mini.EMPTY_PROMPT).all(1).float().mean() == dropout


def test_the_loss_is_that_of_the_clean_estimate(codec, small):
    batch = mini.Batches(codec, SHORT).at(0)

    def perfect(noisy, given, known, sigma, words):
        level = sigma.view(-1, 1, 1, 1, 1)
        noise = (noisy - (1.0 - level) * batch.latents) / level
        torch.testing.assert_close(noise, batch.noise, rtol=0.0, atol=1e-3)
        return batch.latents

    assert batch.loss(perfect) == 0.0
    assert batch.loss(lambda *_: batch.latents + 0.5) == pytest.approx(0.25)


# Progress, optimizer, and whole fits.


def test_progress_survives_a_restart(tmp_path):
    file, model = tmp_path / "x.safetensors", torch.nn.Linear(3, 3)
    progress = Progress.load(file, model)
    with torch.no_grad():
        model.weight += 1.0
    progress.advance(model)
    progress.losses.append([1, 0.12345])
    progress.save(file, model)
    again = torch.nn.Linear(3, 3)
    resumed = Progress.load(file, again)
    assert resumed.step == resumed.began == 1
    assert resumed.losses == [[1, 0.12345]]
    assert torch.equal(again.weight, model.weight)
    assert torch.equal(resumed.average["weight"], progress.average["weight"])


def test_the_average_lies_between_the_weights_so_far():
    model = torch.nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    progress = Progress(1000, {"weight": model.weight.detach().clone()})
    with torch.no_grad():
        model.weight.fill_(1.0)
    progress.advance(model)
    assert progress.average["weight"] == pytest.approx(torch.full((2, 2), 10.0 / 1011), rel=1e-5)
    progress.average_into(model)
    assert torch.equal(model.weight, progress.average["weight"])


def test_whoever_takes_up_a_fit_warms_up_first():
    progress = Progress(500, {})
    assert progress.warm_up() == pytest.approx(1 / WARM_UP)
    progress.step = 500 + WARM_UP
    assert progress.warm_up() == 1.0


def test_the_optimizer_descends_on_matrices_and_on_the_rest():
    torch.manual_seed(0)
    model = denoiser()
    optimizer = Optimizer(model, (1e-2, 1e-2))
    before = [p.detach().clone() for p in model.parameters()]
    latents, noise = torch.randn(2, 4, tiny.RECIPE.latent_channels, 5, 6, 6)
    known, words = torch.ones(4, dtype=torch.bool), torch.ones(4, 16, dtype=torch.long)
    batch = mini.Batch(latents, latents, known, words, torch.full((4,), 0.8), noise)
    losses = []
    for _ in range(12):
        loss = batch.loss(model)
        losses.append(loss.item())
        optimizer.descend(loss, 1.0, clip_norm=1.0)
    assert losses[-1] < 0.9 * losses[0]
    moved = {
        id(p) for p, b in zip(model.parameters(), before, strict=True) if not torch.equal(p, b)
    }
    hidden = {id(p) for p in optimizer.hidden}
    assert moved & hidden and moved - hidden
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_training_refuses_to_overwrite_an_earlier_one(tmp_path):
    (tmp_path / "denoiser.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="holds an earlier training; continue with --resume"):
        mini.train(tmp_path / "out", tmp_path, 1.0, False, tiny.RECIPE, print, lambda folder: {})
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a trained model; continue with --resume, or name"):
        mini.train(tmp_path, tmp_path / "new", 1.0, False, tiny.RECIPE, print, lambda folder: {})


def test_training_goes_on_from_its_checkpoint_or_from_a_finished_model(
    tmp_path, small, monkeypatch
):
    monkeypatch.setattr(mini, "CODEC_CLIPS", 20)
    clock = itertools.count()  # each look at the clock takes a second
    monkeypatch.setattr(mini, "time", SimpleNamespace(time=lambda: next(clock)))
    monkeypatch.setattr(model_card, "write_card", lambda folder: None)
    folder, work = tmp_path / "out", tmp_path / "work"
    mini.train(folder, work, 4, False, tiny.RECIPE, print, lambda folder: {})
    mini.train(folder, work, 3, True, tiny.RECIPE, print, lambda folder: {})
    codec = (folder / "vae/diffusion_pytorch_model.safetensors").read_bytes()
    mini.train(folder, tmp_path / "new", 2, True, tiny.RECIPE, print, lambda folder: {})
    mini.train(folder, tmp_path / "new", 9, True, tiny.RECIPE, print, lambda folder: {}, most=64)
    sessions = json.loads((folder / "training.json").read_text())["sessions"]
    assert [(s["from_step"], s["to_step"]) for s in sessions] == [(0, 3), (3, 5), (5, 6), (6, 8)]
    assert [s["clips"] for s in sessions] == [24, 40, 48, 64]
    assert (folder / "vae/diffusion_pytorch_model.safetensors").read_bytes() == codec
    assert (folder / "example.png").exists()


def test_a_session_is_recorded_with_the_scores_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "SCORED", 1)
    pipe = tiny.mini_like()
    save_pipeline(tmp_path, pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    for step in (100, 200):
        model_card.record(tmp_path, CLIP, {"to_step": step, "clips": 32 * step}, validation.scores)
    record = json.loads((tmp_path / "training.json").read_text())
    assert [session["to_step"] for session in record["sessions"]] == [100, 200]
    assert record["recipe"] == CLIP
    scores = record["sessions"][1]["scores"]
    assert scores["split"] == "validation" and scores["n"] == 1
    assert set(suite.task_names("in-domain")) == set(scores["decided"])
    model_card.write_card(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert f"| bounce | {scores['decided']['bounce']:.2f} |" in card
    assert "200 steps, 6400 clips" in card


@pytest.mark.parametrize(
    ("able", "native"),
    [
        ({"avx2": True}, False),
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({"amx_bf16": True}, True),
    ],
)
def test_bfloat16_only_where_the_processor_has_it(able, native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    with cpu.mixed_precision():
        assert torch.is_autocast_enabled("cpu") == native


def test_the_card_shows_what_was_asked_next_to_what_was_found(tmp_path, monkeypatch):
    found = {"n": 24, "split": "validation", "seed": 5}
    found |= {key: {"bounce": 0.5} for key in model_card.SHARES}
    session = {"to_step": 1, "clips": 32}
    model_card.record(tmp_path, {"size": 48, "frames": 9}, session, lambda folder: found)
    shares = {"decided": share(87, 100), "drawn": share(80, 100), "at_step_0": share(3, 100)}
    cells = {"relay moves=6": shares | {"curve": [0.1], "asked": 0.8}, "maze": dict(shares)}
    model_card.add_cells(tmp_path, {"cells": cells, "schedule": {"steps": 50}, "seed": 31})
    card = (tmp_path / "README.md").read_text()
    assert "| `relay moves=6` | 0.87 | 0.79 to 0.92 | 0.80 | 0.03 | 0.8 |" in card
    assert "| `maze` | 0.87 | 0.79 to 0.92 | 0.80 | 0.03 |  |" in card
    assert "100 test samples" in card
    assert "curve" not in (tmp_path / "training.json").read_text()


def test_a_model_is_used_at_the_clip_length_that_it_saw_most():
    assert mini.frames_of(GENERALIST) == 5
    assert mini.frames_of(replace(GENERALIST, lengths={5: 0.2, 9: 0.8})) == 9
