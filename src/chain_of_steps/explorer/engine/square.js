// A Latin square as a picture: puzzles/latin.py. What is known about it is in symbols.js.
import { CELLS, GREY, INK, PALETTE, PAPER, SHAPES } from "./canvas.js";
import { NAMES } from "./latin.js";
import { sampleOf } from "./symbols.js";

const MARKS = [
  // of each colour: shape, place on the tile, radius
  ["circle", -0.16, -0.16, 0.17],
  ["square", 0.16, -0.16, 0.17],
  ["triangle", -0.16, 0.16, 0.19],
  ["diamond", 0.16, 0.16, 0.16],
  ["cross", 0.0, 0.0, 0.24],
  ["bars", 0.0, 0.0, 0.3],
];

export class Square {
  constructor(board) {
    Object.assign(this, sampleOf(board));
    this.prompt = "fill the square";
    this.parts = this.known.length;
    this.values = this.side; // of each part
  }

  scene(canvas) {
    for (const centre of this.centres()) {
      canvas.box(centre, 0.5, GREY);
      canvas.box(centre, 0.375, PAPER);
    }
  }

  // Clues are there from the start, in a dark frame; the other cells appear.
  act(canvas, answer, progress) {
    this.centres().forEach((centre, cell) => {
      if (answer[cell] < 0) return;
      const given = this.known[cell] >= 0;
      if (given) canvas.box(centre, 0.5, INK);
      tile(canvas, centre, answer[cell], given ? 1 : progress);
    });
  }

  centres() {
    const margin = Math.floor((CELLS - this.side) / 2);
    const place = (at) => margin + at + 0.5;
    return this.known.map((_, i) => [place(i % this.side), place(Math.floor(i / this.side))]);
  }
}

// A colour's tile, with a mark that has a shape and a place of its own.
function tile(canvas, [x, y], value, alpha) {
  const [name, dx, dy, radius] = MARKS[value];
  canvas.box([x, y], 0.375, PALETTE[NAMES[value]], alpha);
  const distance = (u, v) => radius * SHAPES[name](u / radius, v / radius);
  canvas.paint(distance, [x + dx, y + dy], 1.3 * radius, PAPER, alpha);
}
