"""Published pages: formulas without scripts, pictures with descriptions, nothing from the
network."""

import re

import made_up
import nbformat
import pytest
import web_page
from made_up import ROOT, executed, pages
from site_links import broken
from website import notebook, pictures, solved
from website.folder import LIST, NAME, Folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return made_up.site(tmp_path_factory.mktemp("pages"))


def written(site, name: str) -> str:
    return (site / name).read_text(encoding="utf-8")


def test_every_published_notebook_has_its_page_and_the_index_lists_it(site):
    index = written(site, "index.html")
    for name in executed.published():
        assert f'href="{name}.html"' in index and (site / f"{name}.html").exists()
    assert "How to cite" in index and "2603.16870" in index


def test_no_link_and_no_picture_leads_nowhere(site):
    assert len(list(site.glob("*.html"))) > 20
    assert not broken(site)


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="#here"></a><a href="#gone"></a><a href="b.html"></a>'
        '<img src="c.png"><a href="https://arxiv.org/abs/2603.16870"></a>'
        '<p style="background-image: url(d.jpg)"></p>'
    )
    assert [link for _, link in broken(tmp_path)] == ["#gone", "b.html", "c.png", "d.jpg"]


def test_the_index_leads_to_the_pages_on_which_a_network_runs(site):
    for app in pages.APPS:
        assert f'href="{app.file}"' in written(site, "index.html")
        assert "<script" in written(site, app.file)


def test_an_earlier_site_is_replaced_and_nothing_else_is_deleted(tmp_path):
    other = tmp_path / "notes" / "index.html"
    other.parent.mkdir()
    other.write_text("<title>My notes</title>")
    with pytest.raises(ValueError, match="holds something else than a site"):
        Folder(other.parent)
    assert other.exists()
    mine = tmp_path / "site"
    Folder(mine).write("pictures/a.webp", b"a")
    (mine / "CNAME").touch()
    (mine / "pictures" / "own.png").touch()
    (tmp_path / "outside.html").touch()
    with open(mine / LIST, "a") as listed:
        listed.write("../outside.html\n")
    again = Folder(mine)
    assert {file.name for file in mine.rglob("*.*")} == {LIST, "own.png"} and not again.names()
    assert (mine / "CNAME").exists() and (tmp_path / "outside.html").exists()


def test_a_site_from_before_there_was_a_list_is_replaced(tmp_path):
    (tmp_path / "index.html").write_text(f"<title>{NAME}</title>")
    Folder(tmp_path)
    assert not (tmp_path / "index.html").exists()


def test_it_lists_what_it_wrote(site):
    names = written(site, LIST).splitlines()
    assert sorted([*names, LIST]) == sorted(
        file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file()
    )


def test_each_page_leads_to_its_neighbours(site):
    names = executed.published()
    for name, before, after in zip(names, [None, *names], [*names[1:], None], strict=False):
        text = written(site, f"{name}.html")
        found = dict(re.findall(r'<a rel="(prev|next)" href="(\w+)\.html"', text))
        assert found == {k: v for k, v in (("prev", before), ("next", after)) if v}


def test_parameters_that_were_replaced_are_left_out():
    own, injected = (
        nbformat.v4.new_code_cell(f"samples = {number}", metadata={"tags": [tag]})
        for number, tag in ((2, "parameters"), (30, "injected-parameters"))
    )
    both = notebook.as_html(nbformat.v4.new_notebook(cells=[own, injected]))
    assert "30" in both and both.count("samples") == 1
    assert "samples" in notebook.as_html(nbformat.v4.new_notebook(cells=[own]))


def test_the_state_of_widgets_brings_no_script_into_a_page():
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("explorer")])
    made.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    assert "<script" not in notebook.as_html(made)


def test_what_speaks_of_a_kernel_is_not_on_a_page(site):
    whole = (ROOT / "notebooks" / "explorer.ipynb").read_text()
    assert "needs a running kernel" in whole
    assert "needs a running kernel" not in written(site, "explorer.html")


def test_of_a_widget_a_page_has_its_form_without_a_kernel_if_there_is_one():
    widget = {notebook.WIDGET: {"model_id": "x"}, "text/plain": "secret-repr"}
    link = '<a href="latin.html">no kernel</a>'
    data = [widget, {**widget, "text/html": link}]
    cells = [
        nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", each)])
        for each in data
    ]
    text = notebook.as_html(nbformat.v4.new_notebook(cells=cells))
    assert text.count(link) == 1 and "secret-repr" not in text and "model_id" not in text


def test_the_recorded_explorer_stands_right_below_its_title():
    texts = ("# Title\nText.", "x = 1", "record()")
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(texts[0]), *map(nbformat.v4.new_code_cell, texts[1:])]
    )
    made.cells[-1].metadata["tags"] = ["first"]
    body = notebook.as_html(made)
    places = [body.index(text) for text in ("Title", "record", "Text.", ">x<")]
    assert places == sorted(places)


def test_a_figure_without_stored_rows_is_not_published():
    lessons = {*solved.LESSONS, "explorer"}
    assert {*lessons, *executed.released()} == set(executed.published())


def test_all_pictures_of_published_notebooks_are_on_one_page(site):
    listed = pictures.pictures_in(pictures.LIST)
    wanted = {name for name in listed if name.split("/")[0] in executed.published()}
    drawn = {f"{f.parent.name}/{f.stem}" for f in (ROOT / "figures").glob("*/*.png")}
    found = re.findall(r'<figure class="card" id="(\w+)-(\w+)"', written(site, "pictures.html"))
    assert {"/".join(each) for each in found} == wanted & drawn != set()


