"""The command line, on a tiny untrained model: outputs, exit codes, help, and one sentence for
whatever is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from chain_of_steps.bench import vbvr
from chain_of_steps.bench.scores import table
from chain_of_steps.cli import app, main
from chain_of_steps.experiments.base import UNREAD
from chain_of_steps.experiments.store import Store
from chain_of_steps.models.schedule import PRESETS, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite as puzzles
from chain_of_steps.sampling.denoise import EXPERIMENT_VERSION
from chain_of_steps.training.recipe import save_pipeline

SRC = Path(__file__).parents[1] / "src"
# what help says of every option: its default, that it is required, or neither ("")
HELP = {
    "train": {
        "--budget": "[required]",
        "--symbols": "",
        "--only": "",
        "--small": "",
        "--layers": "[default: 8]",
        "--clips": "",
        "--resume": "ignored with --symbols",
        "--out": "[default: data/mini; data/symbols, or data/depth/L1 with --small]",
        "--work": "[default: build/train, and a folder in it for the others]",
    },
    "distill": {
        "--model": "[default: data/mini]",
        "--trajectories": "[default: 10000]",
        "--budget": "[required]",
        "--out": "[default: data/student]",
        "--work": "[default: build/distill]",
    },
    "bench": {
        "--model": "[default: data/mini]",
        "--suite": "[default: mini]",
        "--samples-per-task": "[default: 25]",
        "--seed": "[default: 0]",
        "--domain": "[choices: in-domain, out-of-domain, all] [default: all]",
        "--split": "[choices: test, validation] [default: test]",
        "--task": "",
        "--knobs": "",
        "--seeds": "[default: 1]",
        "--preset": "[default: mini]",
        "--device": "[default: cpu]",
        "--load": "",
        "--json": "",
    },
    "export-suite": {
        "--samples-per-task": "[default: 5]",
        "--seed": "[default: 0]",
        "--domain": "[choices: in-domain, out-of-domain, all] [default: all]",
        "--size": "[default: 480]",
        "--frames": "[default: 13]",
        "--out": "[required]",
    },
    "generate": {
        "--model": "[default: data/mini]",
        "--suite": "[default: mini]",
        "--samples-per-task": "[default: 1]",
        "--task": "",
        "--seed": "[default: 0]",
        "--preset": "[default: mini]",
        "--device": "[default: cpu]",
        "--load": "",
        "--every-step": "",
        "--until": "",
        "--out": "[required]",
    },
    "plan": {
        "--model": "[required]",
        "--height": "[default: 480]",
        "--width": "[default: 480]",
        "--frames": "[default: 49]",
        "--experiment": "",
        "--scale": "[default: real]",
        "--params": "[default: params.yaml]",
    },
    "evalkit": {
        "--videos": "[required]",
        "--suite": "[required]",
        "--frozen": "",
        "--limit": "[default: 300.0]",
        "--out": "[required]",
    },
    "scores": {"RESULTS": "[required]", "--floor": "", "--commit": "[default: unknown]"},
    "claims": {
        "--claims": "[default: claims.yaml]",
        "--figures": "[default: figures]",
        "--out": "[default: -]",
        "--brief": "",
        "--strict": "",
    },
    "store": {
        "WHAT": "[choices: ls, verify, prune] [required]",
        "--results": "[default: results]",
        "--model": "[default: all in data]",
    },
    "export-web": {
        "--model": "[default: data/mini]",
        "--out": "[default: build/web]",
    },
}


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
    bench += ["--preset", "mini/5"]
    assert main([*bench, "--json", str(file)]) == 0
    report = json.loads(file.read_text())
    keys = {"overall", "in_domain", "out_of_domain", "by_category", "by_task", "by_knob", "floors"}
    assert keys | {"model", "seed", "split", "knobs", "schedule"} == set(report)
    assert set(report["by_category"]) == {"in_domain", "out_of_domain"}
    drawn = [name for name, task in puzzles.TASKS.items() if task.domain != "small"]
    assert list(report["by_task"]) == list(report["by_knob"]) == drawn
    assert report["by_task"]["rotate"]["n"] == report["by_task"]["rotate"]["decided"]["n"] == 1
    assert max(report["floors"].values()) <= 0.1
    assert len(report["schedule"]["sigmas"]) == 6
    assert capsys.readouterr().out == table(report), "the table is printed too"


def test_bench_is_reproducible_and_depends_on_the_seed(folder, capsys):
    reports = []
    bench = ["bench", "--model", folder, "--samples-per-task", "1", "--task", "bounce"]
    bench += ["--preset", "mini/5"]
    for seed in ("1", "1", "2"):
        main([*bench, "--json", "-", "--seed", seed])
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0] == reports[1]
    assert reports[0]["seed"] != reports[2]["seed"]


def test_bench_reports_how_evenly_valid_answers_come_up(folder, capsys):
    bench = ["bench", "--model", folder, "--task", "mark", "--samples-per-task", "3"]
    bench += ["--preset", "mini/5"]
    assert main([*bench, "--seeds", "2"]) == 0
    assert "entropy of the valid answers" in capsys.readouterr().out
    assert main([*bench, "--seeds", "2", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)["diversity"]["mark"]
    assert found["n"] <= 3 and set(found) == {"mean", "low", "high", "n", "clusters"}


def test_bench_fixes_knobs_and_prints_its_table(folder, capsys):
    bench = ["bench", "--model", folder, "--samples-per-task", "2", "--task", "latin"]
    bench += ["--knobs", "order=4,clues=6", "--split", "validation", "--preset", "mini/5"]
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
        (["--task", "latin", "--knobs", "order=7"], "order is 7; expected one of 4, 5, 6"),
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
        "--domain",
        "out-of-domain",
        "--size",
        "96",
    ]
    assert main(["export-suite", *options]) == 0
    cases = vbvr.read_suite(suite)
    assert {case.task for case in cases} == set(puzzles.task_names("out-of-domain"))
    generate = [
        "generate",
        "--model",
        folder,
        "--suite",
        suite,
        "--task",
        cases[0].task,
        "--preset",
        "mini/5",
        "--out",
        str(out),
    ]
    assert main([*generate, "--every-step"]) == 0
    video = vbvr.video_path(out, cases[0])
    assert video.is_file()
    manifest = json.loads((video.with_suffix("") / "manifest.json").read_text())
    assert len(manifest["step_previews"]) == manifest["num_inference_steps"] == 5
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
        (["train", "--budget", "1s", "--only", "latin"], "--only selects symbol networks"),
        (["train", "--budget", "1s", "--symbols", "--only", "chess"], "no symbol network has"),
    ],
)
def test_bad_input_is_one_clear_sentence(folder, arguments, sentence, capsys):
    command, *options = arguments
    if command != "train" and "--model" not in options:
        options += ["--model", folder]
    assert main([command, *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("chain-of-steps: ") and sentence in error


# Training: which of the two, with what


@pytest.fixture
def training(monkeypatch):
    """What the two trainings are called with; neither runs."""
    calls = []
    for name in ("mini", "symbols"):
        call = lambda *given, name=name: calls.append((name, *given))  # noqa: E731
        monkeypatch.setattr(f"chain_of_steps.training.{name}.train", call)
    return calls


@pytest.mark.parametrize(
    ("options", "out", "work", "only"),
    [
        ([], "data/symbols", "build/train/symbols", ""),
        (["--resume", "--only", "relay-L1"], "data/symbols", "build/train/symbols", "relay-L1"),
        (["--out", "here", "--work", "there"], "here", "there", ""),
    ],
)
def test_the_symbol_networks_are_trained(training, options, out, work, only):
    assert main(["train", "--symbols", "--budget", "90m", *options]) == 0
    ((name, *given, _, chosen),) = training
    assert (name, given, chosen) == ("symbols", [Path(out), Path(work), 5400.0], only)


@pytest.mark.parametrize(
    ("options", "out", "work", "resume"),
    [
        ([], "data/mini", "build/train", False),
        (["--resume", "--out", "here", "--work", "there"], "here", "there", True),
    ],
)
def test_the_mini_model_is_trained_otherwise(training, options, out, work, resume):
    assert main(["train", "--budget", "90s", *options]) == 0
    ((name, *given),) = training
    assert (name, given[:4]) == ("mini", [Path(out), Path(work), 90.0, resume])


# Arguments


def message_of(arguments: list[str], capsys) -> str:
    """The one sentence about wrong arguments, without colour or frame."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1 and not re.search("[\x1b│╭]", said.err)
    assert said.err.startswith("chain-of-steps: ")
    return said.err.removeprefix("chain-of-steps: ").strip()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "name a command: train, distill, bench, export-suite, generate, plan, evalkit, "
         "scores, claims, store or export-web; --help says what they do"),
        ("benhc", "unknown command 'benhc'; did you mean bench?"),
        ("benhc --help", "unknown command 'benhc'; did you mean bench?"),
        ("--seed 3 bench", "unknown option --seed; only --debug and --help may stand before the "
         "command"),
        ("bench --sed 3", "unknown option --sed; did you mean --seed?"),
        ("bench --sed=3", "unknown option --sed; did you mean --seed?"),
        ("bench --samples 3 --debug", "unknown option --samples; did you mean "
         "--samples-per-task?"),
        ("bench --quick", "unknown option --quick; `chain-of-steps bench --help` lists the "
         "options"),
        ("bench --no-debug", "unknown option --no-debug; did you mean --debug?"),
        ("generate --ouput x", "unknown option --ouput; did you mean --out?"),
        ("store --result x ls", "unknown option --result; did you mean --results?"),
        ("bench --domain everywhere", "--domain is 'everywhere'; expected in-domain, out-of-domain "
         "or all"),
        ("bench --split train", "--split is 'train'; expected test or validation"),
        ("store list", "WHAT is 'list'; expected ls, verify or prune"),
        ("store", "store needs WHAT: ls, verify or prune"),
        ("scores --floor x", "scores needs RESULTS"),
        ("generate --seed 3", "generate needs --out"),
        ("generate --out", "--out needs a value"),
        ("generate --out --seed 3", "--out needs a value"),
        ("bench --domain", "--domain needs a value: in-domain, out-of-domain or all"),
        ("bench --json --seed 3", "--json is '--seed'; expected a file, or - for standard output"),
        ("bench data/mini", "bench does not take the argument 'data/mini'"),
        ("bench --seed 1 --seed 2", "--seed is given more than once"),
        ("generate --every-step=often --out x", "--every-step is 'often', but it takes no value"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named_with_what_was_expected(arguments, sentence, capsys):
    assert message_of(arguments.split(), capsys) == sentence


NEEDED = {
    "train": "--budget 1s",
    "distill": "--budget 1s",
    "bench": "",
    "export-suite": "--out x",
    "generate": "--out x",
    "plan": "--model x",
    "evalkit": "--videos x --suite x --out x",
}
SEEDS = [(command, "--seed") for command in ("bench", "export-suite", "generate")]
COUNTS = [
    *((command, "--samples-per-task") for command in ("bench", "export-suite", "generate")),
    *(("export-suite", name) for name in ("--size", "--frames")),
    *(("plan", name) for name in ("--height", "--width", "--frames")),
    ("distill", "--trajectories"),
    ("generate", "--until"),
]
BUDGETS = [("train", "--budget"), ("distill", "--budget")]
LIMITS = [("evalkit", "--limit")]
WHOLE = ("-1", "1.5", "1e3", "many", "", "0x10", "1_000", "٣", str(2**63), "9" * 5000)


def given(command: str, option: str, value: str) -> list[str]:
    needed = [] if option == "--budget" else NEEDED[command].split()
    return [command, *needed, option, value]


@pytest.mark.parametrize(
    ("places", "values", "expected"),
    [
        (SEEDS, WHOLE, "expected a whole number from 0 to 2^63 - 1"),
        (COUNTS, ("0", *WHOLE), "expected a whole number from 1 to 2^63 - 1"),
        (
            BUDGETS,
            ("soon", "0s", "0.0h", "-5m", "10", "h", "", "infs", "nanh", "1e3s", "5 m", "1d"),
            "expected a duration above 0, such as 90s, 120m or 2h",
        ),
        (LIMITS, ("0", "-1", "nan", "inf", "long", ""), "expected a number above 0"),
    ],
)
def test_numbers_out_of_range_give_the_same_error_in_every_command(
    places, values, expected, capsys
):
    for command, option in places:
        for value in values:
            sentence = message_of(given(command, option, value), capsys)
            assert sentence == f"{option} is {value!r}; {expected}"


@pytest.mark.parametrize(
    ("places", "values"),
    [
        (SEEDS, {"0": 0, "007": 7, str(2**63 - 1): 2**63 - 1}),
        (COUNTS, {"1": 1, str(2**63 - 1): 2**63 - 1}),
        (BUDGETS, {"90s": 90.0, "120m": 7200.0, "2h": 7200.0, "1.5h": 5400.0}),
        (LIMITS, {"300": 300.0, "0.5": 0.5}),
    ],
)
def test_numbers_within_range_have_the_same_value_in_every_command(places, values):
    for command, option in places:
        for text, value in values.items():
            _, bound, _ = app.parse_args(given(command, option, text))
            assert bound.arguments[option[2:].replace("-", "_")] == value


# Help, speed, exit codes


def test_help_teaches(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "A *step* is one denoising step" in shown and "--debug" in shown
    assert re.findall(r"│ ([a-z][a-z-]+) ", shown) == list(HELP)


def test_help_names_every_preset(capsys):
    assert main(["bench", "--help"]) == 0
    said = capsys.readouterr().out.split("--preset NAME", 1)[1].split("paper in 5 steps", 1)[0]
    assert all(name in said for name in PRESETS)


@pytest.mark.parametrize("command", HELP)
def test_help_lists_every_option_with_its_default(command, capsys):
    assert main([command, "--help"]) == 0
    listed: dict[str, str] = {}
    for line in capsys.readouterr().out.splitlines():
        if name := re.match(r"│ (?:\*  |   )?(--[a-z-]+|[A-Z]+)\b", line):
            listed[name[1]] = ""
        if line.startswith("│"):
            listed[list(listed)[-1]] += " " + " ".join(line.strip("│").split())
    assert set(listed) == {*HELP[command], "--debug"}
    for option, shown in HELP[command].items():
        assert shown in listed[option]
        assert shown or "[" not in listed[option]
        assert len(listed[option].split()) > 3, "it has a text"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["bench", "--seed", "x"]])
