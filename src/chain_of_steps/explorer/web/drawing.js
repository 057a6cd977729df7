// Pictures: data URLs as images, and beliefs as boards, on which every value is drawn as strongly
// as it is believed. The drawings are those of puzzles/latin.py and puzzles/relay.py.

const PAPER = "#f7f7f7",
  INK = "#26262e",
  GREY = "#9e9ea8",
  START = "#73c4f2",
  WAY = "#f0d429";
const CELL = 48; // pixels a side

/* What can be drawn on a canvas: an image, or a canvas with beliefs. `changed` is called when an
   image has been decoded. */
function pictureOf(source, board, changed) {
  if (Array.isArray(source)) return boardPicture(source, board);
  const image = new Image();
  image.onload = changed;
  image.src = source;
  return image;
}

/* Width and height in pixels, 0 while an image is not there. */
function sizeOf(picture) {
  if (!picture || picture.complete === false) return [0, 0];
  return [picture.naturalWidth ?? picture.width, picture.naturalHeight ?? picture.height];
}

const urls = new WeakMap(); // of beliefs: they are shown again and again

/* A picture as a URL, for an img element. */
function urlOf(source, board) {
  if (!Array.isArray(source)) return source;
  if (!urls.has(source)) urls.set(source, boardPicture(source, board).toDataURL());
  return urls.get(source);
}

function boardPicture(beliefs, board) {
  const rows = board.kind === "latin" ? board.clues : board.signs;
  const canvas = h("canvas", { width: rows.length * CELL, height: rows.length * CELL });
  const context = canvas.getContext("2d");
  context.scale(CELL, CELL); // from here on a cell is 1 wide
  (board.kind === "latin" ? drawSquare : drawRelay)(context, beliefs, board);
  return canvas;
}

function box(context, row, column, half, colour) {
  context.fillStyle = colour;
  context.fillRect(column + 0.5 - half, row + 0.5 - half, 2 * half, 2 * half);
}

/* Open cells have a grey frame, given ones a dark one. */
function drawSquare(context, beliefs, { clues }) {
  const n = clues.length;
  beliefs.forEach((row, part) => {
    const [r, c] = [Math.floor(part / n), part % n];
    box(context, r, c, 0.5, clues[r][c] < 0 ? GREY : INK);
    box(context, r, c, 0.375, PAPER);
    const whole = Math.max(1, row.reduce((sum, belief) => sum + belief));
    let drawn = 1 - row.reduce((sum, belief) => sum + belief / whole, 0);
    row.forEach((belief, value) => {
      // Each layer covers those below it in proportion, so that all end with their own share.
      drawn += belief / whole;
      context.globalAlpha = drawn > 0 ? belief / whole / drawn : 0;
      if (belief) context.drawImage(tileOf(value), c + 0.125, r + 0.125, 0.75, 0.75);
    });
    context.globalAlpha = 1;
  });
}

const tiles = []; // of each value

/* A colour's tile with its mark. */
function tileOf(value) {
  if (tiles[value]) return tiles[value];
  const canvas = h("canvas", { width: 0.75 * CELL, height: 0.75 * CELL });
  const context = canvas.getContext("2d");
  context.fillStyle = COLOURS[value];
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(canvas.width / 10, canvas.height / 10);
  context.fillStyle = PAPER;
  context.fill(new Path2D(MARKS[value]));
  return (tiles[value] = canvas);
}

/* A cell on the route is yellow, as strongly as that is believed. */
function drawRelay(context, beliefs, { signs, start, drawn }) {
  const covered = coveredBy({ signs, drawn });
  const on = covered.map((_, i) => (drawn ? beliefs[i][1] : beliefs[0][i]));
  signs.forEach((row, r) =>
    row.forEach((sign, c) => {
      box(context, r, c, 0.5, GREY);
      box(context, r, c, 0.45, PAPER);
      context.globalAlpha = on[covered.findIndex(([y, x]) => y === r && x === c)] ?? 0;
      box(context, r, c, 0.45, WAY);
      context.globalAlpha = 1;
      if (String(start) === String([r, c])) drawShape(context, r, c, START_DISC, START);
      if (sign) drawShape(context, r, c, SIGNS[sign], INK);
    }),
  );
}

/* The cells that an answer is about, as [row, column]: all with a sign, or the stops. */
function coveredBy({ signs, drawn }) {
  return signs.flatMap((row, r) =>
    row.flatMap((sign, c) => (drawn ? sign > 0 : sign === STOP) ? [[r, c]] : []),
  );
}

function drawShape(context, row, column, path, colour) {
  context.save();
  context.translate(column, row);
  context.scale(0.1, 0.1);
  context.fillStyle = colour;
  context.fill(new Path2D(path));
  context.restore();
}

/* An answer in words, for those who do not see its picture. */
function spoken(decided, board) {
  if (!board) return "";
  const name = value => NAMES[value] ?? "empty";
  if (board.kind === "latin") {
    const n = board.clues.length;
    return board.clues
      .map((_, r) => decided.slice(r * n, (r + 1) * n).map(name).join(" "))
      .join(", ");
  }
  const covered = coveredBy(board),
    on = board.drawn ? covered.filter((_, i) => decided[i] === 1) : [covered[decided[0]]];
  return on.filter(Boolean).map(([r, c]) => `row ${r + 1} column ${c + 1}`).join(", ") || "nothing";
}
