"""Our loop equals the stock pipeline's loop, bit by bit, and can be resumed at any step."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import begin, denoise, generate
from chain_of_steps.sampling.samplers import Wrapped
from chain_of_steps.sampling.state import State

PROMPT, FRAMES, STEPS, SEED = "draw the path from green to red", 9, 6, 3
SAMPLERS = {
    **tiny.SCHEDULERS,
    "clean estimate": lambda: Schedule("", "euler", STEPS, 5.0).scheduler("sample"),
}

every_sampler = pytest.mark.parametrize("sampler", SAMPLERS)
both_guidances = pytest.mark.parametrize("guidance", [1.0, 5.0])


def schedule(guidance: float = 1.0, **more) -> Schedule:
    return Schedule("test", "euler", STEPS, shift=5.0, guidance=guidance, **more)


def start(model: VideoModel, condition, sampler: str) -> State:
    """The stock pipeline's initial state: its scheduler, its grid, its noise."""
    model.pipe.scheduler = SAMPLERS[sampler]()
    scheduler = copy.deepcopy(model.pipe.scheduler)
    scheduler.set_timesteps(STEPS)
    return State(0, model.noise(condition, SEED), Wrapped(scheduler))


def stock(model: VideoModel, picture: np.ndarray, **options) -> torch.Tensor:
    """What `pipe(...)` leaves after its last step."""
    return model.pipe(
        image=Image.fromarray(picture),
        prompt=PROMPT,
        height=picture.shape[0],
        width=picture.shape[1],
        num_frames=tiny.stock_frames(model, FRAMES),
        num_inference_steps=STEPS,
        generator=torch.Generator().manual_seed(SEED),
        max_sequence_length=model.pipe.tokenizer.model_max_length,
        output_type="latent",
        **options,
    ).frames


@every_sampler
@both_guidances
def test_the_loop_is_bitwise_equal_to_the_stock_pipeline(model, picture, sampler, guidance):
    condition = model.prepare(PROMPT, picture, FRAMES)
    ours = denoise(model, condition, schedule(guidance), start(model, condition, sampler))
    assert torch.equal(ours.latents[-1], stock(model, picture, guidance_scale=guidance))


def test_each_expert_may_have_its_own_guidance(picture):
    model = VideoModel(tiny.wan22_like())
    condition = model.prepare(PROMPT, picture, FRAMES)
    ours = denoise(
        model, condition, schedule(5.0, guidance_2=3.0), start(model, condition, "euler")
    )
    assert torch.equal(
        ours.latents[-1], stock(model, picture, guidance_scale=5.0, guidance_scale_2=3.0)
    )


def test_the_loop_stays_bitwise_equal_in_bfloat16(picture):
    pipe = tiny.wan22_like()
    pipe.transformer.to(torch.bfloat16), pipe.transformer_2.to(torch.bfloat16)
    model = VideoModel(pipe)
    condition = model.prepare(PROMPT, picture, FRAMES)
    ours = denoise(model, condition, schedule(5.0), start(model, condition, "euler"))
    assert torch.equal(ours.latents[-1], stock(model, picture, guidance_scale=5.0))


@both_guidances
def test_both_experts_do_their_share_of_the_steps(picture, guidance):
    model, calls = VideoModel(tiny.wan22_like()), {"transformer": 0, "transformer_2": 0}
    for name in calls:

        def count(module, inputs, output, name=name):
            calls[name] += 1

        getattr(model.pipe, name).register_forward_hook(count)
    ours = generate(model, model.prepare(PROMPT, picture, FRAMES), schedule(guidance), SEED)
    high = sum(sigma >= 0.875 for sigma in ours.sigmas[:-1])
    passes = 1 if guidance == 1.0 else 2
    assert 0 < high < STEPS
    assert calls == {"transformer": high * passes, "transformer_2": (STEPS - high) * passes}


def test_a_schedule_may_move_the_boundary_between_the_experts(picture):
    model = VideoModel(tiny.wan22_like())
    condition = model.prepare(PROMPT, picture, FRAMES)
    here, there = (
        generate(model, condition, schedule(boundary=b), SEED).latents[-1] for b in (0.875, 0.6)
    )
    assert not torch.equal(here, there)
    assert torch.equal(here, generate(model, condition, schedule(), SEED).latents[-1])


@every_sampler
def test_a_restart_at_any_step_gives_the_same_bytes(model, picture, sampler):
    condition = model.prepare(PROMPT, picture, FRAMES)
    whole = denoise(
        model, condition, schedule(5.0), start(model, condition, sampler), keep_states=True
    )
    assert list(whole.states) == list(range(STEPS))
    for step, state in whole.states.items():
        rest = denoise(model, condition, schedule(5.0), state)
        assert rest.first == step and len(rest.x0_hats) == STEPS - step
        assert all(map(torch.equal, rest.latents, whole.latents[step:]))
        assert all(map(torch.equal, rest.x0_hats, whole.x0_hats[step:]))


@every_sampler
def test_the_last_clean_estimate_is_the_output(model, picture, sampler):
    condition = model.prepare(PROMPT, picture, FRAMES)
    ours = denoise(model, condition, schedule(), start(model, condition, sampler))
    assert torch.equal(ours.x0_hats[-1], ours.latents[-1])


def test_euler_on_the_clean_estimate_walks_straight_towards_it(picture):
    model = VideoModel(tiny.mini_like())
    condition = model.prepare(PROMPT, picture, FRAMES)
    model.pipe.scheduler = SAMPLERS["clean estimate"]()
    ours = generate(model, condition, schedule(), SEED)
    assert model.prediction == "sample"
    for s in range(STEPS):
        part = ours.sigmas[s + 1] / ours.sigmas[s]
        assert torch.allclose(
            ours.latents[s + 1], part * ours.latents[s] + (1 - part) * ours.x0_hats[s], atol=1e-5
        )


