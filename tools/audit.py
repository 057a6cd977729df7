"""Looks up known vulnerabilities of the tested versions: `audit.py [requirements]`, by default
constraints.txt.

Exit code 1 if there are any. If pip-audit cannot be installed or the registry cannot be reached, it
prints that and exits with 0: a missing network is not a vulnerability.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# pip-audit is installed separately: it is not a dependency of the project.
TOOLS = ROOT / "build" / "audit"


def installed() -> bool:
    """Whether pip-audit is installed, or could be installed."""
    if (TOOLS / "pip_audit").is_dir():
        return True
    fetch = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(TOOLS), "pip-audit"]
    return subprocess.run(fetch, capture_output=True).returncode == 0


def weaknesses(requirements: Path) -> list[str] | None:
    """One line per known vulnerability; None if the registry could not be queried."""
    if not installed():
        return None
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(requirements),
        "--no-deps",
        "--disable-pip",
    ]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    run = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(TOOLS)},
    )
    return read(run.stdout)


def read(answer: str) -> list[str] | None:
    """The lines of pip-audit's answer; None if it is invalid or covers no package."""
    try:
        packages = [
            package
            for package in json.loads(answer)["dependencies"]
            if "skip_reason" not in package
        ]
    except (ValueError, KeyError, TypeError):
        return None
    if not packages:
        return None
    return [
        f"{package['name']} {package['version']}: {found['id']}, fixed in "
        f"{', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", [])
    ]


def main(arguments: list[str]) -> int:
    found = weaknesses(Path(arguments[0]) if arguments else ROOT / "constraints.txt")
    if found is None:
        print(
            "audit skipped: cannot reach pip-audit or the registry of known vulnerabilities from "
            "this machine"
        )
        return 0
    print("\n".join(found) or "no known vulnerabilities in the tested versions")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
