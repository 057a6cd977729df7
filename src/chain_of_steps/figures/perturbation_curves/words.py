"""The figure's questions, answered in words by its numbers."""

ROOM = 0.9  # valid answers at step 0, above which nothing is left for the steps
FAILED = 0.2  # valid answers at the end, below which nothing is there to be lost


def answers(summary: dict) -> str:
    """As Markdown: whether figure 3b appears, where its drop comes from and where it is largest,
    what a restart loses, when the answer is decided."""
    whole = summary["cells"]
    cells = {name: cell for name, cell in whole.items() if cell["clean"]["mean"] >= FAILED}
    room = {name: cell for name, cell in cells.items() if cell["first"]["mean"] <= ROOM}
    rest = {name: cell for name, cell in cells.items() if name not in room}
    failed = "; ".join(name for name in whole if name not in cells)
    return "\n\n".join(
        (
            "**Does figure 3b appear where there is room?** " + _fragile(room, "with room"),
            "Where there is none: "
            + _fragile(rest, "without room")
            + (f" Not counted, since even clean runs fail: {failed}." if failed else ""),
            "**Damage or lost work?** " + _source(cells),
            "**Does noise cost most in the middle?** " + _peaks(cells),
            "**Do partial results count?** " + _partial(cells),
            "**Is one refinement enough?** " + _refined(cells),
            "**When is it decided?** " + _decided(whole),
        )
    )


def _fragile(cells: dict, which: str) -> str:
    tested = _known(cells, "inner_step_minus_frame")
    if not tested:
        return f"no cell {which} was tested."
    sides = {
        "the inner frames at one step cost more than one of them at all steps in": 1,
        "they cost less in": -1,
        "the interval contains 0 in": 0,
    }
    said = _sorted(tested, sides)
    return f"of {len(tested)} cells {which}, {said}."


def _known(cells: dict, metric: str) -> dict:
    """A metric of the cells that have it."""
    found = {name: cell[metric] for name, cell in cells.items()}
    return {name: each for name, each in found.items() if each["mean"] is not None}


def _sorted(tested: dict, sides: dict[str, int]) -> str:
    """Cells by the side of 0 on which their interval lies."""
    said = []
    for text, side in sides.items():
        names = [f"{name} ({signed(found)})" for name, found in tested.items()]
        names = [
            name for name, found in zip(names, tested.values(), strict=True) if _side(found) == side
        ]
        said += [f"{text} {'; '.join(names)}"] if names else []
    return ", and ".join(said)


def _side(found: dict) -> int:
    return int(found["low"] > 0) - int(found["high"] < 0)


def _source(cells: dict) -> str:
    """The drop under replacement is what a restart there loses by the end, plus the damage."""
    said = [
        f"{name}: {signed(cell['drop_at_restarts'])} = lost work {signed(cell['lost_work'])} + "
        f"damage {signed(cell['damage'])}"
        for name, cell in cells.items()
        if cell["drop_at_restarts"]["n"] and cell["drop_at_restarts"]["low"] > 0
    ]
    if not said:
        return "In no cell does noise at a step cost valid answers, so there is nothing to explain."
    return "Where noise at a step costs valid answers: " + "; ".join(said) + "."


def _peaks(cells: dict) -> str:
    """Whether a step in the middle costs more than an early and than a late one, replaced."""
    said = []
    for name, cell in cells.items():
        spans = {span: cell[f"middle_minus_{span}"]["replace"] for span in ("early", "late")}
        if all(each["n"] for each in spans.values()):
            peak = "yes" if all(each["low"] > 0 for each in spans.values()) else "not shown"
            parts = " and ".join(f"{signed(each)} against {span}" for span, each in spans.items())
            said.append(f"{name}: {peak} ({parts})")
    return "; ".join(said) + "." if said else "Not measured."


def _partial(cells: dict) -> str:
    tested = _known(cells, "restart_loss_minus_exact")
    sides = {
        "a restart loses more than the exact posterior loses by it in": 1,
        "it loses less in": -1,
        "the interval contains 0 in": 0,
    }
    said = _sorted(tested, sides)
    return f"Of {len(tested)} cells, {said}." if said else "Not measured."


def _refined(cells: dict) -> str:
    tested = _known(cells, "over_one_refinement")
    sides = {
        "all steps give more valid answers in": 1,
        "fewer in": -1,
        "the interval contains 0 in": 0,
    }
    said = _sorted(tested, sides)
    return f"Of {len(tested)} cells, {said}." if said else "Not measured."


def _decided(cells: dict) -> str:
    known = {name: cell for name, cell in cells.items() if cell["half_sigma"]["n"]}
    said = [
        f"{name} at $\\sigma$ = {cell['half_sigma']['mean']:.2f} "
        f"({cell['half_sigma']['low']:.2f} to {cell['half_sigma']['high']:.2f})"
        for name, cell in known.items()
        if cell["half_sigma"]["mean"] is not None
    ]
    never = [name for name, cell in known.items() if cell["half_sigma"]["mean"] is None]
    parts = (
        ["Half of what another seed changes is decided: " + "; ".join(said) + "."] if said else []
    )
    if never:
        parts.append("Another seed changes nothing in " + "; ".join(never) + ".")
    return " ".join(parts) or "Nothing was measured."


def signed(found: dict) -> str:
    """`+.12`."""
    return f"{found['mean']:+.2f}".replace("0.", ".", 1)