def test_help_and_wrong_arguments_import_nothing_heavy(arguments):
    heavy = "{'torch', 'diffusers', 'transformers', 'numpy', 'pandas', 'tqdm'}"
    code = f"import sys; from chain_of_steps.cli import main; main({arguments}); "
    code += f"print('imported:', *({heavy} & set(sys.modules)))"
    path = os.pathsep.join([str(SRC), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert run.stdout.splitlines()[-1] == "imported:", run.stderr


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ValueError("no such claim"), 2, "no such claim"),
        (KeyError("claim"), 70, "KeyError"),
        (KeyboardInterrupt(), 130, "kept"),
    ],
)
def test_exit_codes_tell_users_errors_from_bugs_and_interruptions(
    error, code, sentence, monkeypatch, capsys
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("chain_of_steps.experiments.ledger.judge", fail)
    assert main(["claims"]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("chain-of-steps: ") and sentence in line


@pytest.mark.parametrize(
    "arguments", [["--debug", "claims"], ["claims", "--debug"], ["claims", "--brief", "--debug"]]
)
def test_debug_shows_the_traceback_wherever_it_stands(arguments, monkeypatch):
    monkeypatch.setattr("sys.argv", ["chain-of-steps", *arguments, "--claims", "nowhere"])
    with pytest.raises(FileNotFoundError):
        main()


CLAIM = {
    "id": "gain",
    "claim": "Steps gain",
    "where": "section 3",
    "paper": "shown",
    "figure": "1_step_visualization",
    "cell": "latin log2=5",
    "metric": "gain",
    "above": 0.3,
    "room": "any",
}


def test_claims_are_judged_and_written_as_text_and_as_data(tmp_path, capsys):
    said = {"glance": False, "blur": True, "one refinement": True, "chain": True}
    first = CLAIM | {"id": "first", "claim": "First", "kind": "primary", "predicts": said}
    file, out = tmp_path / "claims.yaml", tmp_path / "out" / "claims.md"
    file.write_text(json.dumps({"claims": [first, CLAIM]}))
    gain = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 50}
    metrics = {"cells": {"latin log2=5": {"gain": gain}}}
    (tmp_path / "1_step_visualization.json").write_text(json.dumps(metrics))
    command = ["claims", "--claims", str(file), "--figures", str(tmp_path)]
    assert main([*command, "--strict", "--out", str(out)]) == 0
    text, records = out.read_text(), json.loads(out.with_suffix(".json").read_text())
    assert "Steps gain" in text and "0.50 (n = 50, 0.40 to 0.60)" in text
    assert [(r["id"], r["verdict"]) for r in records] == [
        ("first", "supported"),
        ("gain", "supported"),
    ]
    assert main(command) == 0 and capsys.readouterr().out == text
    assert main([*command, "--brief"]) == 0
    brief = capsys.readouterr().out
    assert "First" in brief and "Steps gain" not in brief
    file.write_text(json.dumps({"claims": [CLAIM | {"metric": "lost"}]}))
    assert main(command) == 0 and main([*command, "--strict"]) == 2
    assert "'gain' needs 'lost'" in capsys.readouterr().err


def test_the_store_is_listed_verified_and_pruned(folder, tmp_path, capsys):
    assert main(["store", "ls", "--results", str(tmp_path)]) == 2
    assert "there are no rows" in capsys.readouterr().err
    rows, ours = Store(tmp_path / "rows", "x"), VideoModel.load(folder).fingerprint
    for model in (ours, "another"):
        rows.put({"model": model, "version": EXPERIMENT_VERSION}, {}, UNREAD)
    store = ["store", "--results", str(rows.folder)]
    assert main([*store, "verify"]) == 0 and main([*store, "ls"]) == 0
    assert f"model {ours}, version {EXPERIMENT_VERSION}" in capsys.readouterr().out
    rows.growing.write_text(rows.growing.read_text() + '{"torn')
    assert main([*store, "verify"]) == 2
    said = capsys.readouterr()
    assert "line 3 is damaged" in said.out and "store prune" in said.err
    assert main([*store, "prune", "--model", folder]) == 0 and main([*store, "verify"]) == 0
    assert "is damaged" not in capsys.readouterr().out, "it was set aside"
    assert [row["run"]["model"] for row in Store(rows.folder, "x").rows.values()] == [ours]


def test_rows_that_name_their_networks_are_pruned_by_those(folder, tmp_path, monkeypatch, capsys):
    """As those of notebook 7; without --model all models in data are kept."""
    monkeypatch.chdir(tmp_path)
    store, ours = Store("results", "x"), VideoModel.load(folder).fingerprint
    for weights in (ours, "exact", "another"):
        store.put({"model": "symbols", "version": EXPERIMENT_VERSION}, {"weights": weights}, UNREAD)
    store.put({"model": "symbols", "version": 0}, {"weights": ours}, UNREAD)
    assert main(["store", "prune"]) == 2 and "there is no model in data" in capsys.readouterr().err
    (tmp_path / "data" / "symbols").mkdir(parents=True)
    (tmp_path / "data" / "symbols" / "one").symlink_to(folder)
    assert main(["store", "prune"]) == 0
    kept = {row["run"]["weights"] for row in Store("results", "x").rows.values()}
    assert kept == {ours, "exact"} and len(Store("results", "x").rows) == 2
