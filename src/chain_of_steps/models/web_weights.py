"""A symbol network as JSON that a page can hold: configuration, shapes, and compressed weights.

explorer/engine/weights.js reads it. The networks of `data/symbols` are stored with 16 bits, so
nothing is lost by default.
"""

import base64
import re
import zlib
from typing import Literal

import numpy as np
import torch
from diffusers import WanTransformer3DModel

# The text is one token of zeros, and a softmax over one token is 1: cross-attention adds the same
# vector to every cell, whatever it asks. That vector is stored in its place.
CROSS = re.compile(r"attn2\.|norm2\.|text_embedder\.")
Type = Literal["float32", "float16", "int8"]


def packed(network: WanTransformer3DModel, matrices: Type = "float16") -> dict:
    """`config`; `tensors`, the name, rows, columns and type of each; `data`, their bytes one after
    the other, the first byte of each two before all second ones, compressed (zlib), in base64.

    Tensors of one row are float16, the vectors of cross-attention float32.

    Args:
        matrices: how tensors of several rows are stored. `int8` rounds each row to 255 levels, and
            stores the scales of all rows (float32) before it.

    Raises:
        ValueError: for a network with patches of several cells, or with image tokens.
    """
    config = network.config
    if tuple(config.patch_size) != (1, 1, 1) or config.added_kv_proj_dim is not None:
        raise ValueError(
            f"a page runs symbol networks only; expected patches of (1, 1, 1) and no image tokens, "
            f"not patches of {tuple(config.patch_size)}"
        )
    kept = {k: v for k, v in network.state_dict().items() if not CROSS.search(k)}
    stored = [_stored(name, tensor.numpy(), matrices) for name, tensor in kept.items()]
    stored += [_stored(name, vector, "float32") for name, vector in crossed(network).items()]
    content = b"".join(content for _, content in stored)
    apart = content[::2] + content[1::2]  # the bytes of exponents are alike: they compress
    names = ("num_layers", "num_attention_heads", "attention_head_dim", "in_channels", "freq_dim")
    return {
        "config": {name: config[name] for name in names},
        "tensors": [tensor for tensor, _ in stored],
        "data": base64.b64encode(zlib.compress(apart, 9)).decode(),
    }


def crossed(network: WanTransformer3DModel) -> dict[str, np.ndarray]:
    """What cross-attention adds to every cell in each block: `blocks.0.attn2`, (D,) float32."""
    width = network.config.text_dim
    with torch.inference_mode():
        text = network.condition_embedder.text_embedder(torch.zeros(1, width))
        return {
            f"blocks.{i}.attn2": block.attn2.to_out[0](block.attn2.to_v(text))[0].numpy()
            for i, block in enumerate(network.blocks)
        }


def _stored(name: str, values: np.ndarray, matrices: Type) -> tuple[dict, bytes]:
    """A tensor's entry in the list, and its bytes."""
    rows = 1 if values.ndim == 1 or len(values) == 1 else len(values)
    table = values.astype("<f4").reshape(rows, -1)
    kind = "float16" if rows == 1 and matrices == "int8" else matrices
    entry = {"name": name, "rows": rows, "columns": table.shape[1], "type": kind}
    if kind != "int8":
        return entry, table.astype({"float32": "<f4", "float16": "<f2"}[kind]).tobytes()
    scales = np.maximum(np.abs(table).max(1, keepdims=True), 1e-12) / np.float32(127)
    return entry, scales.tobytes() + np.round(table / scales).astype(np.int8).tobytes()
