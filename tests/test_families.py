"""LTX-2 through the family table equals stock LTX-2, including audio; all instruments work on
it."""

import copy
import json

import numpy as np
import pytest
import tiny
import torch
from diffusers.pipelines.ltx2.utils import apply_image_conditioning_crf, resolve_default_image_crf
from PIL import Image

from chain_of_steps.bench import vbvr
from chain_of_steps.bench.generate import generate_videos
from chain_of_steps.common.video import frame_count, write_video
from chain_of_steps.models import families
from chain_of_steps.models.hooks import FromLayer
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import Trajectory, advance, begin, denoise, generate
from chain_of_steps.sampling.interventions import (
    MergeEstimates,
    MergeLayers,
    NoiseAtFrame,
    NoiseAtStep,
    Source,
)
from chain_of_steps.sampling.prefix_tree import Branch, evaluations, grow
from chain_of_steps.sampling.samplers import Wrapped
from chain_of_steps.sampling.sites import Captured, Site, in_turn
from chain_of_steps.sampling.state import State

PROMPT, FRAMES, STEPS, SEED = "draw the path from green to red", 17, 4, 3
F, H, W, LAYERS = 3, 2, 3, 3  # of a clip of 17 frames, 64 x 96 pixels, in the tiny model
EVERY = {**tiny.PIPELINES, "ltx2_like": tiny.ltx2_like}

both_guidances = pytest.mark.parametrize("guidance", [1.0, 3.0])


def schedule(guidance: float = 1.0) -> Schedule:
    return Schedule("test", "euler", STEPS, shift=5.0, guidance=guidance)


@pytest.fixture
def picture() -> np.ndarray:
    """A given frame that is not square, so that rows and columns cannot be confused."""
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)


@pytest.fixture
def ltx() -> VideoModel:
    return VideoModel(tiny.ltx2_like())


@pytest.fixture
def condition(ltx, picture):
    return ltx.prepare(PROMPT, picture, FRAMES)


def stock(model: VideoModel, picture: np.ndarray, guidance: float, **options) -> tuple:
    """The output of `pipe(...)` for video and audio, with plain guidance only."""
    off = {
        "stg_scale": 0.0,
        "modality_scale": 1.0,
        "guidance_rescale": 0.0,
        "spatio_temporal_guidance_blocks": [],
    }
    off |= dict.fromkeys(f"audio_{name}" for name in list(off)[:3])  # as for the video
    return model.pipe(
        image=Image.fromarray(picture),
        prompt=PROMPT,
        height=64,
        width=96,
        num_frames=FRAMES,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        audio_guidance_scale=guidance,
        generator=torch.Generator().manual_seed(SEED),
        max_sequence_length=model.pipe.tokenizer.model_max_length,
        return_dict=False,
        **off | options,
    )


def on_the_grid_of_stock(model: VideoModel, condition, guidance: float) -> Trajectory:
    """Our loop from the stock pipeline's noise, on the grid of its last call."""
    scheduler = copy.deepcopy(model.pipe.scheduler)
    scheduler._step_index = None
    state = State(0, model.noise(condition, SEED), Wrapped(scheduler))
    state.audio = State(0, model.audio_noise(condition, SEED), Wrapped(copy.deepcopy(scheduler)))
    return denoise(model, condition, schedule(guidance), state)


def as_given_out(model: VideoModel, ours: Trajectory) -> tuple[torch.Tensor, torch.Tensor]:
    """Our final latents in the form of the stock pipeline: at the codecs' scale, audio unpacked."""
    vae, audio = model.pipe.vae, model.pipe.audio_vae
    mean, std = (part.float().view(1, -1, 1, 1, 1) for part in (vae.latents_mean, vae.latents_std))
    video, sound = (
        ours.latents[-1] * std + mean,
        ours.audio * audio.latents_std.float() + audio.latents_mean.float(),
    )
    return video, sound.unflatten(2, (audio.config.latent_channels, -1)).transpose(1, 2)


