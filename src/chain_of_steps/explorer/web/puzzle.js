// The choice of a puzzle, with its preview.

/* Which puzzle, from which noise, on which schedule; its preview; an editor of its board. */
function puzzlePanel(model) {
  const about = model.get("about"),
    own = change => choose(model, { ...change, board: null });
  const task = h(
    "select",
    { onchange: () => own({ cell: task.value, index: 0 }) },
    about.tasks.map(each => h("option", {}, each.name)),
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
  const index = number("index", 9999, { board: null }),
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
    button("Random maze", "A new maze to edit", () => board(randomMaze(size("maze", 5))));
  const square =
    about.boards.includes("latin") &&
    button("Random square", "A new Latin square to edit", () =>
      board(randomSquare(size("latin", 4), Math.floor(size("latin", 4) ** 2 / 2))),
    );
  const empty = button("Open all / no clues", "Remove all clues, or close all walls", () => {
    const now = model.get("setting").board;
    board(
      now.kind === "maze"
        ? { ...now, doors: [] }
        : { ...now, clues: now.clues.map(row => row.map(() => -1)) },
    );
  });
  const back = button("Undo", "Take back the last change of the setting (Ctrl+Z)", () =>
    undo(model),
  );
  const leave = button("Back to the samples", "Leave the board that was drawn", () => board(null));
  const sized = h("input", {
    type: "number",
    onchange: () => {
      const kind = model.get("setting").board.kind,
        n = clamp(Math.round(Number(sized.value)), sized.min, sized.max);
      board(kind === "maze" ? randomMaze(n) : randomSquare(n, Math.floor((n * n) / 2)));
    },
  });
  const sizedLabel = labelled(
    "size",
    sized,
    "Rooms or cells a side; another size gives a new random board",
  );
  const sizes = { maze: [3, 8], latin: [4, 6] };
  function size(kind, usual) {
    const now = model.get("setting").board;
    return now?.kind !== kind ? usual : kind === "maze" ? now.rooms : now.clues.length;
  }
  buttons.append(...[edit, maze, square, sizedLabel, empty, back, leave].filter(Boolean));
  const node = h(
    "section",
    { class: "cos-panel cos-puzzle", "aria-label": "Puzzle" },
    h("h3", {}, "Puzzle"),
    h(
      "div",
      { class: "cos-fields" },
      labelled("puzzle", task, "Which kind of puzzle"),
      labelled("knobs", knobs, "Fixes knobs of the puzzle, such as order=4 log2=3"),
      labelled("sample", index, "Number of the test sample"),
      labelled("seed", seed, "Seed of the initial noise"),
      labelled("preset", preset, "Schedule: sampler, noise levels, guidance"),
      labelled("steps", steps, `Denoising steps, 1 to ${about.most.steps}`),
    ),
    h(
      "div",
      { class: "cos-preview" },
      h("figure", {}, given, place, h("figcaption", {}, "given frame")),
      h("figure", {}, truth, said),
    ),
    error,
    buttons,
  );
  let edited = null;

  function show(setting) {
    const [name, ...rest] = setting.cell.split(" "),
      preview = model.get("preview") ?? {},
      current = same(preview.setting ?? null, setting);
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
    for (const field of [task, knobs, index])
      field.closest(".cos-field").hidden = setting.board !== null;
    if (!same(edited, setting.board)) {
      edited = setting.board;
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
    error.textContent = current && preview.error ? preview.error : "";
    given.hidden = edited !== null || !preview.given;
    if (preview.given && given.src !== preview.given) given.src = preview.given;
    given.alt = `given frame: ${preview.prompt ?? ""}`;
    node.classList.toggle("cos-waiting", !shownPuzzle);
    truth.replaceChildren(
      ...(shownPuzzle ? (preview.truth ?? []) : []).map((url, i) =>
        h("img", { src: url, alt: `valid answer ${i + 1}` }),
      ),
    );
    said.textContent = !shownPuzzle ? "…" : preview.error ? "" : inWords(preview);
    edit.hidden = setting.board !== null || !preview.board;
    for (const each of [empty, back, leave, sizedLabel]) each.hidden = setting.board === null;
    if (edited) {
      [sized.min, sized.max] = sizes[edited.kind];
      sized.value = size(edited.kind);
      empty.textContent = edited.kind === "maze" ? "Close all walls" : "No clues";
    }
    back.disabled = !stateOf(model).undo.length;
  }
  return { node, show };
}

/* What is asked, and how many answers are valid. */
function inWords({ prompt, answers, more, rounds, truth }) {
  if (answers === 1) {
    const far = rounds === null ? "" : `, rounds of propagation: ${rounds}`;
    return `“${prompt}”: one valid answer${far}`;
  }
  const shown = answers > truth.length ? `, the first ${truth.length} shown` : "";
  return `“${prompt}”: ${more ? "more than " : ""}${answers} valid answers${shown}`;
}
