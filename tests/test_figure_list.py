"""figures.yaml: every title follows from metrics, and the list agrees with what is committed."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import yaml
from PIL import Image

from chain_of_steps.experiments.pictures import CHAPTERS, Test, pictures_in
from chain_of_steps.experiments.report import Report

ROOT = Path(__file__).parent.parent
PICTURES = pictures_in(ROOT / "figures.yaml")
PIPELINE = yaml.safe_load((ROOT / "params.yaml").read_text())["pipeline"]
SENTENCES = [(name, i) for name, picture in PICTURES.items() for i in range(len(picture.says))]
METRICS = {name: ROOT / "figures" / f"{name}.json" for name in PIPELINE}
drawn = pytest.mark.skipif(
    not all(file.exists() for file in METRICS.values()), reason="the figures are not drawn yet"
)


def made_up(tests: list[Test], n: int = 100, width: float = 0.01) -> dict:
    """Metrics that pass these tests, if n is large enough and there is a width."""
    metrics: dict = {"cells": {}}
    for test in tests:
        if test.within:
            middle = sum(test.within) / 2
        elif test.around is not None:
            middle = test.around
        else:
            middle = test.above + 0.2 if test.above is not None else test.below - 0.2
        *path, last = test.metric.split(".")
        place = metrics["cells"].setdefault(test.cell, {})
        for part in path:
            place = place.setdefault(part, {})
        interval = {"mean": middle, "low": middle - width, "high": middle + width}
        place[last] = interval | {"n": n, "clusters": n}
    return metrics


@pytest.mark.parametrize("name, number", SENTENCES)
def test_every_wording_is_the_title_of_some_metrics(name, number):
    picture = PICTURES[name]
    sentence = picture.says[number]
    metrics = made_up(sentence.when)
    assert picture.title(metrics) == sentence.say
    for test in sentence.when:  # without one of its tests it is not said
        others = made_up([other for other in sentence.when if other is not test])
        assert picture.title(others) != sentence.say


@pytest.mark.parametrize("name, number", SENTENCES)
def test_too_few_samples_or_an_interval_without_width_say_nothing(name, number):
    picture = PICTURES[name]
    tests = picture.says[number].when
    assert picture.title(made_up(tests, n=19)) == picture.shows
    assert picture.title(made_up(tests, width=0.0)) == picture.shows
    assert picture.title({}) == picture.title({"cells": {}}) == picture.shows


@pytest.mark.parametrize("what", [{}, {"above": 0, "below": 1}, {"around": 0, "within": (0, 1)}])
def test_a_test_has_one_rule(what):
    with pytest.raises(ValueError, match="exactly one of"):
        Test(cell="c", metric="m", **what)


def test_an_interval_must_lie_wholly_within_a_rule():
    def holds(low: float, high: float, **rule) -> bool:
        interval = {"mean": (low + high) / 2, "low": low, "high": high, "n": 50}
        return Test(cell="c", metric="m.x", **rule).holds({"cells": {"c": {"m": {"x": interval}}}})

    assert holds(0.1, 0.3, above=0) and not holds(-0.1, 0.3, above=0)
    assert holds(-0.3, -0.1, below=0) and not holds(-0.3, 0.1, below=0)
    assert holds(-0.1, 0.1, within=(-0.2, 0.2)) and not holds(-0.1, 0.3, within=(-0.2, 0.2))
    assert holds(-0.1, 0.3, around=0) and not holds(0.1, 0.3, around=0)


def test_a_faulty_list_is_named(tmp_path):
    file = tmp_path / "figures.yaml"
    entry = {"chapter": "watch", "shows": "x", "caption": "x", "alt": "x"}
    for faulty, where in (({"chapter": "cook"}, "chapter"), ({"colour": "red"}, "colour")):
        file.write_text(yaml.safe_dump({"1_a/b": entry | faulty}))
        with pytest.raises(ValueError, match=f"picture '1_a/b' in .*: {where}"):
            pictures_in(file)
    file.write_text("[]")
    with pytest.raises(ValueError, match="must hold pictures"):
        pictures_in(file)
    assert pictures_in(tmp_path / "absent.yaml") == {}


# What is committed.


def test_about_fifteen_key_figures_and_one_of_every_notebook():
    key = [name for name, picture in PICTURES.items() if picture.key]
    assert 12 <= len(key) <= 18
    assert {name.split("/")[0] for name in key} == set(PIPELINE)
    assert all(len(PICTURES[name].says) > 2 for name in key), "one for each way it may fall"
    assert {picture.chapter for picture in PICTURES.values()} == set(CHAPTERS)
    assert "1_step_visualization/squares" in key


def test_every_picture_belongs_to_a_stage():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert stages["figure"]["foreach"] == "${pipeline}"
    assert {name.split("/")[0] for name in PICTURES} == set(PIPELINE)
    assert "figures.yaml" in stages["figure"]["do"]["deps"]


@drawn
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_list_is_what_is_committed(ending):
    files = (ROOT / "figures").glob(f"[0-9]_*/*.{ending}")
    committed = {f"{file.parent.name}/{file.stem}" for file in files}
    assert {name for name in committed if name.split("/")[0] in PIPELINE} == set(PICTURES)


@drawn
@pytest.mark.parametrize("name", PICTURES)
def test_a_committed_picture_has_the_title_that_its_metrics_give(name):
    notebook, _ = name.split("/")
    title = PICTURES[name].title(json.loads(METRICS[notebook].read_text(encoding="utf-8")))
    about = Image.open(ROOT / "figures" / f"{name}.png").info
    assert (about["Title"], about["Description"]) == (title, PICTURES[name].alt)
    assert (ROOT / "figures" / f"{name}.svg").stat().st_size < 1e6


def test_texts_are_distinct_and_without_numbers_of_a_run():
    alts = [picture.alt for picture in PICTURES.values()]
    captions = [picture.caption for picture in PICTURES.values()]
    assert len(set(alts)) == len(set(captions)) == len(PICTURES)
    for picture in PICTURES.values():
        titles = {picture.shows, *(sentence.say for sentence in picture.says)}
        assert picture.alt not in titles and picture.alt != picture.caption
        for text in (picture.caption, picture.alt, *titles):
            assert not re.search(r"\d\.\d|\d ?%", text), text


@pytest.mark.parametrize("notebook", PIPELINE)
def test_a_notebook_draws_key_figures_in_its_text_and_the_others_in_its_appendix(notebook):
    cells = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
    heads = [c.cell_type == "markdown" and c.source.startswith("## Appendix") for c in cells]
    assert sum(heads) == 1
    appendix, found = heads.index(True), {}
    for place, cell in enumerate(cells):
        drawn_here = re.findall(r"report\.figure\(.*\"(\w+)\"\s*\)", cell.source, re.S)
        found |= {f"{notebook}/{part}": place < appendix for part in drawn_here}
    own = {n: p.key for n, p in PICTURES.items() if n.split("/")[0] == notebook}
    assert found == own


# What a report makes of it.


@pytest.fixture
def listed(tmp_path) -> Path:
    test = {"cell": "c", "metric": "m", "above": 0}
    entry = {"chapter": "watch", "shows": "neutral", "caption": "x", "alt": "what is seen"}
    entry["says"] = [{"say": "it grows", "when": [test]}]
    (tmp_path / "figures.yaml").write_text(yaml.safe_dump({"1_a/b": entry}))
    return tmp_path / "figures.yaml"


def plotted():
    figure, axis = plt.subplots()
    axis.imshow([[0.0, 1.0]], interpolation="none")
    return figure


@pytest.mark.parametrize("low, title", [(0.1, "it grows"), (-0.1, "neutral")])
def test_a_report_titles_a_figure_by_its_metrics(tmp_path, listed, low, title):
    report = Report(tmp_path / "out", "1_a", listed)
    report.metrics({"cells": {"c": {"m": {"mean": 0.2, "low": low, "high": 0.3, "n": 30}}}})
    figure = plotted()
    report.figure(figure, "b")
    about = Image.open(tmp_path / "out/1_a/b.png").info
    assert (about["Title"], about["Description"]) == (title, "what is seen")
    assert figure.get_suptitle() == title
    assert "what is seen" in (tmp_path / "out/1_a/b.svg").read_text()


def test_a_figure_that_is_not_listed_keeps_its_own_title(tmp_path, listed):
    figure = plotted()
    figure.suptitle("its own")
    Report(tmp_path / "out", "1_a", listed).figure(figure, "unlisted")
    assert figure.get_suptitle() == "its own" and (tmp_path / "out/1_a/unlisted.svg").exists()


def test_the_same_figure_gives_the_same_bytes(tmp_path, listed):
    for folder in ("one", "two"):
        Report(tmp_path / folder, "1_a", listed).figure(plotted(), "b")
    for ending in ("png", "svg"):
        first, second = (tmp_path / f"{folder}/1_a/b.{ending}" for folder in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()


def test_a_long_title_covers_nothing(tmp_path, listed):
    report = Report(tmp_path / "out", "1_a", listed)
    report.pictures["1_a/b"].shows = "a word and another one " * 12
    figure = plotted()
    figure.axes[0].set_title("of a panel")
    report.figure(figure, "b")
    figure.draw_without_rendering()
    title, panel = (text.get_window_extent() for text in (figure._suptitle, figure.axes[0].title))
    assert title.y0 > panel.y1
