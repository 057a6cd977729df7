/* The explorer: choose a puzzle, change its run, compare. One ES module,
   `{ render({ model, el }) }`.

It computes no answer itself. A back end does, behind a *model*: anything with `get`, `set`,
`save_changes`, `on` and `off`. There are three kinds: the notebook's kernel (an anywidget's model,
`widget.py`), recorded runs (`standin.js`), and computations in the page (`local.js`, which says
what these have to provide). All of them speak through these traits of plain JSON. What is marked
"optional" switches on a part of the page that not every back end has.

about     from the back end, constant.
            live: whether it can run; frames, layers: of the network;
            tasks: [{name, label: optional, knobs: [name], cells: optional, the only knobs that
              there are, as [{knobs: "order=4 log2=1", label}]}];
            boards: kinds of board that can be drawn; sizes: optional, {kind: [least, most]};
            presets: {name: steps}; modes: of noise; most: {steps, seeds, index: optional};
            default: a setting; gallery: [{title, text, setting}];
            changes: optional, which of "noise", "patch", "merge" and "drop" there are, all if
              missing; without "patch" no hidden states are merged either;
            networks: optional, [{name, layers}], of which a setting names one;
            instant: optional, whether a change of the setting is run at once, without a button;
            controls: optional, {sigma: [least, most], passes: [least, most]}, limits of the
              controls of one pass;
            diagram: optional, the phase diagram, {entries: [{cell, layers, steps, phase, at_step_0,
              at_end}], labels: {cell: text}, colours: {phase: colour}}, or {missing: why}
setting   from either. What is chosen: {cell: "latin order=4", index: of the sample, board: null or
          one drawn by hand, seed, preset, steps, noise: [[step, frame]], mode, patch: null or
          [step, layer], merge: null or {seeds, layers: null or [first, last]}, drop: null or {step,
          until: null or the first step not dropped, given, prompt}}; where `about` has networks,
          network: the name of one; where it has controls, controls: {sigma, passes}, which leave
          the run as it is. A board is {kind: "maze", rooms, doors: [[[column, row], [column,
          row]]], start, goal}, {kind: "latin", clues: rows of values, -1 where empty} or {kind:
          "relay", signs: rows of 0 for blank, 1 to 4 for an arrow right, down, left, up, 5 for a
          stop, start: [row, column], drawn: whether the route is the answer, or else its end}.
preview   from the back end, after every change of the setting. {setting: that it is of, error} or
          {setting, given: picture, board: or null, prompt, truth: pictures of the first valid
          answers, answers: their number, more: whether there are more, rounds: of propagation,
          "search" or null, stratum: optional, the cell of the phase diagram or null}
command   from the front end. {number: counts, do: "run", settings: [...]}, do: "stop", do:
          "replay", which asks for all steps of the last run once more, or do: "controls", setting.
          Each ends what is still being computed, except "replay".
run       from the back end: the run in progress, or the last one. {id, setting, state: "running",
          "done", "stopped" or "failed", error, sigmas: one more than steps, values: of an answer
          of one part, [{name, valid}], else [], board: needed for beliefs as pictures, and prompt,
          truth, answers, more, rounds}
steps     from the back end, as they are computed. {run: id, steps: [...]}. A step is {step, nfe:
          forward passes so far, strip: picture of its frames side by side, reading: picture of its
          answer drawn clearly, decided: index of each part's value or -1, violations, which: number
          of the valid answer or null, fault: the first thing wrong or null, drawn: whether it is
          legible, error: of the worst cell (both null where nothing is drawn), open: share of open
          parts that show several values or null, beliefs: in each of `values`, or null}
controls  from the back end, where `about` has them, as they are computed. {setting, board, items:
          [{name, picture, decided, violations}], done: whether these are all, error}: what one
          pass makes of the puzzle, on latents that are noised to sigma. The names: "start", step 0
          of the run as it is; "first", on that estimate; "blank", on latents that say nothing;
          "truth", on a valid answer; "repeated", so many passes in all, "start" and then each on
          the last estimate
recorded  from the back end: runs to begin with, [{...run, steps: [...]}]

A picture is a data URL. On a square or a relay it may be beliefs instead, which the page draws on
the board: rows of opacities in [0, 1], one row for each part of an answer, one number for each of
its values. The parts of a square are its cells, row by row; of a relay the cells with a sign
(values off and on), or one part whose values are the stops.
*/

