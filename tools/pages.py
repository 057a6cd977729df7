"""`make site`: the executed notebooks as pages under site/, with an index. They can be opened as
files, without a server.

Formulas become MathML, figures and players are embedded, and nothing is loaded from the network.
"""

import base64
import html
import io
import re
import sys
from pathlib import Path

import mistune
import nbformat
import page as live
import strip
from jinja2 import Environment
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from PIL import Image
from pygments.formatters import HtmlFormatter
from run import execute, released

from chain_of_steps.cli.arguments import Parser
from chain_of_steps.common.errors import run_command
from chain_of_steps.experiments.parameters import read
from chain_of_steps.explorer import in_page

ROOT = Path(__file__).parent.parent
NAME = "Chain of Steps"
LIVE = in_page.FILE
WIDGET = "application/vnd.jupyter.widget-view+json"
THUMBNAIL = 900  # pixels: sharp in the gallery, also where two pictures are joined
MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?(?:\n[^$\n]+?)*?)\$", re.S)
CODE = re.compile(r"(```.*?```|`[^`]*`)", re.S)
STYLE = (Path(__file__).parent / "pages.css").read_text(encoding="utf-8")
TEMPLATE = (Path(__file__).parent / "page.html.jinja").read_text(encoding="utf-8")


def main(out: Path) -> None:
    """Writes the site; first executes notebooks whose executed copy is missing or out of date.

    Raises:
        ValueError: if there is something else in the folder.
    """
    clear(out)
    strip.main(ROOT / "notebooks", ROOT / "build" / "notebooks")
    pages = {}
    for name in published():
        notebook = nbformat.read(executed(name), as_version=4)
        title = next(re.findall(r"^# (.+)$", cell.source, re.M)[0] for cell in notebook.cells)
        links = around(name, published())
        body = page(title=title, body=notebook_html(notebook), links=links)
        (out / f"{name}.html").write_text(body, encoding="utf-8")
        pages[name] = title
    live.main(out / LIVE, live.NETWORKS, live.METRICS)
    (out / "index.html").write_text(page(title=NAME, index=index(pages)), encoding="utf-8")


def clear(out: Path) -> None:
    """Makes the folder, without the pages of an earlier site."""
    if out.exists() and any(out.iterdir()):
        first = out / "index.html"
        if not first.exists() or f"<title>{NAME}</title>" not in first.read_text(encoding="utf-8"):
            raise ValueError(f"{out} holds something else than a site of this project")
        for old in out.glob("*.html"):
            old.unlink()
    out.mkdir(parents=True, exist_ok=True)


def around(name: str, names: list[str]) -> dict[str, str | None]:
    """Links to the previous and the next page."""
    place = names.index(name)
    return {
        "previous": names[place - 1] if place else None,
        "next": (names[place + 1 :] or [None])[0],
    }


def published() -> list[str]:
    """The notebooks that have a page: all except those whose figure is not drawn yet."""
    waiting = set(read(ROOT / "params.yaml", "mini")) - set(released())
    return sorted({file.stem for file in (ROOT / "notebooks").glob("*.ipynb")} - waiting)


def executed(name: str) -> Path:
    """The executed copy of a notebook, made now if the pipeline has not made it."""
    file = ROOT / "build" / "executed" / f"{name}.ipynb"
    if file.exists() and up_to_date(name, nbformat.read(file, as_version=4)):
        return file
    return execute(
        name, "mini" if name in released() else None, out=str(ROOT / "build" / "site-figures")
    )


def up_to_date(name: str, notebook: nbformat.NotebookNode) -> bool:
    """Whether an executed copy is of the current notebook, at scale `mini`, without an error."""
    source = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    cells = {cell.source for cell in source.cells} <= {cell.source for cell in notebook.cells}
    wanted = read(ROOT / "params.yaml", "mini").get(name, {})
    given = notebook.metadata.papermill.parameters.get("section", {})
    return cells and given == wanted and not failed(notebook)


