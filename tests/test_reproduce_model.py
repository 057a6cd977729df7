"""`make reproduce MODEL=folder` on a tiny random model of two experts: a plan first, then every
notebook, in a separate folder."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch
import yaml
from PIL import Image
from safetensors import safe_open

from chain_of_steps.bench import recorded, vbvr
from chain_of_steps.common.video import write_video
from chain_of_steps.experiments.cost_plan import blueprint, on_gpu, refuse_too_large
from chain_of_steps.experiments.store import Store, names
from chain_of_steps.figures import registry
from chain_of_steps.figures.step_budget.symbol_runs import SymbolBudget
from chain_of_steps.models.loading import Loading
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.training.recipe import save_pipeline

ROOT = Path(__file__).parent.parent
FIGURES = registry.folders(ROOT / "params.yaml")
sys.path.insert(0, str(ROOT / "tools"))

import reproduce_model  # noqa: E402

NOTEBOOKS = [name for name in FIGURES if name not in reproduce_model.SYMBOLS]
TASK = Path("In-Domain_50") / "O-34_dot_to_dot_task_data-generator"
SAMPLES = ROOT.parent / "shared" / "vbvr-samples" / "gt" / TASK
LINKS = ("notebooks", "params.yaml", "claims.yaml", "figures.yaml", "src")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce_model")
    tiny.wan22_like().save_pretrained(folder / "tiny-wan")
    vbvr.export_suite(
        {"maze": suite.draw("maze", 1, 0), "bounce": suite.draw("bounce", 1, 0)},
        folder / "gt",
        96,
        9,
    )
    return folder


@pytest.fixture
def broken(folder, tmp_path):
    """A copy of the model, to be damaged."""
    return Path(shutil.copytree(folder / "tiny-wan", tmp_path / "broken"))


@pytest.fixture
def apart(folder, tmp_path, monkeypatch):
    """The tool, with a separate folder for figures and rows."""
    for name in LINKS:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setattr(reproduce_model, "ROOT", tmp_path)
    monkeypatch.setattr("run.ROOT", tmp_path)
    return [
        *("--model", str(folder / "tiny-wan"), "--scale", "smoke", "--preset", "mini"),
        *("--size", "96", "--frames", "49", "--device", "cpu", "--dtype", "float32"),
    ]


def few_runs() -> dict:
    """Parameters of scale `smoke`, with still fewer runs, of two steps: they take a minute, most
    of it imports."""
    found = yaml.safe_load((ROOT / "params.yaml").read_text())["smoke"]
    found["1_step_visualization"]["steps"]["samples_of"] = {}
    found["3_emergent_behaviors"]["memory"]["step_stride"] = 1
    found["3_emergent_behaviors"]["mistakes"]["steps"] = [1]
    found["3_emergent_behaviors"]["onsets"]["step_stride"] = 1
    table = found["5_ensemble_table"]["table"]
    table |= dict.fromkeys(("window", "recipe_window", "early", "refine_from", "short"), 1)
    found["6_step_budget"]["grid"] |= {"steps": [1, 2], "traced": [2], "ways": {}}
    for group in ("few", "student"):
        found["6_step_budget"][group]["preset"] = "paper/1"
    return found


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="needs real VBVR-Bench samples in ../shared/vbvr-samples"
)
def test_all_notebooks_run_on_another_model_and_real_samples(apart, folder, tmp_path):
    for index in ("00000", "00001"):
        shutil.copytree(SAMPLES / index, tmp_path / "suite" / TASK / index)
    (tmp_path / "params.yaml").unlink()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"figures": FIGURES, "tiny": few_runs()}))
    options = [
        "--scale",
        "tiny",
        "--preset",
        "paper/2",
        "--suite",
        str(tmp_path / "suite"),
        "--size",
        "48",
    ]
    said: list[str] = []
    assert (
        reproduce_model.main(
            [*apart, *options, "--frames", "25", "--load", "attention=native tiling=true"],
            said.append,
        )
        == 0
    )
    assert any(
        "3_emergent_behaviors and 4_layer_roles need: these two stay" in sentence
        for sentence in said
    )

    assert {path.name for path in tmp_path.iterdir()} == {
        *LINKS,
        "suite",
        "build",
        "figures",
        "runs",
    }
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["tiny-wan"]
    figures, runs = tmp_path / "figures" / "tiny-wan", tmp_path / "runs" / "tiny-wan"
    for notebook in NOTEBOOKS:
        assert list(figures.glob(f"{notebook}/*.png")) and (figures / f"{notebook}.json").exists()
    rows = {name: list(Store(runs, name).rows.values()) for name in names(runs)}
    kinds = [kind for n in NOTEBOOKS for kind in registry.classes(FIGURES[n]).values()]
    assert rows.keys() == {kind.name for kind in kinds if not issubclass(kind, SymbolBudget)}
    everything = [row["run"] for group in rows.values() for row in group]
    assert {run["model"] for run in everything} == {
        VideoModel.load(folder / "tiny-wan").fingerprint
    }
    assert {run["schedule"]["guidance"] for run in everything} == {5.0}
    own = {
        run["index"]
        for run in (r["run"] for r in rows["1_step_visualization"])
        if "::O-34_dot_to_dot" in run["cell"]
    }
    assert own == {0, 1}


def test_a_plan_that_takes_too_long_is_not_begun(apart, tmp_path):
    said: list[str] = []
    assert reproduce_model.main([*apart, "--hours", "0.0000000001"], said.append) == 1
    assert "PFLOP" in said[0] and "lower the numbers of samples in the section 'smoke'" in said[-1]
    assert not (tmp_path / "runs").exists() and not (tmp_path / "figures").exists()


@pytest.mark.parametrize("scale", ["mini", "real"])
def test_a_suite_of_videos_takes_the_place_of_cells_where_no_exact_states_are_needed(folder, scale):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())[scale]
    found, said = reproduce_model.sections(ROOT / "params.yaml", scale, "paper", str(folder / "gt"))
    tasks = recorded.names_of(folder / "gt")
    assert len(tasks) == 2 and [*found] == NOTEBOOKS and "7_when_steps_matter" in said[0]
    for name, groups in {
        "1_step_visualization": ("steps", "room"),
        "6_step_budget": ("grid", "frames", "student", "few"),
    }.items():
        assert all(found[name][group]["cells"] == tasks for group in groups)
        assert found[name]["preset"] == "paper"
    noise, given = (of["2_perturbation_curves"]["noise"] for of in (found, params))
    for part in ("cells", "deep", "restarted"):
        count = max(given[part].values(), default=0)
        assert noise[part] == (dict.fromkeys(tasks, count) if count else {})
    assert noise["controls"] == given["controls"]
    ensemble, given = (of["5_ensemble_table"]["table"] for of in (found, params))
    assert ensemble["cells"] == tasks and ensemble["deep"] == given["deep"]
    for name in reproduce_model.EXACT:
        for group, given in params[name].items():
            if isinstance(given, dict):
                assert found[name][group] == given | (
                    {"preset": found[name][group]["preset"]} if "preset" in given else {}
                )
    assert "model" not in found["6_step_budget"]["student"] and "no distilled student" in said[-1]
    for group in ("shallow", "deep"):
        assert found["6_step_budget"][group]["cells"] == []
    with pytest.raises(ValueError, match="nowhere is not a folder; expected one holding"):
        reproduce_model.sections(ROOT / "params.yaml", "mini", "paper", "nowhere")


def test_notebooks_that_change_latents_are_left_out_where_the_sampler_has_a_memory():
    found, (_, said) = reproduce_model.sections(ROOT / "params.yaml", "real", "hub", "mini")
    assert list(found) == [name for name in NOTEBOOKS if name not in reproduce_model.EDITS]
    assert {"1_step_visualization", "4_layer_roles"} <= found.keys()
    assert said.startswith("Preset hub uses unipc") and "2_perturbation_curves" in said


def test_few_steps_are_few_steps_of_the_same_preset():
    found, _ = reproduce_model.sections(ROOT / "params.yaml", "real", "paper/20", "mini")
    assert (
        found["6_step_budget"]["few"]["preset"] == "paper/4"
        and found["6_step_budget"]["preset"] == "paper/20"
    )


@pytest.mark.parametrize("scale", ["smoke", "mini", "real"])
def test_other_models_have_no_student(scale):
    found, said = reproduce_model.sections(ROOT / "params.yaml", scale, "paper", "mini")
    presets = [p for section in found.values() for p in _presets(section)]
    assert {preset.split("/")[0] for preset in presets} <= {"paper", "stochastic"}
    assert found["6_step_budget"]["student"]["preset"] == "paper/4"
    assert "This model has no distilled student" in said[-1]


def _presets(group: dict) -> list[str]:
    own = [group["preset"]] if "preset" in group else []
    return own + [p for part in group.values() if isinstance(part, dict) for p in _presets(part)]


def test_what_is_no_model_is_said_in_one_sentence(apart):
    with pytest.raises(ValueError, match="is neither a model folder nor a known name"):
        reproduce_model.main(["--model", "/nowhere"])
    with pytest.raises(
        ValueError, match=r"vbvr-wan2\.2 is a name to plan with; to run it, fetch its weights"
    ):
        reproduce_model.main([*apart, "--model", "vbvr-wan2.2"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--load", "fp8=true"],
            "unknown loading option 'fp8=true'; expected dtype=... offload=... storage=",
        ),
        (["--load", "offload=all"], "unknown offload 'all'; expected one of none, model, group"),
        (["--load", "tiling=yes"], "loading option 'tiling' is 'yes'; expected true or false"),
        (["--load", "attention=quick"], "unknown attention 'quick'; expected one of flash"),
        (["--load", "lora=/no/file"], "/no/file is not a file; expected LoRA weights"),
        (
            ["--size", "100"],
            "frames of 100 x 100 pixels do not fit the model; both sides must be multiples of 16",
        ),
        (["--frames", "50"], "50 frames do not fit the video codec; it takes 4 k \\+ 1 frames"),
        (
            ["--frames", "5"],
            r"5 frames are 2 latent frames; experiments need one between .*: 9 frames or more",
        ),
        (["--preset", "quick"], "unknown preset 'quick'; expected one of mini"),
        (["--preset", "paper/0"], "unknown preset 'paper/0'"),
    ],
)
def test_a_wrong_option_is_one_sentence_before_anything_is_run(apart, tmp_path, options, said):
    with pytest.raises((ValueError, OSError), match=said):
        reproduce_model.main([*apart, *options])
    assert not (tmp_path / "runs").exists()


def test_the_plan_counts_frames_as_wide_as_they_are(apart, folder, tmp_path):
    costs = {}
    for name, shape in (("square", (64, 64)), ("wide", (64, 128))):
        place = tmp_path / name / TASK / "00000"
        place.mkdir(parents=True)
        write_video(place / "ground_truth.mp4", np.zeros((5, *shape, 3), np.uint8))
        Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(place / "first_frame.png")
        (place / "prompt.txt").write_text("stay")
        said: list[str] = []
        options = ["--suite", str(tmp_path / name), "--hours", "0.0000000001"]
        assert reproduce_model.main([*apart, *options], said.append) == 1
        costs[name] = said[0].splitlines()[0]
    assert costs == {
        "square": "tiny-wan at 96 x 96, 49 frames",
        "wide": "tiny-wan at 96 x 192, 49 frames",
    }


def test_a_model_of_this_project_keeps_its_own_size_and_length(apart, tmp_path):
    pipe = tiny.mini_like()
    save_pipeline(tmp_path / "own", pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    (tmp_path / "own" / "training.json").write_text("{}")
    said: list[str] = []
    options = ["--model", str(tmp_path / "own"), "--hours", "0.0000000001"]
    assert reproduce_model.main([*apart, *options], said.append) == 1
    assert said[0].startswith("own at 48 x 48, 9 frames")


def test_a_model_never_writes_over_the_projects_figures(apart, folder, tmp_path):
    taken = tmp_path / next(iter(FIGURES))
    taken.symlink_to(folder / "tiny-wan")  # the folder behind the link has another name
    assert reproduce_model._places(taken)[0].name == "tiny-wan"
    taken.unlink()
    shutil.copytree(folder / "tiny-wan", taken)
    with pytest.raises(ValueError, match="holds a figure of this project; rename the model's"):
        reproduce_model.main([*apart, "--model", str(taken)])
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "tiny-wan").touch()
    with pytest.raises(ValueError, match=r"tiny-wan is a file, but .* has to be a folder"):
        reproduce_model.main(apart)


def test_a_missing_expert_is_named(apart, broken):
    shutil.rmtree(broken / "transformer_2")
    with pytest.raises(
        ValueError,
        match=r"broken lacks the folder 'transformer_2', which its model_index\.json names",
    ):
        reproduce_model.main([*apart, "--model", str(broken)])
    with pytest.raises(ValueError, match="broken lacks the folder 'transformer_2'"):
        VideoModel.load(broken)


def test_a_missing_part_of_an_experts_weights_is_named(apart, broken):
    names = {"a": "part-1.safetensors", "b": "part-2.safetensors"}
    (broken / "transformer" / "x.safetensors.index.json").write_text(
        json.dumps({"weight_map": names})
    )
    (broken / "transformer" / "part-1.safetensors").touch()
    with pytest.raises(
        ValueError, match=r"transformer lacks 1 of 2 weight files, first part-2\.safetensors"
    ):
        reproduce_model.main([*apart, "--model", str(broken)])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda whole: whole[: len(whole) // 2], r"is damaged or cut short"),
        (lambda whole: b"version https://git-lfs.github.com/spec/v1\n", r"is damaged or cut short"),
        (lambda whole: b"", r"is damaged or cut short"),
        (None, "lacks the tensor made.up, which its index names"),
    ],
    ids=["cut short", "pointer of Git LFS", "empty", "tensor missing"],
)
def test_a_damaged_shard_is_named_before_the_plan(apart, broken, harm, said):
    experts, name = broken / "transformer", "diffusion_pytorch_model-00001-of-00001.safetensors"
    (experts / "diffusion_pytorch_model.safetensors").rename(experts / name)
    with safe_open(experts / name, "pt") as tensors:
        places = dict.fromkeys(tensors.keys(), name)
    index = experts / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    VideoModel.load(broken)  # whole
    if harm is None:
        index.write_text(json.dumps({"metadata": {}, "weight_map": places | {"made.up": name}}))
    else:
        (experts / name).write_bytes(harm((experts / name).read_bytes()))
    for use in (
        lambda: reproduce_model.main([*apart, "--model", str(broken)], lambda text: None),
        lambda: VideoModel.load(broken),
    ):
        with pytest.raises(ValueError, match=f"{name} {said}.*; fetch the model again"):
            use()


def test_a_model_of_another_family_cannot_be_planned(apart, broken):
    index = json.loads((broken / "model_index.json").read_text())
    (broken / "model_index.json").write_text(json.dumps(index | {"_class_name": "LTX2Pipeline"}))
    with pytest.raises(
        ValueError, match="holds a LTX2Pipeline; plans are made for WanImageToVideoPipeline"
    ):
        reproduce_model.main([*apart, "--model", str(broken)])


def test_what_does_not_fit_into_the_gpu_is_said_with_what_does(apart, monkeypatch):
    model = blueprint("vbvr-wan2.2")
    sizes = {name: size / 1e9 for name, size in model.weights.items()}
    assert on_gpu(model, Loading(dtype="bfloat16")) / 1e9 == pytest.approx(sum(sizes.values()))
    assert on_gpu(model, Loading(dtype="float32", offload="model")) / 1e9 == pytest.approx(
        2 * sizes["transformer"]
    )
    assert on_gpu(
        model, Loading(dtype="bfloat16", storage="fp8", offload="model")
    ) / 1e9 == pytest.approx(14.3, abs=0.1)
    refuse_too_large(model, Loading(dtype="bfloat16"), 80 * 10**9)
    with pytest.raises(
        ValueError,
        match=r"take 69 GB on the GPU, which has 40 GB; .*: offload=model 29 GB, offload=model",
    ):
        refuse_too_large(model, Loading(dtype="bfloat16"), 40 * 10**9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=1000)
    )
    with pytest.raises(ValueError, match=r"the weights of tiny-wan take .* on the GPU, which has"):
        reproduce_model.main([*apart, "--device", "cuda"])


def test_an_error_in_a_notebook_is_one_sentence_that_says_where(apart, monkeypatch):
    class Error(reproduce_model.PapermillExecutionError):
        def __init__(self, name: str, value: str):
            self.ename, self.evalue = name, value

    first = next(iter(registry.sections(ROOT / "params.yaml", "smoke")))
    for name, kind, said in (
        ("ValueError", ValueError, f"^{first}: no such thing$"),
        (
            "OutOfMemoryError",
            ValueError,
            f"^{first}: the GPU's memory is full; use fewer FRAMES",
        ),
    ):
        monkeypatch.setattr(
            reproduce_model,
            "execute",
            lambda *_, name=name, **__: (_ for _ in ()).throw(Error(name, "no such thing")),
        )
        with pytest.raises(kind, match=said):
            reproduce_model.main(apart)
