"""Commands about experiments: what they will cost, what they found, the rows they left."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .arguments import Count, FileOrDash, Flag

EXACT = "exact"  # what rows of the exact posterior name instead of weights


def plan(
    *,
    model: Annotated[str, Parameter(metavar="NAME|DIR")],
    height: Count = 480,
    width: Count = 480,
    frames: Count = 49,
    experiment: Annotated[str | None, Parameter(metavar="NAME")] = None,
    scale: Annotated[str, Parameter(metavar="NAME")] = "real",
    params: Path = Path("params.yaml"),
) -> None:
    """Compute what experiments will cost, without loading any weights.

    Args:
        model: A model folder, or wan2.1-i2v-14b, wan2.2-i2v-a14b or vbvr-wan2.2.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        frames: Number of pixel frames.
        experiment: This experiment only.
        scale: Section of the file of parameters.
        params: File of parameters.
    """
    from ..experiments.cost_plan import blueprint, cost, report
    from ..figures.registry import experiments

    large = blueprint(model, frames)
    found = experiments(params, scale, lambda _: large, symbols=False)
    if experiment and experiment not in found:
        raise ValueError(f"unknown experiment {experiment!r}; expected one of {', '.join(found)}")
    chosen = [found[experiment]] if experiment else found.values()
    costs = [cost(each, runs, each.schedule) for each, runs in chosen]
    print(report(large, costs, height, width, frames))


def claims(
    *,
    claims: Path = Path("claims.yaml"),
    figures: Path = Path("figures"),
    out: FileOrDash = "-",
    brief: Flag = False,
    strict: Flag = False,
) -> None:
    """Judge every claim by the metrics files.

    Args:
        claims: File of the claims.
        figures: Folder of the metrics files.
        out: Markdown file to write, with the claims as JSON and their verdicts as a bar (SVG)
            alongside, by the same name; - is standard output, without these.
        brief: Only the primary claims, as in the README.
        strict: A claim that its figure does not measure is an error.
    """
    import json

    from ..common.files import atomic
    from ..experiments import ledger, verdict_bar

    lines = ledger.judge(claims, figures, strict=strict)
    if brief:
        lines = [line for line in lines if line.claim.kind == "primary"]
    text = ledger.markdown(lines)
    if out == "-":
        print(text, end="")
        return
    records = json.dumps([line.record() for line in lines], indent=1, ensure_ascii=False)
    bar = verdict_bar.svg(line.verdict for line in lines if not line.control)
    file = Path(out)
    written = {
        file: text,
        file.with_suffix(".json"): records + "\n",
        file.with_suffix(".svg"): bar,
    }
    for place, content in written.items():
        with atomic(place) as temporary:
            temporary.write_text(content, encoding="utf-8")


def store(
    what: Literal["ls", "verify", "prune"],
    /,
    *,
    results: Path = Path("results"),
    model: Annotated[
        list[str] | None,
        Parameter(metavar="DIR", negative=(), show_default="all in data"),
    ] = None,
) -> None:
    """List, verify or prune the stored rows.

    Args:
        what: List the rows, name damaged ones, or remove those that are damaged or outdated.
        results: Folder of the rows.
        model: Model whose rows `prune` keeps; may be given several times.
    """
    stores = _stores(results)
    current = _current(model) if what == "prune" else set()
    for each in stores:
        if what == "prune":
            each.seal({key for key, row in each.rows.items() if _network(row) in current})
        print(_summary(each, makers=what == "ls"))
    if what == "verify" and any(each.damaged for each in stores):
        raise ValueError(
            "damaged rows are ignored and computed again; `chain-of-steps store prune` sets them "
            "aside"
        )


def _current(models: list[str] | None) -> set[tuple]:
    """Weights and code version of rows that are not outdated; the exact posterior has no weights.

    Raises:
        ValueError: if there is no model.
    """
    from ..models.video_model import VideoModel
    from ..sampling.denoise import EXPERIMENT_VERSION

    found = [Path("data").glob(f"{depth}/model_index.json") for depth in ("*", "*/*")]
    folders = models or sorted(file.parent for files in found for file in files)
    if not folders:
        raise ValueError("there is no model in data; `dvc pull` fetches them, or name one: --model")
    weights = {VideoModel.load(folder).fingerprint for folder in folders}
    return {(each, EXPERIMENT_VERSION) for each in (*weights, EXACT)}


def _network(row: dict) -> tuple:
    """Weights and code version of a row, which may name a network of its own."""
    model, version = _made_by(row)
    return row["run"].get("weights", model), version


def _stores(folder: Path) -> list:
    """The stores of a folder, without their own warnings about damaged lines."""
    import warnings

    from ..experiments.store import Store, names

    found = names(folder)
    if not found:
        raise ValueError(f"there are no rows in {folder}; expected <experiment>.jsonl or .jsonl.gz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [Store(folder, name) for name in found]


def _summary(store, makers: bool) -> str:
    """What a store holds, in one line, then a line for each damaged one."""
    size = sum(f.stat().st_size for f in (store.growing, store.sealed) if f.exists())
    line = f"{store.experiment}: {len(store.rows)} rows, {size / 1e6:.1f} MB"
    if makers:
        found = sorted(set(map(_made_by, store.rows.values())))
        line += "".join(f"; model {model}, version {version}" for model, version in found)
    return line + "".join(f"\n  {place} is damaged" for place in store.damaged)


def _made_by(row: dict) -> tuple:
    """Model and code version of a row."""
    return row["run"].get("model"), row["run"].get("version")
