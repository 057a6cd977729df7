"""Every row of the ensemble table by group and name, for a given number of layers and of steps.

`table`: the paper's recipe, merged clean estimates, rivals of at most the same cost, and what
recognition finds among the same three runs or among short ones. `own`: strategies of this project.
`control`: strategies that should gain nothing if a claim holds, and other readings of "merged".
`ablation`: how many generations, how many steps. `account`: why merging helps, see `hypotheses`.
"""

from .base import Strategy

# of the contest
RIVALS = ("single", "vote_k3", "medoid_k3", "early_plan_k3", "early_steady_k3", "x0_merge_k3")
# noise levels at which clips are recognised: the one that won on the choosing partition, and one
# more that was tried
LEVEL, HIGH = 0.4, 0.8


def variants(layers: int, steps: int, window: int, early: int) -> dict[str, dict[str, Strategy]]:
    """All strategies.

    Args:
        layers: of the transformer.
        steps: of the schedule, S.
        window: how many of the first steps are merged: until the answer is decided.
        early: after how many steps an early plan is chosen; 2 at least, for how much it changes.

    Raises:
        ValueError: if there are not so many steps.
    """
    if not 1 <= window <= steps or not 2 <= early <= steps:
        raise ValueError(
            f"expected a window of 1 to {steps} steps and a choice after 2 to {steps}, "
            f"not {window}, {early}"
        )
    return {
        "table": _table(quarter(layers, 2), window, early, steps),
        "control": _controls(layers, window, early, steps),
        "ablation": _ablations(window, steps),
        "account": _accounts(window),
        "own": _own(window, early, steps),  # last: what is in another group too is listed there
    }


def quarter(layers: int, number: int) -> tuple[int, ...]:
    """The layers of one quarter of the depth, 0 to 3; at least one."""
    first = layers * number // 4
    return tuple(range(first, max(first + 1, layers * (number + 1) // 4)))


def _short(early: int, steps: int, level: float, company: str = "seeds") -> Strategy:
    """As many runs of `early` steps as three of all steps pay for, each with the one evaluation by
    which it is recognised."""
    return Strategy("recognised", 3 * steps // (early + 1), early, company=company, amount=level)


def _table(third: tuple[int, ...], window: int, early: int, steps: int) -> dict[str, Strategy]:
    """With the paper's recipe as the sources have it: three seeds, the third quarter of the layers,
    the first step."""
    return {
        "single": Strategy("single"),
        "vote_k3": Strategy("vote"),
        "medoid_k3": Strategy("best_agreed"),
        "early_plan_k3": Strategy("early_plan", steps=early),
        "early_steady_k3": Strategy("early_steady", steps=early),
        "paper_recipe": Strategy("merge", steps=1, merge="lock_step", layers=third),
        "recipe_window": Strategy("merge", steps=window, merge="lock_step", layers=third),
        "x0_merge_k3": Strategy("merge", steps=window, merge="x0_hat"),
        "recognised_k3": Strategy("recognised", amount=LEVEL),
        "recognised_short": _short(early, steps, LEVEL),
    }


def _own(window: int, early: int, steps: int) -> dict[str, Strategy]:
    """At the cost of three runs at most; short runs have as many steps as come before an early
    plan."""
    return {
        "merge_until_agreed": Strategy("merge_until_agreed", steps=min(steps, 2 * window)),
        "merge_weighted": Strategy("merge", steps=window, merge="weighted"),
        "merge_vote": Strategy("merge_vote", steps=window, merge="x0_hat"),
        "branch_late": Strategy("branch_late", steps=max(1, window // 2)),
        "nearest_short": Strategy("nearest", 3 * steps // early, early),
        "recognised_short": _short(early, steps, LEVEL),
        "recognised_high": _short(early, steps, HIGH),
        "recognised_long": Strategy(
            "recognised", 3 * steps // (2 * early + 1), 2 * early, amount=LEVEL
        ),
        "linger": Strategy("linger", steps=window),
        "linger_longer": Strategy(
            "linger", max(1, (3 * steps - (steps - window)) // window), window
        ),
        "linger_throughout": Strategy("linger", steps=steps),
    }


def _controls(layers: int, window: int, early: int, steps: int) -> dict[str, Strategy]:
    third = quarter(layers, 2)
    others = {f"layers_{25 * n}_{25 * n + 25}": quarter(layers, n) for n in (0, 1, 3)}
    return {
        "recipe_all": Strategy("merge_all", steps=1, merge="lock_step", layers=third),
        "recipe_stored": Strategy("merge", steps=window, merge="stored", layers=third),
        "recipe_delta": Strategy("merge", steps=window, merge="delta", layers=third),
        "recipe_soft": Strategy("merge", steps=window, merge="soft", layers=third, amount=0.5),
        **{
            name: Strategy("merge", steps=window, merge="lock_step", layers=which)
            for name, which in others.items()
        },
        "layers_random": Strategy("random_layers", steps=window, merge="lock_step", layers=third),
        "recipe_strangers": Strategy(
            "merge", steps=window, merge="lock_step", layers=third, company="strangers"
        ),
        "recipe_repeated": Strategy(
            "merge", steps=window, merge="lock_step", layers=third, company="repeated"
        ),
        "x0_strangers": Strategy("merge", steps=window, merge="x0_hat", company="strangers"),
        "recognised_by_stranger": _short(early, steps, LEVEL, "strangers"),
        "velocity_merge": Strategy("merge", steps=window, merge="velocity"),
        "latents_mean": Strategy("merge", steps=2, merge="latents"),
        "latents_rescaled": Strategy("merge", steps=2, merge="rescaled"),
    }


def _ablations(window: int, steps: int) -> dict[str, Strategy]:
    """Merged clean estimates with other numbers of generations (the window fixed) and of steps
    (three generations)."""
    by_k = {f"x0_merge_k{k}": Strategy("merge", k, window, "x0_hat") for k in (2, 5, 9)}
    lengths = sorted({1, max(1, window // 2), min(steps, window * 3 // 2), steps} - {window})
    return by_k | {f"x0_merge_{n}_steps": Strategy("merge", 3, n, "x0_hat") for n in lengths}


def _accounts(window: int) -> dict[str, Strategy]:
    """Strategies to which only one of the three explanations applies; they are compared with
    x0_merge_k3."""
    return {
        "nearby_mean": Strategy("noisy_mean", steps=window, amount=0.3),
        "fresh_mean": Strategy("noisy_mean", steps=window, amount=1.0),
        "fresh_single": Strategy("noisy_mean", 1, window, amount=1.0),
        "linger": Strategy("linger", steps=window),
        "medoid_each_step": Strategy("merge", steps=window, merge="medoid"),
        "vote_midway": Strategy("vote_midway", steps=window),
    }
