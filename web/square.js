// A Latin square as a picture: puzzles/latin.py. A board is {clues}: rows of values from 0, -1 where
// empty. The parts of an answer are the cells, row by row.
import { CELLS, GREY, INK, PALETTE, PAPER, SHAPES } from "./canvas.js";
import { completions, rounds, violations } from "./latin.js";

const MARKS = [
  // of each colour: shape, place on the tile, radius
  ["circle", -0.16, -0.16, 0.17],
  ["square", 0.16, -0.16, 0.17],
  ["triangle", -0.16, 0.16, 0.19],
  ["diamond", 0.16, 0.16, 0.16],
  ["cross", 0.0, 0.0, 0.24],
  ["bars", 0.0, 0.0, 0.3],
];
const FEWEST_CLUES = { 4: 0, 5: 3 }; // with fewer, too many answers to list while one draws
const NAMES = Object.keys(PALETTE);

export class Square {
  constructor({ clues }) {
    this.prompt = "fill the square";
    this.clues = clues.flat();
    this.values = clues.length;
    this.parts = this.clues.length;
    this.more = false;
    this.check();
    this.answers = completions(this.clues);
    if (!this.answers.length) throw new Error("these clues have no answer; take some away");
    this.rounds = this.answers.length === 1 ? (rounds(this.clues) ?? "search") : null;
  }

  check() {
    const given = this.clues.filter((value) => value >= 0).length;
    const fewest = FEWEST_CLUES[this.values];
    if (fewest === undefined) throw new Error("the page takes squares of order 4 and 5");
    if (given < fewest || given === this.parts)
      throw new Error(`give ${fewest} to ${this.parts - 1} clues on a square of this order`);
  }

  violations(answer) {
    return violations(this.clues, answer);
  }

  // A clue contradicted, a colour repeated, or an empty cell, in words; null if nothing is wrong.
  fault(answer) {
    const n = this.values;
    const at = (cell) => `row ${Math.floor(cell / n) + 1}, column ${(cell % n) + 1}`;
    const wrong = this.clues.findIndex((value, cell) => value >= 0 && answer[cell] !== value);
    if (wrong >= 0) return `${at(wrong)}: not the given ${NAMES[this.clues[wrong]]}`;
    for (const [kind, cellOf] of [
      ["row", (line, i) => line * n + i],
      ["column", (line, i) => i * n + line],
    ])
      for (let line = 0; line < n; line++) {
        const shown = Array.from({ length: n }, (_, i) => answer[cellOf(line, i)]);
        const counts = NAMES.slice(0, n).map((_, v) => shown.filter((each) => each === v).length);
        const most = Math.max(...counts);
        if (most > 1) return `${kind} ${line + 1}: ${NAMES[counts.indexOf(most)]} ${most} times`;
      }
    const empty = answer.findIndex((value) => value < 0);
    return empty < 0 ? null : `${at(empty)}: empty`;
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
      const given = this.clues[cell] >= 0;
      if (given) canvas.box(centre, 0.5, INK);
      tile(canvas, centre, answer[cell], given ? 1 : progress);
    });
  }

  centres() {
    const margin = Math.floor((CELLS - this.values) / 2);
    const place = (at) => margin + at + 0.5;
    return this.clues.map((_, i) => [place(i % this.values), place(Math.floor(i / this.values))]);
  }
}

// A colour's tile, with a mark that has a shape and a place of its own.
function tile(canvas, [x, y], value, alpha) {
  const [shape, dx, dy, radius] = MARKS[value];
  canvas.box([x, y], 0.375, PALETTE[NAMES[value]], alpha);
  const distance = (u, v) => radius * SHAPES[shape](u / radius, v / radius);
  canvas.paint(distance, [x + dx, y + dy], 1.3 * radius, PAPER, alpha);
}
