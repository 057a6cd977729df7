// Latin squares as flat arrays of values 0 to n - 1, -1 in open cells: puzzles/latin.py and
// puzzles/latin_squares.py.

export const NAMES = ["red", "yellow", "green", "blue", "pink", "cyan"]; // of the values

// All squares that agree with the clues.
export function completions(clues) {
  const square = [...clues];
  const found = [];
  if (repeats(clues)) return found;
  const fill = (cell) => {
    if (cell === square.length) return found.push([...square]);
    if (clues[cell] >= 0) return fill(cell + 1);
    for (const value of candidates(square, cell)) {
      square[cell] = value;
      fill(cell + 1);
      square[cell] = -1;
    }
  };
  fill(0);
  return found;
}

// The rounds of propagation that fill the board; null if it gets stuck. In a round, all naked
// singles (one value left for a cell) and hidden singles (one cell left for a value in a row or
// column) are filled at once.
export function rounds(clues) {
  let board = clues;
  for (let count = 0; ; count++) {
    if (!board.includes(-1)) return count;
    const filled = singles(board);
    if (filled.every((value) => value < 0)) return null;
    board = board.map((value, cell) => Math.max(value, filled[cell]));
  }
}

// The values that follow in one round, -1 elsewhere.
function singles(board) {
  const free = board.map((_, cell) => candidates(board, cell));
  return free.map((values, cell) => {
    if (values.length === 1) return values[0];
    const isOnly = (value) => (line) => line.filter((at) => free[at].includes(value)).length === 1;
    return values.find((value) => lines(board, cell).some(isOnly(value))) ?? -1;
  });
}

// Values missing in the row and column of an open cell.
function candidates(board, cell) {
  if (board[cell] >= 0) return [];
  const taken = lines(board, cell).flat().map((other) => board[other]);
  return [...Array(orderOf(board)).keys()].filter((value) => !taken.includes(value));
}

// Clues contradicted, plus values repeated in rows and columns, plus empty cells.
export function violations(clues, answer) {
  const contradicted = clues.filter((value, cell) => value >= 0 && answer[cell] !== value).length;
  return contradicted + repeats(answer) + answer.filter((value) => value < 0).length;
}

export function repeats(square) {
  let count = 0;
  for (const { cells } of allLines(square)) {
    const shown = cells.map((cell) => square[cell]).filter((value) => value >= 0);
    count += shown.length - new Set(shown).size;
  }
  return count;
}

// The first reason why an answer is not valid, in words: figures/verdict.py; null if it is.
export function fault(clues, answer) {
  const place = (cell) => placeOf(Math.floor(cell / orderOf(clues)), cell % orderOf(clues));
  const name = (value) => (value < 0 ? "nothing" : looks(NAMES[value]));
  const wrong = clues.findIndex((value, cell) => value >= 0 && answer[cell] !== value);
  if (wrong >= 0) {
    const [given, shows] = [clues[wrong], answer[wrong]].map(name);
    return `${place(wrong)} was given as ${given} and shows ${shows}`;
  }
  const empty = answer.indexOf(-1);
  if (empty >= 0) return `${place(empty)} shows nothing`;
  for (const { name: line, cells } of allLines(answer)) {
    const counts = NAMES.map((_, value) => cells.filter((cell) => answer[cell] === value).length);
    const most = Math.max(...counts);
    const times = most === 2 ? "twice" : `${most} times`;
    if (most > 1) return `${line} has ${name(counts.indexOf(most))} ${times}`;
  }
  return null;
}

// The name of a colour as it looks; that of a place, counted from 1.
export const looks = (value) => ({ red: "orange" })[value] ?? value;
export const placeOf = (row, column) => `row ${row + 1}, column ${column + 1}`;

const orderOf = (square) => Math.sqrt(square.length);

// The cells of a cell's row and of its column.
function lines(square, cell) {
  const order = orderOf(square);
  const [row, column] = [Math.floor(cell / order), cell % order];
  const along = [...Array(order).keys()];
  return [along.map((i) => row * order + i), along.map((i) => i * order + column)];
}

// All rows, then all columns.
function allLines(square) {
  const order = orderOf(square);
  const along = [...Array(order).keys()];
  return ["row", "column"].flatMap((kind, which) =>
    along.map((i) => ({ name: `${kind} ${i + 1}`, cells: lines(square, i * (order + 1))[which] })),
  );
}
