// A maze: puzzles/maze.py. A board is {rooms, doors: [[room, room]], start, goal}, a room is
// [column, row]; it may have a corner, its place on the picture. A part of an answer is a door, its
// value 1 if the path leads through it, else 0.
import { INK, PALETTE } from "./canvas.js";
import { placeOf } from "./latin.js";

const ACROSS = 8; // rooms that fit the picture
const SIDES = [2, 3, 4, 5, 6, 7, 8]; // rooms
const ROOM = 0.75; // side of a room, cells
const MOST_LOOPS = 4; // walls opened beyond a tree; with more there are too many paths to list

const doorKey = (a, b) => [a, b].map(String).sort().join("-");

// How many doors lead between rooms that other doors, before them, join already.
function loopsOf(doors) {
  const joined = new Map(); // each room leads towards one that stands for all it is joined to
  const end = (room) => (joined.has(room) ? end(joined.get(room)) : room);
  let count = 0;
  for (const door of doors) {
    const [one, other] = door.map((room) => end(String(room)));
    if (one === other) count++;
    else joined.set(one, other);
  }
  return count;
}

const roomOf = (name) => {
  const [column, row] = name.split(",").map(Number);
  return placeOf(row, column);
};

export class Maze {
  constructor(board) {
    Object.assign(this, board);
    this.prompt = "draw the path from green to red";
    this.values = 2;
    this.parts = this.doors.length;
    this.check();
    this.near = new Map();
    for (let x = 0; x < this.rooms; x++)
      for (let y = 0; y < this.rooms; y++) this.near.set(`${x},${y}`, []);
    for (const [a, b] of this.doors) {
      this.near.get(String(a)).push(b);
      this.near.get(String(b)).push(a);
    }
    this.corner ??= [0, 1].map(() => Math.floor((ACROSS - this.rooms) / 2)); // in rooms
    this.answers = this.paths().map((path) => this.answerOf(path));
    this.rounds = this.answers.length === 1 ? this.fillings() : null;
    if (!this.answers.length)
      throw new Error("no path leads from green to red; open a wall between them");
  }

  // Throws an Error that says what is wrong with a board: puzzles/hand_drawn.py.
  check() {
    const { rooms: n, doors, start, goal } = this;
    const isInside = (room) => room.length === 2 && room.every((at) => at >= 0 && at < n);
    if (!SIDES.includes(n) || ![start, goal, ...doors.flat()].every(isInside) || same(start, goal))
      throw new Error(
        `a maze has ${SIDES[0]} to ${ACROSS} rooms a side, its start and goal are two different ` +
          "ones of them",
      );
    const areNext = ([[ax, ay], [bx, by]]) => Math.abs(ax - bx) + Math.abs(ay - by) === 1;
    if (!doors.every(areNext))
      throw new Error("a door joins two neighbours; these rooms have no wall in common");
    if (new Set(doors.map(([a, b]) => doorKey(a, b))).size < doors.length)
      throw new Error("a door is listed twice; name each once");
    if (loopsOf(doors) > MOST_LOOPS)
      throw new Error("too many walls are open, so that there are too many paths; close some");
  }

  // All paths from start to goal that visit no room twice, shortest first.
  paths() {
    const found = [];
    const walk = (path, seen) => {
      const here = String(path.at(-1));
      if (here === String(this.goal)) return found.push([...path]);
      for (const other of this.near.get(here))
        if (!seen.has(String(other))) walk([...path, other], new Set([...seen, String(other)]));
    };
    walk([this.start], new Set([String(this.start)]));
    return found.sort((a, b) => a.length - b.length);
  }

  answerOf(path) {
    const taken = new Set(path.slice(1).map((room, i) => doorKey(path[i], room)));
    return this.doors.map(([a, b]) => (taken.has(doorKey(a, b)) ? 1 : 0));
  }

  // Rounds in which all dead ends are filled at once, until only the path is left.
  fillings() {
    const near = new Map([...this.near].map(([room, to]) => [room, new Set(to.map(String))]));
    const kept = [this.start, this.goal].map(String);
    for (let count = 0; ; count++) {
      const ends = [...near].filter(([room, to]) => to.size <= 1 && !kept.includes(room));
      if (!ends.length) return [...near.values()].every((to) => to.size <= 2) ? count : "search";
      for (const [room] of ends) {
        for (const other of near.get(room)) near.get(other).delete(room);
        near.delete(room);
      }
    }
  }

