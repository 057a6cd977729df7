"""README.md and docs/: the snippet runs, tables and numbers are those on record, links lead
somewhere."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from test_project import repository_files

from chain_of_steps.experiments.cost_plan import Cost, blueprint, cost, on_gpu
from chain_of_steps.figures import registry
from chain_of_steps.models.loading import Loading, parse
from chain_of_steps.models.schedule import PRESETS
from chain_of_steps.puzzles import scoring, suite

ROOT = Path(__file__).parent.parent
FIGURES = registry.folders(ROOT / "params.yaml")
sys.path.insert(0, str(ROOT / "tools"))

import reproduce_model  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README, CLUSTER, LARGE_MODELS, METHOD = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/cluster.md", "docs/large_models.md", "docs/method.md")
)
VERDICTS = ("supported", "not supported", "undecided", "untestable here")
HEADLINE = re.compile(r"^\| \[(\w+)\]\(figures/claims.md\) \| .*? \| (.*?) \| (.*?) \|$", re.M)
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]*`", re.S | re.M)


def test_table_lists_every_stage():
    rows = [
        line.split("|")[1:-1]
        for line in README.splitlines()
        if line.startswith("| [") and "notebooks/" in line
    ]
    listed = {row[2].strip(" `"): row for row in rows}
    assert set(listed) == set(FIGURES)
    for name, row in listed.items():
        assert f"notebooks/{name}.ipynb" in row[0]
        assert row[1].strip() == f"`figures.{FIGURES[name]}`"


def test_times_are_those_on_record():
    """The time to compute all rows of a notebook."""
    costs = json.loads((ROOT / "benchmarks" / "full.json").read_text())
    listed = re.findall(r"^\| \[.*?\| `(\d\w+)` \| (.*?) \|", README, re.M)
    assert len(listed) == len(FIGURES)
    for name, time in listed:
        names = {kind.name for kind in registry.classes(FIGURES[name]).values()}
        needed = {one for one in names if one[0] == name[0]}
        if needed <= costs.keys():
            assert time == f"{sum(costs[one]['minutes'] for one in needed):.0f} min", name
        else:
            assert time == "not recorded", name


def test_what_the_real_models_cost_is_what_the_plan_says():
    model = blueprint("vbvr-wan2.2")
    wanted, _ = reproduce_model.sections(ROOT / "params.yaml", "real", "paper", "mini")
    costs, flop = reproduce_model.planned(model, wanted), model.flop(480, 480, 49)
    lines = ["| notebook | evaluations | A100 | H100 | B200 |", "|---|---|---|---|---|"]
    for name, part in [*((name, name[0]) for name in wanted), ("all", "")]:
        own = [cost for cost in costs if cost.name.startswith(part)]
        hours = " | ".join(
            f"{sum(cost.hours(flop, gpu) for cost in own):.1f}" for gpu in ("A100", "H100", "B200")
        )
        lines.append(f"| {name} | {sum(cost.evaluations() for cost in own):,} | {hours} |")
        if name in FIGURES:
            (row,) = (line for line in README.splitlines() if f"| `{name}` |" in line)
            assert f"| {hours.split(' | ')[1]} h, computed |" in row
    assert "\n".join(lines) in LARGE_MODELS, "\n".join(lines)
    large = model.flop(1024, 1024, 81)
    forward, hours = (
        f"{large / 1e15:.1f} PFLOP",
        f"{Cost('', 1, 50, 50, 0, 2).hours(large, 'H100'):.1f}",
    )
    assert (
        f"{forward}, so a clip of the bench (50 steps, guided) about {hours} hours on an H100"
        in " ".join(LARGE_MODELS.split())
    ), (forward, hours)


def test_what_would_place_the_real_model_costs_what_the_plan_says():
    model = blueprint("vbvr-wan2.2")
    found = registry.experiments(ROOT / "params.yaml", "real", lambda _: model, symbols=False)
    experiment, runs = found["7_in_pictures"]
    one = cost(experiment, runs, experiment.schedule)
    hours = one.hours(model.flop(480, 480, 49), "H100")
    said = f"says {one.evaluations():,} evaluations, {hours:.1f} hours on an H100"
    assert said in LARGE_MODELS, said
    assert {run.cell for run in runs} == {
        "latin order=4 log2=5", "latin order=4 rounds=3", "maze rooms=5 paths=2",
    }  # fmt: skip


def test_what_lies_on_the_gpu_is_what_the_plan_says():
    model, lines = blueprint("vbvr-wan2.2"), ["| LOAD | weights on the GPU |", "|---|---|"]
    for text in ("", "storage=fp8", "offload=model", "offload=model storage=fp8", "offload=group"):
        size = on_gpu(model, Loading(**{"dtype": "bfloat16"} | parse(text))) / 1e9
        lines.append(f"| {f'`{text}`' if text else 'nothing'} | {size:.0f} GB |")
    assert "\n".join(lines) in LARGE_MODELS, "\n".join(lines)


def test_presets_are_those_of_the_code():
    for name in ("paper", "official", "hub"):
        grid, (found, _) = (
            PRESETS[name],
            reproduce_model.sections(ROOT / "params.yaml", "real", name, "mini"),
        )
        sampler = {"euler": "Euler", "unipc": "UniPC"}[grid.sampler]
        numbers = ", ".join(notebook[0] for notebook in found)
        schedule = f"{grid.steps} | {grid.shift:g} | {grid.guidance:g} | {grid.boundary}"
        line = f"| {name} | {sampler} | {schedule} | {numbers} |"
        assert line in LARGE_MODELS, line


def links(page: Path) -> list[tuple[Path, str]]:
    """The relative links of a page: the file or folder, and the heading in it, if one is named."""
    targets = re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text(encoding="utf-8")))
    parts = [target.partition("#") for target in targets if not re.match(r"\w+:", target)]
    return [((page.parent / path).resolve() if path else page, name) for path, _, name in parts]


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page):
    assert links(page)
    for target, heading in links(page):
        assert target.exists() and target.is_relative_to(ROOT.resolve()), target
        assert not heading or heading in anchors(target), f"{target}#{heading}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_linked_file_is_part_of_the_project(page):
    files = {file.resolve() for file in repository_files()}
    known = files | {folder for file in files for folder in file.parents}
    assert {target for target, _ in links(page)} <= known


def test_every_page_of_the_documentation_is_linked_from_the_readme():
    pages = {page.resolve() for page in PAGES[1:]}
    assert pages and pages <= {target for target, _ in links(PAGES[0])}


def test_snippet_of_stock_diffusers_solves_the_square(monkeypatch):
    if not (ROOT / "data/mini/example.png").exists():
        pytest.skip("the mini model is not here; `dvc pull` fetches it")
    monkeypatch.chdir(ROOT)
    snippet = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    assert "chain_of_steps" not in snippet
    names: dict = {}
    exec(snippet, names)

    given = (names["video"][0] * 255).round()
    assert names["video"].shape == (5, 48, 48, 3)
    square, other = (suite.draw_one("latin", i, seed=0, order=4, clues=8) for i in (0, 1))
    far, near = (abs(each.first_frame(48) * 255 - given).mean() for each in (other, square))
    assert near < 0.25 * far, "the square of `model_card.write_example`, through the lossy codec"
    assert scoring.score(square, names["video"]) == 1.0


def test_scores_are_those_of_the_benchmark_file():
    file = ROOT / "benchmarks/generalist.json"
    if not file.exists():
        pytest.skip("the generalist is not scored yet: `python benchmarks/generalist.py`")
    cells = json.loads(file.read_text())["cells"]
    listed = re.findall(r"^\| `([^`]+)` \| (\S+) \| (\S+) \| (\S+) \| (\S*) *\|$", METHOD, re.M)
    assert {row[0] for row in listed} == set(cells)
    for name, *numbers, asked in listed:
        shown = [f"{cells[name][key]['mean']:.2f}" for key in ("decided", "drawn", "at_step_0")]
        assert numbers == shown and asked == str(cells[name].get("asked", "")), name


def test_headline_claims_are_those_of_the_ledger():
    ledger = {
        line["id"]: line for line in json.loads((ROOT / "figures" / "claims.json").read_text())
    }
    listed = HEADLINE.findall(README)
    assert len(listed) >= 8
    for name, verdict, measured in listed:
        line = ledger[name]
        assert verdict == line["verdict"], name
        numbers = f"{line['mean']:.2f} ({line['low']:.2f} to {line['high']:.2f}), n = {line['n']}"
        assert measured == numbers, name
    own = [line for name, line in ledger.items() if not name.endswith("/control")]
    counts = Counter(line["verdict"] for line in own)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    assert f"Of the {len(own)} claims measured so far: {said}." in README.replace("\n", " "), said


def test_speeds_are_those_of_the_benchmark_file():
    speed = json.loads((ROOT / "benchmarks" / "sweep.json").read_text())
    text = " ".join(METHOD.split())
    assert f"adds {100 * speed['loop_overhead']:.1f} % to" in text
    for part in ("shared_prefix", "readout", "layer_sweep"):
        assert f"{speed[part + '_speedup']:.2f} times less" in text
    assert (
        f"takes {speed['evaluations_per_second']:.0f} steps of a {speed['frames']}-frame clip"
        in text
    )
    assert f"{speed['layer_sweep_speedup_over_nnsight']:.2f} times less than with nnsight" in text
    for name, words in (("generalist", "the mini model"), ("symbols L4", "of four blocks")):
        found, share = speed["batched_speedup"][name], speed["share_of_peak"][name]["share"]
        digits = 1 if name == "generalist" else 0
        assert f"{words} {found:.{digits}f} times" in text
        assert f"{100 * share:.0f} %" in text
    assert f"make {speed['symbols_L1_in_two_processes']:,.0f} evaluations per second" in text
    for share in speed["share_of_peak"]["generalist"]["time_by_operation"].values():
        assert f"{100 * share:.0f} %" in text


def test_the_cost_of_a_neighbour_is_that_on_record():
    file = ROOT / "benchmarks" / "neighbour.json"
    usual, ours, less = json.loads(file.read_text())["evaluations_per_second"].values()
    text = " ".join(METHOD.split())
    assert f"costs a factor of {ours['factor']:.1f} if" in text
    assert f"settings of OpenMP {usual['factor']:.1f})" in text
    assert f"is {less['beside a neighbour']:.0f} instead of {ours['alone']:.0f} steps" in text


def test_the_speed_of_a_cluster_is_that_on_record():
    record = json.loads((ROOT / "benchmarks" / "cluster.json").read_text())
    one, two = record["ray"]
    assert (
        one["rows_identical"]
        and two["rows_identical"]
        and (one["workers"], two["workers"]) == (1, 2)
    )
    text = " ".join(CLUSTER.split())
    assert (
        f"make {record['runs']} runs of the mini model {two['speed_up']} times faster than one"
        in text
    )
    assert (
        f"one worker {one['speed_up']} times" in text
        and f"took {two['seconds_of_few']:.0f} s" in text
    )
