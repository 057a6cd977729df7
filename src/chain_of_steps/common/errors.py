"""Runs a command and reports its errors: one sentence on standard error, a non-zero exit code.

Every command goes through `run_command`, including those of tools/. A traceback is shown only with
`--debug`. The exit code says whether the user can fix the error or whether it is a bug.
"""

import errno
import sys
from collections.abc import Callable

USER_ERROR, BUG, INTERRUPTED = 2, 70, 130  # exit codes; the last two are customary
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS}


def run_command(command: Callable[[], int | None], name: str, debug: bool = False) -> int:
    """Runs a command and returns its exit code; an error becomes one sentence on standard error.

    Args:
        name: of the command; the sentence begins with it.
        debug: raise errors instead, so that Python shows the traceback.
    """
    for stream in (sys.stdout, sys.stderr):  # names that are not UTF-8, terminals that are not
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return command() or 0
    except KeyboardInterrupt:
        print(
            f"\n{name}: interrupted; finished work is kept, and the same command resumes from "
            "there",
            file=sys.stderr,
        )
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        print(f"{name}: {sentence(error)}", file=sys.stderr)
        return (
            USER_ERROR
            if isinstance(error, (ValueError, OSError, MemoryError, RuntimeError, ImportError))
            else BUG
        )


def sentence(error: Exception) -> str:
    """One line: what is wrong, and what to do about it."""
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which `--help` does not import
        return (
            "the GPU's memory is full; clips are already processed one at a time, so use fewer "
            "frames, a smaller size or --load dtype=bfloat16"
        )
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return f"the disk is full{where}; free some space and run again: finished work is kept"
    if isinstance(error, OSError) and error.errno in NO_ACCESS:
        return f"cannot read or write here{where}; use another folder, or change its permissions"
    if isinstance(error, (ValueError, OSError, MemoryError, RuntimeError, ImportError)):
        return " ".join(str(error).split()) or type(error).__name__
    return (
        f"{type(error).__name__}: {error}; this is a bug in Chain of Steps: run it again with "
        "--debug and report the traceback"
    )
