// Boards that are drawn by hand: a maze, a Latin square. Their editors know nothing of models.

// Of the values of a square.
const COLOURS = ["#d65f00", "#f0d429", "#009e73", "#0073b3", "#cc78a6", "#73c4f2"];
const NAMES = ["red", "yellow", "green", "blue", "pink", "cyan"];
const MARKS = [
  // of each colour, as on the pictures: so that no colour has to be told by its hue
  "M3 3m-1.7 0a1.7 1.7 0 1 0 3.4 0a1.7 1.7 0 1 0 -3.4 0",
  "M5.5 1.5h3v3h-3z",
  "M3 5l1.8 3.4h-3.6z",
  "M7 5l2 2-2 2-2-2z",
  "M4 2.4h2v1.6h1.6v2h-1.6v1.6h-2v-1.6h-1.6v-2h1.6z",
  "M2 2.2h6v2h-6zM2 5.8h6v2h-6z",
];

const shuffled = list => {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
};
const doorName = (a, b) => [a, b].map(String).sort().join("-");

/* A random maze without loops, its start and goal as far apart as they can be. */
function randomMaze(rooms) {
  const near = ([x, y]) =>
    [
      [x + 1, y],
      [x - 1, y],
      [x, y + 1],
      [x, y - 1],
    ].filter(([i, j]) => i >= 0 && j >= 0 && i < rooms && j < rooms);
  const doors = [],
    seen = new Set(["0,0"]),
    path = [[0, 0]];
  while (path.length) {
    const here = path.at(-1),
      next = shuffled(near(here)).find(room => !seen.has(String(room)));
    if (!next) {
      path.pop();
      continue;
    }
    seen.add(String(next));
    doors.push([here, next]);
    path.push(next);
  }
  const open = new Set(doors.map(([a, b]) => doorName(a, b)));
  const farthest = from => {
    const found = [from],
      known = new Set([String(from)]);
    for (const room of found)
      for (const other of near(room))
        if (open.has(doorName(room, other)) && !known.has(String(other))) {
          known.add(String(other));
          found.push(other);
        }
    return found.at(-1);
  };
  const start = farthest([0, 0]);
  return { kind: "maze", rooms, doors, start, goal: farthest(start) };
}

/* A random square with so many clues: rows, columns and colours of the cyclic one are shuffled. */
function randomSquare(order, clues) {
  const all = [...Array(order).keys()],
    [rows, columns, colours] = [shuffled(all), shuffled(all), shuffled(all)];
  const given = new Set(shuffled([...Array(order * order).keys()]).slice(0, clues));
  return {
    kind: "latin",
    clues: rows.map((r, y) =>
      columns.map((c, x) => (given.has(y * order + x) ? colours[(r + c) % order] : -1)),
    ),
  };
}

/* An editor of a board. `change(board)` is called once for each click, key or drag. */
function boardEditor(board, change) {
  const editors = { maze: mazeEditor, latin: squareEditor, relay: relayEditor };
  return editors[board.kind](board, change);
}

