// Boards as latents, and latents as beliefs: models/symbols.py without torch.
//
// Arrays over (channel, cell) are flat Float32Arrays, channel by channel. A Latin square has one
// channel for each of six colours, whatever its order; a relay has two, off and on.

export const COLOURS = 6;
const SIGNS = 6; // of a relay's board: blank, four arrows, stop
const NOTHING = 0.05; // a part in which no value has this opacity shows nothing

// The board (7 x N) of a Latin square's clues: a colour's index, -1 in open cells.
export function latinBoard(clues) {
  const board = oneHot(clues, COLOURS + 1);
  clues.forEach((value, cell) => (board[COLOURS * clues.length + cell] = value < 0 ? 0 : 1));
  return board;
}

// The board (8 x N) of a relay: the number of each cell's sign, the index of the marked start, and
// whether the whole route is requested or only its end.
export function relayBoard({ signs, start, drawn }) {
  const board = oneHot(signs, SIGNS + 2);
  const cells = signs.length;
  board[SIGNS * cells + start] = 1;
  return board.fill(drawn ? 1 : 0, (SIGNS + 1) * cells);
}

function oneHot(values, channels) {
  const board = new Float32Array(channels * values.length);
  values.forEach((value, cell) => value >= 0 && (board[value * values.length + cell] = 1));
  return board;
}

// The latents (6 x N) of a Latin square: 1 for a cell's colour, -1 for the others.
export function squareLatents(square) {
  return oneHot(square, COLOURS).map((given) => 2 * given - 1);
}

// Latents that say nothing about open cells: the mean over all colours of the order there.
export function uninformative(clues) {
  const order = Math.sqrt(clues.length);
  const latents = squareLatents(clues);
  clues.forEach((value, cell) => {
    if (value >= 0) return;
    for (let c = 0; c < order; c++) latents[c * clues.length + cell] = 2 / order - 1;
  });
  return latents;
}

// Beliefs, an array of V numbers in [0, 1] for each of the given cells.
export function beliefs(latents, cells, parts, values) {
  return parts.map((cell) =>
    Array.from({ length: values }, (_, v) => opacity(latents[v * cells + cell])),
  );
}

export function squareBeliefs(latents, order) {
  return beliefs(
    latents,
    order ** 2,
    Array.from({ length: order ** 2 }, (_, cell) => cell),
    order,
  );
}

// Of a relay, for the cells that an answer covers: one part each or, if only the end is requested,
// one part whose values they are.
export function relayBeliefs(latents, cells, { covered, drawn }) {
  const both = beliefs(latents, cells, covered, 2);
  return drawn ? both : [both.map(([, on]) => on)];
}

function opacity(latent) {
  return Math.fround(Math.min(1, Math.max(0, Math.fround(latent + 1) / 2)));
}

// The decided answer: the strongest value of each part, -1 where nothing shows.
export function decide(beliefs) {
  return beliefs.map((shown) => {
    const most = Math.max(...shown);
    return most < NOTHING ? -1 : shown.indexOf(most);
  });
}
