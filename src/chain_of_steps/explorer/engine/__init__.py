"""The symbol networks once more, in plain JavaScript: a back end that runs in a page.

In reading order: `network.js` (the forward pass), `sampler.js` (the loop, controls of one pass),
`symbols.js` (boards as latents, latents as beliefs), `latin.js` and `relay.js` (the puzzles),
`random.js` (noise that Python draws alike), `weights.js`, and `engine.js`, what the explorer asks.
"""

from pathlib import Path

from .bundle import bundle

FOLDER = Path(__file__).parent


def source() -> str:
    """`createEngine`, as a JavaScript function without free variables that returns it."""
    return f"function define() {{\n{bundle(FOLDER, 'engine.js')}\nreturn createEngine;\n}}\n"
