"""`make page`: one HTML file in which symbol networks fill Latin squares and follow relays. It can
be opened as a file and loads nothing."""

from pathlib import Path

from chain_of_steps.cli.arguments import Parser
from chain_of_steps.explorer import in_page

ROOT = Path(__file__).parent.parent
NETWORKS = ROOT / "data" / "symbols"
METRICS = ROOT / "figures" / "7_when_steps_matter.json"


def main(out: Path, networks: Path, metrics: Path) -> None:
    """Writes the page; for its arguments see `in_page.content`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(in_page.html(in_page.content(networks, metrics)), encoding="utf-8")


if __name__ == "__main__":
    parser = Parser(__doc__)
    parser.add_argument("--out", default=ROOT / "build" / in_page.FILE, type=Path)
    parser.add_argument("--networks", default=NETWORKS, type=Path)
    parser.add_argument("--metrics", default=METRICS, type=Path)
    options = parser.parse_args()
    main(options.out, options.networks, options.metrics)
