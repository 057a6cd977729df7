"""The command line, on a tiny untrained model: right outputs, and one clear sentence where something is wrong."""

import json

import pytest
import tiny

from chain_of_steps.bench import vbvr
from chain_of_steps.bench.scores import table
from chain_of_steps.cli import main
from chain_of_steps.experiments.store import Store
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling.denoise import EXPERIMENT_VERSION
from chain_of_steps.training.recipe import save_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    pipe = tiny.mini_like()
    save_pipeline(folder, pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    (folder / "training.json").write_text("{}")
    return str(folder)


def test_bench_reports_every_column(folder, tmp_path, capsys):
    file = tmp_path / "bench.json"
    bench = ["bench", "--model", folder, "--samples-per-task", "1", "--seed", "3"]
    assert main([*bench, "--json", str(file)]) == 0
    report = json.loads(file.read_text())
    keys = {"overall", "in_domain", "out_of_domain", "by_category", "by_task", "by_knob", "floors"}
    assert keys | {"model", "seed", "split", "knobs", "schedule"} == set(report)
    assert set(report["by_category"]) == {"in_domain", "out_of_domain"}
    assert list(report["by_task"]) == list(report["by_knob"]) == list(suite.TASKS)
    assert report["by_task"]["rotate"]["n"] == report["by_task"]["rotate"]["decided"]["n"] == 1
    assert max(report["floors"].values()) <= 0.1
    assert len(report["schedule"]["sigmas"]) == 21
    assert capsys.readouterr().out == table(report), "the table is printed beside"


def test_bench_is_reproducible_and_depends_on_the_seed(folder, capsys):
    reports = []
    bench = ["bench", "--model", folder, "--samples-per-task", "1", "--task", "bounce"]
    for seed in ("1", "1", "2"):
        main([*bench, "--json", "-", "--seed", seed])
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0] == reports[1]
    assert reports[0]["seed"] != reports[2]["seed"]


def test_bench_fixes_knobs_and_prints_its_table(folder, capsys):
    bench = ["bench", "--model", folder, "--samples-per-task", "2", "--task", "latin"]
    bench += ["--knobs", "order=4,clues=6", "--partition", "validation"]
    assert main(bench) == 0
    printed = capsys.readouterr().out.splitlines()
    assert " ".join(printed[0].split()) == "task n decided drawn at step 0 score"
    assert printed[1].split()[:2] == ["latin", "2"] and printed[-1].startswith("score overall")
    assert main([*bench, "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["knobs"] == {"order": 4, "clues": 6} and report["split"] == "validation"
    assert report["by_knob"]["latin"]["clues"]["6"]["decided"]["n"] == 2


def test_bench_refuses_a_missing_folder_at_once_and_never_loses_its_report(
    folder, tmp_path, capsys
):
    bench = ["bench", "--model", folder, "--samples-per-task", "1", "--task", "bounce", "--json"]
    assert main([*bench, str(tmp_path / "none" / "x.json")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main([*bench, str(tmp_path)]) == 2, "a folder cannot be written to as a file"
    assert json.loads(capsys.readouterr().out)["by_task"]["bounce"]["n"] == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--task", "latin", "--knobs", "colour=3"], "expected one of order, clues, rounds, log2"),
        (["--task", "latin", "--knobs", "order=four"], "is 'four'; expected a whole number"),
        (["--task", "latin", "--knobs", "order=7"], "has no sample with order=7"),
        (["--knobs", "order=4"], "name it with --task"),
    ],
)
def test_wrong_knobs_are_refused_before_a_model_is_loaded(arguments, sentence, capsys):
    assert main(["bench", "--model", "nowhere", *arguments]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("chain-of-steps: ") and sentence in error


def test_exported_suite_is_generated_in_the_layout_of_the_benchmark(folder, tmp_path):
    suite, out = str(tmp_path / "suite"), tmp_path / "videos"
    options = [
        "--samples-per-task",
        "1",
        "--seed",
        "5",
        "--out",
        suite,
        "--split",
        "out-of-domain",
        "--size",
        "96",
    ]
    assert main(["export-suite", *options]) == 0
    cases = vbvr.read_suite(suite)
    assert len(cases) == 5
    generate = [
        "generate",
        "--model",
        folder,
        "--suite",
        suite,
        "--task",
        cases[0].task,
        "--out",
        str(out),
    ]
    assert main([*generate, "--every-step"]) == 0
    video = vbvr.video_path(out, cases[0])
    assert video.is_file()
    manifest = json.loads((video.with_suffix("") / "manifest.json").read_text())
    assert len(manifest["step_previews"]) == manifest["num_inference_steps"] == 20
    before = video.stat().st_mtime_ns
    assert main([*generate, "--every-step"]) == 0
    assert video.stat().st_mtime_ns == before, "what is there is not generated again"


def test_generation_stops_early_where_only_previews_are_asked_for(folder, tmp_path, capsys):
    early = ["generate", "--model", folder, "--task", "maze", "--until", "3"]
    assert main([*early, "--every-step", "--out", str(tmp_path)]) == 0
    (manifest,) = tmp_path.rglob("manifest.json")
    assert len(json.loads(manifest.read_text())["step_previews"]) == 3
    assert not list(tmp_path.glob("*/*/*.mp4"))
    assert main([*early, "--out", str(tmp_path)]) == 2
    assert "together with --every-step" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bench", "--model", "nowhere"], "nowhere is not a model folder"),
        (["bench", "--task", "chess"], "unknown task 'chess'; expected one of latin"),
        (["bench", "--preset", "fast"], "unknown preset 'fast'; expected one of mini"),
        (["bench", "--suite", "big"], "unknown suite 'big'"),
        (["generate", "--suite", "nowhere", "--out", "x"], "nowhere is not a folder"),
        (["train", "--budget", "soon"], "'soon' is no duration"),
    ],
)
def test_bad_input_is_one_clear_sentence(folder, arguments, sentence, capsys):
    command, *options = arguments
    if command != "train" and "--model" not in options:
        options += ["--model", folder]
    assert main([command, *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("chain-of-steps: ") and sentence in error


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "a *step* is one denoising step" in capsys.readouterr().out


def test_the_store_is_listed_verified_and_pruned(folder, tmp_path, capsys):
    assert main(["store", "ls", "--results", str(tmp_path)]) == 2
    assert "there are no rows" in capsys.readouterr().err
    rows, ours = Store(tmp_path, "x"), VideoModel.load(folder).fingerprint
    for model in (ours, "another"):
        rows.put({"model": model, "version": EXPERIMENT_VERSION}, {})
    store = ["store", "--results", str(tmp_path)]
    assert main([*store, "verify"]) == 0 and main([*store, "ls"]) == 0
    assert f"model {ours}, version {EXPERIMENT_VERSION}" in capsys.readouterr().out
    (tmp_path / "x.jsonl").write_text((tmp_path / "x.jsonl").read_text() + '{"torn')
    assert main([*store, "verify"]) == 2
    said = capsys.readouterr()
    assert "line 3 is damaged" in said.out and "store prune" in said.err
    assert main([*store, "prune", "--model", folder]) == 0 and main([*store, "verify"]) == 0
    assert [row["run"]["model"] for row in Store(tmp_path, "x").rows.values()] == [ours]