def failed(notebook: nbformat.NotebookNode) -> bool:
    """Whether a run of this copy ended with an error."""
    return any(
        output.output_type == "error"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


def notebook_html(notebook: nbformat.NotebookNode) -> str:
    """Cells and outputs as HTML, without a template's own scripts and styles.

    If the pipeline has injected parameters, the cell that they override is left out.
    """
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    if any("injected-parameters" in each for each in tags):
        notebook.cells = [
            c for c, each in zip(notebook.cells, tags, strict=True) if "parameters" not in each
        ]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not needs_a_kernel(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    notebook.metadata.pop("widgets", None)  # else the page would load their manager
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    return described(body)


def needs_a_kernel(output: nbformat.NotebookNode) -> bool:
    """Whether an output is useless on a page: progress bars, as text or as widgets, whose scripts
    would fail. A widget may have a form without one: HTML."""
    if output.output_type == "stream":
        return output.name == "stderr"
    data = output.get("data", {})
    return WIDGET in data and "text/html" not in data


def with_mathml(text: str) -> str:
    """Markdown with its formulas as MathML; code is left unchanged."""

    def formula(match: re.Match) -> str:
        block, inline = match.groups()
        return convert(" ".join((block or inline).split()), display="block" if block else "inline")

    parts = CODE.split(text)
    return "".join(part if part.startswith("`") else MATH.sub(formula, part) for part in parts)


def described(body: str) -> str:
    """Gives pictures the heading above them as a description."""
    heading, parts = "", []
    for part in re.split(r"(<h[1-6][^>]*>.*?</h[1-6]>)", body, flags=re.S):
        if part.startswith("<h"):
            heading = html.escape(
                re.sub(r"<math.*?</math>|<[^>]+>|¶", "", part, flags=re.S).strip()
            )
        part = re.sub(r'(<img[^>]*?)\s+alt="[^"]*"', r"\1", part)
        parts.append(re.sub(r"<img(?![^>]* alt=)", f'<img alt="{heading}"', part))
    return "".join(parts)


def index(pages: dict[str, str]) -> dict:
    """The first page: introduction, notebooks, a gallery of figures, claims, how to cite."""
    readme, claims = ROOT / "README.md", ROOT / "figures" / "claims.md"
    figures = sorted((ROOT / "figures").glob("*/*.png"))
    ledger = claims.read_text(encoding="utf-8") if claims.exists() else "Not judged yet."
    return {
        "intro": markdown(readme.read_text(encoding="utf-8").split("\n\n")[1]),
        "pages": pages,
        "live": LIVE,
        "figures": [gallery_item(file) for file in figures if file.parent.name in pages],
        "claims": markdown(ledger),
        "cite": (ROOT / "CITATION.cff").read_text(encoding="utf-8"),
    }


def gallery_item(file: Path) -> dict:
    """A small embedded figure, with a link to the notebook that shows it in full size."""
    notebook = file.parent.name
    picture, stream = Image.open(file).convert("RGB"), io.BytesIO()
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(stream, format="WEBP", quality=85)
    return {
        "notebook": notebook,
        "label": f"{file.stem.replace('_', ' ')} (notebook {notebook[0]})",
        "width": picture.width,
        "height": picture.height,
        "data": base64.b64encode(stream.getvalue()).decode(),
    }


def markdown(text: str) -> str:
    return mistune.create_markdown(plugins=["table"])(text)


def page(title: str, body: str = "", links: dict | None = None, index: dict | None = None) -> str:
    """A complete HTML page around a body, or the first page."""
    template = Environment(autoescape=True).from_string(TEMPLATE)
    style = HtmlFormatter(style="default").get_style_defs(".highlight") + STYLE
    return template.render(
        name=NAME, title=title, style=style, body=body, links=links or {}, index=index
    )


if __name__ == "__main__":
    parser = Parser(__doc__)
    parser.add_argument("--out", default=ROOT / "site", type=Path)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    sys.exit(run_command(lambda: main(options.out), "pages", options.debug))
