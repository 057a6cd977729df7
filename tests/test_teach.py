"""The material for teachers: links lead somewhere, and what it names is in the notebooks."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from notebook_files import load
from test_project import repository_files
from test_readme import anchors, links

ROOT = Path(__file__).parent.parent
TEACH = ROOT / "teach"
PAGES = sorted(TEACH.glob("*.md"))
SHEET = (TEACH / "prediction_sheet.html").read_text(encoding="utf-8")
CELLS = nbformat.read(ROOT / "notebooks" / "0_walkthrough.ipynb", as_version=4).cells
WALKTHROUGH = "\n".join(cell.source for cell in CELLS)
HEADINGS = re.findall(r"^## (.+)$", WALKTHROUGH, re.M)


def numbers(text: str) -> set[int]:
    """The section numbers that a text names."""
    named = re.findall(r"[Ss]ections? (\d+)(?: and (\d+))?", text)
    return {int(number) for pair in named for number in pair if number}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_of_the_project(page):
    files = {file.resolve() for file in repository_files()}
    assert links(page)
    for target, heading in links(page):
        assert target in files, target
        assert not heading or heading in anchors(target), f"{target}#{heading}"


def test_every_page_is_linked_from_the_first():
    linked = {target for target, _ in links(TEACH / "README.md")}
    assert {file.resolve() for file in TEACH.iterdir()} - {TEACH / "README.md"} <= linked


@pytest.mark.parametrize("page", [*PAGES, TEACH / "prediction_sheet.html"], ids=lambda p: p.name)
def test_sections_are_called_what_the_walkthrough_calls_them(page):
    text = page.read_text(encoding="utf-8")
    known = {int(h.split(" · ")[0]) for h in HEADINGS if " · " in h}
    assert numbers(text) <= known
    for number, title in re.findall(r"(?:[Ss]ection \**|\*|\| )(\d) · ([^*|(.]+)", text):
        assert f"{number} · {title.strip()}" in " | ".join(HEADINGS)


def test_the_lesson_takes_45_minutes_without_a_gap():
    plan = (TEACH / "lesson_plan.md").read_text(encoding="utf-8")
    spans = [tuple(map(int, pair)) for pair in re.findall(r"^\| (\d+)-(\d+) \|", plan, re.M)]
    assert spans[0][0] == 0 and spans[-1][1] == 45
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    goals = {int(n) for n in re.findall(r"^(\d)\. ", plan, re.M)}
    taught = {int(n) for row in re.findall(r"\| ([\d, ]+) \|$", plan, re.M) for n in row.split(",")}
    assert goals == taught == set(range(1, 6))


def test_the_key_has_every_exercise_of_the_walkthrough():
    key = (TEACH / "answer_key.md").read_text(encoding="utf-8")
    asked = {int(n) for n in re.findall(r"\*\*Exercise (\d+)\.\*\*", WALKTHROUGH)}
    assert asked == {int(n) for n in re.findall(r"^\| (\d+) ", key, re.M)} == set(range(1, 11))
    solutions = load("walkthrough_solutions")
    assert f"| {solutions.dose[0]} and {solutions.dose[1]}:" in key
    assert f"| {solutions.swap}:" in key
    assert solutions.first_step < 0.005 and "less than half a per cent" in key


class Page(HTMLParser):
    """Counts open tags; collects what a page loads."""

    def __init__(self):
        super().__init__()
        self.open, self.loads = [], []

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_sheet_is_well_formed_and_asks_about_the_cells_that_are_measured():
    page = Page()
    page.feed(SHEET)
    assert not page.open and not page.loads
    (exercise,) = (cell.source for cell in CELLS if "check_phases(" in cell.source)
    kinds = re.findall(r'^    "(.+)": "\.\.\."', exercise, re.M)
    assert len(kinds) == 5 and all(f"<td>{kind}</td>" in SHEET for kind in kinds)
