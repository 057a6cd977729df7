"""The transformer of a Wan model as ONNX, for onnxruntime in a browser.

The graph has fixed shapes. It computes what `WanTransformer3DModel.forward` computes, written with
operations that every runtime has: rotary tables are constants, attention is two products and a
softmax, and nothing is written in place.
"""

import copy
import importlib.util
import logging
import warnings
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

OPSET = 18
INPUTS = ("noisy", "image", "timestep", "text")
NEEDED = ("onnx", "onnxscript")


class PlainAttention:
    """diffusers' attention processor of Wan, without writes in place and without fused kernels."""

    def __call__(
        self,
        attn: nn.Module,
        hidden: Tensor,
        text: Tensor | None = None,
        mask: None = None,
        rotary: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        source = hidden if text is None else text
        query, key = attn.norm_q(attn.to_q(hidden)), attn.norm_k(attn.to_k(source))
        query, key, value = (_heads(x, attn.heads) for x in (query, key, attn.to_v(source)))
        if rotary is not None:
            query, key = _turned(query, *rotary), _turned(key, *rotary)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # (B, heads, N, M)
        mixed = scores.softmax(-1) @ value
        return attn.to_out[0](mixed.transpose(1, 2).flatten(2))


def _heads(x: Tensor, heads: int) -> Tensor:
    """(B, N, D) to (B, heads, N, D / heads)."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of (B, heads, N, 2 P): neighbouring channels are the two coordinates."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return turned.flatten(-2)


class FixedRotations(nn.Module):
    """The rotary tables of one clip size, (1, 1, N, P) float32 each, in the place of a module that
    computes them."""

    def __init__(self, rope: nn.Module, clip: Tensor):
        super().__init__()
        cos, sin = rope(clip)  # (1, N, 1, 2 P); every entry is there twice
        self.register_buffer("cos", cos[..., 0::2].transpose(1, 2).float().contiguous())
        self.register_buffer("sin", sin[..., 1::2].transpose(1, 2).float().contiguous())

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self.cos, self.sin


class Exported(nn.Module):
    """A transformer as it is exported.

    Args:
        shape: (B, C, F, H, W) of the noisy latents.
    """

    def __init__(self, transformer: WanTransformer3DModel, shape: tuple[int, ...]):
        super().__init__()
        self.network = copy.deepcopy(transformer).float().eval()
        self.network.set_attn_processor(PlainAttention())
        self.network.rope = FixedRotations(transformer.rope, torch.zeros(shape))

    def forward(self, noisy: Tensor, image: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """The network's output (B, C, F, H, W); `image` is `Condition.image`, timestep (B,)."""
        together = torch.cat([noisy, image], 1)
        return self.network(together, timestep, text, return_dict=False)[0]


def check_packages() -> None:
    """Raises ImportError if a package that the export needs is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"the export to ONNX needs {' and '.join(missing)}; install the extra `web` with "
            "`pip install 'chain-of-steps[web]'`, or from the project's folder with "
            "`pip install -c constraints.txt -e '.[web]'`"
        )


def exported(
    transformer: WanTransformer3DModel, shape: tuple[int, ...], words: tuple[int, int]
) -> bytes:
    """An ONNX model with inputs `noisy`, `image`, `timestep`, `text` and output `output`.

    Weights that 16 bits hold exactly are stored so, and widened when the model is loaded.

    Args:
        shape: (B, C, F, H, W) of the noisy latents.
        words: (T, D) of the text states.

    Raises:
        ImportError: see `check_packages`.
        ValueError: for a model with image tokens.
    """
    check_packages()
    _check(transformer)
    network = Exported(transformer, shape)
    batch, channels, *rest = shape
    image = transformer.config.in_channels - channels
    example = (
        torch.zeros(shape),
        torch.zeros(batch, image, *rest),
        torch.full((batch,), 500.0),
        torch.zeros(batch, *words),
    )
    names = {"input_names": list(INPUTS), "output_names": ["output"]}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else it says what it lacks
        program = torch.onnx.export(
            network, example, dynamo=True, opset_version=OPSET, verbose=False, **names
        )
    return bare(halved(program.model_proto)).SerializeToString()


def _check(transformer: WanTransformer3DModel) -> None:
    if transformer.config.image_dim is not None:
        raise ValueError(
            "this model has an image encoder, which a page does not; export one without"
        )


def halved(model: Any) -> Any:
    """Stores float32 weights that 16 bits hold exactly as float16, with a cast behind each."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        numbers = numpy_helper.to_array(weight)
        half = numbers.astype("float16")
        if numbers.size < 64 or not (half.astype("float32") == numbers).all():
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def bare(model: Any) -> Any:
    """Removes what no runtime needs: names of Python files and classes, shapes of what is between.

    It takes 2 MB, and tells where on which machine the export was made.
    """
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for part in (model, model.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.graph.ClearField("value_info")
    return model
