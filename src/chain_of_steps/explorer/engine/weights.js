// Reads the weights that models/web_weights.py has written: {config, tensors, data}.

// A dictionary of Float32Arrays by the names of the tensors.
export async function unpack({ tensors, data }) {
  const buffer = joined(await inflated(data));
  const found = {};
  let at = 0;
  for (const { name, rows, columns, type } of tensors) {
    const size = rows * columns;
    const end = at + { float32: 4 * size, float16: 2 * size, int8: 4 * rows + size }[type];
    found[name] = READ[type](buffer.slice(at, end), rows, columns);
    at = end;
  }
  return found;
}

async function inflated(text) {
  if (!globalThis.DecompressionStream)
    throw new Error("this browser is too old to unpack the networks; use one of 2023 or later");
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The buffer in which the first byte of each two comes from the first half, the second from the
// other: apart they compress better.
function joined(bytes) {
  const half = Math.ceil(bytes.length / 2);
  return Uint8Array.from(bytes, (_, i) => bytes[(i % 2) * half + (i >> 1)]).buffer;
}

const READ = {
  float32: (bytes) => new Float32Array(bytes),
  float16: (bytes) => Float32Array.from(new Uint16Array(bytes), fromHalf),
  // A scale for each row, then the rows as integers.
  int8(bytes, rows, columns) {
    const scales = new Float32Array(bytes, 0, rows);
    const numbers = new Int8Array(bytes, 4 * rows);
    return Float32Array.from(numbers, (number, i) => number * scales[Math.floor(i / columns)]);
  },
};

// 16 bits (sign, 5 of exponent, 10 of mantissa) as a number.
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (!exponent) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
