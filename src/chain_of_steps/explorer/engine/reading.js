// Reads a frame against a puzzle's own drawings: puzzles/reading.py.
//
// A part's own pixels are those where drawing one of its values changes the scene and no value of
// another part does. On them a frame is explained as the scene plus each value's change, times an
// opacity: the least-squares opacities are the beliefs.
import { CELLS, Canvas, toBytes } from "./canvas.js";
import { decide, openShare } from "./symbols.js";

const CHANGE = 0.02; // a pixel counts as changed if one of its channels changes by more
const CONTRAST = 0.1; // RMS over own pixels below which a value draws nothing
const TOLERANCE = 0.12; // RMS difference of a cell that is legible

export class Reader {
  constructor(puzzle, size) {
    this.puzzle = puzzle;
    this.scene = new Canvas(size);
    puzzle.scene(this.scene);
    this.parts = this.partReaders(size);
  }

  // The picture of an answer at a progress, pixels in [0, 1].
  picture(answer, progress = 1) {
    const canvas = this.scene.copy();
    this.puzzle.act(canvas, answer, progress);
    return canvas.pixels;
  }

  // The given frame, as bytes.
  given() {
    return toBytes(this.picture(this.puzzle.answers[0], 0));
  }

  partReaders(size) {
    const { parts, values } = this.puzzle;
    const nothing = Array(parts).fill(-1);
    const base = this.picture(nothing);
    const changes = Array.from({ length: parts }, (_, part) =>
      Array.from({ length: values }, (_, value) =>
        this.picture(replaced(nothing, part, value)).map((shown, i) => shown - base[i]),
      ),
    );
    const owner = new Int16Array(size * size).fill(-1); // -2: of several parts
    changes.forEach((drawn, part) => {
      for (let pixel = 0; pixel < owner.length; pixel++) {
        if (!drawn.some((change) => touched(change, pixel))) continue;
        owner[pixel] = owner[pixel] === -1 ? part : -2;
      }
    });
    return changes.map((drawn, part) => partReader(drawn, base, owner, part));
  }

  // The beliefs (P rows of V numbers in [0, 1]) that a frame shows.
  beliefs(frame) {
    return this.parts.map(({ pixels, base, gauge, blank }) => {
      const opacity = gauge.map((weights) =>
        weights.reduce((sum, weight, i) => sum + weight * (frame[pixels[i]] - base[i]), 0),
      );
      if (blank >= 0) opacity[blank] = 1 - opacity.reduce((sum, value) => sum + value, 0);
      return opacity.map((value) => Math.min(Math.max(value, 0), 1));
    });
  }

  // What a frame (bytes) answers: is it valid, how is it drawn?
  verdict(bytes) {
    const frame = Float32Array.from(bytes, (value) => value / 255);
    const beliefs = this.beliefs(frame);
    const decided = decide(beliefs);
    const clean = this.picture(decided);
    const error = cellError(frame, clean, this.scene.size);
    const which = this.puzzle.answers.findIndex((answer) => String(answer) === String(decided));
    return {
      decided,
      reading: toBytes(clean),
      violations: this.puzzle.violations(decided),
      which: which < 0 ? null : which,
      fault: this.puzzle.fault(decided),
      drawn: !decided.includes(-1) && error < TOLERANCE,
      error: Math.round(1000 * error) / 1000,
      open: openShare({ answers: this.puzzle.answers, places: beliefs }, beliefs),
    };
  }
}

const replaced = (list, at, value) => list.map((old, i) => (i === at ? value : old));

const touched = (change, pixel) =>
  [0, 1, 2].some((c) => Math.abs(change[3 * pixel + c]) > CHANGE);

// How one part is read: the indices of its own values, what they show if nothing is drawn, the
// weights that read each value's opacity, and the value that draws nothing (or -1).
function partReader(drawn, base, owner, part) {
  const pixels = [];
  owner.forEach((own, pixel) => {
    if (own === part) pixels.push(3 * pixel, 3 * pixel + 1, 3 * pixel + 2);
  });
  const shown = drawn.map((change) => pixels.map((at) => change[at]));
  const strength = shown.map((change) => Math.sqrt(dot(change, change) / pixels.length));
  const blank = strength.findIndex((value) => value < CONTRAST);
  const solid = shown.map((_, value) => value).filter((value) => value !== blank);
  const weights = pseudoInverse(solid.map((value) => shown[value]));
  const gauge = shown.map((_, value) =>
    value === blank ? pixels.map(() => 0) : weights[solid.indexOf(value)],
  );
  return { pixels, base: pixels.map((at) => base[at]), gauge, blank };
}

// The rows that read the coefficient of each vector in a sum of them: (A A^T)^-1 A, by Gauss and
// Jordan with pivots.
function pseudoInverse(vectors) {
  const rows = vectors.map((a, i) => ({
    gram: vectors.map((b) => dot(a, b)),
    inverse: vectors.map((_, j) => Number(i === j)),
  }));
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows.reduce((best, row, j) =>
      j > i && Math.abs(row.gram[i]) > Math.abs(rows[best].gram[i]) ? j : best, i);
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    scaleRow(rows[i], 1 / rows[i].gram[i]);
    rows.forEach((row, j) => j !== i && subtractRow(row, rows[i], row.gram[i]));
  }
  return rows.map(({ inverse }) =>
    vectors[0].map((_, pixel) => inverse.reduce((sum, w, j) => sum + w * vectors[j][pixel], 0)),
  );
}

function scaleRow(row, factor) {
  for (const half of Object.values(row)) half.forEach((value, i) => (half[i] = value * factor));
}

function subtractRow(row, other, factor) {
  for (const name of ["gram", "inverse"])
    row[name].forEach((value, i) => (row[name][i] = value - factor * other[name][i]));
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

// The largest RMS difference of a cell of two frames.
function cellError(frame, picture, size) {
  const side = size / CELLS;
  const sums = new Float64Array(CELLS * CELLS);
  frame.forEach((value, i) => {
    const [row, column] = [Math.floor(i / 3 / size), Math.floor(i / 3) % size];
    sums[Math.floor(row / side) * CELLS + Math.floor(column / side)] += (value - picture[i]) ** 2;
  });
  return Math.sqrt(Math.max(...sums) / (3 * side * side));
}
