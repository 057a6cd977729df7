"""LoRA files under the names of many trainers: every tensor is used, or the file is refused."""

import re

import pytest
import tiny
import torch
from safetensors.torch import save_file

from chain_of_steps.models import lora
from chain_of_steps.models.loading import Loading, parse
from chain_of_steps.models.video_model import VideoModel

RANK = 4
OURS, THEIRS = "blocks.1.attn1.to_q", "blocks.1.self_attn.q"
# How trainers name the same two halves of a change.
NAMES = {
    "diffsynth": f"pipe.dit.{THEIRS}.lora_{{}}.default.weight",
    "diffsynth, no prefix": f"{THEIRS}.lora_{{}}.weight",
    "peft": f"base_model.model.{OURS}.lora_{{}}.weight",
    "peft of the authors' model": f"base_model.model.{THEIRS}.lora_{{}}.default.weight",
    "diffusers": f"transformer.{OURS}.lora_{{}}.weight",
    "comfy": f"diffusion_model.{THEIRS}.lora_{{}}.weight",
    "nested": f"base_model.model.diffusion_model.{THEIRS}.lora_{{}}.weight",
    "kohya": "lora_unet_blocks_1_self_attn_q.lora_{}.weight",
}


@pytest.fixture
def expert():
    return tiny.wan22_like().transformer


@pytest.fixture
def halves(expert) -> tuple[torch.Tensor, torch.Tensor]:
    layer = expert.get_submodule(OURS)
    random = torch.Generator().manual_seed(0)
    down = torch.randn(RANK, layer.in_features, generator=random)
    return down, torch.randn(layer.out_features, RANK, generator=random)


def saved(path, tensors: dict) -> lora.Lora:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return lora.Lora(path)


def weights(expert) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in expert.named_parameters()}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize(("down_is", "up_is"), [("A", "B"), ("down", "up")])
def test_the_same_change_under_any_name(tmp_path, expert, halves, name, down_is, up_is):
    down, up = halves
    file = saved(tmp_path / "x.safetensors", {name.format(down_is): down, name.format(up_is): up})
    before = weights(expert)
    lora.merge(file, expert)
    for key, after in weights(expert).items():
        change = up @ down if key == f"{OURS}.weight" else 0.0
        torch.testing.assert_close(after, before[key] + change)


def test_alpha_and_strength_scale_the_change(tmp_path, expert, halves):
    down, up = halves
    name = f"diffusion_model.{THEIRS}"
    tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    file = saved(tmp_path / "x.safetensors", tensors | {f"{name}.alpha": torch.tensor(2.0)})
    before = weights(expert)[f"{OURS}.weight"]
    lora.merge(lora.Lora(file.file, 0.5), expert)
    torch.testing.assert_close(weights(expert)[f"{OURS}.weight"], before + 0.5 * 2 / 4 * up @ down)


def test_whole_differences_of_weights_and_biases(tmp_path, expert):
    before = weights(expert)
    diff = torch.randn_like(before["blocks.0.ffn.net.0.proj.weight"])
    bias = torch.randn_like(before["blocks.0.ffn.net.0.proj.bias"])
    norm = torch.randn_like(before["blocks.0.attn1.norm_k.weight"])
    tensors = {
        "diffusion_model.blocks.0.ffn.0.diff": diff,
        "diffusion_model.blocks.0.ffn.0.diff_b": bias,
        "diffusion_model.blocks.0.self_attn.norm_k.diff": norm,
    }
    lora.merge(saved(tmp_path / "x.safetensors", tensors), expert)
    after = weights(expert)
    for key, change in (
        ("blocks.0.ffn.net.0.proj.weight", diff),
        ("blocks.0.ffn.net.0.proj.bias", bias),
        ("blocks.0.attn1.norm_k.weight", norm),
    ):
        torch.testing.assert_close(after[key], before[key] + change)


def test_a_convolution_is_changed_too(tmp_path, expert):
    before = weights(expert)["patch_embedding.weight"]
    down = torch.randn(RANK, *before.shape[1:])
    up = torch.randn(len(before), RANK, 1, 1, 1)
    name = "diffusion_model.patch_embedding.lora_{}.weight"
    file = {name.format("down"): down, name.format("up"): up}
    lora.merge(saved(tmp_path / "x.safetensors", file), expert)
    change = torch.einsum("or...,ri...->oi...", up.flatten(1), down.flatten(1)).view(before.shape)
    torch.testing.assert_close(weights(expert)["patch_embedding.weight"], before + change)


def every(expert, name: str) -> dict[str, torch.Tensor]:
    """Both halves of a change of every linear layer whose name matches."""
    found = {}
    for module, layer in expert.named_modules():
        if isinstance(layer, torch.nn.Linear) and re.search(name, module):
            found[f"transformer.{module}.lora_A.weight"] = torch.randn(RANK, layer.in_features)
            found[f"transformer.{module}.lora_B.weight"] = torch.randn(layer.out_features, RANK)
    return found


def test_every_linear_layer_can_be_changed(tmp_path, expert):
    tensors = every(expert, "")
    before = weights(expert)
    lora.merge(saved(tmp_path / "x.safetensors", tensors), expert)
    changed = {key for key, after in weights(expert).items() if not torch.equal(after, before[key])}
    assert len(changed) == len(tensors) // 2


