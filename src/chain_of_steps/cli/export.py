"""The command that exports a model for a page."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..common.files import check_place
from .arguments import MINI, Model


def export_web(
    *,
    model: Annotated[
        Model, Parameter(help="Folder of the model: data/mini, or one like it.")
    ] = MINI,
    out: Path = Path("build/web"),
) -> None:
    """Write the mini model as files that a browser runs; `make site` puts a page around them.

    Args:
        out: Folder of the files.
    """
    from ..models.onnx_export import check_packages

    check_place(out)
    check_packages()
    from ..explorer.served import PROMPTS
    from ..models.video_model import VideoModel
    from ..models.web_export import export

    manifest = export(VideoModel.load(model), PROMPTS, out)
    size = sum(file["bytes"] for file in manifest["files"].values())
    print(f"{out}: {len(manifest['files'])} files, {size / 1e6:.1f} MB, and their manifest.json")
