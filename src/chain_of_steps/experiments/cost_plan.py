"""What an experiment will cost, before any weight is loaded: forward passes, PFLOP, memory, hours
on named GPUs.

A blueprint is a model on torch's meta device: it has the shapes of the real one and no numbers. Its
operations are counted by torch's own counter.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanTransformer3DModel
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, UMT5Config, UMT5EncoderModel

from ..models.families import WAN
from ..models.loading import EXPERTS, Loading
from ..models.pipeline import FRAMES, SIZE
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from ..models.weights import refuse_missing
from .base import Experiment

BYTES = 2  # of a weight or hidden value in bfloat16
# Share of the peak that Wan2.2-A14B reaches on an H100: 40 steps at 480 x 832 x 81 in 327.8 s.
UTILISATION = 0.41
GPUS = {"A100": 312, "H100": 989, "H200": 989, "B200": 2250}  # peak TFLOP/s, dense bfloat16
UMT5_XXL = {
    "vocab_size": 256384,
    "d_model": 4096,
    "d_kv": 64,
    "num_heads": 64,
    "d_ff": 10240,
    "num_layers": 24,
}
WAN_14B = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 40,
    "attention_head_dim": 128,
    "in_channels": 36,
    "out_channels": 16,
    "text_dim": 4096,
    "freq_dim": 256,
    "ffn_dim": 13824,
    "num_layers": 40,
    "cross_attn_norm": True,
}
PARTS = (
    "transformer",
    "transformer_2",
    "text_encoder",
    "vae",
)  # only their configurations are read
WAN_21 = WAN_14B | {"image_dim": 1280, "added_kv_proj_dim": 5120}
NAMED = {
    "wan2.1-i2v-14b": ([WAN_21], None),
    "wan2.2-i2v-a14b": ([WAN_14B, WAN_14B], 0.9),
    "vbvr-wan2.2": ([WAN_14B, WAN_14B], 0.875),
}  # configurations of the experts, and the boundary between them


class Blueprint(VideoModel):
    """A `VideoModel` without numbers: enough to plan with."""

    fingerprint = "a blueprint"

    def __init__(self, pipe: WanImageToVideoPipeline, name: str, frames: int):
        super().__init__(pipe, name, SIZE, frames)

    @cached_property
    def weights(self) -> dict[str, int]:
        """Bytes of every component in bfloat16."""
        parts = {
            name: part for name, part in self.pipe.components.items() if isinstance(part, nn.Module)
        }
        return {
            name: BYTES * sum(p.numel() for p in part.parameters()) for name, part in parts.items()
        }

    def latent_shape(self, height: int, width: int, frames: int) -> tuple[int, int, int, int, int]:
        """(1, C, F, H, W) of a clip of `frames` pixel frames."""
        side = self.pipe.vae_scale_factor_spatial
        return (
            1,
            self.pipe.vae.config.z_dim,
            1 + (frames - 1) // self.stride,
            height // side,
            width // side,
        )

    def flop(self, height: int, width: int, frames: int) -> int:
        """Operations of one forward pass of one expert."""
        expert, (_, _, *shape) = self.transformers[0], self.latent_shape(height, width, frames)
        config = expert.config
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            inputs, text = (
                torch.empty(1, config.in_channels, *shape),
                torch.empty(1, 512, config.text_dim),
            )
            picture = None if config.image_dim is None else torch.empty(1, 257, config.image_dim)
            expert(inputs, torch.empty(1), text, picture, return_dict=False)
        return counter.get_total_flops()

    def state(self, height: int, width: int, frames: int) -> int:
        """Bytes of one hidden state: one layer, one pass."""
        config, (_, _, f, h, w) = (
            self.transformers[0].config,
            self.latent_shape(height, width, frames),
        )
        tokens = f * h * w // (config.patch_size[1] * config.patch_size[2])
        return BYTES * tokens * config.num_attention_heads * config.attention_head_dim


def blueprint(model: str, frames: int = FRAMES) -> Blueprint:
    """The blueprint of a named model, or of a folder in the layout of diffusers, of which only the
    configurations are read.

    Args:
        frames: of a clip, in pixels; the plans of some experiments have runs for each latent one.

    Raises:
        ValueError: if it is neither.
    """
    if model in NAMED:
        configs, boundary = NAMED[model]
        with torch.device("meta"):
            experts = [WanTransformer3DModel(**config) for config in configs]
            text, vae = UMT5EncoderModel(UMT5Config(**UMT5_XXL)), AutoencoderKLWan()
    elif (Path(model) / "model_index.json").is_file():
        refuse_missing(Path(model), PARTS)
        experts, text, vae, boundary = _of_folder(Path(model))
    else:
        raise ValueError(
            f"{model!r} is neither a model folder nor a known name; expected a folder or "
            f"{', '.join(NAMED)}"
        )
    second = experts[1] if len(experts) > 1 else None
    parts = {"text_encoder": text, "vae": vae, "transformer": experts[0], "transformer_2": second}
    pipe = WanImageToVideoPipeline(tokenizer=None, scheduler=None, boundary_ratio=boundary, **parts)
    return Blueprint(pipe, Path(model).name, frames)


def _of_folder(folder: Path) -> tuple:
    index = WanImageToVideoPipeline.load_config(folder)
    if index["_class_name"] not in WAN.named:
        raise ValueError(
            f"{folder} holds a {index['_class_name']}; plans are made for {' and '.join(WAN.named)}"
        )
    names = [name for name in ("transformer", "transformer_2") if index.get(name, [None])[0]]
    with torch.device("meta"):
        experts = [
            WanTransformer3DModel.from_config(WanTransformer3DModel.load_config(folder / name))
            for name in names
        ]
        text = UMT5EncoderModel(AutoConfig.from_pretrained(folder / "text_encoder"))
        vae = AutoencoderKLWan.from_config(AutoencoderKLWan.load_config(folder / "vae"))
    return experts, text, vae, index.get("boundary_ratio")


@dataclass(frozen=True)
class Cost:
    """What one experiment costs.

    Attributes:
        runs: how many there are.
        naive, shared: model evaluations if every run were made alone, and as the sweep makes them.
        controls: model evaluations for unrelated samples, which come on top of either.
        passes: forward passes of an evaluation: 2 under guidance.
    """

    name: str
    runs: int
    naive: int
    shared: int
    controls: int
    passes: int

    def evaluations(self, shared: bool = True) -> int:
        """Of the model, controls among them."""
        return self.controls + (self.shared if shared else self.naive)

    def hours(self, flop: int, gpu: str, shared: bool = True) -> float:
        """On a named GPU, decoding aside."""
        return (
            self.evaluations(shared) * self.passes * flop / (GPUS[gpu] * 1e12 * UTILISATION) / 3600
        )


def cost(experiment: Experiment, runs: list, schedule: Schedule) -> Cost:
    """Counts the evaluations of all runs."""
    groups = defaultdict(list)
    for run in runs:
        groups[run.base].append(run)
    naive, shared = (
        sum(experiment.evaluations([run]) for run in runs),
        sum(map(experiment.evaluations, groups.values())),
    )
    controls = experiment.control_evaluations(runs)
    return Cost(
        experiment.name, len(runs), naive, shared, controls, 2 if schedule.guidance > 1.0 else 1
    )


def on_gpu(model: Blueprint, how: Loading) -> float:
    """Bytes of weights that are on the GPU at the same time, as they are loaded; activations come
    on top."""
    wide = 2.0 if how.dtype == "float32" else 1.0
    parts = {name: size * wide for name, size in model.weights.items()}
    quantised = EXPERTS if how.storage == "fp8" else EXPERTS[: len(how.gguf)]
    parts |= {name: model.weights[name] / 2 for name in quantised if name in parts}
    if how.offload == "group":
        return max(parts.values()) / model.layers
    return max(parts.values()) if how.offload == "model" else sum(parts.values())


def refuse_too_large(model: Blueprint, how: Loading, memory: int) -> None:
    """Raises if the weights do not fit into a GPU's memory; names what would."""
    needed = on_gpu(model, how)
    if needed <= memory:
        return
    ways = {"dtype=bfloat16": {"dtype": "bfloat16"}, "offload=model": {"offload": "model"}}
    ways |= {
        "offload=model storage=fp8": ways["offload=model"] | {"storage": "fp8"},
        "offload=group": {"offload": "group"},
    }
    less = {name: on_gpu(model, replace(how, **way)) for name, way in ways.items()}
    fits = ", ".join(
        f"{name} {size / 1e9:.0f} GB" for name, size in less.items() if size < min(needed, memory)
    )
    raise ValueError(
        f"the weights of {model.name} take {needed / 1e9:.0f} GB on the GPU, which has "
        f"{memory / 1e9:.0f} GB; "
        f"they would take with LOAD='...': {fits}"
    )