def hide_words(module, arguments, output) -> tuple:
    """Masks some words of the prompt (last in the batch), and others of the empty prompt."""
    *states, mask = output
    mask[0, 3:8] = 0
    mask[-1] = 1
    mask[-1, :3] = 0
    return (*states, mask)


# The loop.


@both_guidances
@pytest.mark.parametrize("masked", [False, True])
def test_the_loop_is_bitwise_equal_to_the_stock_pipeline(
    ltx, picture, guidance, masked, monkeypatch
):
    if masked:  # diffusers 0.42 masks no word; different masks show that ours reach the network
        ltx.pipe.connectors.register_forward_hook(hide_words)
    condition = ltx.prepare(PROMPT, picture, FRAMES)
    assert bool(condition.more["mask"].all()) != masked
    # The stock pipeline turns each velocity into a clean estimate and back, which rounds it twice.
    # That round trip is removed, and nothing else: guidance is linear, so without it the pipeline
    # guides the velocities themselves, as we do.
    for name in ("convert_velocity_to_x0", "convert_x0_to_velocity"):
        monkeypatch.setattr(ltx.pipe, name, lambda sample, output, *_: output)
    theirs = stock(ltx, picture, guidance, output_type="latent")
    ours = as_given_out(ltx, on_the_grid_of_stock(ltx, condition, guidance))
    assert all(map(torch.equal, ours, theirs))


@both_guidances
def test_the_loop_is_equal_to_the_untouched_stock_pipeline_within_its_rounding(
    ltx, picture, condition, guidance
):
    # Measured: at most 2e-6 in latents of standard deviation 1.6, from the round trips of the test
    # above.
    theirs = stock(ltx, picture, guidance, output_type="latent")
    ours = as_given_out(ltx, on_the_grid_of_stock(ltx, condition, guidance))
    for mine, their in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, their, rtol=0, atol=5e-6)


def test_decoding_is_that_of_the_stock_pipeline(ltx, picture, condition):
    video, _ = stock(ltx, picture, 1.0, output_type="np")
    ours = ltx.decode(on_the_grid_of_stock(ltx, condition, 1.0).latents[-1])
    assert ours.shape == (FRAMES, 64, 96, 3) and ours.std() > 5
    assert np.abs(ours / 255.0 - video[0]).max() < 0.51 / 255.0


def test_a_clip_and_its_latents_have_the_shapes_of_a_generation(ltx, picture, condition):
    latents = ltx.encode(np.stack([picture] * FRAMES))
    assert latents.shape == condition.shape == ltx.noise(condition, 0).shape == (1, 8, F, H, W)
    assert (ltx.stride, ltx.patch, ltx.layers, ltx.prediction) == (8, 32, LAYERS, "flow_prediction")


def test_encoding_is_that_of_the_given_frame(ltx, picture, condition):
    # The stock pipeline compresses the given frame first; the first latent frame depends only on
    # it.
    compressed = apply_image_conditioning_crf(
        picture, resolve_default_image_crf(ltx.pipe.text_encoder)
    )
    latents = ltx.encode(np.stack([compressed, *[picture] * (FRAMES - 1)]))
    assert torch.allclose(latents[:, :, :1], condition.image, atol=1e-4)


def test_the_loop_stays_bitwise_equal_in_bfloat16(picture, monkeypatch):
    ltx = VideoModel(tiny.ltx2_like().to(torch.bfloat16))
    for name in ("convert_velocity_to_x0", "convert_x0_to_velocity"):
        monkeypatch.setattr(ltx.pipe, name, lambda sample, output, *_: output)
    theirs = stock(ltx, picture, 3.0, output_type="latent")
    condition = ltx.prepare(PROMPT, picture, FRAMES)
    ours = as_given_out(ltx, on_the_grid_of_stock(ltx, condition, 3.0))
    assert ltx.dtype == torch.bfloat16 and all(map(torch.equal, ours, theirs))


