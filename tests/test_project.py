"""The files around the code agree with one another."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCAL_PATH = re.compile(rb"(?<![\w.~-])/(?:work|root|home|Users)/\w")


def by_name(lines: list[str]) -> dict[str, Requirement]:
    """Requirements by canonical package name; fails if a package is listed twice."""
    requirements = [Requirement(line) for line in lines]
    named = {canonicalize_name(r.name): r for r in requirements}
    assert len(named) == len(requirements)
    return named


def direct(*extras: str) -> dict[str, Requirement]:
    """Direct dependencies in pyproject.toml, with those of the named extras."""
    return by_name(
        PROJECT["dependencies"] + [r for e in extras for r in PROJECT["optional-dependencies"][e]]
    )


def pinned_versions() -> dict[str, str]:
    """Exact version of every package in constraints.txt."""
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and line[0] != "#"
    ]
    versions = {}
    for name, requirement in by_name(lines).items():
        (pin,) = requirement.specifier
        assert pin.operator == "==" and "+" not in pin.version, (
            f"{requirement}: expected name==version"
        )
        versions[name] = pin.version
    return versions


def repository_files() -> list[Path]:
    """Files that git tracks or would add."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout to know which files belong to the repository")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_every_direct_dependency_has_a_tested_version_within_its_range():
    versions = pinned_versions()
    for name, requirement in direct(*PROJECT["optional-dependencies"]).items():
        assert name in versions, f"{name} is in pyproject.toml but not in constraints.txt"
        assert requirement.specifier.contains(versions[name]), (
            f"{requirement}, but tested with {versions[name]}"
        )


def test_environment_yml_lists_the_direct_dependencies_at_their_tested_versions():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    versions = pinned_versions()
    expected = {name: f"=={versions[name]}" for name in direct("large", "ray", "test", "web")}
    assert {
        name: str(requirement.specifier) for name, requirement in by_name(pip).items()
    } == expected


def test_citation_names_the_project_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (paper,) = citation["references"]
    assert citation["title"] == "Chain of Steps"
    assert (
        str(citation["version"]) == PROJECT["version"] and citation["license"] == PROJECT["license"]
    )
    assert paper["title"] == "Demystifying Video Reasoning"
    assert paper["identifiers"] == [{"type": "other", "value": "arXiv:2603.16870"}]


def test_no_file_names_a_path_of_somebodys_machine():
    found = []
    for path in repository_files():
        content = path.read_bytes()
        if b"\0" not in content[:8192] and LOCAL_PATH.search(content):
            found.append(str(path.relative_to(ROOT)))
    assert not found


@pytest.mark.parametrize("folder", ["work", "root", "home", "Users"])
def test_local_paths_are_told_from_other_paths(folder):
    for start in ["/", "file:///", "open('/", "path=/"]:
        assert LOCAL_PATH.search(f"{start}{folder}/x".encode())
    for start in ["", "../", "src/", "~/", "https://example.org/"]:
        assert not LOCAL_PATH.search(f"{start}{folder}/x".encode())
