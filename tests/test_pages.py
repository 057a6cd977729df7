"""Published pages: formulas without scripts, pictures with descriptions, nothing from the
network."""

import re

import made_up
import nbformat
import pytest
from made_up import ROOT, pages


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return made_up.site(tmp_path_factory.mktemp("pages"))


def test_every_published_notebook_has_its_page_and_the_index_lists_it(site):
    index = (site / "index.html").read_text()
    assert {file.stem for file in site.glob("*.html")} == {"index", "latin", *pages.published()}
    assert all(f'href="{name}.html"' in index for name in pages.published())
    assert "How to cite" in index and "2603.16870" in index and "<table" in index


def test_the_index_leads_to_the_page_of_the_networks(site):
    assert f'href="{pages.LIVE}"' in (site / "index.html").read_text()
    assert "<script" in (site / pages.LIVE).read_text()


def test_an_earlier_site_is_replaced_and_nothing_else_is_deleted(tmp_path):
    foreign = tmp_path / "notes" / "index.html"
    foreign.parent.mkdir()
    foreign.write_text("<title>My notes</title>")
    with pytest.raises(ValueError, match="holds something else than a site"):
        pages.clear(foreign.parent)
    assert foreign.exists()
    foreign.write_text(f"<title>{pages.NAME}</title>")
    kept = foreign.with_name("CNAME")
    kept.touch()
    pages.clear(foreign.parent)
    assert kept.exists() and not foreign.exists()


def test_each_page_leads_to_its_neighbours(site):
    names = pages.published()
    first, second = ((site / f"{name}.html").read_text() for name in names[:2])
    assert f'<a href="{names[1]}.html">next: {names[1]}</a>' in first and "previous:" not in first
    assert f'<a href="{names[0]}.html">previous: {names[0]}</a>' in second
    assert (
        f">next: {names[2]}<" in second
        and ">next: " not in (site / f"{names[-1]}.html").read_text()
    )


def test_parameters_that_were_replaced_are_left_out():
    own, injected = (
        nbformat.v4.new_code_cell(f"samples = {number}", metadata={"tags": [tag]})
        for number, tag in ((2, "parameters"), (30, "injected-parameters"))
    )
    both = pages.notebook_html(nbformat.v4.new_notebook(cells=[own, injected]))
    assert "30" in both and both.count("samples") == 1
    assert "samples" in pages.notebook_html(nbformat.v4.new_notebook(cells=[own]))


def test_the_state_of_widgets_brings_no_script_into_a_page():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("explorer")])
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    assert "<script" not in pages.notebook_html(notebook)


def test_of_a_widget_a_page_has_its_form_without_a_kernel_if_there_is_one():
    widget = {pages.WIDGET: {"model_id": "x"}, "text/plain": "secret-repr"}
    link = f'<a href="{pages.LIVE}">no kernel</a>'
    data = [widget, {**widget, "text/html": link}]
    cells = [
        nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", each)])
        for each in data
    ]
    text = pages.notebook_html(nbformat.v4.new_notebook(cells=cells))
    assert text.count(link) == 1 and "secret-repr" not in text and "model_id" not in text


def test_a_figure_without_stored_rows_is_not_published():
    lessons = {"0_walkthrough", "8_train_it_yourself", "explorer"}
    assert {*lessons, *pages.released()} == set(pages.published())


def test_the_gallery_has_every_figure_of_a_published_notebook(site):
    index, figures = (site / "index.html").read_text(), (ROOT / "figures").glob("*/*.png")
    shown = [file for file in figures if file.parent.name in pages.published()]
    assert index.count("<figure>") == len(shown) > 0
    assert sum(file.stat().st_size for file in site.glob("*.html")) < 25e6


def test_formulas_are_mathml_and_no_dollar_is_left(site):
    for file in site.glob("[0-9]*.html"):
        text = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", file.read_text(), flags=re.S)
        assert "$" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S), file.name
        written = (ROOT / "notebooks" / f"{file.stem}.ipynb").read_text(encoding="utf-8")
        assert "<math" in text or "$$" not in written, file.name
        assert r"\frac" not in text and r"\hat" not in text


def test_a_formula_in_code_is_left_alone():
    assert pages.with_mathml("`$x$` costs") == "`$x$` costs"
    assert pages.with_mathml("```\n$HOME\n``` and $x$").startswith("```\n$HOME\n``` and <math")


def test_pictures_are_described_by_their_heading(site):
    for file in site.glob("*.html"):
        pictures = re.findall(r"<img[^>]*>", file.read_text())
        assert all(re.search(r' alt="[^"]+"', picture) for picture in pictures), file.name
    assert 'alt="Figure"' in pages.described(
        '<h2 id="x">Figure<a class="anchor-link">¶</a></h2><img src="y">'
    )


def test_nothing_is_fetched_and_progress_bars_are_gone(site):
    for file in site.glob("*.html"):
        text = file.read_text()
        assert not re.findall(
            r'(?:src|href)="(?:https?:)?//(?!arxiv\.org|github\.com)[^"]*"', text
        ), file.name
        assert "secret-progress" not in text
        scripts = "<script" in re.sub(r'srcdoc="[^"]*"', "", text)
        assert scripts == (file.name == pages.LIVE), file.name


def test_only_a_copy_of_the_notebook_as_it_is_counts_as_executed(tmp_path):
    name = pages.released()[0]
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    own = {"section": pages.read(ROOT / "params.yaml", "mini", name)}
    notebook.metadata.papermill = nbformat.from_dict({"parameters": own})
    assert pages.up_to_date(name, notebook)
    notebook.metadata.papermill.parameters.section.preset = "mini/4"
    assert not pages.up_to_date(name, notebook), "of another scale"
    notebook.metadata.papermill.parameters = nbformat.from_dict(own)
    notebook.cells[-1].source += " And so on."
    assert not pages.up_to_date(name, notebook), "of an older text"


def test_what_needs_a_kernel_and_runs_that_failed_are_not_published():
    widget = nbformat.v4.new_output(
        "display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"}
    )
    shown = nbformat.v4.new_output("display_data", {"text/plain": "x"})
    bar = nbformat.v4.new_output("stream", name="stderr", text="50%")
    assert [pages.needs_a_kernel(output) for output in (widget, shown, bar)] == [True, False, True]
    cell = nbformat.v4.new_code_cell("1 / 0", outputs=[shown])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert not pages.failed(notebook)
    cell.outputs.append(
        nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])
    )
    assert pages.failed(notebook)
