// Reads the weights that models/web_weights.py has written: {config, tensors, data}.

// A dictionary of Float32Arrays by the names that the tensors have in diffusers.
export function unpack({ tensors, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const found = {};
  let at = 0;
  for (const { name, shape } of tensors) {
    const count = shape.reduce((product, size) => product * size, 1);
    found[name] = fromHalf(new Uint16Array(bytes.buffer, at, count));
    at += 2 * count;
  }
  return found;
}

// Numbers of 16 bits (sign, 5 bits of exponent, 10 of mantissa) as numbers of 32.
function fromHalf(halves) {
  return Float32Array.from(halves, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const mantissa = bits & 1023;
    if (!exponent) return sign * mantissa * 2 ** -24;
    if (exponent === 31) return mantissa ? NaN : sign * Infinity;
    return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
  });
}
