"""The loading options of diffusers work with our code: the same clips if exact, else close ones."""

import gguf
import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import save_file

from chain_of_steps.models import conditions, cpu
from chain_of_steps.models.loading import Loading
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.sites import Captured

SCHEDULE = Schedule("test", "euler", 3, shift=3.0, guidance=2.0)
PARTS = {"self_attn.q": "attn1.to_q", "cross_attn.o": "attn2.to_out.0", "ffn.0": "ffn.net.0.proj"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny.wan22_like().save_pretrained(folder)
    return folder


def final(model: VideoModel, **options) -> torch.Tensor:
    condition = model.prepare("turn the shape left", np.full((32, 32, 3), 90, np.uint8), 5)
    return generate(model, condition, SCHEDULE, seed=0, **options).latents[-1]


@pytest.mark.parametrize("how", [{"offload": "group"}, {"attention": "native"}, {"tiling": True}])
def test_what_only_moves_memory_changes_no_bit(folder, how):
    model = VideoModel.load(folder, **how)
    assert torch.equal(final(model), final(VideoModel.load(folder)))
    kept = Captured()
    clip = final(model, visit=kept)
    swapped = final(model, visit=lambda site, hidden: kept[site][None])
    assert torch.equal(swapped, clip), "a swap with oneself"


def test_eight_bit_storage_and_compiled_blocks_stay_close(folder):
    clean, ways = final(VideoModel.load(folder)), [({"storage": "fp8"}, 0.1)]
    if cpu.can_compile():
        ways.append(({"compile": True}, 1e-4))
    for how, tolerance in ways:
        error = (final(VideoModel.load(folder, **how)) - clean).norm() / clean.norm()
        assert 0 <= error < tolerance, how
    assert error.item() != 0 or how == {"compile": True}


def test_compiling_is_refused_at_once_where_it_would_fail(folder, monkeypatch):
    monkeypatch.setattr(torch, "__file__", "/my models/torch/__init__.py")
    with pytest.raises(ValueError, match=r"a folder without spaces.*/my models/torch"):
        VideoModel.load(folder, compile=True)


def test_loras_are_added_to_the_weights_of_their_expert_under_the_names_of_diffsynth(
    folder, tmp_path
):
    plain = VideoModel.load(folder)
    weights = [loras(plain, seed) for seed in (0, 1)]
    files = tuple(str(tmp_path / f"{number}.safetensors") for number in range(2))
    for file, lora in zip(files, weights, strict=True):
        save_file(lora, file)
    merged = VideoModel.load(folder, lora=files)
    for before, after, lora in zip(plain.transformers, merged.transformers, weights, strict=True):
        old, new = dict(before.named_parameters()), dict(after.named_parameters())
        assert old.keys() == new.keys(), "no module is wrapped"
        for theirs, ours in PARTS.items():
            name = f"blocks.1.{ours}.weight"
            up, down = (lora[f"blocks.1.{theirs}.lora_{part}.default.weight"] for part in "BA")
            torch.testing.assert_close(new[name], old[name] + up @ down)
        assert torch.equal(new["blocks.0.attn1.to_k.weight"], old["blocks.0.attn1.to_k.weight"])
    assert merged.fingerprint != plain.fingerprint


def loras(model: VideoModel, seed: int) -> dict[str, torch.Tensor]:
    modules, random = (
        dict(model.transformers[0].named_modules()),
        torch.Generator().manual_seed(seed),
    )
    found = {}
    for block in range(2):
        for theirs, ours in PARTS.items():
            layer, name = modules[f"blocks.{block}.{ours}"], f"blocks.{block}.{theirs}.lora"
            found[f"{name}_A.default.weight"] = torch.randn(4, layer.in_features, generator=random)
            found[f"{name}_B.default.weight"] = torch.randn(layer.out_features, 4, generator=random)
    return found


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"device": "nonsense"}, ValueError, "^unknown device 'nonsense'; expected cpu, cuda"),
        ({"dtype": "float99"}, ValueError, "^unknown dtype 'float99'; expected float32"),
        (
            {"offload": "all"},
            ValueError,
            "^unknown offload 'all'; expected one of none, model, group$",
        ),
        ({"storage": "int3"}, ValueError, "^unknown storage 'int3'; expected one of full, fp8$"),
        (
            {"lora": ("/no/such.safetensors",)},
            FileNotFoundError,
            "^/no/such.safetensors is not a file; expected LoRA",
        ),
        ({"gguf": ("/no/such.gguf",)}, FileNotFoundError, "^/no/such.gguf is not a file"),
    ],
)
def test_a_wrong_option_is_said_in_one_sentence(folder, how, error, said):
    with pytest.raises(error, match=said):
        VideoModel.load(folder, **how)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu_is_said_in_one_sentence():
    with pytest.raises(
        ValueError, match=r"^there is no GPU for device 'cuda' that torch .* can use; use cpu$"
    ):
        Loading(device="cuda")


