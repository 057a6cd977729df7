"""Noise that Python and JavaScript draw alike: a counter-based generator, then Box and Muller.

The generator is Philox-4x64-10 (Salmon et al. 2011), here numpy's own; explorer/engine/random.js
is its twin.
"""

import numpy as np


def normals(seed: int, stream: int, count: int) -> np.ndarray:
    """Numbers of N(0, 1), (count,) float32.

    Args:
        seed, stream: two words of 64 bits that together name the noise.
    """
    words = np.random.Philox(key=[seed, stream]).random_raw(count + count % 2)
    radial, angular = ((words >> 11) / 2.0**53).reshape(-1, 2).T  # uniform in [0, 1)
    radius, phase = np.sqrt(-2.0 * np.log(1.0 - radial)), 2.0 * np.pi * angular
    pairs = np.stack([radius * np.cos(phase), radius * np.sin(phase)], 1)
    return pairs.ravel()[:count].astype(np.float32)
