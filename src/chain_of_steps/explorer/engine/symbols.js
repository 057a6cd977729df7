// Boards as latents, and latents as beliefs: models/symbols.py and puzzles/reading.py.
//
// Arrays over (channel, cell) are flat Float32Arrays, channel by channel. A square has one channel
// for each of six colours, whatever its order; a relay has two, off and on.
import { NAMES, completions, fault, repeats, rounds, violations } from "./latin.js";
import { STOP, follow, shape } from "./relay.js";

const COLOURS = 6;
const FEWEST_CLUES = { 4: 0, 5: 3 }; // by order: with fewer, the answers are too many to list
const NOTHING = 0.05; // a part in which no value has this opacity shows nothing

// A board, as a setting of the explorer has it, with all that is known about it:
//   side, channels (of the latents)
//   given: what the network is conditioned on, (channels of the board) x N
//   places: for each part of an answer, the place of each of its values in the latents
//   known: the value of each part that is given, -1 where it is open
//   values: the names of the values of an answer of one part, else []
//   answers: the valid ones, an array of values each; rounds, kind: as in the phase diagram
//   violations(answer), fault(answer)
//
// Throws an Error that says what is wrong with a board that is no puzzle.
export function sampleOf(board) {
  return board.kind === "latin" ? squareOf(board) : relayOf(board);
}

function squareOf({ clues: rows }) {
  const order = rows.length;
  if (!(order in FEWEST_CLUES)) throw new Error(`a square has 4 or 5 rows, not ${order}`);
  const clues = flat(rows, order, (value) => value >= -1 && value < order);
  const count = clues.filter((value) => value >= 0).length;
  const [least, most] = [FEWEST_CLUES[order], order ** 2 - 1];
  if (count < least || count > most)
    throw new Error(`give ${least} to ${most} clues on a square of order ${order}, not ${count}`);
  if (repeats(clues))
    throw new Error("a colour is given twice in a row or column; change one of the two");
  const cells = clues.length;
  const answers = completions(clues);
  if (!answers.length) throw new Error("these clues have no answer; take some away");
  const needed = answers.length === 1 ? (rounds(clues) ?? "search") : null;
  const stratum = needed ? `rounds=${needed}` : `log2=${Math.floor(Math.log2(answers.length))}`;
  const given = oneHot(clues, COLOURS + 1);
  clues.forEach((value, cell) => (given[COLOURS * cells + cell] = value < 0 ? 0 : 1));
  return {
    side: order,
    channels: COLOURS,
    given,
    places: clues.map((_, cell) => NAMES.slice(0, order).map((_, value) => value * cells + cell)),
    known: clues,
    values: [],
    answers,
    rounds: needed,
    kind: `latin order=${order} ${stratum}`,
    violations: (answer) => violations(clues, answer),
    fault: (answer) => fault(clues, answer),
  };
}

function relayOf({ signs: rows, start: [row, column], drawn }) {
  const signs = flat(rows, 6, (sign) => sign >= 0 && sign <= STOP);
  const cells = signs.length;
  const start = row * rows.length + column;
  const route = follow(signs, start);
  if (route.length < 2) throw new Error("the start is a stop already; put an arrow there");
  // The cells that an answer is about: all with a sign or, if only the end is wanted, the stops.
  const covered = [...signs.keys()].filter((cell) => (drawn ? signs[cell] : signs[cell] === STOP));
  const names = covered.map((cell) => `row ${Math.floor(cell / 6)} column ${cell % 6}`);
  const answer = drawn
    ? covered.map((cell) => (route.includes(cell) ? 1 : 0))
    : [covered.indexOf(route.at(-1))];
  const known = shape(signs);
  const given = oneHot(signs, STOP + 3);
  given[(STOP + 1) * cells + start] = 1;
  given.fill(drawn ? 1 : 0, (STOP + 2) * cells);
  const words = (value) => (value < 0 ? "nothing" : drawn ? ["off", "on"][value] : names[value]);
  return {
    side: rows.length,
    channels: 2,
    given,
    places: drawn ? covered.map((at) => [at, cells + at]) : [covered.map((at) => cells + at)],
    known: answer.map(() => -1),
    values: drawn ? [] : names,
    answers: [answer],
    rounds: route.length - 1,
    kind: known && `relay${drawn ? "" : "_end"} routes=${known[0]} moves=${known[1]}`,
    violations: (other) => other.filter((value, part) => value !== answer[part]).length,
    fault(other) {
      const part = other.findIndex((value, i) => value !== answer[i]);
      return part < 0 ? null : `${drawn ? names[part] : "end"} shows ${words(other[part])}`;
    },
  };
}

// The numbers of a board of side x side, row by row. Throws an Error if it is none, or has others.
function flat(rows, side, isOne) {
  const isRight = (row) => row.length === side && row.every((v) => Number.isInteger(v) && isOne(v));
  if (rows.length === side && rows.every(isRight)) return rows.flat();
  throw new Error(`this is no board of ${side} rows of ${side} numbers`);
}

function oneHot(values, channels) {
  const board = new Float32Array(channels * values.length);
  values.forEach((value, cell) => value >= 0 && (board[value * values.length + cell] = 1));
  return board;
}

// An answer as beliefs: 1 for the value of each part, 0 for the others; `open` where it has none.
export function shown({ places }, answer, open = 0) {
  const belief = (part) => (_, v) => (answer[part] < 0 ? open : Number(v === answer[part]));
  return places.map((row, part) => row.map(belief(part)));
}

// Beliefs as latents (C x N): 1 for yes, -1 for no. The channel "off" is the opposite of "on".
export function latentsOf({ places, channels, side }, beliefs) {
  const cells = side * side;
  const latents = new Float32Array(channels * cells).fill(-1);
  places.forEach((row, part) => row.forEach((at, v) => (latents[at] = 2 * beliefs[part][v] - 1)));
  if (channels === 2) for (let at = 0; at < cells; at++) latents[at] = -latents[cells + at];
  return latents;
}

// Latents that say nothing about open parts: the mean of all values there.
export function uninformative(sample) {
  return latentsOf(sample, shown(sample, sample.known, 1 / sample.places[0].length));
}

// Beliefs in [0, 1], a row of V for each part of an answer, that latents show.
export function beliefsOf({ places }, latents) {
  const opacity = (latent) => Math.fround(Math.min(1, Math.max(0, Math.fround(latent + 1) / 2)));
  return places.map((row) => row.map((at) => opacity(latents[at])));
}

// The decided answer: the strongest value of each part, -1 where nothing shows.
export function decide(beliefs) {
  return beliefs.map((row) => {
    const most = Math.max(...row);
    return most < NOTHING ? -1 : row.indexOf(most);
  });
}

// The share of the open parts that show several values, as measures/decisions.py has it; null if
// no part is open: a value that is possible shows if it has half its share, and twice what any
// impossible one has.
export function openShare({ answers, places }, beliefs) {
  const possible = places.map((_, part) => [...new Set(answers.map((answer) => answer[part]))]);
  const open = places.flatMap((_, part) => (possible[part].length > 1 ? [part] : []));
  const several = open.filter((part) => {
    const row = beliefs[part];
    const rest = Math.max(0, ...row.filter((_, value) => !possible[part].includes(value)));
    const shows = (v) => row[v] >= 0.5 / possible[part].length && row[v] >= 2 * rest;
    return possible[part].filter(shows).length > 1;
  });
  return open.length ? several.length / open.length : null;
}
