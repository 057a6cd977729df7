"""`make site`: the project as pages under site/, for readers without Python: the story in five
chapters, the ledger, the notebooks as they ran. The pages can be opened as files, without a server,
and load nothing from the network.
"""

import sys
from pathlib import Path

import strip
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from website import about, films, ledger, notebook, pictures, source, story
from website.apps import APPS, App
from website.executed import executed, is_ready, published
from website.folder import NAME, Folder
from website.solved import LESSONS

from chain_of_steps.cli.arguments import Parser
from chain_of_steps.common.errors import run_command

ROOT = Path(__file__).parent.parent
PARTS = Path(__file__).parent / "website"
MENU = [
    ("ledger.html", "ledger"),
    *((app.file, "try it") for app in APPS[:1]),
    ("0_walkthrough.html", "lesson"),
    ("pictures.html", "pictures"),
]
RAN = "This notebook as it ran. To change it and run it yourself, see the README: make lab."
SOLVED = (
    "This lesson as it ran with the reference solutions. Try each exercise first; its solution is "
    "folded below it. To work on it yourself, see the README: make lab."
)
NOTES = {
    **dict.fromkeys(LESSONS, SOLVED),
    "explorer": "These runs were recorded: choose one of the gallery. What this text says of runs "
    "of your own needs the model; see the README: make lab.",
}


class Site:
    """Writes pages into a folder, and says so."""

    def __init__(self, out: Path):
        self.folder = Folder(out)
        self.templates = Environment(
            autoescape=True,
            loader=FileSystemLoader(PARTS),
            undefined=StrictUndefined,
            trim_blocks=False,
        )
        self.shared = {
            "name": NAME,
            "menu": MENU,
            "about": about.about(ROOT),
            "style": source.styles() + _read("site.css"),
            "body": "",
        }

    def write(self, name: str, template: str = "page", **values: object) -> None:
        """Writes a page by one of the templates."""
        made = self.templates.get_template(f"{template}.html.jinja")
        self.folder.write(name, made.render(self.shared | {"here": name} | values))
        self.say(name)

    def say(self, name: str) -> None:
        size = (self.folder.path / name).stat().st_size
        print(f"  {name:28} {size / 1e6:6.2f} MB", flush=True)


def main(out: Path) -> None:
    """Writes the site; first executes notebooks whose executed copy is missing or out of date.

    Raises:
        ValueError: if there is something else in the folder.
    """
    print(f"Writing the site to {out}", flush=True)
    site, names, sources = Site(out), published(), source.Sources()
    strip.main(ROOT / "notebooks", ROOT / "build" / "notebooks")
    shown = pictures.committed(names)
    titles = write_notebooks(site, names)
    apps = [app for app in APPS if write_app(site, app)]
    rows = ledger.rows(sources, shown)
    write_story(site, rows, shown, titles, apps)
    write_ledger(site, rows, sources, titles)
    for name, file in sources.pages.items():
        title = file.relative_to(ROOT).as_posix()
        body = f"<h1>{title}</h1>{source.as_html(file)}"
        site.write(name, title=title, body=body)
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    licence = f"<h1>Licence</h1><pre tabindex=0>{text}</pre>"
    site.write("licence.html", title="Licence", body=licence)
    count, size = len(site.folder.names()), site.folder.size() / 1e6
    print(f"Wrote {count} files, {size:.1f} MB. Open this one in a browser:")
    print((out / "index.html").resolve().as_uri())


def write_notebooks(site: Site, names: list[str]) -> dict[str, str]:
    """A page for each notebook; returns their titles."""
    ran, titles = {}, {}
    for name in names:
        if not is_ready(name):
            print(f"  running {name}: up to a few minutes, the first time only", flush=True)
        ran[name] = executed(name)
        titles[name] = notebook.title_of(ran[name])
    for name, before, after in zip(names, [None, *names], [*names[1:], None], strict=False):
        site.write(
            f"{name}.html",
            "notebook",
            title=titles[name],
            titles=titles,
            body=notebook.as_html(ran[name]),
            note=NOTES.get(name, RAN),
            previous=before,
            next=after,
        )
    return titles


def write_app(site: Site, app: App) -> bool:
    """A page on which a network runs; whether it could be written."""
    files = app.write(site.folder.path)
    for name in files:
        site.folder.add(name)
        site.say(name)
    return bool(files)


def write_story(
    site: Site,
    rows: list[ledger.Row],
    shown: list[pictures.Picture],
    titles: dict[str, str],
    apps: list[App],
) -> None:
    """The first page, and all pictures on one."""
    chapters = story.chapters(rows, films.films(ROOT / "build" / "site-rows"), shown)
    sheets = {each.id: [] for each in chapters}
    for each in chapters:
        for number, reel in enumerate(each.film.reels if each.film else ()):
            sheets[each.id].append(f"{pictures.FOLDER}/film-{each.id}-{number}.jpg")
            site.folder.write(sheets[each.id][-1], reel.sheet())
        if each.film and each.film.player:
            site.folder.write(f"player-{each.id}.html", each.film.player)
    for picture in shown:
        site.folder.write(*picture.published)
    site.write(
        "index.html",
        "index",
        title=NAME,
        intro=story.intro(),
        chapters=chapters,
        sheets=sheets,
        counts=ledger.counts(rows),
        total=len(rows),
        titles=titles,
        apps=apps,
        script=_read("film.js"),
    )
    site.write("pictures.html", "pictures", title="All pictures", pictures=shown, titles=titles)


def write_ledger(
    site: Site, rows: list[ledger.Row], sources: source.Sources, titles: dict[str, str]
) -> None:
    """The ledger, with links to the files that decide."""
    judge = sources.link(ledger.JUDGE, source.line_of(ledger.JUDGE, "def _verdict("))
    site.write(
        "ledger.html",
        "ledger",
        title="The ledger",
        rows=rows,
        counts=ledger.counts(rows),
        kinds=ledger.KINDS,
        notebooks=sorted({row.claim.figure for row in rows}),
        titles=titles,
        width=ledger.WIDTH,
        rules=sources.link(ledger.CLAIMS),
        judge=judge,
        script=_read("ledger.js"),
    )


def _read(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    parser = Parser(__doc__)
    parser.add_argument("--out", default=ROOT / "site", type=Path)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    sys.exit(run_command(lambda: main(options.out), "pages", options.debug))