def test_a_picture_that_gets_a_chapter_is_shown_in_it(monkeypatch, tmp_path):
    listed = tmp_path / "figures.yaml"
    listed.write_text(
        "6_step_budget/depth: {key: true, chapter: mend, shows: Depth, caption: c, alt: An alt.}\n"
        "6_step_budget/frames: {chapter: mend, shows: Frames, caption: c, alt: Another.}\n"
    )
    monkeypatch.setattr(pictures, "LIST", listed)
    shown = pictures.committed(["6_step_budget"])
    assert [(each.part, each.alt) for each in shown] == [
        ("depth", "An alt."),
        ("frames", "Another."),
    ]
    rows = pages.ledger.rows(pages.source.Sources(), shown)
    chapters = {each.id: each for each in pages.story.chapters(rows, {}, shown)}
    assert [each.part for each in chapters["mend"].pictures] == ["depth"], "only the key one"


def test_formulas_are_mathml_and_no_dollar_is_left(site):
    for file in site.glob("[0-9]*.html"):
        text = re.sub(r"<pre.*?</pre>|<code>.*?</code>", "", file.read_text(), flags=re.S)
        assert "$" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S), file.name
        source = (ROOT / "notebooks" / f"{file.stem}.ipynb").read_text(encoding="utf-8")
        assert "<math" in text or "$$" not in source, file.name
        assert r"\frac" not in text and r"\hat" not in text


def test_a_formula_in_code_is_left_alone():
    assert notebook.with_mathml("`$x$` costs") == "`$x$` costs"
    assert notebook.with_mathml("```\n$HOME\n``` and $x$").startswith("```\n$HOME\n``` and <math")


def test_pictures_are_described_by_themselves_or_by_their_heading(site):
    for file in site.glob("*.html"):
        found = re.findall(r"<img[^>]*>", re.sub(r"<script.*?</script>", "", file.read_text()))
        assert all(re.search(r' alt="[^"]+"', picture) for picture in found), file.name
    heading = '<h2 id="x">Figure</h2>'
    assert 'alt="Figure"' in notebook.described(f'{heading}<img src="y">')
    assert 'alt="own"' in notebook.described(f'{heading}<img alt="own" src="y">')


def test_a_figure_has_a_place_to_link_to():
    figure = nbformat.v4.new_output("display_data", {"image/png": made_up.PNG})
    cell = nbformat.v4.new_code_cell('report.figure(plots.curves(x), "curves")', outputs=[figure])
    body = notebook.as_html(nbformat.v4.new_notebook(cells=[cell]))
    assert re.search("<span id=.?picture-curves", body)


def test_nothing_is_fetched_and_progress_bars_are_gone(site):
    for file in site.glob("*.html"):
        text = file.read_text()
        assert not re.findall(r'src="(?:https?:)?//', text), file.name
        assert "secret-progress" not in text
        scripts = "<script" in re.sub(r'srcdoc="[^"]*"', "", text)
        own = {"index.html", "ledger.html", *(app.file for app in pages.APPS)}
        assert scripts == (file.name in own or file.name.startswith("player-")), file.name


def test_only_a_copy_of_the_notebook_as_it_is_counts_as_executed():
    name = executed.released()[0]
    current, made = executed.source(name), executed.source(name)
    own = {"section": executed.read(ROOT / "params.yaml", "mini", name)}
    made.metadata.papermill = nbformat.from_dict({"parameters": own})
    assert executed.up_to_date(name, made, current)
    made.metadata.papermill.parameters.section.preset = "mini/4"
    assert not executed.up_to_date(name, made, current), "of another scale"
    made.metadata.papermill.parameters = nbformat.from_dict(own)
    made.cells[-1].metadata["tags"] = ["live"]
    assert not executed.up_to_date(name, made, current), "with other tags"
    made.cells[-1].metadata["tags"] = []
    assert executed.up_to_date(name, made, current)
    made.cells[-1].source += " And so on."
    assert not executed.up_to_date(name, made, current), "of an older text"


def test_what_needs_a_kernel_or_is_empty_and_runs_that_failed_are_not_published():
    data = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"}
    dead = [
        nbformat.v4.new_output("display_data", data),
        nbformat.v4.new_output("display_data", {}),
        nbformat.v4.new_output("stream", name="stderr", text="50%"),
        nbformat.v4.new_output("stream", name="stdout", text=" \n"),
    ]
    shown = nbformat.v4.new_output("display_data", {"text/plain": "x"})
    assert all(map(notebook.is_dead, dead)) and not notebook.is_dead(shown)
    cell = nbformat.v4.new_code_cell("1 / 0", outputs=[shown])
    made = nbformat.v4.new_notebook(cells=[cell])
    assert not executed.failed(made)
    error = {"ename": "ZeroDivisionError", "evalue": "", "traceback": []}
    cell.outputs.append(nbformat.v4.new_output("error", **error))
    assert executed.failed(made)


def test_pictures_become_lighter_and_keep_their_pixels():
    body = notebook.lighter(f'<img src="data:image/png;base64,{made_up.PNG}">')
    assert "data:image/webp;base64," in body and "image/png" not in body


@pytest.mark.skipif(
    not all(map(executed.is_ready, executed.published())),
    reason="the notebooks have not run; `make site` runs them",
)
def test_the_real_site_is_light_and_has_no_broken_link(tmp_path):
    pages.main(tmp_path / "site")
    files = [file for file in (tmp_path / "site").rglob("*") if file.is_file()]
    downloads = {file for file in files if file.parent.name == web_page.NAME}
    for part in (downloads, set(files) - downloads):  # the video model's page loads its own
        assert sum(file.stat().st_size for file in part) < 25e6
    assert not broken(tmp_path / "site")
