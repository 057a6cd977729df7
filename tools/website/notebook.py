"""An executed notebook as HTML: formulas as MathML, pictures described, solutions folded, nothing
that needs a kernel or a script of its own."""

import base64
import html
import io
import re
from collections.abc import Iterator

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from PIL import Image

from . import solved

MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?(?:\n[^$\n]+?)*?)\$", re.S)
CODE = re.compile(r"(```.*?```|`[^`]*`)", re.S)
HEADING = re.compile(r"(<h[1-6][^>]*>.*?</h[1-6]>)", re.S)
ANCHOR = re.compile(r'<a class="anchor-link".*?</a>')
NOTEBOOK_LINK = re.compile(r'href="(\w+)\.ipynb"')
DRAWN = re.compile(r'report\.figure\(.*"(\w+)"\s*,?\s*\)', re.S)
LIVE = "live"  # tag of cells that say or show something only where a kernel runs
OWN = "own"  # in the metadata of a cell: HTML of ours
FIRST = "first"  # tag of the cell that a page begins with
WIDGET = "application/vnd.jupyter.widget-view+json"


def title_of(notebook: nbformat.NotebookNode) -> str:
    """The first heading."""
    headings = [re.findall(r"^# (.+)$", cell.source, re.M) for cell in notebook.cells]
    return next(found[0] for found in headings if found)


def as_html(notebook: nbformat.NotebookNode) -> str:
    """Cells and outputs as HTML, without a template's own scripts and styles.

    If the pipeline has injected parameters, the cell that they override is left out.
    """
    kept = [cell for cell in shown(notebook) if LIVE not in tags(cell)]
    notebook.cells = [*heading_first(kept)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
        else:
            cell.outputs = [output for output in cell.outputs if not is_dead(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    notebook.cells = [part for cell in notebook.cells for part in (*anchor(cell), *folded(cell))]
    notebook.metadata.pop("widgets", None)  # else the page would load their manager
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    body = ANCHOR.sub("", body)
    for text in {cell.source for cell in notebook.cells if OWN in cell.metadata}:
        body = body.replace(html.escape(text), text)
    return described(lighter(NOTEBOOK_LINK.sub(r'href="\1.html"', scrollable(body))))


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def shown(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """All cells, but for default parameters that were replaced."""
    if not any("injected-parameters" in tags(cell) for cell in notebook.cells):
        return notebook.cells
    return [cell for cell in notebook.cells if "parameters" not in tags(cell)]


def heading_first(cells: list[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """The title, the cell that is to be seen first, if there is one, then the rest."""
    first = [cell for cell in cells if FIRST in tags(cell)]
    rest = [cell for cell in cells if FIRST not in tags(cell)]
    if first:
        title, _, text = rest[0].source.partition("\n")
        yield nbformat.v4.new_markdown_cell(title)
        yield from first
        rest[0].source = text
    yield from rest


def is_dead(output: nbformat.NotebookNode) -> bool:
    """Whether an output is useless on a page: empty, or a progress bar or widget, whose scripts
    would fail. A widget may have a form without one: HTML."""
    if output.output_type == "stream":
        return output.name == "stderr" or not output.text.strip()
    data = output.get("data", {})
    if WIDGET in data:
        return "text/html" not in data
    return output.output_type != "error" and not data


def anchor(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """A place to link to, above a figure."""
    drawn = DRAWN.search(cell.source) if cell.cell_type == "code" else None
    return [_raw(f"<span id=picture-{drawn[1]}></span>")] if drawn else []


def folded(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """An exercise as it is asked, and its solution, with what the check says, folded below it."""
    if solved.ASKED not in cell.metadata:
        return [cell]
    asked = nbformat.v4.new_code_cell(cell.metadata[solved.ASKED])
    opening = _raw("<details class=solution><summary>Solution</summary>")
    return [asked, opening, cell, _raw("</details>")]


def _raw(text: str) -> nbformat.NotebookNode:
    """A cell of HTML of our own, which the exporter would escape: without quotation marks."""
    return nbformat.v4.new_raw_cell(text, metadata={OWN: True, "raw_mimetype": "text/html"})


def with_mathml(text: str) -> str:
    """Markdown with its formulas as MathML; code is left unchanged."""

    def formula(match: re.Match) -> str:
        block, inline = match.groups()
        return convert(" ".join((block or inline).split()), display="block" if block else "inline")

    parts = CODE.split(text)
    return "".join(part if part.startswith("`") else MATH.sub(formula, part) for part in parts)


def scrollable(body: str) -> str:
    """What may be wider than a phone can be scrolled by keyboard, too."""
    body = re.sub(r'<div class="output_png', r'<div tabindex="0" class="output_png', body)
    return re.sub(r"<(pre|table)(?=[ >])", r'<\1 tabindex="0"', body)


def lighter(body: str) -> str:
    """Its PNG pictures as WebP, which is lossless, too, and half as large."""

    def webp(match: re.Match) -> str:
        stream = io.BytesIO()
        with Image.open(io.BytesIO(base64.b64decode(match[1]))) as picture:
            picture.convert("RGB").save(stream, format="WEBP", lossless=True, method=4)
        return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"

    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\n]+)", webp, body)


def described(body: str) -> str:
    """Gives pictures that have no description the heading above them."""
    heading, parts = "", []
    for part in HEADING.split(body):
        if part.startswith("<h"):
            heading = html.escape(re.sub(r"<math.*?</math>|<[^>]+>", "", part, flags=re.S).strip())
        part = re.sub(
            r'(<img[^>]*?)\s+alt="(?:|No description has been provided[^"]*)"', r"\1", part
        )
        parts.append(re.sub(r"<img(?![^>]* alt=)", f'<img alt="{heading}"', part))
    return "".join(parts)
