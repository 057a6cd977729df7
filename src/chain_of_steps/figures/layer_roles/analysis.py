"""From rows of energy and of patches to numbers: curves, flips, and flips above both nulls."""

import numpy as np
import pandas as pd

from ...bench.samples import task_of
from ...measures.intervals import clustered, difference, proportion
from ...measures.traces import decoded
from ..summaries import by_cell, mean
from .energy import CURVES
from .pairs import REGIONS

NULLS = ("noise", "elsewhere")
READ = ("flip", "kept", "rest", "valid")  # of the final answer of a patched generation
FOUND = ("flip_estimate", "way", *(f"{name}_{how}" for how in ("single", "held") for name in READ))
PLACE = ("cell", "index", "cluster", "region", "kind", "step", "layer")


def energy(rows: list[dict]) -> dict:
    """By cell: mean `norm`, `channel_variance` and `temporal`, each (S, 1 + L), their number `n`,
    and `growth`, the norm after the last block over that after the first, mean over steps, with its
    interval."""
    found = {}
    for cell, own in by_cell(rows).items():
        curves = {
            name: np.round(np.mean([row["result"][name] for row in own], axis=0), 4).tolist()
            for name in CURVES
        }
        found[cell] = curves | {"n": len(own), "growth": mean(own, _growth)}
    return found


def _growth(result: dict) -> float:
    norm = np.array(result["norm"])  # (S, 1 + L)
    return float((norm[:, -1] / norm[:, 1]).mean())


def swap_lines(rows: list[dict]) -> pd.DataFrame:
    """A line for every patch and layer, of pairs of which there are any.

    Columns besides `PLACE`, NaN where not computed. `flip_...`: all parts that are read show the
    donor's values, in the step's clean `estimate`, or in the final video of a patch of a `single`
    step or of one that is `held` from there on; `kept_...`: they show the receiver's own;
    `rest_...`: all other parts are as in the receiver's answer; `valid_...`: the whole answer is;
    and `way`, how far the clean estimate went towards the donor's.
    """
    lines = []
    for row in rows:
        run, result = row["run"], row["result"]
        if not result["eligible"]:
            continue
        place = {name: run[name] for name in ("cell", "index", "region", "kind", "step")}
        place["cluster"] = result["sample"]["cluster"]
        own, donor = decoded([result["own"], result["donor"]])
        for k, layer in enumerate(run["layers"]):
            line = place | {"layer": layer}
            if "estimate" in result:
                flip, _, _ = shown(result["estimate"][k], own, donor, result["parts"])
                line |= {"flip_estimate": flip, "way": result["way"][k]}
            if result["answer"]:
                how = "held" if run["held"] else "single"
                found = *shown(result["answer"][k], own, donor, result["parts"]), result["valid"][k]
                line |= {f"{name}_{how}": v for name, v in zip(READ, found, strict=True)}
            lines.append(line)
    table = pd.DataFrame(lines, columns=[*PLACE, *FOUND])
    return table.groupby(list(PLACE), as_index=False, sort=False).first()


def shown(text: str, own: np.ndarray, donor: np.ndarray, parts: list[int]) -> tuple:
    """Whether an answer shows the donor's values in all `parts`, the receiver's own in all, and
    the receiver's in all other parts (None if there are none).

    Args:
        text: of the answer, as in `traces.encoded`.
        own, donor: clean answers (P,).
    """
    (answer,) = decoded([text])
    rest = np.setdiff1d(np.arange(len(own)), parts)
    same = answer == own
    flip = bool((answer[parts] == donor[parts]).all())
    return flip, bool(same[parts].all()), bool(same[rest].all()) if len(rest) else None


def swaps(rows: list[dict], middle: int, early: int, late: int) -> dict:
    """By cell: how many pairs were `drawn` and are `eligible`, what is claimed of the first region
    (see `claimed`), the same of all `regions`, and `curves` over layers.

    Args:
        middle: the layer that claims are about.
        early, late: the steps from which patches are held, see `LayerSwaps`.
    """
    lines, found = swap_lines(rows), {}
    for cell, own in by_cell(rows).items():
        names = REGIONS[task_of(cell)]
        here = lines[lines["cell"] == cell]
        drawn = {row["run"]["index"]: row["result"]["eligible"] for row in own}
        at = here[here["layer"] == middle]
        regions = {name: claimed(at[at["region"] == name], early, late) for name in names}
        found[cell] = regions[names[0]] | {
            "drawn": len(drawn),
            "eligible": sum(drawn.values()),
            "regions": regions,
            "curves": curves(here, names[0], early),
            "way": _way(here, early),
        }
    return found


