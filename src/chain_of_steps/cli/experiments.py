"""Commands about experiments: what they will cost, what they found, the rows they left."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .arguments import MINI, Count, FileOrDash, Flag, Model


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

    large = blueprint(model)
    found = experiments(params, scale, lambda _: large)
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
) -> None:
    """Judge every claim by the metrics files.

    Args:
        claims: File of the claims.
        figures: Folder of the figures; metrics are in its folder metrics.
        out: Markdown file to write; - is standard output.
        brief: Only the claims of the paper itself, as in the README.
    """
    from ..experiments import claims as ledger

    judged = ledger.judge(claims, figures)
    text = (
        ledger.brief(judged) if brief else ledger.markdown(judged) + ledger.open_questions(claims)
    )
    if out == "-":
        print(text, end="")
    else:
        Path(out).write_text(text, encoding="utf-8")


def store(
    what: Literal["ls", "verify", "prune"],
    /,
    *,
    results: Path = Path("results"),
    model: Annotated[Model, Parameter(help="Model whose rows `prune` keeps.")] = MINI,
) -> None:
    """List, verify or prune the stored rows.

    Args:
        what: List the rows, name damaged ones, or remove those that are damaged or outdated.
        results: Folder of the rows.
    """
    from ..models.video_model import VideoModel
    from ..sampling.denoise import EXPERIMENT_VERSION

    stores = _stores(results)
    wanted = (VideoModel.load(model).fingerprint, EXPERIMENT_VERSION) if what == "prune" else ()
    for each in stores:
        if what == "prune":
            each.seal({key for key, row in each.rows.items() if _made_by(row) == wanted})
        print(_summary(each, makers=what == "ls"))
    if what == "verify" and any(each.damaged for each in stores):
        raise ValueError(
            "damaged rows are ignored and computed again; `chain-of-steps store prune` sets them "
            "aside"
        )


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
