"""Files of the project as pages of the site: the code that decides a claim, and its rule."""

from dataclasses import dataclass, field
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "src" / "chain_of_steps" / "figures"
LIGHT, DARK = "xcode", "github-dark"


@dataclass
class Sources:
    """The files that pages have linked to.

    Attributes:
        pages: name of the page in the site -> file.
    """

    pages: dict[str, Path] = field(default_factory=dict)

    def link(self, file: Path, line: int = 1) -> str:
        """The address of a line of a file."""
        name = "-".join(file.relative_to(ROOT).parts[-3:]).replace("chain_of_steps-", "")
        page = f"code-{name.replace('.', '-')}.html"
        self.pages[page] = file
        return f"{page}#line-{line}"


def as_html(file: Path) -> str:
    """A file with colours, and an anchor for every line."""
    lexer = get_lexer_for_filename(file.name)
    formatter = HtmlFormatter(linespans="line", cssclass="highlight code")
    return highlight(file.read_text(encoding="utf-8"), lexer, formatter).replace(
        "<pre", '<pre tabindex="0"'
    )


def styles() -> str:
    """The colours of code, light and dark."""
    light = HtmlFormatter(style=LIGHT).get_style_defs(".highlight")
    dark = HtmlFormatter(style=DARK).get_style_defs(".highlight")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


def where_computed(folder: str, metric: str) -> tuple[Path, int]:
    """The file and line of a figure's analysis that computes a metric: the last of the first file
    that writes its name, rather not a file that only draws.

    Args:
        folder: of the figure.
        metric: a path of names separated by dots; a long one tells most.

    Raises:
        ValueError: if the name is nowhere in the folder.
    """
    files = sorted((FIGURES / folder).glob("*.py"))
    computing = [file for file in files if not _draws(file)]
    for some in (computing, files):
        for name in sorted(metric.split("."), key=lambda n: ("_" in n, len(n)), reverse=True):
            for text in _spellings(name):
                for file in some:
                    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
                    if found := [number for number, line in lines if text in line]:
                        return file, found[-1]
    raise ValueError(f"nothing in figures/{folder} computes {metric!r}")


def _spellings(name: str) -> list[str]:
    """How code may write the name of a metric: whole, or put together around `_minus_`."""
    one, minus, other = name.partition("_minus_")
    return [f'"{name}"', *([f"}}_minus_{other}", f"{one}_minus_{{"] if minus else [])]


def _draws(file: Path) -> bool:
    """Whether a file draws or words what others have computed."""
    return any(word in file.stem for word in ("plots", "words", "bars", "grids"))


def line_of(file: Path, text: str) -> int:
    """The number of the first line that is or, without its indent, begins with a text."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    exact = (number for number, line in enumerate(lines, 1) if line == text)
    begun = (number for number, line in enumerate(lines, 1) if line.startswith(text))
    return next(exact, None) or next(begun)
