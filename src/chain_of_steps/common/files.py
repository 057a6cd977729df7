"""Files and folders that are written atomically."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder; it replaces `path` if the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """The same for a folder; an existing one is replaced."""
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_place(folder: str | Path, room: int = 0) -> None:
    """Raises if nothing can be written to a folder, which need not exist yet.

    Args:
        room: bytes that will be written there at least.

    Raises:
        ValueError: if the path is a file's or leads through one, or the disk has less room.
        PermissionError: if the folder does not let us write.
    """
    folder = Path(folder)
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        kind = "a link to nowhere" if there.is_symlink() else "a file"
        raise ValueError(f"{there} is {kind}, but {folder} has to be a folder; choose another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(13, "cannot write", str(there))
    free = shutil.disk_usage(there).free
    if free < max(room, 1):
        raise ValueError(
            f"{there} has {free / 1e6:.1f} MB of free space, but at least {room / 1e6:.1f} MB will "
            "be written; free some or choose another folder"
        )
