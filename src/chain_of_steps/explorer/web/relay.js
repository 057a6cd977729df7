// A relay that is drawn by hand: arrows, stops and a start on a board of 6 x 6 cells.

const STOP = 5,
  SIDE = 6;
// Of each sign, on a cell of 10 x 10: nothing, arrows right, down, left, up, a stop.
const SIGNS = [
  "",
  "M7 5L2.5 2.4v5.2z",
  "M5 7L2.4 2.5h5.2z",
  "M3 5l4.5 -2.6v5.2z",
  "M5 3l-2.6 4.5h5.2z",
  "M3.1 3.1h3.8v3.8h-3.8z",
];
const START_DISC = "M1 5a4 4 0 1 0 8 0a4 4 0 1 0 -8 0";
const SIGN_NAMES = ["blank", "arrow right", "arrow down", "arrow left", "arrow up", "stop"];
const SIGN_KEYS = { ">": 1, v: 2, "<": 3, "^": 4, o: 5, 0: 0, Delete: 0, Backspace: 0 };
const TRIES = 1000;

/* A random relay: routes of equal length, cut out of one path through all cells, the first of them
   from the marked start. */
function randomRelay(routes, moves, drawn) {
  const length = moves + 1;
  for (let i = 0; i < TRIES; i++) {
    const path = coveringPath(),
      spare = path.length - routes * length;
    const gaps = shuffled([...Array(spare + routes).keys()])
      .slice(0, routes)
      .sort((a, b) => a - b);
    const pieces = gaps.map((gap, k) => path.slice(gap - k + k * length).slice(0, length));
    const touch = (one, other) =>
      one !== other && one.some(a => other.some(b => distance(a, b) === 1));
    const turned = piece => (Math.random() < 0.5 ? piece : piece.toReversed());
    if (pieces.every(piece => pieces.some(other => touch(piece, other))))
      return relayOf(shuffled(pieces.map(turned)), drawn);
  }
  throw new Error(`no relay of ${routes} routes and ${moves} moves was found`);
}

/* A random path through all cells: an end of a path to and fro is linked to one of its neighbours,
   again and again, which opens the loop on its other side. */
function coveringPath() {
  const rows = [...Array(SIDE).keys()];
  let path = rows.flatMap(r => (r % 2 ? rows.toReversed() : rows).map(c => [r, c]));
  for (let i = 0; i < 300; i++) {
    if (Math.random() < 0.5) path.reverse();
    const links = [...path.keys()].filter(at => distance(path[0], path[at]) === 1),
      link = shuffled(links)[0];
    path = [...path.slice(0, link).reverse(), ...path.slice(link)];
  }
  return path;
}

const distance = ([a, b], [c, d]) => Math.abs(a - c) + Math.abs(b - d);

/* The board of routes; the first begins at the start. */
function relayOf(routes, drawn) {
  const signs = Array.from({ length: SIDE }, () => Array(SIDE).fill(0));
  const moves = ["0,1", "1,0", "0,-1", "-1,0"];
  for (const route of routes)
    route.forEach(([r, c], i) => {
      const next = route[i + 1];
      signs[r][c] = next ? 1 + moves.indexOf(String([next[0] - r, next[1] - c])) : STOP;
    });
  return { kind: "relay", signs, start: routes[0][0], drawn };
}

/* A click puts in the next sign, with shift the one before; by keyboard: > v < ^ o, Delete, s for
   the start, arrow keys to move. */
function relayEditor(board, change) {
  let { start } = board;
  const signs = board.signs.map(row => [...row]);
  const cells = gridOf(
    signs,
    "cos-relay",
    "Arrows of the relay. Click: next sign. Keys: > v < ^ set an arrow, o a stop, Delete empties " +
      "the cell, s puts the start here, arrow keys move.",
  );
  const show = (r, c) => {
    const cell = cells.at(r, c),
      isStart = String(start) === String([r, c]),
      name = SIGN_NAMES[signs[r][c]] + (isStart ? ", start" : "");
    cell.setAttribute("aria-label", `row ${r + 1}, column ${c + 1}: ${name}`);
    cell.title = `${name}; click for the next sign`;
    cell.replaceChildren(
      h(
        "svg",
        { viewBox: "0 0 10 10", "aria-hidden": "true" },
        isStart && h("path", { d: START_DISC, class: "cos-disc" }),
        h("path", { d: SIGNS[signs[r][c]] }),
      ),
    );
  };
  const commit = () => change({ ...board, signs: signs.map(row => [...row]), start });
  const set = (r, c, sign) => {
    signs[r][c] = sign;
    show(r, c);
    commit();
  };
  const turn = (r, c, by) => set(r, c, (signs[r][c] + by + SIGNS.length) % SIGNS.length);
  signs.forEach((row, r) => row.forEach((_, c) => show(r, c)));
  cells.node.addEventListener("click", event => {
    const here = cells.placeOf(event.target);
    if (!here) return;
    cells.focus(...here);
    turn(...here, event.shiftKey ? -1 : 1);
  });
  cells.node.addEventListener("keydown", event => {
    const here = cells.placeOf(event.target),
      key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!here || cells.moved(event, here)) return;
    if (key === " " || key === "Enter") turn(...here, 1);
    else if (key in SIGN_KEYS) set(...here, SIGN_KEYS[key]);
    else if (key === "s") {
      const before = start;
      start = here;
      show(...before);
      show(...here);
      commit();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return cells.node;
}
