// Pictures to latents and back, cell by cell: what models/web_codec.py has exported.
//
// Latents (C, F, H, W) are flat Float32Arrays. A frame is RGB bytes, row by row.

export class Codec {
  constructor(tables, { size, shapes }) {
    const [, channels, frames, rows] = shapes.latents;
    Object.assign(this, { tables, size, channels, frames, rows });
    this.cell = size / rows; // side in pixels
  }

  // The latents (C, H, W) of one frame.
  encode(frame) {
    const latents = new Float32Array(this.channels * this.rows ** 2);
    this.eachCell((cell, pixelsOf) => {
      const pixels = Float32Array.from(pixelsOf, (at) => frame[at] / 127.5 - 1);
      const code = coded(this.tables, "encode", pixels);
      code.forEach((value, c) => (latents[c * this.rows ** 2 + cell] = value));
    });
    return latents;
  }

  // All frames (F) of latents.
  decode(latents) {
    return Array.from({ length: this.frames }, (_, frame) => this.decodeFrame(latents, frame));
  }

  decodeFrame(latents, frame) {
    const cells = this.rows ** 2;
    const bytes = new Uint8ClampedArray(3 * this.size ** 2); // rounds and clamps
    this.eachCell((cell, pixelsOf) => {
      const code = Float32Array.from(
        { length: this.channels },
        (_, c) => latents[(c * this.frames + frame) * cells + cell],
      );
      const pixels = coded(this.tables, "decode", code);
      pixelsOf.forEach((at, i) => (bytes[at] = pixels[i] * 127.5 + 127.5));
    });
    return bytes;
  }

  // Calls with the number of each cell and the places of its pixels: row, column, colour.
  eachCell(use) {
    for (let cell = 0; cell < this.rows ** 2; cell++) {
      const [row, column] = [Math.floor(cell / this.rows), cell % this.rows];
      const first = 3 * this.cell * (row * this.size + column);
      const wide = 3 * this.cell;
      const places = Array.from(
        { length: wide * this.cell },
        (_, i) => first + 3 * this.size * Math.floor(i / wide) + (i % wide),
      );
      use(cell, places);
    }
  }
}

// A matrix, an RMS norm, SiLU, a matrix.
function coded(tables, way, x) {
  const table = (name) => tables[`${way}.${name}`];
  const hidden = product(table("inner"), x, table("inner_bias"));
  const length = Math.sqrt(hidden.reduce((sum, value) => sum + value * value, 0));
  const active = hidden.map((value, i) => swish((table("gain")[i] * value) / length));
  return product(table("outer"), active, table("outer_bias"));
}

function product(matrix, x, bias) {
  return Float64Array.from(bias, (start, row) => {
    let sum = start;
    for (let i = 0; i < x.length; i++) sum += matrix[row * x.length + i] * x[i];
    return sum;
  });
}

const swish = (x) => x / (1 + Math.exp(-x));
