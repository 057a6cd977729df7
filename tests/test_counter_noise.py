"""Counter-based noise: published vectors of the generator, and a normal distribution."""

import numpy as np
import pytest
from scipy import stats

from chain_of_steps.common.counter_noise import normals

# Known answers of philox4x64-10 (Random123, kat_vectors), by counter and key.
KNOWN = {
    (0, 0): (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    (2**256 - 1, 2**128 - 1): (
        0x87B092C3013FE90B,
        0x438C3C67BE8D0224,
        0x9CC7D7C69CD777B6,
        0xA09CAEBF594F0BA0,
    ),
}
FIRST = (0.0080887, 0.1521921, -0.4468097, -0.1914038)  # of seed 0, stream 0


@pytest.mark.parametrize(("counter", "key"), KNOWN)
def test_numpy_draws_the_published_words(counter, key):
    before = (counter - 1) % 2**256  # numpy counts up before it draws
    words = np.random.Philox(counter=before, key=key).random_raw(4)
    assert tuple(int(word) for word in words) == KNOWN[counter, key]


def test_the_noise_of_a_seed_and_stream_never_changes():
    assert normals(0, 0, 4) == pytest.approx(FIRST, abs=1e-6)
    assert normals(0, 0, 4).dtype == np.float32


def test_noise_is_normal_and_streams_are_independent():
    a, b, c = normals(1, 0, 100_001), normals(1, 1, 100_001), normals(2, 0, 100_001)
    for one in (a, b, c):
        assert stats.kstest(one, "norm").pvalue > 0.001
        assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.02
    assert np.abs(np.corrcoef([a, b, c]) - np.eye(3)).max() < 0.02


def test_shorter_noise_is_the_beginning_of_longer_noise():
    assert np.array_equal(normals(7, 3, 5), normals(7, 3, 96)[:5])
