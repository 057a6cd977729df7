"""The mini model's components, untrained: small instances of the classes of the Wan models."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanTransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from ..models.schedule import Schedule
from ..puzzles.canvas import COLOURS
from ..puzzles.objects import KINDS

TEXT_LENGTH = 16
VOCABULARY = """
    <pad> </s> <unk> draw the path from to x o plays and wins fill empty place turn shape right
    left around leaves comes back mark wall slides ball falls along arrow square in rounds follow
    arrows way end a one places
"""


@dataclass(frozen=True)
class Recipe:
    """Sizes of the mini model; a token is 8 x 8 pixels of one frame.

    Attributes:
        latent_channels: of the codec's latents.
        width, layers, heads: of the transformer.
        text_width, text_layers: of the text encoder.
    """

    latent_channels: int = 80
    width: int = 128
    layers: int = 8
    heads: int = 4
    text_width: int = 64
    text_layers: int = 2


def build_codec(recipe: Recipe) -> AutoencoderKLWan:
    """A video autoencoder with one latent cell per 8 x 8 pixels of a frame; no branch mixes cells
    at the start."""
    z, width = recipe.latent_channels, recipe.latent_channels + 8
    codec = AutoencoderKLWan(
        base_dim=width,
        z_dim=z,
        dim_mult=[1],
        num_res_blocks=0,
        temperal_downsample=[],
        in_channels=192,
        out_channels=192,
        patch_size=8,
        latents_mean=[0.0] * z,
        latents_std=[1.0] * z,
        scale_factor_temporal=1,
        scale_factor_spatial=8,
    )
    for module in codec.modules():
        if type(module).__name__ == "WanResidualBlock":
            _zero(module.conv2)
        if type(module).__name__ == "WanAttentionBlock":
            _zero(module.proj)
    return codec


def _zero(layer: nn.Module) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def build_transformer(recipe: Recipe) -> WanTransformer3DModel:
    """The video transformer, one token per latent cell; every branch starts at zero, so it begins
    as the identity."""
    z, width = recipe.latent_channels, recipe.width
    transformer = WanTransformer3DModel(
        patch_size=(1, 1, 1),
        num_attention_heads=recipe.heads,
        attention_head_dim=width // recipe.heads,
        in_channels=2 * z + 1,  # noisy latents, mask, given frame
        out_channels=z,
        text_dim=recipe.text_width,
        freq_dim=128,
        ffn_dim=4 * width,
        num_layers=recipe.layers,
        cross_attn_norm=True,
        rope_max_seq_len=64,
    )
    with torch.no_grad():
        _zero(transformer.proj_out)
        transformer.scale_shift_table.zero_()
        _zero(transformer.condition_embedder.time_proj)
        for block in transformer.blocks:
            block.scale_shift_table.zero_()
            _zero(block.attn2.to_out[0])
    return transformer


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer of the mini world's few words; unknown words share one token."""
    words = dict.fromkeys([*VOCABULARY.split(), *COLOURS, *KINDS])  # each once, in this order
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
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
    """Writes a stock `WanImageToVideoPipeline` that predicts the clean estimate, as fp16
    safetensors."""
    pipe = WanImageToVideoPipeline(
        tokenizer=build_tokenizer(),
        text_encoder=text_encoder,
        vae=codec,
        transformer=transformer,
        scheduler=schedule.scheduler("sample"),
    )
    copy.deepcopy(pipe).to(torch.float16).save_pretrained(folder, safe_serialization=True)
