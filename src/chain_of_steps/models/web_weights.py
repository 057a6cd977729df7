"""A symbol network as JSON that a page can hold: configuration, shapes, and weights of 16 bits.

web/weights.js reads it. The networks of `data/symbols` are stored with 16 bits, so nothing is lost.
"""

import base64
import re

import numpy as np
from diffusers import WanTransformer3DModel

# The text is one token of zeros, and a softmax over one token is 1: the queries and keys of
# cross-attention, with their norms, have no effect.
UNUSED = re.compile(r"attn2\.(to_q|to_k|norm_q|norm_k)\.|norm2\.")


def packed(network: WanTransformer3DModel) -> dict:
    """`config`; `tensors`, the name and shape of each; `data`, their numbers one after the other
    as little-endian float16, in base64.

    Raises:
        ValueError: for a network with patches of several cells, or with image tokens.
    """
    config = network.config
    if tuple(config.patch_size) != (1, 1, 1) or config.added_kv_proj_dim is not None:
        raise ValueError(
            f"a page runs symbol networks only; expected patches of (1, 1, 1) and no image tokens, "
            f"not patches of {tuple(config.patch_size)}"
        )
    kept = {k: v for k, v in network.state_dict().items() if not UNUSED.search(k)}
    numbers = [tensor.float().numpy().astype("<f2").ravel() for tensor in kept.values()]
    names = ("num_layers", "num_attention_heads", "attention_head_dim", "in_channels", "freq_dim")
    return {
        "config": {name: config[name] for name in names},
        "tensors": [{"name": name, "shape": list(t.shape)} for name, t in kept.items()],
        "data": base64.b64encode(np.concatenate(numbers).tobytes()).decode(),
    }
