"""Would the tests notice? Applies each mutation of a table (mutations.yaml) to a copy of the
library and runs the test that has to fail.

    python tests/mutations.py [WORDS]     all mutations, or those whose names contain such a word

This takes minutes, so it is not part of the tests; `test_mutations.py` keeps the table in step with
the code. The tests are first run on the library as it is: they have to pass there, and what they
import need not be imported again for each mutation, which is a fork of this process.
"""

import compileall
import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

TESTS = Path(__file__).parent
ROOT = TESTS.parent
LIMIT = 600  # seconds, after which a mutation counts as noticed: the code does not end


class Mutation(NamedTuple):
    """One change to one place of the library.

    Attributes:
        file: in the package.
        what: is wrong then.
        original, mutated: a text that occurs once in the file, and what takes its place.
        test: that has to fail, `<file>::<function>`.
    """

    file: str
    what: str
    original: str
    mutated: str
    test: str

    @property
    def name(self) -> str:
        return f"{self.file}: {self.what}"


def table() -> list[Mutation]:
    """All mutations, in the order of the table."""
    by_file = yaml.safe_load((TESTS / "mutations.yaml").read_text(encoding="utf-8"))
    return [
        Mutation(file, what, *rest)
        for file, mutations in by_file.items()
        for what, rest in mutations.items()
    ]


class _Failures:
    """The tests that fail, as a plugin of pytest."""

    def __init__(self):
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.names.append(report.nodeid)


def failures(tests: list[str]) -> list[str]:
    """Runs tests (`<file>::<name>`) up to the first that fails; the names of those that fail.

    Raises:
        RuntimeError: if they cannot be run, so that nothing is known.
    """
    found = _Failures()
    options = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = pytest.main([*options, *(str(TESTS / test) for test in tests)], plugins=[found])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"{', '.join(tests)}: pytest ended with {code!r}")
    return found.names


def outcome(mutation: Mutation, library: Path) -> str:
    """What the tests say to a mutation: the test that fails, or `SURVIVED`, or what went wrong."""
    file = library / "chain_of_steps" / mutation.file
    original = file.read_text(encoding="utf-8")
    ours, theirs = multiprocessing.Pipe(duplex=False)
    file.write_text(original.replace(mutation.original, mutation.mutated), encoding="utf-8")
    process = multiprocessing.get_context("fork").Process(
        target=_try, args=(mutation, library, theirs)
    )
    process.start()
    try:
        return ours.recv() if ours.poll(LIMIT) else "it does not end"
    finally:
        process.kill()
        process.join()
        file.write_text(original, encoding="utf-8")


def _try(mutation: Mutation, library: Path, answer: Connection) -> None:
    """In a fork: forgets the library and the tests, and imports them with the mutation."""
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").is_relative_to(ROOT):
            del sys.modules[name]
    sys.path.insert(0, str(library))
    try:
        answer.send((failures([mutation.test]) or ["SURVIVED"])[0])
    except Exception as error:
        answer.send(f"FAULTY: {error}")


def main(*words: str) -> int:
    """Tries mutations; returns how many survived or could not be tried."""
    sys.dont_write_bytecode = True  # two mutations within a second may have files of equal size
    chosen = [each for each in table() if not words or any(w in each.name for w in words)]
    if broken := failures(sorted({mutation.test for mutation in chosen})):
        sys.exit(f"without a mutation {broken[0]} fails already")
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "src"
        shutil.copytree(ROOT / "src", library, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(library, quiet=1)  # all but the mutated file is then read as it is
        for mutation in chosen:
            said = outcome(mutation, library)
            bad += said.startswith(("SURVIVED", "FAULTY"))
            print(f"{mutation.name}: {said}", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} mutations are noticed")
    return bad


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    sys.exit(min(main(*sys.argv[1:]), 1))