def test_a_name_of_the_hub_is_not_fetched_unless_asked():
    with pytest.raises(
        FileNotFoundError,
        match=r"is not a model folder .*, or allow downloading a model of the hub",
    ):
        VideoModel.load("Wan-AI/Wan2.2-I2V-A14B-Diffusers")


def test_conditions_are_made_once_and_read_back(folder, tmp_path, monkeypatch):
    model, sample = (
        VideoModel.load(folder, kept=tmp_path / "kept", size=32, frames=5),
        suite.draw_one("maze", 0, 0),
    )
    made = model.prepare_sample(sample)
    monkeypatch.setattr(model, "_encode", None)
    again = model.prepare_sample(sample)
    assert torch.equal(made.prompt, again.prompt) and torch.equal(made.image, again.image)
    assert (made.shape, made.free, made.image_tokens) == (again.shape, None, None)
    (file,) = (tmp_path / "kept").iterdir()
    half = file.read_bytes()[:100]
    file.unlink()  # it is memory-mapped by tensors that were read
    file.write_bytes(half)
    with pytest.raises(
        ValueError, match=r"cannot be read .*; delete it, and it will be written again$"
    ):
        model.prepare_sample(sample)
    with pytest.raises(TypeError):
        model.prepare(
            "another prompt", sample.first_frame(32), 5
        )  # not cached, and encoding is switched off
    conditions.write(made, tmp_path / "x.safetensors")
    assert not list(tmp_path.glob(".*"))


def test_quantised_weights_take_the_place_of_an_experts(folder, tmp_path):
    plain, file = VideoModel.load(folder), tmp_path / "high.gguf"
    changed = {
        name: w + 0.5 * (name == "proj_out.bias")
        for name, w in plain.transformers[0].state_dict().items()
    }
    writer = gguf.GGUFWriter(file, "wan")
    for name, weight in changed.items():
        writer.add_tensor(originally(name), weight.numpy())
    for finish in (
        writer.write_header_to_file,
        writer.write_kv_data_to_file,
        writer.write_tensors_to_file,
    ):
        finish()
    writer.close()
    model = VideoModel.load(folder, gguf=(str(file),))
    found = model.transformers[0].state_dict()
    assert found.keys() == changed.keys() and all(
        torch.equal(found[name], w) for name, w in changed.items()
    )
    assert not torch.equal(final(model), final(plain))


ORIGINAL = {  # names of Wan's own checkpoints, of which GGUF files are made
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.text_embedder.linear_1": "text_embedding.0",
    "condition_embedder.text_embedder.linear_2": "text_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "attn1": "self_attn",
    "attn2": "cross_attn",
    ".to_out.0.": ".o.",
    ".to_q.": ".q.",
    ".to_k.": ".k.",
    ".to_v.": ".v.",
    "proj_out": "head.head",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
    ".norm2.": ".norm3.",
}


def originally(name: str) -> str:
    for ours, theirs in ORIGINAL.items():
        name = name.replace(ours, theirs)
    if name.endswith("scale_shift_table"):
        return name.replace(
            "scale_shift_table", "modulation" if "blocks" in name else "head.modulation"
        )
    return name