def claimed(lines: pd.DataFrame, early: int, late: int) -> dict:
    """Shares of patches of one region at one layer, and of each flip `..._minus_noise`,
    `..._minus_elsewhere` and `..._minus_null`, the paired difference to a flip under either null.

    `flip_single`, one step, S/5; `flip_first`, one step, the first, as in the paper; `flip_held`,
    from S/5 to the end; `flip_late_held`, in the last steps only, which pastes the donor's tokens
    into a finished video; each with `kept_...`, `rest_...` and `valid_...`. The clean estimate of
    the patched step itself: `flip_estimate` at S/5, `flip_first_estimate`.
    """
    finals = {"first": (0, "single"), "single": (early, "single")}
    finals |= {"held": (early, "held"), "late_held": (late, "held")}
    views = {
        f"{name}_{how}": (f"{name}_{column}", step)
        for how, (step, column) in finals.items()
        for name in READ
    }
    views |= {
        "flip_estimate": ("flip_estimate", early),
        "flip_first_estimate": ("flip_estimate", 0),
    }
    result = {}
    for name, (column, step) in views.items():
        at = lines[lines["step"] == step]
        own = at[(at["kind"] == "state") & at[column].notna()]
        result[name] = proportion(own[column].astype(bool), own["cluster"].tolist())
        if name.startswith("flip"):
            result |= {f"{name}_minus_{null}": minus(at, column, (null,)) for null in NULLS}
            result[f"{name}_minus_null"] = minus(at, column)
    return result


def minus(lines: pd.DataFrame, column: str, nulls: tuple[str, ...] = NULLS) -> dict:
    """The share of patches that flip minus the share of pairs in which any of these nulls does,
    paired, as `intervals.difference`.

    Args:
        lines: of one region, layer and step.
    """
    wide = lines.pivot(index=["index", "cluster"], columns="kind", values=column)
    if not {"state", *nulls} <= set(wide.columns):
        return difference([], [])
    wide = wide[["state", *nulls]].dropna().astype(bool)
    clusters_of = wide.index.get_level_values("cluster").tolist()
    return difference(wide["state"], wide[list(nulls)].any(axis=1), clusters_of)


def curves(lines: pd.DataFrame, region: str, early: int) -> dict:
    """Shares that flip by layer, of one region, at or held from step `early`: `flip_estimate` and
    `flip_held`, each by kind: a list of {layer, mean, low, high, n, clusters}. All layers of a
    curve are of the same pairs."""
    own = lines[(lines["region"] == region) & (lines["step"] == early)]
    return {column: _by_layer(own, column) for column in ("flip_estimate", "flip_held")}


def _by_layer(lines: pd.DataFrame, column: str) -> dict:
    known = lines[lines[column].notna()]
    layers = known.groupby("index")["layer"].nunique()
    known = known[known["index"].isin(layers.index[layers == layers.max()])]
    return {
        kind: [
            {"layer": int(layer)} | proportion(at[column].astype(bool), at["cluster"].tolist())
            for layer, at in own.groupby("layer")
        ]
        for kind, own in known.groupby("kind")
    }


def _way(lines: pd.DataFrame, early: int) -> dict:
    """How far patches at step `early` move the clean estimate, by region and layer."""
    own = lines[(lines["kind"] == "state") & (lines["step"] == early) & lines["way"].notna()]
    return {
        region: [
            {"layer": int(layer)} | clustered(at["way"], at["cluster"].tolist())
            for layer, at in one.groupby("layer")
        ]
        for region, one in own.groupby("region")
    }


def swap_map(lines: pd.DataFrame, cell: str, column: str) -> dict:
    """Flips minus flips under either null, by step and layer of the first region: `values`
    (steps, layers), `steps`, and the number `n` of pairs, which are the same everywhere.

    Args:
        column: `flip_held` or `flip_estimate`.
    """
    region = REGIONS[task_of(cell)][0]
    own = lines[(lines["cell"] == cell) & (lines["region"] == region) & lines[column].notna()]
    layers = own.groupby("step")["layer"].transform("nunique")
    own = own[layers == layers.max()]  # elsewhere only the middle layer was patched
    wide = own.pivot(index=["index", "step", "layer"], columns="kind", values=column)
    if wide.empty:
        return {"values": [], "steps": [], "n": 0}
    gain = wide["state"].astype(float) - wide[list(NULLS)].astype(bool).any(axis=1)
    table = gain.unstack(["step", "layer"]).dropna()  # pairs with every step and layer
    values = table.mean().unstack("layer").sort_index()
    steps = [int(step) for step in values.index]
    return {"values": np.round(values.to_numpy(), 4).tolist(), "steps": steps, "n": len(table)}


def merged(energy: dict, probes: dict, swaps: dict) -> dict:
    """What is published, by cell: all of the patches, and the rest under `energy` and `probe`."""
    found: dict = {}
    for cell in dict.fromkeys([*energy, *probes, *swaps]):
        found[cell] = dict(swaps.get(cell, {}))
        found[cell] |= {"energy": energy[cell]} if cell in energy else {}
        found[cell] |= {"probe": probes[cell]} if cell in probes else {}
    return {"cells": found}