def refused(tmp_path, expert, tensors: dict, why: str, **options) -> None:
    """The file is refused by name, and nothing was changed."""
    file, before = saved(tmp_path / "some lora.safetensors", tensors), weights(expert)
    with pytest.raises(ValueError, match=why) as said:
        lora.merge(file, expert, **options)
    assert "some lora.safetensors" in str(said.value)
    assert "dvc" not in str(said.value)
    assert all(torch.equal(after, before[key]) for key, after in weights(expert).items())


def test_blocks_that_the_model_lacks_are_named(tmp_path, expert, halves):
    tensors = every(expert, "attn1.to_q") | {
        "transformer.blocks.7.attn1.to_q.lora_A.weight": halves[0],
        "transformer.blocks.7.attn1.to_q.lora_B.weight": halves[1],
    }
    refused(tmp_path, expert, tensors, r"2 of \d+ tensors .*blocks\.7\.attn1")


def test_what_is_no_lora_is_refused(tmp_path, expert, halves):
    refused(tmp_path, expert, dict(expert.state_dict()), "is no LoRA: none of its")
    refused(tmp_path, expert, {"unet.mid.lora_A.weight": halves[0]}, "finds a place in the model")


def test_half_a_change_and_a_lone_scale_are_refused(tmp_path, expert, halves):
    name = f"transformer.{OURS}"
    refused(tmp_path, expert, {f"{name}.lora_A.weight": halves[0]}, "only one half")
    refused(tmp_path, expert, {f"{name}.alpha": torch.tensor(1.0)}, "a scale but no change")


def test_other_widths_are_refused(tmp_path, expert, halves):
    down, up = halves
    name = f"transformer.{OURS}.lora_{{}}.weight"
    wide = torch.randn(RANK, down.shape[1] + 2)
    tensors = {name.format("A"): wide, name.format("B"): up}
    refused(tmp_path, expert, tensors, "made for another model")
    tensors = {name.format("A"): down, name.format("B"): up[:, :2]}
    refused(tmp_path, expert, tensors, "do not fit")


def test_a_file_of_the_second_expert_is_not_taken_for_the_first(tmp_path, expert, halves):
    name = f"transformer_2.{OURS}.lora_{{}}.weight"
    tensors = {name.format("A"): halves[0], name.format("B"): halves[1]}
    refused(tmp_path, expert, tensors, "is for the second expert")
    lora.merge(saved(tmp_path / "x.safetensors", tensors), expert, second=True)


def test_dora_scales_are_refused(tmp_path, expert, halves):
    name = f"transformer.{OURS}"
    tensors = {f"{name}.lora_A.weight": halves[0], f"{name}.lora_B.weight": halves[1]}
    refused(tmp_path, expert, tensors | {f"{name}.dora_scale": torch.ones(1)}, "1 of 3 tensors")


def test_a_damaged_file_is_named(tmp_path, expert):
    (tmp_path / "x.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match=r"x\.safetensors is not a safetensors file"):
        lora.merge(lora.Lora(tmp_path / "x.safetensors"), expert)


def test_strengths_are_read_after_an_at_sign(tmp_path):
    for name in ("a b.safetensors", "odd@2x.safetensors"):
        (tmp_path / name).touch()
    assert lora.Lora.named(f"{tmp_path}/a b.safetensors@0.8").strength == 0.8
    assert lora.Lora.named(f"{tmp_path}/odd@2x.safetensors").strength == 1.0
    assert lora.Lora.named(f"{tmp_path}/odd@2x.safetensors@-1").strength == -1.0
    for faulty in ("absent.safetensors", "absent.safetensors@0.8", "a b.safetensors@high"):
        with pytest.raises(FileNotFoundError, match="expected LoRA weights"):
            lora.Lora.named(f"{tmp_path}/{faulty}")


def test_names_of_files_may_have_spaces(tmp_path):
    for name in ("high noise.safetensors", "low noise.safetensors"):
        (tmp_path / name).touch()
    files = [f"{tmp_path}/{name} noise.safetensors" for name in ("high", "low")]
    text = f"offload=group lora={files[0]},{files[1]} tiling=true"
    assert parse(text) == {"offload": "group", "lora": files, "tiling": True}
    for faulty in ("bogus=1", "offload=none bogus=1", "lora"):
        with pytest.raises(ValueError, match="unknown loading option"):
            parse(faulty)


def test_options_keep_the_strength(tmp_path):
    (tmp_path / "a.safetensors").touch()
    found = parse(f"lora={tmp_path}/a.safetensors@0.8")
    assert found == {"lora": [f"{tmp_path}/a.safetensors@0.8"]}
    Loading(lora=tuple(found["lora"]))


def test_more_files_than_experts_are_refused_before_any_is_merged(tmp_path, halves):
    tiny.mini_like().save_pretrained(tmp_path / "model")
    name = f"transformer.{OURS}.lora_{{}}.weight"
    saved(tmp_path / "x.safetensors", {name.format("A"): halves[0], name.format("B"): halves[1]})
    with pytest.raises(ValueError, match="2 LoRA files are given, but the model has one expert"):
        VideoModel.load(tmp_path / "model", lora=(str(tmp_path / "x.safetensors"),) * 2)
