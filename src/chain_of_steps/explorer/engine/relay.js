// Relays as flat arrays of signs: puzzles/relay.py. Signs are numbered as in models/symbols.py.

export const STOP = 5; // 0 is blank, 1 to 4 are arrows
const MOVES = { 1: [0, 1], 2: [1, 0], 3: [0, -1], 4: [-1, 0] }; // right, down, left, up

// The cells from a start to the stop to which the arrows lead.
//
// Throws an Error that says why, if they lead to none.
export function follow(signs, start) {
  const side = Math.sqrt(signs.length);
  const route = [start];
  while (signs[route.at(-1)] !== STOP) {
    const cell = route.at(-1);
    const [row, column] = [Math.floor(cell / side), cell % side];
    const place = `row ${row + 1}, column ${column + 1}`;
    if (!signs[cell]) throw new Error(`the way ends without a stop: ${place} is blank`);
    const [down, right] = MOVES[signs[cell]];
    const [nextRow, nextColumn] = [row + down, column + right];
    if (Math.min(nextRow, nextColumn) < 0 || Math.max(nextRow, nextColumn) >= side)
      throw new Error(`the arrow of ${place} leads off the board; turn it`);
    const next = nextRow * side + nextColumn;
    if (route.includes(next)) throw new Error("the arrows lead in a circle; turn one of them");
    route.push(next);
  }
  return route;
}

// The number of routes and of their moves, where the board consists of routes of equal length that
// lie apart, as the boards that are drawn at random do; null for others.
export function shape(signs) {
  const cells = [...signs.keys()].filter((cell) => signs[cell]);
  let ways;
  try {
    ways = cells.map((cell) => follow(signs, cell));
  } catch {
    return null;
  }
  const long = Math.max(...ways.map((way) => way.length));
  const routes = ways.filter((way) => way.length === long);
  const apart = new Set(routes.flat()).size === routes.length * long;
  return apart && cells.length === routes.length * long ? [routes.length, long - 1] : null;
}