@pytest.mark.parametrize("kind", ["flow", "clean estimate"])
def test_a_stochastic_step_keeps_the_clean_estimate_and_draws_noise_of_the_next_level(
    picture, kind
):
    model = VideoModel(tiny.mini_like())
    condition = model.prepare(PROMPT, picture, FRAMES)
    if kind == "clean estimate":
        model.pipe.scheduler = SAMPLERS[kind]()
    stochastic = Schedule("test", "stochastic", STEPS, shift=5.0)

    def noises(seed: int) -> list[torch.Tensor]:
        run = generate(model, condition, stochastic, seed)
        each = zip(run.latents[1:-1], run.x0_hats, run.sigmas[1:-1], strict=False)
        return [(x - (1 - sigma) * x0_hat) / sigma for x, x0_hat, sigma in each]

    own, again, others = noises(SEED), noises(SEED), noises(SEED + 1)
    assert len(own) == STEPS - 1 and all(map(torch.equal, own, again))
    for eps in own:
        assert float(eps.mean()) == pytest.approx(0.0, abs=0.1)
        assert float(eps.std()) == pytest.approx(1.0, abs=0.1)
    started = [model.noise(condition, seed) for seed in (SEED, SEED + 1)]
    drawn = torch.stack([*own, *others, *started]).flatten(1)
    assert torch.corrcoef(drawn).fill_diagonal_(0.0).abs().max() < 0.2


def test_both_kinds_of_prediction_share_one_grid():
    flow, sample = (preset("mini").scheduler(kind).sigmas for kind in ("flow_prediction", "sample"))
    assert torch.allclose(flow, sample, atol=2e-6)


@every_sampler
def test_the_state_given_is_left_unchanged(model, picture, sampler):
    condition = model.prepare(PROMPT, picture, FRAMES)
    state = start(model, condition, sampler)
    latents = state.latents.clone()
    first, second = (denoise(model, condition, schedule(), state).latents[-1] for _ in range(2))
    assert (
        state.step == 0
        and state.sampler.scheduler.step_index is None
        and torch.equal(state.latents, latents)
    )
    assert torch.equal(first, second)


def test_stopping_early_gives_the_beginning_of_the_whole(model, picture):
    condition, seen = model.prepare(PROMPT, picture, FRAMES), []
    whole = generate(
        model, condition, schedule(), SEED, watch=lambda s, x, x0_hat: seen.append((s, x, x0_hat))
    )
    part = generate(model, condition, schedule(), SEED, until=2)
    assert len(part.latents) == 3 and all(map(torch.equal, part.latents, whole.latents))
    assert [s for s, _, _ in seen] == list(range(STEPS))
    assert all(x is whole.latents[s] and x0_hat is whole.x0_hats[s] for s, x, x0_hat in seen)


def test_noise_depends_on_the_seed_alone(model, picture):
    condition = model.prepare(PROMPT, picture, FRAMES)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = generate(model, condition, schedule(), SEED)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = generate(model, model.prepare(PROMPT, picture, FRAMES), schedule(), SEED)
    other = begin(model, condition, schedule(), SEED + 1)
    assert torch.equal(first.latents[-1], again.latents[-1])
    assert not torch.equal(first.latents[0], other.latents)


def test_what_the_model_is_told_counts(model, picture):
    told = {
        "as before": (PROMPT, picture),
        "another prompt": ("mark the blue circle", picture),
        "another picture": (PROMPT, picture[::-1].copy()),
    }
    results = [
        generate(model, model.prepare(*what, FRAMES), schedule(), SEED)
        .latents[-1]
        .numpy()
        .tobytes()
        for what in told.values()
    ]
    assert len(set(results)) == len(told)


# Grids (see the tables of presets in `schedule`).


def test_the_paper_preset_is_the_grid_of_the_authors_code():
    sigmas = preset("paper").sigmas
    expected = {
        0: 1.0,
        1: 0.9959,
        10: 0.9524,
        20: 0.8824,
        30: 0.7692,
        40: 0.5556,
        49: 0.0926,
        50: 0.0,
    }
    assert len(sigmas) == 51
    assert {s: round(sigmas[s], 4) for s in expected} == expected


@pytest.mark.parametrize(
    ("name", "steps", "high"), [("paper", 50, 21), ("official", 40, 15), ("hub", 50, 13)]
)
def test_presets_have_their_published_number_of_high_noise_steps(name, steps, high):
    timesteps = preset(name).scheduler().timesteps
    assert len(timesteps) == steps
    assert int((timesteps >= preset(name).boundary * 1000).sum()) == high


@pytest.mark.parametrize("name", ["mini", "paper", "official", "hub"])
def test_sigmas_fall_from_one_to_zero_and_are_recorded(name):
    sigmas = preset(name).sigmas
    assert sigmas[0] == pytest.approx(1.0, abs=1e-3) and sigmas[-1] == 0.0
    assert all(high > low for high, low in pairwise(sigmas))
    assert preset(name).record()["sigmas"] == sigmas


def test_an_unknown_preset_or_sampler_is_refused():
    with pytest.raises(ValueError, match="unknown preset 'papers'; expected one of mini, "):
        preset("papers")
    with pytest.raises(
        ValueError, match="unknown sampler 'heun'; expected euler, stochastic or unipc"
    ):
        Schedule("", "heun", 2, 1.0).scheduler()
