"""The symbol networks once more, in plain JavaScript: a back end that runs in a page.

In reading order: `network.js` (the forward pass), `sampler.js` (the loop, controls of one pass),
`symbols.js` (boards as latents, latents as beliefs), `latin.js` and `relay.js` (the puzzles),
`random.js` (noise that Python draws alike), `weights.js`, and `engine.js`, what the explorer asks.

Then the video model: `canvas.js` (drawing), `maze.js` and `square.js` (the puzzles as pictures),
`reading.js` (what a frame shows), `codec.js`, `onnx_model.js` (the network, in onnxruntime-web),
`picture_run.js` (the loop and its interventions), `picture_engine.js`, what the explorer asks;
`download.js` and `picture_page.js` are for the page around it.
"""

from pathlib import Path

from .bundle import bundle

FOLDER = Path(__file__).parent


def source(name: str = "engine.js") -> str:
    """`createEngine` of a module, as a JavaScript function without free variables that returns it.

    Args:
        name: `engine.js` of the symbol networks, or `picture_engine.js` of the video model.
    """
    return f"function define() {{\n{bundle(FOLDER, name)}\nreturn createEngine;\n}}\n"


def opener() -> str:
    """`openModel`, which downloads the video model for a page."""
    return bundle(FOLDER, "picture_page.js")