const STATE = new WeakMap(); // of each model: views of one model share their runs
const KEPT = 8; // runs in the history

function stateOf(model) {
  if (!STATE.has(model)) {
    const state = {
      runs: new Map(),
      undo: [],
      asked: 0,
      left: null,
      right: null,
      listeners: new Set(),
      instant: model.get("about").instant,
      tasks: model.get("about").tasks ?? [],
      due: 0, // the timer of a run that begins by itself
    };
    for (const run of model.get("recorded") ?? []) keep(state, run, run.steps);
    [state.left = null, state.right = null] = [...state.runs.keys()];
    model.on("change:run", () => {
      keep(state, model.get("run"));
      changed(state);
    });
    model.on("change:steps", () => {
      add(state, model.get("steps"));
      changed(state);
    });
    model.on("change:controls", () => changed(state));
    STATE.set(model, state);
    if (model.get("run")?.id && !state.runs.has(model.get("run").id)) {
      keep(state, model.get("run")); // the page was opened again
      command(model, { do: "replay" });
    }
  }
  return STATE.get(model);
}

const changed = state => state.listeners.forEach(listener => listener());

/* A run's header, the first or a later one. The newest run is shown: on the left, or, if it changes
   the run that is shown there, on the right. */
function keep(state, header, steps = []) {
  if (!header?.id) return;
  const known = state.runs.get(header.id);
  if (known) return Object.assign(known, header);
  const name = nameOf(header.setting, state.tasks);
  state.runs.set(header.id, { ...header, name, steps: [], pictures: [] });
  if (steps.length) add(state, { run: header.id, steps });
  const left = state.runs.get(state.left);
  if (left && isChanged(header.setting) && sameRun(without(header.setting), left.setting))
    state.right = header.id;
  else [state.left, state.right] = [header.id, null];
  for (const [id, { state: ended }] of state.runs) {
    const isShown = id === state.left || id === state.right,
      isStump = state.instant && ended === "stopped"; // another change came too soon
    if (!isShown && (isStump || state.runs.size > KEPT)) state.runs.delete(id);
  }
}

function add(state, batch) {
  const run = state.runs.get(batch?.run);
  for (const step of run ? batch.steps : []) {
    run.steps[step.step] = step;
    const picture = source => pictureOf(source, run.board, () => changed(state));
    run.pictures[step.step] ??= {
      strip: picture(step.strip),
      reading: picture(step.reading),
    };
  }
}

function command(model, wanted) {
  const state = stateOf(model);
  model.set("command", { ...wanted, number: ++state.asked + Date.now() });
  model.save_changes();
}

/* Changes the setting; what was chosen before can be brought back. */
function choose(model, change, undoable = true) {
  const before = model.get("setting");
  const after = { ...before, ...change };
  if (same(before, after)) return;
  if (undoable) stateOf(model).undo.push(before);
  model.set("setting", after);
  model.save_changes();
}

function undo(model) {
  const before = stateOf(model).undo.pop();
  if (before) choose(model, before, false);
}

// Settings.

const CHANGES = { noise: [], patch: null, merge: null, drop: null };
const same = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
/* Whether two settings give the same run: controls are computed besides. */
const sameRun = (a, b) => same({ ...a, controls: null }, { ...b, controls: null });
const without = setting => ({ ...setting, ...CHANGES, mode: "replace" });
const isChanged = setting => !same(setting, { ...setting, ...CHANGES });

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, sorted(value[key])]),
  );
}

/* A setting as text: JSON of what differs from the default. */
function toText(setting, usual) {
  return JSON.stringify(
    Object.fromEntries(Object.entries(setting).filter(([key, value]) => !same(value, usual[key]))),
  );
}

/* The setting that a text says. Throws an Error for any other text: it may come from anywhere. */
function fromText(text, about) {
  const found = JSON.parse(text);
  const unknown = Object.keys(found).find(key => !(key in about.default));
  if (unknown) throw new Error(`there is no setting "${unknown}"`);
  const setting = { ...about.default, ...found };
  const wrong = Object.keys(setting).find(key => !IS_SETTING[key]?.(setting[key], about, setting));
  if (wrong) throw new Error(`${wrong} cannot be ${JSON.stringify(setting[wrong])}`);
  return setting;
}

