"""The mini model's parts, untrained: small instances of the very classes that the Wan models are made of."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanTransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from .schedule import Schedule
from .tasks.canvas import COLOURS
from .tasks.objects import KINDS

TEXT_LENGTH = 16
VOCABULARY = """
    <pad> </s> <unk> draw the path from to x o plays and wins fill empty place turn shape right left around leaves
    comes back mark wall slides ball falls along arrow
"""


@dataclass(frozen=True)
class Recipe:
    """Sizes of the mini model; tokens are 8 x 8 pixels of one latent frame (two pixel frames).

    Attributes:
        latent_channels: of the codec's latents.
        codec_width: channels of the codec's outer level; the inner one has twice as many.
        width, layers, heads: of the transformer.
        text_width, text_layers: of the text encoder.
    """

    latent_channels: int = 32
    codec_width: int = 16
    width: int = 128
    layers: int = 8
    heads: int = 4
    text_width: int = 64
    text_layers: int = 2


def build_codec(recipe: Recipe) -> AutoencoderKLWan:
    """A causal video autoencoder: 8 x in space, 2 x in time; 4 x 4 pixels are folded into channels first."""
    z = recipe.latent_channels
    codec = AutoencoderKLWan(
        base_dim=recipe.codec_width,
        z_dim=z,
        dim_mult=[1, 2],
        num_res_blocks=1,
        temperal_downsample=[True],
        in_channels=48,
        out_channels=48,
        patch_size=4,
        latents_mean=[0.0] * z,
        latents_std=[1.0] * z,
        scale_factor_temporal=2,
        scale_factor_spatial=8,
    )
    for module in codec.modules():  # residual branches start at zero: it learns faster
        if type(module).__name__ == "WanResidualBlock":
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
    return codec


def build_transformer(recipe: Recipe) -> WanTransformer3DModel:
    """The video transformer, one token per latent cell; every branch starts at zero, so it begins as the identity."""
    z, width = recipe.latent_channels, recipe.width
    transformer = WanTransformer3DModel(
        patch_size=(1, 1, 1),
        num_attention_heads=recipe.heads,
        attention_head_dim=width // recipe.heads,
        in_channels=2 * z + 2,  # noisy latents, mask (one channel per pixel frame of a latent frame), given frame
        out_channels=z,
        text_dim=recipe.text_width,
        freq_dim=128,
        ffn_dim=4 * width,
        num_layers=recipe.layers,
        cross_attn_norm=True,
        rope_max_seq_len=64,
    )
    with torch.no_grad():
        nn.init.zeros_(transformer.proj_out.weight)
        nn.init.zeros_(transformer.proj_out.bias)
        transformer.scale_shift_table.zero_()
        modulation = transformer.condition_embedder.time_proj
        nn.init.zeros_(modulation.weight)
        nn.init.zeros_(modulation.bias)
        for block in transformer.blocks:
            block.scale_shift_table.zero_()
            nn.init.zeros_(block.attn2.to_out[0].weight)
            nn.init.zeros_(block.attn2.to_out[0].bias)
    return transformer


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer of the mini world's few words; unknown words share one token."""
    words = [*VOCABULARY.split(), *COLOURS, *KINDS]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=TEXT_LENGTH,
    )


def build_text_encoder(recipe: Recipe, vocabulary: int) -> UMT5EncoderModel:
    """A small UMT5 encoder without dropout."""
    config = UMT5Config(
        vocab_size=vocabulary,
        d_model=recipe.text_width,
        d_kv=recipe.text_width // 4,
        num_heads=4,
        d_ff=2 * recipe.text_width,
        num_layers=recipe.text_layers,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
    )
    return UMT5EncoderModel(config)


def save_pipeline(
    folder: str | Path,
    codec: AutoencoderKLWan,
    text_encoder: UMT5EncoderModel,
    transformer: WanTransformer3DModel,
    schedule: Schedule,
) -> None:
    """Writes a stock `WanImageToVideoPipeline` that predicts the clean estimate; fp16 safetensors."""
    pipe = WanImageToVideoPipeline(
        tokenizer=build_tokenizer(),
        text_encoder=text_encoder,
        vae=codec,
        transformer=transformer,
        scheduler=schedule.scheduler("sample"),
    )
    copy.deepcopy(pipe).to(torch.float16).save_pretrained(folder, safe_serialization=True)
