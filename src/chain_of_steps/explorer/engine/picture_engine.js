// The video model as an engine of the explorer, see explorer/web/local.js: mazes and Latin squares.
import { pictureUrl, toBytes } from "./canvas.js";
import { Maze } from "./maze.js";
import { startModel } from "./onnx_model.js";
import { pictureRun } from "./picture_run.js";
import { Reader } from "./reading.js";
import { schedule } from "./sampler.js";
import { Square } from "./square.js";

const MOST_TRUTHS = 8; // valid answers that are drawn
const MOST_STEPS = 50;
const MOST_SEEDS = 5;

// `manifest`: of the model; `files`: what it names, as bytes; `boards`: {cell: [board]}.
export function createEngine({ manifest, files, boards }) {
  const { size } = manifest;
  let starting = null; // the model; in a worker it starts before it is needed
  const start = () => (starting ??= startModel(manifest, files));
  if (typeof document === "undefined") start().catch(() => {}); // a run will say what is wrong
  const still = (bytes) => pictureUrl(bytes, size, size);
  const puzzles = new Map(); // of the boards that were asked for last

  function puzzleOf(setting) {
    const board = setting.board ?? boards[setting.cell]?.[setting.index];
    if (!board) throw new Error(`this page has no sample ${setting.index} of ${setting.cell}`);
    const key = JSON.stringify(board);
    if (!puzzles.has(key)) {
      if (puzzles.size > 20) puzzles.clear();
      const puzzle = board.kind === "maze" ? new Maze(board) : new Square(board);
      puzzles.set(key, { board, puzzle, reader: new Reader(puzzle, size) });
    }
    return puzzles.get(key);
  }

  function described({ puzzle, reader }) {
    const { prompt, answers, rounds } = puzzle;
    const drawn = answers.slice(0, MOST_TRUTHS).map((answer) => reader.picture(answer));
    return {
      prompt,
      truth: drawn.map((pixels) => still(toBytes(pixels))),
      answers: answers.length,
      more: false,
      rounds,
    };
  }

  function shown(model, reader, { step, estimate, nfe }) {
    const clip = model.codec.decode(estimate);
    const verdict = reader.verdict(clip.at(-1));
    const strip = pictureUrl(sideBySide(clip, size), size * clip.length, size);
    return { step, nfe, strip, ...verdict, reading: still(verdict.reading), beliefs: null };
  }

  return {
    preview(setting) {
      const known = puzzleOf(setting);
      const { corner, ...board } = known.board; // a board that is drawn lies in the middle
      return { given: still(known.reader.given()), board, ...described(known) };
    },
    header(setting) {
      const known = puzzleOf(setting);
      const { sigmas } = schedule(setting.steps, manifest.schedule.shift);
      return { sigmas: [...sigmas], values: [], ...described(known) };
    },
    async *run(setting) {
      refuse(setting);
      const { puzzle, reader } = puzzleOf(setting);
      const model = await start();
      for await (const step of pictureRun(model, reader.given(), puzzle.prompt, setting))
        yield shown(model, reader, step);
    },
  };
}

// A link may say anything.
function refuse({ steps, seed, noise, merge, patch }) {
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
    throw new Error(`steps: expected 1 to ${MOST_STEPS}, not ${steps}`);
  if (merge && !(merge.seeds >= 2 && merge.seeds <= MOST_SEEDS))
    throw new Error(`merged seeds: expected 2 to ${MOST_SEEDS}, not ${merge.seeds}`);
  if (merge && noise.length)
    throw new Error("merged seeds exclude other changes; remove the others first");
  if (!(seed >= 0 && seed < 2 ** 31)) throw new Error(`seed: expected 0 to 2^31 - 1, not ${seed}`);
  if (patch || merge?.layers)
    throw new Error(
      "this page cannot reach the hidden states of the network; merge clean estimates instead",
    );
}

// Frames (RGB bytes) as one picture.
function sideBySide(clip, size) {
  const row = 3 * size;
  const bytes = new Uint8Array(row * size * clip.length);
  clip.forEach((frame, f) => {
    for (let y = 0; y < size; y++)
      bytes.set(frame.subarray(y * row, (y + 1) * row), (y * clip.length + f) * row);
  });
  return bytes;
}
