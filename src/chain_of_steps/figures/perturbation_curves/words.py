"""The figure's three questions, answered in words by its numbers."""

ROOM = 0.9  # valid answers at step 0, above which nothing is left for the steps
FAILED = 0.2  # valid answers at the end, below which nothing is there to be lost


def answers(summary: dict) -> str:
    """As Markdown: whether figure 3b appears, where its drop comes from, when it is decided."""
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
            "**Damage or decision?** " + _source(cells),
            "**When is it decided?** " + _decided(whole),
        )
    )


def _fragile(cells: dict, which: str) -> str:
    tested = {name: cell["step_minus_frame"] for name, cell in cells.items()}
    tested = {name: found for name, found in tested.items() if found["n"]}
    if not tested:
        return f"no cell {which} was tested."
    sides = {
        "one step costs more than one inner frame in": [
            f"{name} ({signed(found)})" for name, found in tested.items() if found["low"] > 0
        ],
        "it costs less in": [
            f"{name} ({signed(found)})" for name, found in tested.items() if found["high"] < 0
        ],
        "the interval contains 0 in": [
            f"{name} ({signed(found)})"
            for name, found in tested.items()
            if found["low"] <= 0 <= found["high"]
        ],
    }
    said = [f"{text} {'; '.join(names)}" for text, names in sides.items() if names]
    return f"of {len(tested)} cells {which}, " + ", and ".join(said) + "."


def _source(cells: dict) -> str:
    """The drop under replacement is that under level-correct noise plus the damage."""
    said = [
        f"{name}: {signed(cell['step_noise_drop'])} = decision "
        f"{signed(cell['level_correct_drop'])} + damage {signed(cell['damage'])}"
        for name, cell in cells.items()
        if cell["step_noise_drop"]["low"] > 0
    ]
    if not said:
        return "In no cell does noise at a step cost valid answers, so there is nothing to explain."
    return "Where noise at a step costs valid answers: " + "; ".join(said) + "."


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
