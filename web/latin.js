// Latin squares as flat arrays of values 0 to n - 1, -1 in open cells: puzzles/latin_squares.py.

// All squares that agree with the clues.
export function completions(clues) {
  const square = [...clues];
  const order = Math.sqrt(clues.length);
  const found = [];
  if (repeats(clues)) return found;
  const fill = (cell) => {
    if (cell === square.length) return found.push([...square]);
    if (clues[cell] >= 0) return fill(cell + 1);
    for (let value = 0; value < order; value++) {
      if (peers(cell, order).some((other) => square[other] === value)) continue;
      square[cell] = value;
      fill(cell + 1);
    }
    square[cell] = -1;
  };
  fill(0);
  return found;
}

// The rounds of propagation that fill the board; null if it gets stuck. In a round, all naked
// singles (one value left for a cell) and hidden singles (one cell left for a value in a row or
// column) are filled at once.
export function rounds(clues) {
  let board = [...clues];
  let count = 0;
  while (board.includes(-1)) {
    const filled = singles(board);
    if (filled.every((value) => value < 0)) return null;
    board = board.map((value, cell) => (filled[cell] >= 0 ? filled[cell] : value));
    count += 1;
  }
  return count;
}

// The values that follow in one round, -1 elsewhere.
function singles(board) {
  const order = Math.sqrt(board.length);
  const free = board.map((_, cell) => candidates(board, cell));
  const fits = (value) => (cell) => free[cell].includes(value);
  return free.map((values, cell) => {
    if (values.length === 1) return values[0];
    const only = values.find((value) =>
      lines(cell, order).some((line) => line.filter(fits(value)).length === 1),
    );
    return only ?? -1;
  });
}

// Values missing in the row and column of an open cell.
export function candidates(board, cell) {
  const order = Math.sqrt(board.length);
  if (board[cell] >= 0) return [];
  const taken = new Set(peers(cell, order).map((other) => board[other]));
  return Array.from({ length: order }, (_, value) => value).filter((value) => !taken.has(value));
}

// Clues contradicted, plus values repeated in rows and columns, plus empty cells.
export function violations(clues, answer) {
  const contradicted = clues.filter((value, cell) => value >= 0 && answer[cell] !== value).length;
  return contradicted + repeats(answer) + answer.filter((value) => value < 0).length;
}

function repeats(square) {
  const order = Math.sqrt(square.length);
  let count = 0;
  for (let i = 0; i < order; i++)
    for (const line of lines(i * order + i, order)) {
      const shown = line.map((cell) => square[cell]).filter((value) => value >= 0);
      count += shown.length - new Set(shown).size;
    }
  return count;
}

// The cells of a cell's row and of its column.
function lines(cell, order) {
  const row = Math.floor(cell / order);
  const column = cell % order;
  const along = Array.from({ length: order }, (_, i) => i);
  return [along.map((i) => row * order + i), along.map((i) => i * order + column)];
}

function peers(cell, order) {
  return lines(cell, order)
    .flat()
    .filter((other) => other !== cell);
}