  // The distance in parts from the nearest valid answer.
  violations(answer) {
    return Math.min(...this.answers.map((valid) => apart(valid, answer)));
  }

  // The first reason why an answer is not valid, in words: figures/verdict.py; null if it is.
  // Follows what is drawn from the start: it breaks off, it branches, or a piece lies apart.
  fault(answer) {
    if (!this.violations(answer)) return null;
    const names = this.doors.map((door) => door.map(String).sort());
    const on = names.filter((_, door) => answer[door] === 1);
    const next = (room) =>
      on.filter((pair) => pair.includes(room)).map(([a, b]) => (a === room ? b : a));
    const ends = [this.start, this.goal].map(String);
    if (!next(ends[0]).length) return "no path leaves the green room";
    const reached = [ends[0]];
    for (const room of reached)
      reached.push(...next(room).filter((other) => !reached.includes(other)));
    if (!reached.includes(ends[1]))
      return `the path from the green room breaks off in ${roomOf(reached.at(-1))}`;
    const branch = reached.find((room) => next(room).length > (ends.includes(room) ? 1 : 2));
    if (branch) return `the path branches in ${roomOf(branch)}`;
    const apart = on.flat().find((room) => !reached.includes(room));
    if (apart) return `something that is no part of the path is drawn in ${roomOf(apart)}`;
    return `${roomOf(names[answer.indexOf(-1)][0])}: one of its sides shows nothing`;
  }

  // All walls, then start and goal.
  scene(canvas) {
    const n = this.rooms;
    const open = new Set(this.doors.map(([a, b]) => doorKey(a, b)));
    for (let x = 0; x <= n; x++)
      for (let y = 0; y <= n; y++) {
        const corner = [(this.corner[0] + x) * ROOM, (this.corner[1] + y) * ROOM];
        if (y < n && !open.has(doorKey([x - 1, y], [x, y])))
          canvas.line(corner, [corner[0], corner[1] + ROOM], 0.15, INK);
        if (x < n && !open.has(doorKey([x, y - 1], [x, y])))
          canvas.line(corner, [corner[0] + ROOM, corner[1]], 0.15, INK);
      }
    this.ends(canvas);
  }

  // The path grows from the start; doors that do not connect to it appear as a whole.
  act(canvas, answer, progress) {
    const { steps, loose } = this.walk(this.doors.filter((_, door) => answer[door] === 1));
    let rest = progress * steps.length;
    for (const [a, b] of steps) {
      if (rest <= 0) break;
      this.segment(canvas, a, b, Math.min(rest, 1));
      rest -= 1;
    }
    if (progress > 0) for (const [a, b] of loose) this.segment(canvas, a, b, 1);
    this.ends(canvas);
  }

  // The doors in the order in which a walk from the start takes them, and those it misses.
  walk(doors) {
    const loose = [...doors];
    const steps = [];
    let room = this.start;
    for (;;) {
      const found = loose.findIndex((door) => door.some((end) => same(end, room)));
      if (found < 0) return { steps, loose };
      const [[a, b]] = loose.splice(found, 1);
      steps.push([room, same(a, room) ? b : a]);
      room = steps.at(-1)[1];
    }
  }

  segment(canvas, a, b, part) {
    const [[ax, ay], [bx, by]] = [this.middle(a), this.middle(b)];
    canvas.line([ax, ay], [ax + part * (bx - ax), ay + part * (by - ay)], 0.28, PALETTE.blue);
  }

  ends(canvas) {
    canvas.shape("circle", this.middle(this.start), 0.29, PALETTE.green);
    canvas.shape("circle", this.middle(this.goal), 0.29, PALETTE.red);
  }

  middle(room) {
    return room.map((at, axis) => (this.corner[axis] + at + 0.5) * ROOM);
  }
}

const same = ([ax, ay], [bx, by]) => ax === bx && ay === by;

const apart = (a, b) => a.filter((value, part) => value !== b[part]).length;
