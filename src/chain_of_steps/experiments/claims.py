"""The claims: what is said, where it is measured, and the rule that decides it (claims.yaml)."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .parameters import read

HYPOTHESES = ("glance", "blur", "one refinement", "chain")


class Control(BaseModel):
    """Where the claim must not pass: another cell, another metric, or both."""

    model_config = ConfigDict(extra="forbid")

    cell: str | None = None
    metric: str | None = None
    name: str = "one-glance control"


class Claim(BaseModel):
    """One entry of claims.yaml.

    Attributes:
        id: of the claim.
        claim: the sentence, with its threshold.
        where, paper: where the paper says what.
        figure, cell, metric: where {mean, low, high, n} stands in `figures/<figure>.json`: under
            `cells` (or `strata`, where cells are a list), the cell, and a path of names separated
            by dots.
        above, below, within: the rule; exactly one.
        room: what the cell must leave: room `at step 0`, for valid answers to be added; `at the
            end`, where single runs are neither all wrong nor all right; or `any`.
        guard: a metric of the same cell, the share of valid answers of which some may be lost.
        control: where the same rule must not pass.
        kind: `primary`, at most one statistic for a claim of the paper; `secondary`, also fixed
            before the run; `exploratory`, added after a look.
        predicts: what each hypothesis says of the claim. A claim on which all agree cannot be
            primary.
        controls: what was controlled, in words.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    claim: str
    where: str
    paper: str
    figure: str
    cell: str
    metric: str
    above: float | None = None
    below: float | None = None
    within: tuple[float, float] | None = None
    room: Literal["at step 0", "at the end", "any"] = "at step 0"
    guard: str | None = None
    control: Control | None = None
    kind: Literal["primary", "secondary", "exploratory"] = "secondary"
    predicts: dict[str, bool] = Field(default_factory=dict)
    controls: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Claim":
        if sum(rule is not None for rule in (self.above, self.below, self.within)) != 1:
            raise ValueError("it needs exactly one rule: above, below or within")
        if self.predicts and set(self.predicts) != set(HYPOTHESES):
            raise ValueError(f"predicts needs exactly {', '.join(HYPOTHESES)}")
        if self.kind == "primary" and len(set(self.predicts.values())) < 2:
            raise ValueError("it is primary, so its hypotheses must predict different outcomes")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The range that fulfils the rule."""
        low, high = self.within or (self.above, self.below)
        return (float("-inf") if low is None else low, float("inf") if high is None else high)


def claims_in(file: str | Path) -> list[Claim]:
    """The claims of a claims.yaml.

    Raises:
        ValueError: that names the faulty claim and what was expected.
    """
    listed = read(file, "claims")
    if not isinstance(listed, list):
        raise ValueError(f"{file} holds no list of claims")
    claims = []
    for number, entry in enumerate(listed, 1):
        try:
            claims.append(Claim.model_validate(entry))
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise ValueError(f"claim {number} of {file}: {place} {fault['msg']}") from None
    if len({claim.id for claim in claims}) < len(claims):
        raise ValueError(f"{file} has two claims of one id")
    return claims