def test_the_last_clean_estimate_is_the_output_and_the_given_frame_is_held(ltx, condition):
    ours = generate(ltx, condition, schedule(3.0), SEED)
    assert torch.equal(ours.x0_hats[-1], ours.latents[-1])
    assert all(torch.equal(x0_hat[:, :, :1], condition.image) for x0_hat in ours.x0_hats)


def test_a_restart_at_any_step_gives_the_same_bytes(ltx, condition):
    whole = generate(ltx, condition, schedule(3.0), SEED, keep_states=True)
    for step, state in whole.states.items():
        rest = generate_from(ltx, condition, state)
        assert all(map(torch.equal, rest.latents, whole.latents[step:]))
        assert torch.equal(rest.audio, whole.audio)


def generate_from(model: VideoModel, condition, state: State, **options) -> Trajectory:
    with torch.inference_mode():
        return denoise(model, condition, schedule(3.0), state, **options)


def test_the_sound_is_heard_by_the_video(ltx, condition):
    clean = generate(ltx, condition, schedule(3.0), SEED)
    state = begin(ltx, condition, schedule(3.0), SEED)
    state.audio.latents = -state.audio.latents
    other = generate_from(ltx, condition, state)
    assert torch.equal(other.latents[0], clean.latents[0]) and not torch.equal(
        other.latents[-1], clean.latents[-1]
    )


def test_the_video_cannot_be_asked_alone(ltx, condition):
    with pytest.raises(
        ValueError,
        match="denoises an audio stream with the video and cannot predict the video alone",
    ):
        ltx.predict(ltx.noise(condition, 0), torch.tensor(500.0), condition, schedule())


# Instruments.


@pytest.mark.parametrize("family", EVERY)
@pytest.mark.parametrize("frame", [1, 2])
def test_tokens_are_in_the_order_frame_row_column(family, frame, picture):
    model = VideoModel(EVERY[family]())
    condition = model.prepare(PROMPT, picture, FRAMES)
    clean, noised = (
        seen_first(model, condition, interventions)
        for interventions in ((), (NoiseAtFrame(frame=frame, steps=(0,), seed=1),))
    )
    cells = len(clean) // condition.shape[2]
    changed = torch.nonzero((clean != noised).any(1)).flatten().tolist()
    assert changed == list(range(frame * cells, (frame + 1) * cells))


def seen_first(model: VideoModel, condition, interventions) -> torch.Tensor:
    """What goes into the first block at step 0, (N, D)."""
    states = Captured(lambda site: site.layer == -1)
    generate(model, condition, schedule(), SEED, interventions=interventions, until=1, visit=states)
    (state,) = states.values()
    return state


@pytest.mark.parametrize("cell", [(1, 0, 1), (1, 1, 0), (2, 1, 2)])
def test_a_latent_cell_of_ltx2_is_one_token(ltx, condition, cell):
    f, h, w = cell
    state = begin(ltx, condition, schedule(), SEED)
    seen = []
    for shift in (0.0, 1.0):
        state.latents[0, :, f, h, w] += shift
        states = Captured(lambda site: site.layer == -1)
        generate_from(ltx, condition, state, until=1, visit=states)
        seen.append(states[Site(0, 0, True, -1)])
    assert torch.nonzero((seen[0] != seen[1]).any(1)).flatten().tolist() == [(f * H + h) * W + w]


def test_every_site_is_captured_once_and_capturing_changes_nothing(ltx, condition):
    clean = generate(ltx, condition, schedule(3.0), SEED)
    states = Captured(lambda site: True)
    watched = generate(ltx, condition, schedule(3.0), SEED, visit=states)
    assert set(states) == {
        Site(s, 0, guided, k)
        for s in range(STEPS)
        for guided in (True, False)
        for k in range(-1, LAYERS)
    }
    assert all(state.shape == (F * H * W, 32) for state in states.values())
    assert all(map(torch.equal, clean.latents, watched.latents))
    blocks = ltx.pipe.transformer.transformer_blocks
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in blocks)


