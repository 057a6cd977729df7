// A small anti-aliased canvas: puzzles/canvas.py. Shapes are signed distances in units of cells.
// Pixels are RGB in [0, 1], rounded to 32 bits as numpy does it: the network sees these pictures.

export const CELLS = 6;
export const PAPER = [0.97, 0.97, 0.97];
export const INK = [0.15, 0.15, 0.18];
export const GREY = [0.62, 0.62, 0.66];
export const PALETTE = {
  red: [0.84, 0.37, 0.0],
  yellow: [0.94, 0.83, 0.16],
  green: [0.0, 0.62, 0.45],
  blue: [0.0, 0.45, 0.7],
  pink: [0.8, 0.47, 0.65],
  cyan: [0.45, 0.77, 0.95],
};

const { abs, hypot, max, min, fround } = Math;

// (x, y) relative to the centre -> signed distance, all in cells
export const SHAPES = {
  circle: (x, y) => hypot(x, y) - 1,
  square: (x, y) => max(abs(x), abs(y)) - 0.88,
  triangle: (x, y) => max(0.866 * abs(x) - 0.5 * y - 0.55, y - 0.85),
  diamond: (x, y) => (abs(x) + abs(y) - 1.2) * 0.7071,
  cross: (x, y) => max(min(abs(x), abs(y)) - 0.36, max(abs(x), abs(y)) - 1),
  bars: (x, y) => max(abs(abs(y) - 0.62) - 0.34, abs(x) - 0.96),
};

export class Canvas {
  constructor(size, pixels) {
    this.size = size;
    this.scale = size / CELLS; // pixels per cell
    const paper = (_, i) => PAPER[i % 3];
    this.pixels = pixels ?? Float32Array.from({ length: 3 * size * size }, paper);
  }

  copy() {
    return new Canvas(this.size, this.pixels.slice());
  }

  // Blends a colour where the distance is negative, within `reach` cells of the centre.
  paint(distance, [cx, cy], reach, colour, alpha = 1) {
    const { scale, size, pixels } = this;
    const margin = reach + 1 / scale;
    const [left, right, top, bottom] = [cx - margin, cx + margin, cy - margin, cy + margin].map(
      (at) => min(max(Math.round(at * scale), 0), size),
    );
    if (alpha <= 0) return;
    for (let row = top; row < bottom; row++)
      for (let column = left; column < right; column++) {
        const [x, y] = [column, row].map((at) => fround((at + 0.5) / scale));
        const inside = distance(x - cx, y - cy);
        const cover = alpha * min(max(0.5 - inside * scale, 0), 1);
        const at = 3 * (row * size + column);
        for (let c = 0; c < 3; c++)
          pixels[at + c] += fround(cover * fround(colour[c] - pixels[at + c]));
      }
  }

  // A named shape with a dark outline.
  shape(name, centre, radius, colour) {
    const outer = (x, y) => radius * SHAPES[name](x / radius, y / radius);
    this.paint(outer, centre, 1.25 * radius, INK);
    this.paint((x, y) => outer(x, y) + 0.13, centre, 1.25 * radius, colour);
  }

  // A segment with round ends.
  line([ax, ay], [bx, by], width, colour, alpha = 1) {
    const [dx, dy] = [(bx - ax) / 2, (by - ay) / 2]; // half the segment, seen from its middle
    const length2 = max(dx * dx + dy * dy, 1e-9);
    const distance = (x, y) => {
      const along = min(max((x * dx + y * dy) / length2, -1), 1);
      return hypot(x - along * dx, y - along * dy) - width / 2;
    };
    const middle = [(ax + bx) / 2, (ay + by) / 2];
    this.paint(distance, middle, max(abs(dx), abs(dy)) + width, colour, alpha);
  }

  // A square with sides parallel to the axes.
  box(centre, half, colour, alpha = 1) {
    this.paint((x, y) => max(abs(x) - half, abs(y) - half), centre, half, colour, alpha);
  }
}

// Pixels in [0, 1] as the bytes of a picture.
export function toBytes(pixels) {
  return Uint8Array.from(pixels, (value) => fround(fround(value * 255) + 0.5));
}

// RGB bytes, row by row, as a data URL of a bitmap.
export function pictureUrl(bytes, width, height) {
  const file = new Uint8Array(54 + 4 * width * height);
  const header = new DataView(file.buffer);
  const words = { 2: file.length, 10: 54, 14: 40, 18: width, 22: height, 26: 1 | (32 << 16) };
  for (const [at, value] of Object.entries(words)) header.setUint32(Number(at), value, true);
  file.set([0x42, 0x4d]); // BM
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const from = 3 * (row * width + column);
      const to = 54 + 4 * ((height - 1 - row) * width + column); // rows from below, as BGR
      file.set([bytes[from + 2], bytes[from + 1], bytes[from], 255], to);
    }
  return `data:image/bmp;base64,${btoa(latin1(file))}`;
}

function latin1(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 8192)
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join("");
}
