"""Tiny image-to-video pipelines of stock diffusers classes, with random weights."""

import torch
from diffusers import (
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    LTX2ImageToVideoPipeline,
    LTX2VideoTransformer3DModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
from torch import nn
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    SiglipVisionConfig,
)

from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.training import recipe

RECIPE = recipe.Recipe(latent_channels=8, width=32, layers=2, heads=2, text_width=16, text_layers=1)
SCHEDULERS = {
    "euler": lambda: FlowMatchEulerDiscreteScheduler(shift=5.0),
    "unipc": lambda: UniPCMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=5.0
    ),
}


def wan21_like(seed: int = 0) -> WanImageToVideoPipeline:
    """One transformer, and an image encoder that adds 257 tokens to the text."""
    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=2,
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
    """One transformer with the given frame among the noisy ones, at time 0 (Wan 2.2 5B)."""
    torch.manual_seed(seed)
    return WanImageToVideoPipeline(
        **_wan_parts(), transformer=_wan_transformer(in_channels=16), expand_timesteps=True
    )


def mini_like(seed: int = 0) -> WanImageToVideoPipeline:
    """The mini model's own parts, smaller still; nothing is zero, as after training."""
    torch.manual_seed(seed)
    tokenizer = recipe.build_tokenizer()
    parts = {
        "vae": recipe.build_codec(RECIPE),
        "text_encoder": recipe.build_text_encoder(RECIPE, len(tokenizer)),
        "transformer": recipe.build_transformer(RECIPE),
    }
    for part in parts.values():
        _shake(part.eval())
    return WanImageToVideoPipeline(tokenizer=tokenizer, **parts, scheduler=SCHEDULERS["euler"]())


def ltx2_like(seed: int = 0) -> LTX2ImageToVideoPipeline:
    """One transformer that denoises audio alongside the video; a latent cell is 8 x 32 x 32
    pixels."""
    torch.manual_seed(seed)
    tokenizer = recipe.build_tokenizer()
    parts = {
        "text_encoder": _gemma(len(tokenizer), width=16, layers=2),
        "connectors": _connectors(width=16, states=3),
        "transformer": _ltx2_transformer(text=16),
        "vae": _ltx2_codec(),
        "audio_vae": AutoencoderKLLTX2Audio(
            base_channels=8, ch_mult=(1,), num_res_blocks=1, latent_channels=2, mel_bins=16
        ),
        "vocoder": LTX2Vocoder(
            in_channels=32,
            hidden_channels=8,
            upsample_kernel_sizes=[4, 4],
            upsample_factors=[2, 2],
            resnet_kernel_sizes=[3],
            resnet_dilations=[[1, 3, 5]],
        ),
    }
    for part in parts.values():
        _shake(part.eval())
    for codec in (parts["vae"], parts["audio_vae"]):
        codec.latents_mean.normal_(), codec.latents_std.uniform_(0.5, 2.0)
    return LTX2ImageToVideoPipeline(
        tokenizer=tokenizer, **parts, scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0)
    )


PIPELINES = {
    "wan21_like": wan21_like,
    "wan22_like": wan22_like,
    "ti2v_like": ti2v_like,
    "mini_like": mini_like,
}


def stock_frames(model: VideoModel, frames: int) -> int:
    """The `num_frames` that gives `frames`: with one latent frame per pixel frame stock adds
    one."""
    return frames - 1 if model.stride == 1 else frames


def _wan_parts() -> dict:
    tokenizer = recipe.build_tokenizer()
    tokenizer.model_max_length = 512
    codec = AutoencoderKLWan(
        base_dim=4,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    return {
        "tokenizer": tokenizer,
        "text_encoder": recipe.build_text_encoder(RECIPE, len(tokenizer)).eval(),
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


def _gemma(vocabulary: int, width: int, layers: int) -> Gemma3ForConditionalGeneration:
    text = Gemma3TextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        pad_token_id=0,
    )
    vision = SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    return Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    )


def _connectors(width: int, states: int) -> LTX2TextConnectors:
    """Maps the `states` hidden states of each word to the text states of both streams."""
    own = {
        "num_attention_heads": 2,
        "attention_head_dim": width // 2,
        "num_layers": 1,
        "num_learnable_registers": 8,
    }
    both = {
        f"{stream}_connector_{name}": value
        for stream in ("video", "audio")
        for name, value in own.items()
    }
    return LTX2TextConnectors(caption_channels=width, text_proj_in_factor=states, **both)


def _ltx2_transformer(text: int) -> LTX2VideoTransformer3DModel:
    return LTX2VideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=16,
        cross_attention_dim=32,
        audio_in_channels=8,
        audio_out_channels=8,
        audio_num_attention_heads=2,
        audio_attention_head_dim=8,
        audio_cross_attention_dim=16,
        num_layers=3,
        caption_channels=text,
    )


def _ltx2_codec() -> AutoencoderKLLTX2Video:
    return AutoencoderKLLTX2Video(
        latent_channels=8,
        block_out_channels=(8, 16, 32, 64),
        decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    )


@torch.no_grad()
def _shake(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter += 0.05 * torch.randn(parameter.shape)
