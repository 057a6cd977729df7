"""The mini model as files for a page: the ONNX graph, the codec's matrices and the text states give
what the pipeline gives, and other models are refused."""

import importlib.util
import json
from hashlib import sha256

import numpy as np
import pytest
import tiny
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify

from chain_of_steps.cli import main
from chain_of_steps.models import onnx_export, web_codec, web_export
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import maze, suite
from chain_of_steps.training.codec import fit_codec

PROMPTS = [maze.PROMPT, "fill the square"]


@pytest.fixture(scope="module")
def model() -> VideoModel:
    """The tiny model with a codec like the mini model's, and its prediction."""
    pipe = tiny.mini_like()
    codec = tiny.recipe.build_codec(tiny.RECIPE).eval()
    clips = [suite.draw_one("maze", i, 0).render(size=48, frames=5) for i in range(4)]
    fit_codec(codec, clips)
    pipe.vae, pipe.scheduler = codec, preset("mini").scheduler("sample")
    return VideoModel(pipe, "tiny", size=48, frames=5)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("web")
    web_export.export(model, PROMPTS, folder)
    return folder


@pytest.fixture(scope="module")
def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_the_graph_computes_what_the_network_computes(model, folder):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(folder / "transformer.onnx")
    condition = model.prepare_sample(suite.draw_one("maze", 0, 0))
    schedule, generator = preset("mini/4"), torch.Generator().manual_seed(0)
    for timestep in (999.0, 700.0, 3.0):
        x = torch.randn(condition.shape, generator=generator)
        ours = model.predict(x, torch.tensor(timestep), condition, schedule).numpy()
        inputs = {"noisy": x, "image": condition.image, "text": condition.prompt}
        inputs = {name: tensor.numpy() for name, tensor in inputs.items()}
        (theirs,) = session.run(None, {**inputs, "timestep": np.float32([timestep])})
        assert np.ptp(ours) > 0.1, "the network says something"
        assert np.abs(ours - theirs).max() < 1e-4


def test_the_graph_has_fixed_shapes_and_tells_nothing_of_this_machine(model, folder, manifest):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(folder / "transformer.onnx").graph
    shapes = {
        each.name: [side.dim_value for side in each.type.tensor_type.shape.dim]
        for each in (*graph.input, *graph.output)
    }
    named = manifest["shapes"]
    assert shapes == {
        "noisy": named["latents"],
        "image": named["image"],
        "text": named["text"],
        "timestep": [1],
        "output": named["latents"],
    }
    assert not any(node.op_type in ("ScatterND", "ScatterElements") for node in graph.node)
    assert b"site-packages" not in (folder / "transformer.onnx").read_bytes()


def test_the_manifest_describes_the_files(model, folder, manifest):
    assert manifest["model"]["fingerprint"] == model.fingerprint
    assert manifest["prompts"] == ["", *PROMPTS]
    for name, told in manifest["files"].items():
        data = (folder / name).read_bytes()
        assert told == {"bytes": len(data), "sha256": sha256(data).hexdigest()}


def test_prompts_are_a_table_of_text_states(model, folder, manifest):
    table = np.fromfile(folder / "prompts.bin", "<f4").reshape(-1, *manifest["shapes"]["text"])
    for states, prompt in zip(table, manifest["prompts"], strict=True):
        condition = model.prepare(prompt, np.zeros((48, 48, 3), np.uint8), 5)
        assert np.array_equal(states, condition.prompt.numpy())


def test_the_codec_is_two_matrices_each_way(model):
    clip = suite.draw_one("latin", 0, 0, order=4).render(size=48, frames=5)
    latents, tables = model.encode(clip), web_codec.matrices(model.pipe.vae)
    pixels = torch.from_numpy(clip).permute(3, 0, 1, 2)[None] / 127.5 - 1.0
    cells = patchify(pixels, 8)[0]  # (3 x 8 x 8, F, 6, 6), of each cell colour, column, row
    natural = cells.unflatten(0, (3, 8, 8)).permute(3, 4, 5, 2, 1, 0).flatten(3)
    ours = web_codec.coded(tables, "encode", natural.reshape(-1, 192))
    theirs = latents[0].permute(1, 2, 3, 0).reshape(len(ours), -1)
    assert theirs.std() > 0.1 and (ours - theirs).abs().max() < 1e-3
    shown = web_codec.coded(tables, "decode", theirs)  # the pixels again, in that order
    bytes_ = (shown.view(5, 6, 6, 8, 8, 3).permute(0, 1, 3, 2, 4, 5) * 127.5 + 127.5).round()
    difference = bytes_.clamp(0, 255).reshape(clip.shape).numpy() - model.decode(latents)
    assert np.abs(difference).max() <= 1


# What is refused.


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (tiny.wan21_like, "a latent frame for every frame"),
        (tiny.wan22_like, "a latent frame for every frame"),
        (tiny.mini_like, "predictions of the clean estimate"),
    ],
)
def test_other_models_are_refused(make, missing, tmp_path):
    pytest.importorskip("onnx")
    other = VideoModel(make(), "other", size=48, frames=5)
    with pytest.raises(ValueError, match=f"other does not have {missing}"):
        web_export.export(other, PROMPTS, tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_codec_that_looks_at_neighbours_is_refused(model, monkeypatch):
    codec = tiny.mini_like().vae
    with pytest.raises(ValueError, match="treats each cell alone"):
        web_codec.matrices(codec)


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(onnx_export, "NEEDED", ("onnx", "no_such_package"))
    assert importlib.util.find_spec("no_such_package") is None
    assert main(["export-web", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no_such_package" in said and "[web]" in said


def test_the_command_exports_a_model(model, tmp_path, capsys):
    pytest.importorskip("onnx")
    model.pipe.save_pretrained(tmp_path / "model")
    training = {"recipe": {"size": 48, "frames": 5}}
    (tmp_path / "model" / "training.json").write_text(json.dumps(training))
    out = tmp_path / "out"
    assert main(["export-web", "--model", str(tmp_path / "model"), "--out", str(out)]) == 0
    names = {"transformer.onnx", "codec.bin", "prompts.bin", "manifest.json"}
    assert {file.name for file in out.iterdir()} == names and str(out) in capsys.readouterr().out
