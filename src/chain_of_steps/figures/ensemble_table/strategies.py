"""Every line of the table: an arm, the choice among its runs, what it costs, and whether it is
blind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from ...sampling.arms import Arm, Merged, Runs
from . import choices
from .runs import LEVEL, LEVELS


@dataclass(frozen=True)
class Strategy:
    """A line of the table.

    Attributes:
        design: of its rows.
        k: its evaluations are about those of k single runs, or fewer.
        runs: how many of a row's runs are chosen among.
        choose: (result, runs) to the index of the run that counts; None for an arm of one run.
        rests_on: what the choice needs of each run: its end, an early plan (one of them is then
            finished), or its end and one evaluation more, by which it is recognised.
        blind: whether it uses neither rules nor solutions.
        role: `own` or `rival`: of each the best is found on validation samples; or `control`.
    """

    design: str
    k: int
    runs: int = 1
    choose: Callable[[dict, int], int] | None = None
    rests_on: Literal["end", "plan", "error"] = "end"
    blind: bool = True
    role: Literal["own", "rival", "control"] = "control"

    def valid(self, result: dict) -> bool | None:
        """Whether its answer is valid; None if the row has fewer runs."""
        if len(result["answers"]) < self.runs:
            return None
        return result["valids"][self.choose(result, self.runs) if self.choose else 0] == "1"

    def nfe(self, arm: Arm, steps: int) -> int:
        """How many evaluations it makes alone, at most.

        Args:
            arm: of its design.
            steps: of the schedule.
        """
        if isinstance(arm, Merged):
            return replace(arm, followed=self.runs).more(steps)
        if not isinstance(arm, Runs):
            return arm.shared(steps)[0] * steps + arm.more(steps)
        if self.rests_on == "plan":
            return self.runs * arm.early + steps - arm.early
        return self.runs * ((arm.steps or steps) + (self.rests_on == "error"))


def strategies(arms: Mapping[str, Arm]) -> dict[str, Strategy]:
    """The lines of the table, in its order.

    Args:
        arms: by design.
    """
    short = arms["short"].k
    return {
        "single": Strategy("single", 1, role="rival"),
        "stochastic": Strategy("stochastic", 1, role="rival"),
        **_among(3, "rival", "own"),
        "x0_merge": Strategy("x0_merge", 3, role="own"),
        "short": Strategy("short", 3, short, choices.recognised, "error", role="own"),
        "refined": Strategy("refined", 3, role="rival"),
        "more_steps_3": Strategy("more_steps_3", 3, role="rival"),
        "paper_recipe": Strategy("paper_recipe", 1),
        "recipe_vote": Strategy("paper_recipe", 3, 3, choices.vote),
        "recipe_window": Strategy("recipe_window", 3),
        "recipe_delta": Strategy("recipe_delta", 3),
        "recipe_soft": Strategy("recipe_soft", 3),
        "recipe_stranger": Strategy("recipe_stranger", 3),
        "x0_stranger": Strategy("x0_stranger", 3),
        "refined_checked": Strategy("refined_checked", 3, blind=False),
        **_among(9, "control", "control"),
        "x0_merge_9": Strategy("x0_merge_9", 9),
    }


def _among(k: int, known: str, ours: str) -> dict[str, Strategy]:
    """The choices among k single runs; roles of those that others proposed, and of ours."""
    single = ("single", k, k)
    recognised, both = (
        partial(choose, level=LEVELS.index(LEVEL))
        for choose in (choices.recognised, choices.recognised_vote)
    )
    return {
        f"vote_{k}": Strategy(*single, choices.vote, role=known),
        f"early_plan_{k}": Strategy(*single, choices.early_plan, "plan", role=known),
        f"recognised_{k}": Strategy(*single, recognised, "error", role=known),
        f"recognised_vote_{k}": Strategy(*single, both, "error", role=ours),
        f"checked_plan_{k}": Strategy(*single, choices.checked_plan, "plan", blind=False),
        f"fewest_violations_{k}": Strategy(*single, choices.fewest_violations, blind=False),
        f"pass_at_{k}": Strategy(*single, choices.first_valid, blind=False),
    }
