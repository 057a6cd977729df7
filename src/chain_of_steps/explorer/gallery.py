"""The gallery: settings that show something, with what is to be seen in them."""

import json
from importlib import resources

from ..models.video_model import VideoModel
from ..puzzles import suite
from .config import Config


def items(file: str = "gallery.json") -> list[dict]:
    """Of each setting: `title`, `text`, `setting` (its data), and `ends`: whether the run without
    its changes and the run itself end with a valid answer.

    Args:
        file: `gallery.json`, or `served.json`, whose noise is that of `served`.
    """
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    found = json.loads(text)
    return [{**item, "setting": Config.from_data(item["setting"]).data()} for item in found]


def configs(model: VideoModel) -> list[Config]:
    """The settings of those items whose puzzle a model knows."""
    found = (Config.from_data(item["setting"]) for item in items())
    return [config for config in found if takes(model, config)] or [first(model)]


def first(model: VideoModel, steps: int = Config().steps) -> Config:
    """What is chosen at first: the default, or the first puzzle that a model knows."""
    cells = (Config().cell, *suite.TASKS)
    return next(each for cell in cells if takes(model, each := Config(cell, steps=steps)))


def takes(model: VideoModel, config: Config) -> bool:
    """Whether a model can be given the puzzle of a setting: a symbol network knows one."""
    puzzle = suite.find(config.cell.split(" ")[0]).puzzle.name
    return model.family.encode_sample is None or puzzle == model.pipe.config.puzzle