def test_the_passes_of_a_batch_are_told_apart(ltx, condition):
    batched = Captured(lambda site: site.step == 0)
    generate(ltx, condition, schedule(3.0), SEED, visit=batched)
    alone = Captured(lambda site: site.step == 0)
    generate(ltx, condition, schedule(1.0), SEED, visit=alone)
    cond, uncond = (batched[Site(0, 0, guided, LAYERS - 1)] for guided in (True, False))
    assert torch.allclose(cond, alone[Site(0, 0, True, LAYERS - 1)], atol=1e-5)
    assert not torch.allclose(uncond, cond, atol=1e-3)


def test_a_swap_with_oneself_changes_nothing(ltx, condition):
    states = Captured(lambda site: True)
    clean = generate(ltx, condition, schedule(3.0), SEED, visit=states)
    swapped = generate(
        ltx, condition, schedule(3.0), SEED, visit=lambda site, hidden: states[site][None]
    )
    assert all(map(torch.equal, clean.latents, swapped.latents)) and torch.equal(
        clean.audio, swapped.audio
    )


@pytest.mark.parametrize("layer", [-1, 0])
@pytest.mark.parametrize("guided", [True, False])
def test_an_edit_acts_in_its_own_pass_alone(ltx, condition, layer, guided):
    def shift(site: Site, hidden: torch.Tensor) -> torch.Tensor | None:
        return hidden + 1.0 if (site.step, site.guided, site.layer) == (0, guided, layer) else None

    here, there = Site(0, 0, guided, layer + 1), Site(0, 0, not guided, layer + 1)
    clean = Captured(lambda site: site in (here, there))
    generate(ltx, condition, schedule(3.0), SEED, visit=clean)
    edited = Captured(lambda site: site in (here, there))
    generate(ltx, condition, schedule(3.0), SEED, visit=in_turn(shift, edited))
    assert not torch.equal(clean[here], edited[here]) and torch.equal(clean[there], edited[there])


def test_starting_at_a_layer_gives_the_same_bytes(ltx, condition):
    states = Captured(lambda site: site.step == 0)
    clean = generate(ltx, condition, schedule(3.0), SEED, until=1, visit=states)

    def from_layer(layer: int, kept: dict[bool, torch.Tensor]) -> torch.Tensor:
        state = begin(ltx, condition, schedule(3.0), SEED)
        with torch.inference_mode():
            advance(ltx, condition, schedule(3.0), state, start=FromLayer(layer, kept))
        return state.latents

    for layer in range(-1, LAYERS):
        kept = {guided: states[Site(0, 0, guided, layer)] for guided in (True, False)}
        other = {guided: state + 1.0 for guided, state in kept.items()}
        assert torch.equal(from_layer(layer, kept), clean.latents[-1])
        assert not torch.equal(from_layer(layer, other), clean.latents[-1])


def test_shared_pasts_give_the_same_bytes_as_runs_made_alone(ltx, condition):
    branches = [
        Branch(),
        Branch((NoiseAtStep(2, seed=1),)),
        Branch((NoiseAtStep(2, seed=2),)),
        Branch((NoiseAtFrame(frame=1, steps=(1, 3), seed=1),), until=3),
    ]
    made = []
    grown = dict(grow(ltx, condition, schedule(3.0), SEED, branches, count=lambda: made.append(1)))
    assert len(made) == evaluations(branches, STEPS, F) < STEPS * len(branches)
    for index, branch in enumerate(branches):
        alone = generate(
            ltx,
            condition,
            schedule(3.0),
            SEED,
            interventions=branch.interventions,
            until=branch.until,
        )
        assert all(map(torch.equal, alone.latents, grown[index].latents))
        assert torch.equal(alone.audio, grown[index].audio)


