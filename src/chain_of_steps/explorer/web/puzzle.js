// The choice of a puzzle, with its preview.

const EMPTY = { maze: "Close all walls", latin: "No clues", relay: "No arrows" };

/* Which puzzle, from which noise, on which schedule; its preview; an editor of its board. */
function puzzlePanel(model) {
  const about = model.get("about"),
    own = change => choose(model, { ...change, board: null });
  const cellsOf = name => about.tasks.find(each => each.name === name)?.cells;
  const firstOf = name => [name, cellsOf(name)?.[0].knobs].filter(Boolean).join(" ");
  const task = h(
    "select",
    { onchange: () => own({ cell: firstOf(task.value), index: 0 }) },
    about.tasks.map(each => h("option", { value: each.name }, each.label ?? each.name)),
  );
  const kind = h("select", {
    onchange: () => own({ cell: `${task.value} ${kind.value}`, index: 0 }),
  });
  const network = h(
    "select",
    { onchange: () => choose(model, { network: network.value }) },
    (about.networks ?? []).map(each => h("option", {}, each.name)),
  );
  const knobs = h("input", {
    type: "text",
    spellcheck: "false",
    onchange: () =>
      own({ cell: [task.value, ...knobs.value.split(/[\s,]+/)].filter(Boolean).join(" ") }),
  });
  const number = (name, most, extra = {}) => {
    const field = h("input", {
      type: "number",
      min: 0,
      max: most,
      onchange: () =>
        choose(model, {
          [name]: clamp(Math.round(Number(field.value)) || 0, field.min, most),
          ...extra,
          ...trimmed(name, Number(field.value)),
        }),
    });
    return field;
  };
  // Changes at steps that are no longer there are dropped.
  const trimmed = (name, steps) => {
    if (name !== "steps") return {};
    const { noise, patch, drop } = model.get("setting");
    return {
      noise: noise.filter(([step]) => step < steps),
      patch: patch && patch[0] < steps ? patch : null,
      drop:
        drop && drop.step < steps
          ? { ...drop, until: drop.until && drop.until < steps ? drop.until : null }
          : null,
    };
  };
  const index = number("index", about.most.index ?? 9999, { board: null }),
    seed = number("seed", 999_999),
    steps = number("steps", about.most.steps);
  steps.min = 1;
  const preset = h(
    "select",
    { onchange: () => choose(model, { preset: preset.value }) },
    Object.keys(about.presets).map(name => h("option", {}, name)),
  );
  const given = h("img", { class: "cos-given-frame", alt: "" }),
    said = h("p", { class: "cos-note" }),
    truth = h("div", { class: "cos-truth" });
  const error = h("p", { class: "cos-error", role: "alert" }),
    place = h("div", {}),
    buttons = h("div", { class: "cos-row" });
  const button = (name, help, onclick) =>
    h("button", { type: "button", title: help, onclick }, name);
  const board = value => choose(model, { board: value });
  const edit = button("Edit this board", "Change the board of this sample", () =>
    board(model.get("preview").board),
  );
  const maze =
    about.boards.includes("maze") &&
    button("Random maze", "A new maze to edit", () => board(random("maze", 5)));
  const square =
    about.boards.includes("latin") &&
    button("Random square", "A new Latin square to edit", () => board(random("latin", 4)));
  const relay =
    about.boards.includes("relay") &&
    button("Random relay", "A new relay to edit", () => board(random("relay", 6)));
  const empty = button(EMPTY.latin, "Remove all clues or arrows, or close all walls", () => {
    const { kind: which, ...now } = current();
    const none = {
      maze: () => ({ doors: [] }),
      latin: () => ({ clues: now.clues.map(row => row.map(() => -1)) }),
      relay: () => ({ signs: now.signs.map(row => row.map(() => 0)) }),
    };
    board({ kind: which, ...now, ...none[which]() });
  });
  const end = h("input", {
    type: "checkbox",
    onchange: () => board({ ...current(), drawn: !end.checked }),
  });
  const endLabel = h(
    "label",
    { class: "cos-check", title: "The answer is the stop at the end of the route alone" },
    end,
    "only the end",
  );
  const back = button("Undo", "Take back the last change of the setting (Ctrl+Z)", () =>
    undo(model),
  );
  const leave = button("Back to the samples", "Leave the board that was drawn", () => board(null));
  const sized = h("input", {
    type: "number",
    onchange: () => {
      const n = clamp(Math.round(Number(sized.value)), sized.min, sized.max);
      board(random(current().kind, n, n));
    },
  });
  const sizedLabel = labelled(
    "size",
    sized,
    "Rooms or cells a side, or moves of a route; another size gives a new random board",
  );
  const sizes = { maze: [3, 8], latin: [4, 6], relay: [1, 14], ...about.sizes };
  /* The board that is edited: where settings run at once, that of a sample as well. */
  function current() {
    const { board: drawn } = model.get("setting");
    return drawn ?? (about.instant ? (model.get("preview")?.board ?? null) : null);
  }
  function size(which, usual) {
    const now = current();
    if (now?.kind !== which) return usual;
    const moves = () => Math.max(1, Math.round(now.signs.flat().filter(Boolean).length / 2) - 1);
    return which === "maze" ? now.rooms : which === "latin" ? now.clues.length : moves();
  }
  function random(which, usual, n = size(which, usual)) {
    if (which === "maze") return randomMaze(n);
    if (which === "latin") return randomSquare(n, Math.floor((n * n) / 2));
    return randomRelay(2, Math.min(n, sizes.relay[1]), current()?.drawn ?? true);
  }
  buttons.append(
    ...[edit, maze, square, relay, sizedLabel, endLabel, empty, back, leave].filter(Boolean),
  );
  const caption = about.instant ? "the board: click its cells" : "given frame";
  const node = h(
    "section",
    { class: "cos-panel cos-puzzle", "aria-label": "Puzzle" },
    h("h3", {}, "Puzzle"),
    h(
      "div",
      { class: "cos-fields" },
      labelled("puzzle", task, "Which kind of puzzle"),
      labelled("kind", kind, "Which kind of samples"),
      labelled("knobs", knobs, "Fixes knobs of the puzzle, such as order=4 log2=3"),
      labelled("sample", index, "Number of the test sample"),
      labelled("seed", seed, "Seed of the initial noise"),
      labelled("network", network, "The network that runs"),
      labelled("preset", preset, "Schedule: sampler, noise levels, guidance"),
      labelled("steps", steps, `Denoising steps, 1 to ${about.most.steps}`),
    ),
    h(
      "div",
      { class: "cos-preview" },
      h("figure", {}, given, place, h("figcaption", {}, caption)),
      h("figure", {}, truth, said),
    ),
    error,
    buttons,
  );
  let edited = null,
    kindsOf = null; // the task whose kinds are listed

  function show(setting) {
    const [name, ...rest] = setting.cell.split(" "),
      preview = model.get("preview") ?? {},
      isOf = same(preview.setting ?? null, setting);
    if (![...task.options].some(option => option.value === name))
      task.append(h("option", {}, name));
    if (![...preset.options].some(option => option.value === setting.preset))
      preset.append(h("option", {}, setting.preset));
    Object.assign(task, { value: name });
    preset.value = setting.preset;
    for (const [field, value] of [
      [knobs, rest.join(" ")],
      [index, setting.index],
      [seed, setting.seed],
      [steps, setting.steps],
    ])
      if (field.getRootNode().activeElement !== field) field.value = value;
    knobs.placeholder =
      (about.tasks.find(each => each.name === name)?.knobs ?? [])
        .map(knob => `${knob}=`)
        .join(" ") || "none";
    const isOwn = setting.board !== null,
      cells = cellsOf(name);
    if (cells && kindsOf !== name)
      kind.replaceChildren(...cells.map(each => h("option", { value: each.knobs }, each.label)));
    kindsOf = name;
    kind.value = rest.join(" ");
    network.value = setting.network;
    for (const [field, isHidden] of [
      [task, isOwn],
      [index, isOwn],
      [kind, isOwn || !cells],
      [knobs, isOwn || cells],
      [network, !about.networks],
      [preset, preset.options.length < 2],
    ])
      field.closest(".cos-field").hidden = Boolean(isHidden);
    if (!same(edited, current())) {
      edited = current();
      place.replaceChildren(
        ...(edited
          ? [
              boardEditor(edited, value => {
                edited = value;
                board(value);
              }),
            ]
          : []),
      );
    }
    const puzzle = ["cell", "index", "board"],
      shownPuzzle =
        preview.setting && puzzle.every(key => same(preview.setting[key], setting[key]));
    error.textContent = isOf && preview.error ? preview.error : "";
    given.hidden = edited !== null || !preview.given;
    const shown = preview.given && urlOf(preview.given, preview.board);
    if (shown && given.src !== shown) given.src = shown;
    given.alt = `given frame: ${preview.prompt ?? ""}`;
    node.classList.toggle("cos-waiting", !shownPuzzle);
    truth.replaceChildren(
      ...(shownPuzzle ? (preview.truth ?? []) : []).map((url, i) =>
        h("img", { src: urlOf(url, preview.board), alt: `valid answer ${i + 1}` }),
      ),
    );
    said.textContent = !shownPuzzle ? "…" : preview.error ? "" : inWords(preview);
    edit.hidden = edited !== null || !preview.board;
    for (const each of [empty, back, sizedLabel]) each.hidden = edited === null;
    leave.hidden = !isOwn;
    endLabel.hidden = edited?.kind !== "relay";
    if (edited) {
      [sized.min, sized.max] = sizes[edited.kind];
      sized.value = size(edited.kind);
      sized.labels[0].textContent = edited.kind === "relay" ? "moves" : "size";
      empty.textContent = EMPTY[edited.kind];
      end.checked = edited.drawn === false;
    }
    back.disabled = !stateOf(model).undo.length;
  }
  return { node, show };
}

/* What is asked, and how many answers are valid. */
function inWords({ prompt, answers, more, rounds, truth }) {
  if (answers === 1) {
    const far =
      rounds === "search"
        ? ", which propagation alone does not find"
        : rounds === null
          ? ""
          : `, rounds of propagation: ${rounds}`;
    return `“${prompt}”: one valid answer${far}`;
  }
  const shown = answers > truth.length ? `, the first ${truth.length} shown` : "";
  return `“${prompt}”: ${more ? "more than " : ""}${answers} valid answers${shown}`;
}