def report(model: Blueprint, costs: list[Cost], height: int, width: int, frames: int) -> str:
    """The plan as text."""
    flop, state = model.flop(height, width, frames), model.state(height, width, frames)
    layers, pictures = model.layers, 3 * height * width * frames / 2**20
    weights = ", ".join(f"{name} {size / 1e9:.1f} GB" for name, size in model.weights.items())
    lines = [
        f"{model.name} at {height} x {width}, {frames} frames",
        f"  one forward pass: {flop / 1e15:.3f} PFLOP",
        f"  weights in bfloat16: {weights}; together {sum(model.weights.values()) / 1e9:.0f} GB",
        f"  a hidden state: {state / 2**20:.0f} MiB; all {layers} layers of a pass: "
        f"{layers * state / 2**30:.1f} GiB",
        f"  the store: rows are short texts; a show-case takes at most {pictures:.0f} MiB a step",
    ]
    for each in costs:
        lines.append(f"{each.name}: {each.runs} runs, {each.passes} passes per evaluation")
        for word in ("naive", "shared"):
            shared = word == "shared"
            evaluations, audio = (
                each.evaluations(shared),
                f" ({each.controls} for controls)" if each.controls else "",
            )
            hours = ", ".join(f"{each.hours(flop, gpu, shared):.1f} h on {gpu}" for gpu in GPUS)
            pflop = evaluations * each.passes * flop / 1e15
            lines.append(f"  {word}: {evaluations} evaluations{audio}, {pflop:.0f} PFLOP, {hours}")
    return "\n".join(lines)
