"""The story and the ledger of the site say what the committed numbers say."""

import html
import json
import re
from collections import Counter

import made_up
import pytest
import yaml
from made_up import ROOT, pages
from website import about, ledger, solved, source, story

LINES = json.loads((ROOT / "figures" / "claims.json").read_text(encoding="utf-8"))
CLAIMS = {line["id"]: line for line in LINES if "/" not in line["id"]}
ROW = re.compile(r'<tr id="claim-(\w+)" data-verdict="([^"]+)".*?</tr>', re.S)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return made_up.site(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def rows():
    return ledger.rows(source.Sources(), [])


def text(site, name: str) -> str:
    return (site / name).read_text(encoding="utf-8")


def test_the_ledger_has_every_claim_with_its_verdict_and_numbers(site):
    page = text(site, "ledger.html")
    found = ROW.findall(page)
    assert dict(found) == {name: line["verdict"] for name, line in CLAIMS.items()}
    assert len(found) == len(CLAIMS)
    for row in ROW.finditer(page):
        line, said = CLAIMS[row[1]], html.unescape(" ".join(row[0].split()))
        assert line["claim"] in said
        if line["mean"] is not None:
            numbers = "{mean:.2f} ({low:.2f} to {high:.2f}), n = {n}".format(**line)
            assert numbers in said, row[1]


def test_the_first_page_counts_the_verdicts(site):
    said = re.findall(r'class="verdict [\w-]+">([^<]+)</span> (\d+)</a>', text(site, "index.html"))
    counted = Counter(line["verdict"] for line in CLAIMS.values())
    assert {word: int(count) for word, count in said} == {
        word: counted[word] for word in ledger.VERDICTS
    }
    assert f"What holds: {len(CLAIMS)} claims" in text(site, "index.html")


def test_each_claim_leads_to_the_code_that_computes_it_and_to_its_rule(site):
    claims = {claim["id"]: claim for claim in yaml.safe_load(ledger.CLAIMS.read_text())["claims"]}
    for row in ROW.finditer(text(site, "ledger.html")):
        links = dict(re.findall(r'<a href="([^"]+)"\s+aria-label="(\w+) of', row[0]))
        by_name = {name: link for link, name in links.items()}
        names = claims[row[1]]["metric"].replace("_minus_", ".").split(".")
        assert any(name in line(site, by_name["code"]) for name in names), row[1]
        assert line(site, by_name["rule"]).split() == ["-", "id:", row[1]]
        assert by_name["notebook"].startswith(claims[row[1]]["figure"])


def line(site, link: str) -> str:
    """The text of the line of a source page that a link leads to."""
    name, anchor = link.split("#")
    found = re.search(rf'<span id="{anchor}">(.*?)\n', text(site, name))
    return html.unescape(re.sub(r"<[^>]+>", "", found[1]))


def test_a_metric_that_nothing_computes_is_an_error():
    with pytest.raises(ValueError, match="nothing in figures/step_budget computes 'no_such'"):
        source.where_computed("step_budget", "no_such")


def test_a_drawing_shows_where_the_interval_lies():
    inside = ledger.Drawing.of({"low": 0.4, "mean": 0.5, "high": 0.6}, (0.3, float("inf")))
    assert inside.asked[0] < inside.low < inside.mean < inside.high < sum(inside.asked)
    assert sum(inside.asked) == ledger.WIDTH
    below = ledger.Drawing.of({"low": 0.0, "mean": 0.1, "high": 0.2}, (0.3, float("inf")))
    assert below.high < below.asked[0]


def test_there_are_five_chapters_and_each_finding_has_its_own_numbers(site):
    page = text(site, "index.html")
    sections = re.findall(r'<section id="([\w-]+)".*?</section>', page, re.S)
    assert sections == ["watch", "break", "look-inside", "mend", "doubt"]
    found = re.findall(r'<a href="ledger.html#claim-(\w+)">(.*?)</a>', page, re.S)
    assert len(found) >= 15 and {name for name, _ in found} <= set(CLAIMS)
    for name, said in found:
        assert f">{CLAIMS[name]['verdict']}<" in said
        assert f"{CLAIMS[name]['mean']:.2f} (" in said


def test_no_number_of_a_run_is_typed_into_the_story():
    """What is typed are kinds of samples and thresholds of claims."""
    for chapter in yaml.safe_load(story.FILE.read_text(encoding="utf-8"))["chapters"]:
        for finding in chapter["findings"]:
            said = re.sub(r"{{.*?}}", "", finding["text"])
            assert not re.findall(r"\d+", said.replace("32 to 63", "")), finding["claim"]


def test_a_text_does_not_outlive_its_verdict(rows):
    name = "superposition"
    changed = [
        row
        if row.claim.id != name
        else ledger.Row(row.claim, row.line | {"verdict": "undecided"}, None, {}, None)
        for row in rows
    ]
    with pytest.raises(ValueError, match=f"claim '{name}' that it is supported, but it is undec"):
        story.chapters(changed, {}, [])


def test_numbers_are_those_of_the_figures(rows):
    write = story.Writer(rows)
    cell = "latin order=4 log2=5"
    cells = json.loads((ROOT / "figures" / "1_step_visualization.json").read_text())["cells"]
    said = write('{{ figure[1]["latin order=4 log2=5"].at_end | share }}')
    assert said == f"{100 * cells[cell]['at_end']['mean']:.0f} %"
    assert write("{{ claim.gain | points }}").startswith(f"{100 * CLAIMS['gain']['mean']:.0f} per")
    with pytest.raises(Exception, match="no_such"):
        write("{{ claim.no_such | share }}")


def test_the_foot_of_a_page_is_that_of_the_project(site, monkeypatch):
    project = pages.about.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    for file in site.glob("[0-9il]*.html"):
        if file.name in {app.file for app in pages.APPS}:
            continue
        foot = re.search(r"<footer>.*?</footer>", file.read_text(), re.S)[0]
        assert project["version"] in foot and project["license"] in foot
    assert "Apache License" in text(site, "licence.html")


def test_the_repository_is_the_one_on_record_or_the_fork_that_builds(monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert about.repository({}, {}) is None
    assert about.repository({}, {"urls": {"Repository": "https://b"}}) == "https://b"
    assert about.repository({"repository-code": "https://a"}, {"urls": {}}) == "https://a"
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://host")
    assert about.repository({"repository-code": "https://a"}, {}) == "https://host/someone/fork"


@pytest.mark.parametrize("name", solved.LESSONS)
def test_every_exercise_has_its_solution_folded_below_it(site, name):
    page = text(site, f"{name}.html")
    folds = re.findall(r'<details class="?solution"?>.*?</details>', page, re.S)
    cells = solved.exercises(made_up.executed.source(name))
    assert len(folds) == len(cells) > 0
    for fold, cell in zip(folds, cells, strict=True):
        plain = html.unescape(re.sub(r"<[^>]+>", "", fold))
        assert cell.source.strip() in plain and "Right. Made up." in plain
    outside = html.unescape(
        re.sub(r"<[^>]+>", "", re.sub(re.compile("|".join(map(re.escape, folds))), "", page))
    )
    for cell in cells:
        assert cell.metadata["asked"] in outside and cell.source not in outside
        assert "..." in cell.metadata["asked"] and "= ..." not in cell.source


def test_an_exercise_without_a_solution_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "empty.py").write_text("x = 1\n")
    notebook = made_up.executed.source("0_walkthrough")
    monkeypatch.setattr(solved, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"empty.py has no solution of 'noisy'"):
        solved.fill_in(notebook, "empty")


def test_a_solution_brings_the_imports_and_values_that_it_uses():
    known = solved.definitions(
        "from a import B\n\nu = 1\nx = u + 1\n\n\ndef f(y: B):\n    return y\n"
    )
    assert known["x"] == "u = 1\nx = u + 1"
    assert known["f"].startswith("from a import B\n\n\ndef f")


def test_a_text_does_not_outlive_the_sign_of_its_number(rows):
    turned = "one_refinement_is_not_enough_for_deduction"
    changed = [
        row
        if row.claim.id != turned
        else ledger.Row(row.claim, row.line | {"mean": 0.02}, None, {}, None)
        for row in rows
    ]
    with pytest.raises(
        ValueError, match=f"the mean of claim '{turned}' is negative, but it is 0.02"
    ):
        story.chapters(changed, {}, [])
