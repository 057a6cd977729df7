"""Published pages: formulas without scripts, pictures with descriptions, nothing fetched from anywhere."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import pages  # noqa: E402

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of the project's notebooks as they are, without outputs but for one made-up figure."""
    out, executed = tmp_path_factory.mktemp("site") / "site", {}
    for file in (ROOT / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(file, as_version=4)
        figure = nbformat.v4.new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})
        noise = nbformat.v4.new_output("stream", name="stderr", text="99 %|####| secret-progress")
        cell = nbformat.v4.new_code_cell("draw()", outputs=[figure, noise])
        notebook.cells.append(cell)
        executed[file.stem] = out.parent / file.name
        nbformat.write(notebook, executed[file.stem])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "executed", executed.__getitem__)
        pages.main(out)
    return out


def test_every_notebook_has_its_page_and_the_index_lists_it(site):
    index = (site / "index.html").read_text()
    for file in (ROOT / "notebooks").glob("*.ipynb"):
        assert f'href="{file.stem}.html"' in index and (site / f"{file.stem}.html").exists()
    assert "How to cite" in index and "2603.16870" in index


def test_formulas_are_mathml_and_no_dollar_is_left(site):
    for file in site.glob("[0-9]*.html"):
        text = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", file.read_text(), flags=re.S)
        assert "<math" in text and "$" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S), file.name
        assert r"\frac" not in text and r"\hat" not in text


def test_a_formula_in_code_is_left_alone():
    assert pages.with_mathml("`$x$` costs") == "`$x$` costs"
    assert pages.with_mathml("```\n$HOME\n``` and $x$").startswith("```\n$HOME\n``` and <math")


def test_pictures_are_described_by_their_heading(site):
    for file in site.glob("*.html"):
        pictures = re.findall(r"<img[^>]*>", file.read_text())
        assert all(re.search(r' alt="[^"]+"', picture) for picture in pictures), file.name
    assert 'alt="Figure"' in pages.described('<h2 id="x">Figure<a class="anchor-link">¶</a></h2><img src="y">')


def test_nothing_is_fetched_and_progress_bars_are_gone(site):
    for file in site.glob("*.html"):
        text = file.read_text()
        assert not re.findall(r'(?:src|href)="(?:https?:)?//(?!arxiv\.org|github\.com)[^"]*"', text), file.name
        assert "<script" not in re.sub(r'srcdoc="[^"]*"', "", text) and "secret-progress" not in text


def test_what_needs_a_kernel_and_runs_that_failed_are_not_published():
    widget = nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"})
    shown = nbformat.v4.new_output("display_data", {"text/plain": "x"})
    bar = nbformat.v4.new_output("stream", name="stderr", text="50%")
    assert [pages.needs_a_kernel(output) for output in (widget, shown, bar)] == [True, False, True]
    cell = nbformat.v4.new_code_cell("1 / 0", outputs=[shown])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert not pages.failed(notebook)
    cell.outputs.append(nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="", traceback=[]))
    assert pages.failed(notebook)
