"""The explorer's page: one ES module, whose parts are joined here in reading order, and its style.

It knows nothing of Python: `contract.js` says what it expects of a model.
"""

from importlib import resources

PARTS = (
    "contract",
    "boards",
    "relay",
    "drawing",
    "puzzle",
    "changes",
    "stage",
    "controls",
    "phases",
    "files",
    "history",
    "explorer",
)


def script() -> str:
    """The parts of the module, without its export."""
    return "\n".join(_read(f"{part}.js") for part in PARTS)


def module() -> str:
    """The ES module; its default export is `{ render({ model, el }) }`."""
    return script() + "\nexport default { render };\n"


def style() -> str:
    return _read("explorer.css")


def standin() -> str:
    """A model for pages without a back end, whose runs are recorded."""
    return _read("standin.js")


def local() -> str:
    """A model for pages whose back end runs in them; it needs `standin`."""
    return _read("local.js")


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
