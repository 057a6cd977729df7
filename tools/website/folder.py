"""The folder of the site. What an earlier build wrote is deleted, anything else is kept."""

from pathlib import Path

NAME = "Chain of Steps"
LIST = "contents.txt"  # what was written, one path a line


class Folder:
    """Makes the folder, without the files of an earlier site, and keeps a list of what is written.

    Attributes:
        path: of the folder.

    Raises:
        ValueError: if there is something else in the folder.
    """

    def __init__(self, path: Path):
        self.path = path
        clear(path)
        (path / LIST).write_text("", encoding="utf-8")

    def write(self, name: str, content: str | bytes) -> None:
        """Writes one file, also in a folder below."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        self.add(name)

    def add(self, name: str) -> None:
        """Lists a file that somebody else has written."""
        with open(self.path / LIST, "a", encoding="utf-8") as listed:
            listed.write(f"{name}\n")

    def names(self) -> list[str]:
        """What has been written."""
        return _listed(self.path)

    def size(self) -> int:
        """Of all that has been written, in bytes."""
        return sum((self.path / name).stat().st_size for name in self.names())


def clear(path: Path) -> None:
    """Deletes the files of an earlier site; makes the folder if there is none."""
    if path.exists() and any(path.iterdir()):
        if not (path / LIST).exists() and not _is_site(path / "index.html"):
            raise ValueError(f"{path} holds something else than a site of this project")
        for name in _listed(path):
            (path / name).unlink(missing_ok=True)
    path.mkdir(parents=True, exist_ok=True)


def _is_site(index: Path) -> bool:
    """Whether it is the first page of a site that was written before there was a list."""
    return index.exists() and f"<title>{NAME}</title>" in index.read_text(encoding="utf-8")


def _listed(path: Path) -> list[str]:
    """The list of a site, or its pages; only what lies in the folder itself."""
    if not (path / LIST).exists():
        return [file.name for file in path.glob("*.html")]
    names = (path / LIST).read_text(encoding="utf-8").splitlines()
    inside = path.resolve()
    return [name for name in names if (path / name).resolve().is_relative_to(inside)]