def test_merged_runs_keep_their_own_audio_and_layers_are_not_merged(ltx, condition):
    """Merging a run with itself changes neither video nor audio; batches have no audio stream."""
    itself = Branch((MergeEstimates((0, 1), company=(Source(), Source())),))
    runs = dict(grow(ltx, condition, schedule(3.0), SEED, [Branch(), itself]))
    assert (runs[1].latents[-1] - runs[0].latents[-1]).abs().max() < 1e-4
    assert (runs[1].audio - runs[0].audio).abs().max() < 1e-4
    layers = Branch((MergeLayers((1,), (0,), company=(Source(1000),)),))
    with pytest.raises(ValueError, match="denoises an audio stream with the video"):
        next(grow(ltx, condition, schedule(3.0), SEED, [layers]))


# Folders.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny-ltx2"
    tiny.ltx2_like().save_pretrained(path)
    return path


@pytest.mark.parametrize("part", ["text_encoder", "connectors", "vae", "transformer"])
def test_the_fingerprint_tells_apart_all_weights_on_which_results_depend(ltx, part):
    before = ltx.fingerprint
    next(getattr(ltx.pipe, part).parameters()).flatten()[0].add_(1.0)
    assert VideoModel(ltx.pipe).fingerprint != before


def renamed(folder, name: str) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": name}))


@pytest.mark.parametrize("name", ["LTX2ImageToVideoPipeline", "LTX2Pipeline"])
def test_what_was_saved_is_loaded_as_its_family(folder, ltx, condition, picture, name):
    renamed(folder, name)
    loaded = VideoModel.load(folder, frames=FRAMES)
    assert loaded.family is families.LTX2 and loaded.fingerprint == ltx.fingerprint
    again = generate(loaded, loaded.prepare(PROMPT, picture, FRAMES), schedule(3.0), SEED)
    clean = generate(ltx, condition, schedule(3.0), SEED)
    assert torch.equal(again.latents[-1], clean.latents[-1]) and torch.equal(
        again.audio, clean.audio
    )


def test_a_model_of_no_known_family_is_refused_in_one_sentence(folder):
    renamed(folder, "CogVideoXImageToVideoPipeline")
    refused = r"^the model in .* cannot be loaded: CogVideoX\w+ belongs to no known model family; "
    expected = r"expected one of WanImageToVideoPipeline, .*LTX2Pipeline, SymbolPipeline$"
    with pytest.raises(ValueError, match=refused + expected):
        VideoModel.load(folder)


def test_a_condition_can_wait_on_disk(ltx, condition, picture, tmp_path):
    keeping = VideoModel(ltx.pipe, kept=tmp_path)
    for _ in range(2):  # made, then read
        again = generate(keeping, keeping.prepare(PROMPT, picture, FRAMES), schedule(3.0), SEED)
    assert len(list(tmp_path.iterdir())) == 1
    assert torch.equal(again.latents[-1], generate(ltx, condition, schedule(3.0), SEED).latents[-1])


def test_sizes_that_do_not_fit_the_family_are_refused(ltx, picture):
    with pytest.raises(
        ValueError,
        match=r"^13 frames do not fit the video codec; it takes 8 k \+ 1 frames: 9, 17, 25",
    ):
        ltx.prepare(PROMPT, picture, 13)
    with pytest.raises(ValueError, match=r"both sides must be multiples of 32$"):
        ltx.prepare(PROMPT, picture[:48], FRAMES)


def test_a_sample_of_another_shape_is_generated_at_the_sizes_of_the_family(ltx, tmp_path):
    (tmp_path / "sample").mkdir()
    Image.new("RGB", (99, 66)).save(tmp_path / "sample" / "first_frame.png")
    write_video(tmp_path / "sample" / "ground_truth.mp4", np.zeros((11, 66, 98, 3), np.uint8))
    case = vbvr.Case("in-domain", "x", "00000", PROMPT, tmp_path / "sample")
    generate_videos(ltx, schedule(3.0), [case], tmp_path / "out", SEED, every_step=True)
    video = vbvr.video_path(tmp_path / "out", case)
    assert frame_count(video) == FRAMES and (video.with_suffix("") / "manifest.json").exists()
