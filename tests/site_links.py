"""Follows all links of a folder of pages, down to their anchors."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

FIELDS = {"verdict", "notebook", "kind", "text"}  # that an address may set on the ledger


class _Page(HTMLParser):
    """What a page links to, and what can be linked to on it."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id"))
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.links += re.findall(r"url\(([^)]+)\)", found.get("style") or "")


def broken(folder: Path) -> list[tuple[str, str]]:
    """Pages and their links to nowhere; links to other sites are not followed."""
    pages = {file.name: _Page(file.read_text(encoding="utf-8")) for file in folder.glob("*.html")}
    return [
        (name, link)
        for name, page in sorted(pages.items())
        for link in page.links
        if not _leads_somewhere(folder, pages, name, link)
    ]


def _leads_somewhere(folder: Path, pages: dict[str, _Page], name: str, link: str) -> bool:
    parts = urlsplit(link)
    if parts.scheme in ("https", "data"):
        return True
    target, anchor = unquote(parts.path) or name, unquote(parts.fragment)
    if parts.scheme or not (folder / target).is_file():
        return False
    if target == "ledger.html" and "=" in anchor:
        return set(parse_qs(anchor)) <= FIELDS
    return not anchor or anchor in pages[target].ids
