"""What the foot of every page says: version, licence, where the source is."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class About:
    """The project in a line.

    Attributes:
        repository: its address; None if neither CITATION.cff nor pyproject.toml names one and no
            workflow builds the site.
        paper: the address of the paper.
        citation: CITATION.cff as it is.
    """

    version: str
    licence: str
    repository: str | None
    paper: str
    summary: str
    citation: str


def about(root: Path) -> About:
    """Read from pyproject.toml and CITATION.cff."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    cited = yaml.safe_load(citation)
    return About(
        project["version"],
        project["license"],
        repository(cited, project),
        cited["references"][0]["url"],
        cited["abstract"],
        citation,
    )


def repository(cited: dict, project: dict) -> str | None:
    """Where the source is: a fork's own, if the fork's workflow builds the site."""
    of_workflow = os.environ.get("GITHUB_REPOSITORY")
    if of_workflow:
        return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{of_workflow}"
    urls = {name.lower(): url for name, url in project.get("urls", {}).items()}
    named = cited.get("repository-code") or urls.get("repository") or urls.get("source")
    return named or None
