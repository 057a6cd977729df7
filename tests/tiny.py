"""Tiny image-to-video pipelines of stock diffusers classes with random weights: every code path, no download."""

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from torch import nn
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

from chain_of_steps import mini
from chain_of_steps.models import VideoModel

RECIPE = mini.Recipe(latent_channels=8, width=32, layers=2, heads=2, text_width=16, text_layers=1)
SCHEDULERS = {
    "euler": lambda: FlowMatchEulerDiscreteScheduler(shift=5.0),
    "unipc": lambda: UniPCMultistepScheduler(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=5.0),
}


def wan21_like(seed: int = 0) -> WanImageToVideoPipeline:
    """One transformer, and an image encoder that adds 257 tokens to the text."""
    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=2
    )
    square = {"height": 32, "width": 32}
    return WanImageToVideoPipeline(
        **_wan_parts(),
        transformer=_wan_transformer(image_dim=16, added_kv_proj_dim=24),
        image_encoder=CLIPVisionModel(config).eval(),
        image_processor=CLIPImageProcessor(size=square, crop_size=square),
    )


def wan22_like(seed: int = 0) -> WanImageToVideoPipeline:
    """Two transformers: one for high noise, one for low."""
    torch.manual_seed(seed)
    experts = {"transformer": _wan_transformer(), "transformer_2": _wan_transformer()}
    return WanImageToVideoPipeline(**_wan_parts(), **experts, boundary_ratio=0.875)


def ti2v_like(seed: int = 0) -> WanImageToVideoPipeline:
    """One transformer that sees the given frame in its place among the noisy ones, at time 0 (Wan 2.2 5B)."""
    torch.manual_seed(seed)
    return WanImageToVideoPipeline(**_wan_parts(), transformer=_wan_transformer(in_channels=16), expand_timesteps=True)


def mini_like(seed: int = 0) -> WanImageToVideoPipeline:
    """The mini model's own parts, smaller still; nothing is zero, as after training."""
    torch.manual_seed(seed)
    tokenizer = mini.build_tokenizer()
    parts = {
        "vae": mini.build_codec(RECIPE),
        "text_encoder": mini.build_text_encoder(RECIPE, len(tokenizer)),
        "transformer": mini.build_transformer(RECIPE),
    }
    for part in parts.values():
        _shake(part.eval())
    return WanImageToVideoPipeline(tokenizer=tokenizer, **parts, scheduler=SCHEDULERS["euler"]())


PIPELINES = {"wan21_like": wan21_like, "wan22_like": wan22_like, "ti2v_like": ti2v_like, "mini_like": mini_like}


def stock_frames(model: VideoModel, frames: int) -> int:
    """What to ask a stock pipeline for to get `frames`: with one latent frame per pixel frame it adds one."""
    return frames - 1 if model.stride == 1 else frames


def _wan_parts() -> dict:
    tokenizer = mini.build_tokenizer()
    tokenizer.model_max_length = 512
    codec = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    return {
        "tokenizer": tokenizer,
        "text_encoder": mini.build_text_encoder(RECIPE, len(tokenizer)).eval(),
        "vae": codec.eval(),
        "scheduler": SCHEDULERS["euler"](),
    }


def _wan_transformer(**options: int) -> WanTransformer3DModel:
    usual = {
        "patch_size": (1, 2, 2),
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "in_channels": 36,
        "out_channels": 16,
        "text_dim": RECIPE.text_width,
        "freq_dim": 16,
        "ffn_dim": 32,
        "num_layers": 2,
        "rope_max_seq_len": 32,
    }
    return WanTransformer3DModel(**usual | options).eval()


@torch.no_grad()
def _shake(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter += 0.05 * torch.randn(parameter.shape)
