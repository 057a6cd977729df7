"""`make site`: the executed notebooks as pages under site/, with an index; they work as files, with no server.

Formulas become MathML, figures and players are inside the pages, and nothing is fetched from anywhere.
"""

import argparse
import base64
import html
import re
import shutil
from pathlib import Path

import mistune
import nbformat
import yaml
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError
from pygments.formatters import HtmlFormatter
from run import execute

ROOT = Path(__file__).parent.parent
NAME = "Chain of Steps"
MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?(?:\n[^$\n]+?)*?)\$", re.S)
CODE = re.compile(r"(```.*?```|`[^`]*`)", re.S)
STYLE = (Path(__file__).parent / "pages.css").read_text()


def main(out: Path) -> None:
    """Writes the site; notebooks that the pipeline has not executed are executed first."""
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    pages = {}
    for source in sorted((ROOT / "notebooks").glob("*.ipynb")):
        try:
            notebook = nbformat.read(executed(source.stem), as_version=4)
        except PapermillExecutionError as error:
            print(f"{source.stem} is left out, it does not run here: {error.ename}: {error.evalue}")
            continue
        title = next(re.findall(r"^# (.+)$", cell.source, re.M)[0] for cell in notebook.cells)
        (out / f"{source.stem}.html").write_text(page(title, notebook_html(notebook)), encoding="utf-8")
        pages[source.stem] = title
    (out / "index.html").write_text(page(NAME, index(pages)), encoding="utf-8")


def executed(name: str) -> Path:
    """The executed copy of a notebook, made now if the pipeline has not."""
    file = ROOT / "build" / "executed" / f"{name}.ipynb"
    if file.exists() and not failed(nbformat.read(file, as_version=4)):
        return file
    known = name in yaml.safe_load((ROOT / "params.yaml").read_text())["mini"]
    return execute(name, "mini" if known else None, out=str(ROOT / "build" / "site-figures"))


def failed(notebook: nbformat.NotebookNode) -> bool:
    """Whether a run of this copy ended with an error."""
    return any(output.output_type == "error" for cell in notebook.cells for output in cell.get("outputs", []))


def notebook_html(notebook: nbformat.NotebookNode) -> str:
    """Cells and outputs as HTML, without a template's own scripts and styles."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not needs_a_kernel(output)]
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    return described(body)


def needs_a_kernel(output: nbformat.NotebookNode) -> bool:
    """Whether an output means nothing on a page: progress bars, as text or as widgets, whose scripts would fail."""
    if output.output_type == "stream":
        return output.name == "stderr"
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def with_mathml(text: str) -> str:
    """Markdown with its formulas as MathML; what stands in code is left alone."""

    def formula(match: re.Match) -> str:
        block, inline = match.groups()
        return convert(" ".join((block or inline).split()), display="block" if block else "inline")

    parts = CODE.split(text)
    return "".join(part if part.startswith("`") else MATH.sub(formula, part) for part in parts)


def described(body: str) -> str:
    """Pictures get the heading above them as description."""
    heading, parts = "", []
    for part in re.split(r"(<h[1-6][^>]*>.*?</h[1-6]>)", body, flags=re.S):
        if part.startswith("<h"):
            heading = html.escape(re.sub(r"<math.*?</math>|<[^>]+>|¶", "", part, flags=re.S).strip())
        part = re.sub(r'(<img[^>]*?)\s+alt="[^"]*"', r"\1", part)
        parts.append(re.sub(r"<img(?![^>]* alt=)", f'<img alt="{heading}"', part))
    return "".join(parts)


def index(pages: dict[str, str]) -> str:
    """The first page: what this is, the notebooks, a gallery of figures, the claims, how to cite."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    intro = readme.split("\n\n")[1]
    items = "".join(f'<li><a href="{name}.html">{html.escape(title)}</a></li>' for name, title in pages.items())
    figures = [gallery_item(file) for file in sorted((ROOT / "figures").glob("*.png"))]
    claims = ROOT / "figures" / "claims.md"
    verdicts = markdown(claims.read_text(encoding="utf-8")) if claims.exists() else "<p>Not judged yet.</p>"
    cite = html.escape((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return (
        f"<h1>{NAME}</h1>{markdown(intro)}<h2>Notebooks</h2><ul>{items}</ul>"
        f'<h2>Figures</h2><div class="gallery">{"".join(figures)}</div>'
        f"<h2>Claims</h2>{verdicts}<h2>How to cite</h2><pre>{cite}</pre>"
    )


def gallery_item(file: Path) -> str:
    """A figure, inside the page, with a link to the notebook that makes it."""
    notebook, _, part = file.stem.partition("-")
    label = html.escape(part.replace("_", " "))
    data = base64.b64encode(file.read_bytes()).decode()
    return (
        f'<figure><a href="{notebook}.html"><img alt="{label}" src="data:image/png;base64,{data}"></a>'
        f"<figcaption>{label}</figcaption></figure>"
    )


def markdown(text: str) -> str:
    return mistune.create_markdown(plugins=["table"])(text)


def page(title: str, body: str) -> str:
    """A whole HTML page around a body."""
    nav = f'<nav><a href="index.html">{NAME}</a></nav>'
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>{HtmlFormatter(style='default').get_style_defs('.highlight')}{STYLE}</style>\n</head>\n"
        f"<body>\n{nav}\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default=ROOT / "site", type=Path)
    main(parser.parse_args().out)