const isCount = (value, most = 2 ** 31 - 1, least = 0) =>
  Number.isInteger(value) && value >= least && value <= most;
const isPair = (value, ...most) =>
  Array.isArray(value) && value.length === 2 && value.every((each, i) => isCount(each, most[i]));
const isGrid = (rows, least) =>
  Array.isArray(rows) &&
  rows.every(row => Array.isArray(row) && row.every(value => isCount(value, 5, least)));
const isBoard = {
  maze: ({ rooms, doors, start, goal }) =>
    isCount(rooms, 8, 2) &&
    isPair(start) &&
    isPair(goal) &&
    Array.isArray(doors) &&
    doors.every(door => Array.isArray(door) && door.length === 2 && door.every(at => isPair(at))),
  latin: ({ clues }) => isGrid(clues, -1),
  relay: ({ signs, start, drawn }) =>
    isGrid(signs, 0) && isPair(start, 5, 5) && typeof drawn === "boolean",
};

/* What the page takes for granted of each setting; the back end knows the rest. */
const IS_SETTING = {
  cell: value => typeof value === "string",
  index: value => isCount(value),
  board: (value, about) =>
    value === null || (about.boards.includes(value?.kind) && isBoard[value.kind](value)),
  seed: value => isCount(value),
  preset: value => typeof value === "string",
  steps: (value, about) => isCount(value, about.most.steps, 1),
  noise: (value, about, { steps }) =>
    Array.isArray(value) && value.every(cell => isPair(cell, steps - 1, about.frames - 1)),
  mode: (value, about) => about.modes.includes(value),
  patch: (value, about, { steps }) => value === null || isPair(value, steps - 1, about.layers - 1),
  merge: value =>
    value === null || (isCount(value.seeds) && (value.layers === null || isPair(value.layers))),
  drop: value => value === null || isCount(value.step),
  network: (value, about) => about.networks.some(each => each.name === value),
  controls: (value, about) =>
    Object.entries(about.controls ?? {}).every(
      ([name, [least, most]]) => value?.[name] >= least && value[name] <= most,
    ),
};

/* A sample by the words of the menus, where there are such words. */
function sampleName({ cell, index }, tasks) {
  const [name, ...knobs] = cell.split(" "),
    task = tasks.find(each => each.name === name),
    kind = task?.cells?.find(each => each.knobs === knobs.join(" "));
  return `${kind ? `${task.label}, ${kind.label}` : cell} #${index}`;
}

/* A short name of a setting: its puzzle, seed and changes. */
function nameOf(setting, tasks) {
  const { noise, patch, merge, drop } = setting;
  const steps = [...new Set(noise.map(([step]) => step))];
  const at =
    steps.length > 1 ? `steps ${Math.min(...steps)}–${Math.max(...steps)}` : `step ${steps[0]}`;
  const dropped =
    drop && [drop.given && "given frame", drop.prompt && "prompt"].filter(Boolean).join(" and ");
  const said = [
    noise.length && `noise in ${noise.length} cell${noise.length > 1 ? "s" : ""}, ${at}`,
    patch && `patch at step ${patch[0]}, layer ${patch[1]}`,
    merge && `merge of ${merge.seeds} seeds`,
    drop && `no ${dropped || "condition"} from step ${drop.step}`,
  ];
  const kinds = { maze: "maze", latin: "square", relay: "relay" };
  const puzzle = setting.board
    ? `own ${kinds[setting.board.kind]}`
    : sampleName(setting, tasks);
  const named = [puzzle, setting.network, `seed ${setting.seed}`, ...said];
  return named.filter(Boolean).join(" · ");
}

// Elements.

/* An element: h("button", { class: "x", onclick }, children). A null attribute is left out. */
function h(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "circle", "line", "polyline", "text", "g", "title"].includes(
    tag,
  );
  const node = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== false && value !== undefined)
      node.setAttribute(name, value);
  }
  node.append(
    ...children.flat().filter(child => child !== null && child !== undefined && child !== false),
  );
  return node;
}

let labels = 0;

/* A field with its name, and help as a tooltip and for screen readers. */
function labelled(name, field, help = "") {
  field.id ||= `cos-field-${++labels}`;
  field.title = help;
  return h("div", { class: "cos-field" }, h("label", { for: field.id, title: help }, name), field);
}

const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