/* Drag over walls: all become as the first one does; rooms: drag the start or the goal. */
function mazeEditor(board, change) {
  const n = board.rooms,
    open = new Map(board.doors.map(([a, b]) => [doorName(a, b), [a, b]]));
  const ends = { start: String(board.start), goal: String(board.goal) };
  const svg = h("svg", {
    viewBox: `-3 -3 ${n * 20 + 6} ${n * 20 + 6}`,
    class: "cos-maze",
    role: "group",
    "aria-label":
      "Maze editor. Drag across walls to open or close them, drag the green start or the red goal.",
  });
  const marks = {},
    walls = new Map();
  let drag = null;
  svg.append(h("rect", { x: 0, y: 0, width: n * 20, height: n * 20, class: "cos-paper" }));
  const bars = svg.appendChild(h("g"));
  const commit = () =>
    change({
      ...board,
      doors: [...open.values()],
      start: ends.start.split(",").map(Number),
      goal: ends.goal.split(",").map(Number),
    });
  const place = (end, room) => {
    if (room === ends[end === "start" ? "goal" : "start"]) return;
    ends[end] = room;
    const [x, y] = room.split(",").map(Number);
    marks[end].setAttribute("cx", x * 20 + 10);
    marks[end].setAttribute("cy", y * 20 + 10);
    marks[end].setAttribute("aria-label", `${end} in room ${room}; arrow keys move it`);
  };
  const set = (name, opened) => {
    const wall = walls.get(name);
    if (opened) open.set(name, wall.pair);
    else open.delete(name);
    wall.node.setAttribute("aria-pressed", String(!opened));
    wall.bar.classList.toggle("cos-open", opened);
    if (!opened) bars.append(wall.bar); // on top of the marks of open walls
  };
  for (let x = 0; x < n; x++)
    for (let y = 0; y < n; y++)
      for (const [i, j] of [
        [x + 1, y],
        [x, y + 1],
      ]) {
        if (i >= n || j >= n) continue;
        const pair = [
            [x, y],
            [i, j],
          ],
          name = doorName(...pair),
          upright = i > x;
        const node = h(
          "rect",
          {
            x: upright ? i * 20 - 5 : x * 20 + 4,
            y: upright ? y * 20 + 4 : j * 20 - 5,
            width: upright ? 10 : 12,
            height: upright ? 12 : 10,
            rx: 2,
            class: "cos-wall",
            tabindex: -1,
            role: "button",
            "aria-label": `wall between room ${x},${y} and room ${i},${j}`,
            "data-wall": name,
          },
          h("title", {}, "click or drag: open or close"),
        );
        const bar = h("path", {
          d: upright ? `M${i * 20} ${y * 20}v20` : `M${x * 20} ${j * 20}h20`,
          class: "cos-bar-of-wall",
        });
        walls.set(name, { node, bar, pair });
        bars.append(bar);
        svg.append(node);
        set(name, open.has(name));
      }
  walls.values().next().value.node.setAttribute("tabindex", 0);
  svg.append(h("rect", { x: 0, y: 0, width: n * 20, height: n * 20, class: "cos-frame" }));
  for (const end of ["start", "goal"]) {
    marks[end] = h(
      "circle",
      { r: 6, class: `cos-${end}`, tabindex: 0, role: "button", "data-end": end },
      h("title", {}, `${end}: drag it`),
    );
    svg.append(marks[end]);
    place(end, ends[end]);
  }
  const roomAt = event => {
    const box = svg.getBoundingClientRect(),
      scale = (n * 20 + 6) / box.width;
    return [event.clientX - box.left, event.clientY - box.top]
      .map(v => clamp(Math.floor((v * scale - 3) / 20), 0, n - 1))
      .join(",");
  };
  const wallAt = event => {
    const root = svg.getRootNode(),
      found = (root.elementFromPoint ? root : document).elementFromPoint(
        event.clientX,
        event.clientY,
      );
    return found?.dataset?.wall && svg.contains(found) ? found.dataset.wall : null;
  };
  svg.addEventListener("pointerdown", event => {
    const { wall, end } = event.target.dataset;
    if (!wall && !end) return;
    event.preventDefault();
    event.target.focus();
    svg.setPointerCapture(event.pointerId);
    drag = wall ? { opened: !open.has(wall) } : { end };
    if (wall) set(wall, drag.opened);
  });
  svg.addEventListener("pointermove", event => {
    if (drag?.end) place(drag.end, roomAt(event));
    else if (drag && wallAt(event)) set(wallAt(event), drag.opened);
  });
  svg.addEventListener("pointerup", () => {
    if (drag) {
      drag = null;
      commit();
    }
  });
  svg.addEventListener("keydown", event => {
    const step = ARROWS[event.key],
      { wall, end } = event.target.dataset;
    if (end && step) {
      place(
        end,
        ends[end]
          .split(",")
          .map((v, i) => clamp(Number(v) + step[i], 0, n - 1))
          .join(","),
      );
      commit();
    } else if (wall && step) nextWall(walls, event.target, step)?.focus();
    else if (wall && (event.key === " " || event.key === "Enter")) {
      set(wall, !open.has(wall));
      commit();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return svg;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/* The nearest wall in a direction; it takes the place in the tab order. */
function nextWall(walls, from, [dx, dy]) {
  const middle = node => [
    Number(node.getAttribute("x")) + node.getAttribute("width") / 2,
    Number(node.getAttribute("y")) + node.getAttribute("height") / 2,
  ];
  const [x, y] = middle(from);
  let best = null,
    least = Infinity;
  for (const { node } of walls.values()) {
    const [i, j] = middle(node),
      along = (i - x) * dx + (j - y) * dy,
      aside = Math.abs((i - x) * dy) + Math.abs((j - y) * dx);
    if (along > 1 && along + 2 * aside < least) [best, least] = [node, along + 2 * aside];
  }
  if (best) {
    from.setAttribute("tabindex", -1);
    best.setAttribute("tabindex", 0);
  }
  return best;
}

/* A click puts in the next colour, with shift the one before; drag copies. By keyboard: digits,
   Delete and arrows. */
function squareEditor(board, change) {
  const n = board.clues.length,
    clues = board.clues.map(row => [...row]);
  const cells = gridOf(
    clues,
    "cos-square",
    `Clues of the square. Click: next colour. Keys: 1 to ${n} set a colour, ` +
      "Delete empties the cell, arrows move.",
  );
  const show = (y, x) => {
    const value = clues[y][x],
      cell = cells.at(y, x);
    const name = value < 0 ? "empty" : NAMES[value];
    cell.setAttribute("aria-label", `row ${y + 1}, column ${x + 1}: ${name}`);
    cell.title = `${name}; click for the next colour`;
    cell.style.background = value < 0 ? "" : COLOURS[value];
    cell.classList.toggle("cos-given", value >= 0);
    cell.replaceChildren(
      ...(value < 0
        ? []
        : [
            h(
              "svg",
              { viewBox: "0 0 10 10", "aria-hidden": "true" },
              h("path", { d: MARKS[value] }),
            ),
          ]),
    );
  };
  const set = (y, x, value) => {
    clues[y][x] = value;
    show(y, x);
  };
  const commit = () => change({ ...board, clues: clues.map(row => [...row]) });
  const { node } = cells;
  let drag = null;
  clues.forEach((row, y) => row.forEach((_, x) => show(y, x)));
  node.addEventListener("pointerdown", event => {
    const here = cells.placeOf(event.target);
    if (!here) return;
    const [y, x] = here;
    event.preventDefault();
    cells.focus(y, x);
    node.setPointerCapture(event.pointerId);
    drag = ((clues[y][x] + 1 + (event.shiftKey ? n : 1)) % (n + 1)) - 1;
    set(y, x, drag);
  });
  node.addEventListener("pointermove", event => {
    const root = node.getRootNode(),
      here =
        drag !== null &&
        cells.placeOf(
          (root.elementFromPoint ? root : document).elementFromPoint(event.clientX, event.clientY),
        );
    if (here && clues[here[0]][here[1]] !== drag) set(...here, drag);
  });
  node.addEventListener("pointerup", () => {
    if (drag !== null) {
      drag = null;
      commit();
    }
  });
  node.addEventListener("keydown", event => {
    const here = cells.placeOf(event.target);
    if (!here || cells.moved(event, here)) return;
    const [y, x] = here,
      value = ["Delete", "Backspace", "0"].includes(event.key) ? -1 : Number(event.key) - 1;
    if (event.key === " " || event.key === "Enter") set(y, x, ((clues[y][x] + 2) % (n + 1)) - 1);
    else if (value >= -1 && value < n) set(y, x, value);
    else return;
    commit();
    event.preventDefault();
    event.stopPropagation();
  });
  return node;
}

/* A grid of cells of which one can be reached with Tab, the others with the arrow keys. */
function gridOf(rows, name, label) {
  const cells = rows.map((row, r) =>
    row.map((_, c) =>
      h("div", {
        role: "gridcell",
        class: "cos-cell",
        tabindex: r + c ? -1 : 0,
        "data-at": `${r},${c}`,
      }),
    ),
  );
  const node = h(
    "div",
    { class: name, role: "grid", style: `--n: ${rows.length}`, "aria-label": label },
    cells.map(row => h("div", { role: "row" }, row)),
  );
  const focus = (r, c) => {
    node.querySelector("[tabindex='0']").tabIndex = -1;
    cells[r][c].tabIndex = 0;
    cells[r][c].focus();
  };
  return {
    node,
    focus,
    at: (r, c) => cells[r][c],
    placeOf: target => target?.closest?.("[data-at]")?.dataset.at.split(",").map(Number),
    /* Whether an event was a move to another cell. */
    moved(event, [r, c]) {
      const step = ARROWS[event.key],
        last = rows.length - 1;
      if (!step) return false;
      focus(clamp(r + step[1], 0, last), clamp(c + step[0], 0, last));
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}
