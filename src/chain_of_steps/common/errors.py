"""What went wrong, in one sentence: errors that a user can mend are told so, all others are ours.

Every command ends here, the tools' too: a sentence on standard error, a non-zero exit code, no trace-back unless
`--debug` asks for one.
"""

import errno
import sys
from collections.abc import Callable

MENDABLE, OURS, STOPPED = 2, 70, 130  # exit codes: the user can mend it, it is a bug, Ctrl-C
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def told(command: Callable[[], int | None], name: str, debug: bool = False) -> int:
    """Runs a command and returns its exit code; an error becomes one sentence on standard error.

    Args:
        name: what the sentence begins with.
        debug: let errors through, with their trace-back.
    """
    try:
        return command() or 0
    except KeyboardInterrupt:
        print(
            f"\n{name}: stopped; what was finished is kept, and the same command goes on from there",
            file=sys.stderr,
        )
        return STOPPED
    except Exception as error:
        if debug:
            raise
        print(f"{name}: {sentence(error)}", file=sys.stderr)
        return (
            MENDABLE
            if isinstance(error, (ValueError, OSError, MemoryError, RuntimeError, ImportError))
            else OURS
        )


def sentence(error: Exception) -> str:
    """One line that says what is wrong and what to do."""
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    if type(error).__name__ == "OutOfMemoryError":  # torch's; it need not be imported for `--help`
        return (
            "the GPU's memory is full; clips already go one at a time, so ask for fewer frames, a smaller size or "
            "--dtype bfloat16"
        )
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk is full{where}; free some space and call again: what was finished is kept"
    if isinstance(error, OSError) and error.errno in CLOSED:
        return f"this place cannot be written to or read{where}; name another, or change its permissions"
    if isinstance(error, (ValueError, OSError, MemoryError, RuntimeError, ImportError)):
        return " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {error}; this is our fault, not yours: --debug shows where it happened"
