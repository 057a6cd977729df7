// Counter-based Gaussian noise: the numbers of common/counter_noise.py.
//
// Philox-4x64-10 (Salmon et al. 2011) maps a counter and a key to 256 random bits without any
// state, so that Python and JavaScript can draw the same noise in any order.

const MASK = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const KEY_STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];

// The four words (BigInt) of one counter under a key of two words.
export function philox(counter, key) {
  let [a, b, c, d] = [counter & MASK, counter >> 64n, 0n, 0n];
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const p = MULTIPLIERS[0] * a; // 128 bits
    const q = MULTIPLIERS[1] * c;
    [a, b, c, d] = [(q >> 64n) ^ b ^ k0, q & MASK, (p >> 64n) ^ d ^ k1, p & MASK];
    k0 = (k0 + KEY_STEPS[0]) & MASK;
    k1 = (k1 + KEY_STEPS[1]) & MASK;
  }
  return [a, b, c, d];
}

// `count` numbers of N(0, 1), by the method of Box and Muller.
export function normals(seed, stream, count) {
  const key = [BigInt(seed), BigInt(stream)];
  const found = new Float32Array(count);
  for (let i = 0; i < count; i += 4) {
    const words = philox(BigInt(i / 4 + 1), key); // numpy counts from 1
    const [u, angle, v, other] = words.map((word) => Number(word >> 11n) / 2 ** 53);
    found.set([...pair(u, angle), ...pair(v, other)].slice(0, count - i), i);
  }
  return found;
}

function pair(u, angle) {
  const radius = Math.sqrt(-2 * Math.log(1 - u));
  const phase = 2 * Math.PI * angle;
  return [radius * Math.cos(phase), radius * Math.sin(phase)];
}
