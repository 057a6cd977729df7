// Everything that is shown of one board and one network, computed pass by pass.
import {
  COLOURS,
  decide,
  latinBoard,
  squareBeliefs,
  squareLatents,
  uninformative,
} from "./symbols.js";
import { completions, rounds, violations } from "./latin.js";
import { denoise, passes, schedule } from "./sampler.js";
import { normals } from "./random.js";

const START = 0;
const PASS = 1,
  NOISED = 1000; // streams of noise: of the start, of pass k, at step s

// What the clues leave open: the valid answers, and the rounds of propagation that find a unique
// one (null where propagation gets stuck).
export function facts(clues) {
  const answers = completions(clues);
  return { answers, rounds: answers.length === 1 ? rounds(clues) : null };
}

// The kind of sample, named as in the phase diagram; null without a valid answer.
export function stratum({ answers, rounds: needed }) {
  if (!answers.length) return null;
  if (answers.length > 1) return `latin order=4 log2=${Math.floor(Math.log2(answers.length))}`;
  return `latin order=4 rounds=${needed ?? "search"}`;
}

// A clean estimate as it is read.
function look(clues, estimate) {
  const beliefs = squareBeliefs(estimate, 4);
  const answer = decide(beliefs);
  return { beliefs, answer, violations: violations(clues, answer) };
}

// Yields after every pass of the network what is known by then:
//   own: looks at every step of the run
//   first, blank, truth: looks after one pass on the noised estimate of step 0, on an uninformative
//     board and on a valid answer
//   repeated: a look after so many passes in all, step 0 of the run and the others at one level
//   noised: looks at every step of a run with noise put in, once it is complete
export function* observe(network, { clues, steps, seed, sigma, passes: count, noised }) {
  const board = latinBoard(clues);
  const grid = schedule(steps);
  const found = { sigmas: grid.sigmas, own: [] };
  const noise = (stream) => normals(seed, stream, COLOURS * clues.length);
  const pass = (z) =>
    look(clues, passes(network, board, 4, z, sigma, 1, () => noise(PASS)).next().value);
  let first;
  for (const { estimate } of denoise(network, board, 4, grid, noise(START))) {
    first ??= estimate;
    found.own.push(look(clues, estimate));
    yield found;
  }
  const [answer] = completions(clues);
  const starts = {
    first,
    blank: uninformative(clues),
    ...(answer && { truth: squareLatents(answer) }),
  };
  for (const [name, z] of Object.entries(starts)) {
    found[name] = pass(z);
    yield found;
  }
  const fresh = (k) => noise(PASS + k);
  for (const estimate of passes(network, board, 4, first, sigma, count - 1, fresh)) {
    found.repeated = look(clues, estimate);
    yield found;
  }
  const step = Math.min(noised, steps - 1);
  const edit = { step, mode: "replace", noise: noise(NOISED + step) };
  const shown = [];
  for (const { estimate } of denoise(network, board, 4, grid, noise(START), edit)) {
    shown.push(look(clues, estimate));
    if (shown.length === steps) found.noised = shown;
    yield found;
  }
}
