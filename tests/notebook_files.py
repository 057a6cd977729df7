"""The Python files next to the notebooks, which are in no package, as modules."""

import importlib.util
from pathlib import Path
from types import ModuleType

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, NOTEBOOKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
