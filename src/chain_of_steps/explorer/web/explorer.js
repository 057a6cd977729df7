// The page: puzzle, changes, runs, history, files.

function render({ model, el }) {
  const about = model.get("about"), state = stateOf(model), live = about.live;
  const view = { step: 0, frame: about.frames - 1, follow: true, playing: null };
  const panels = [puzzlePanel(model), changesPanel(model)];
  const left = runView("left", seek), right = runView("right", seek);
  const gallery = galleryBar(model, run), history = historyStrip(state, refresh), bar = runBar(model, run);
  const scrub = scrubber(view, about, seek, play), files = filesBar(model, state, view);
  const message = h("p", { class: "cos-sr", role: "status" });
  const root = h("div", { class: `cos${live ? "" : " cos-recorded"}`, "data-lm-suppress-shortcuts": "true", tabindex: -1 },
    gallery.node, h("div", { class: "cos-columns" },
      h("div", { class: "cos-setup" }, panels.map(panel => panel.node)),
      h("section", { class: "cos-stage", "aria-label": "Runs" }, bar.node, scrub.node,
        h("div", { class: "cos-runs" }, left.node, right.node), history.node, files.node)), message);
  el.replaceChildren(root);

  let due = 0;
  function refresh() { due ||= requestAnimationFrame(() => { due = 0; show(); }); }

  function show() {
    const setting = model.get("setting"), shown = [state.runs.get(state.left), state.runs.get(state.right)];
    const running = [...state.runs.values()].findLast(each => each.state === "running");
    const longest = Math.max(1, ...shown.map(each => each?.setting.steps ?? 1));
    if (view.follow) view.step = Math.max(0, Math.max(...shown.map(each => each === running || !running ? (each?.steps.length ?? 0) - 1 : 0)));
    view.step = clamp(view.step, 0, longest - 1);
    const most = Math.max(1, ...shown.flatMap(each => each?.steps.map(step => step.violations) ?? []));
    const stale = each => live && each && !same(each.setting, setting) && !same(each.setting, without(setting));
    left.show(shown[0], view.step, view.frame, most, stale(shown[0]));
    right.show(shown[1], view.step, view.frame, most, stale(shown[1]));
    root.classList.toggle("cos-two", Boolean(shown[1]));
    panels.forEach(panel => panel.show(live ? setting : (shown[1] ?? shown[0])?.setting ?? setting));
    gallery.show(setting);
    bar.show(running, shown, !shown.some(each => each && same(each.setting, setting)));
    scrub.show(view, shown, longest);
    history.show();
    files.show(live ? setting : (shown[1] ?? shown[0])?.setting ?? setting);
    const told = shown.map((each, i) => each?.steps[view.step] ? `${["left", "right"][i]}: ${verdictOf(each, each.steps[view.step]).text}` : "").filter(Boolean).join(". ");
    if (!running && !view.playing) message.textContent = told && `step ${view.step}. ${told}`;
  }

  /* Runs the setting, and the run without its changes, if there is none yet. */
  function run() {
    const setting = model.get("setting"), clean = without(setting), changed = isChanged(setting);
    const known = wanted => [...state.runs.values()].find(each => same(without(each.setting), clean) && isChanged(each.setting) === isChanged(wanted)
      && same({ ...each.setting, mode: 0 }, { ...wanted, mode: 0 }) && each.state === "done");
    view.follow = true;
    if (!live) {
      [state.left, state.right] = [known(clean)?.id ?? known(setting)?.id ?? state.left, changed ? known(setting)?.id ?? null : null];
      return refresh();
    }
    const before = changed && known(clean);
    if (before) [state.left, state.right] = [before.id, null];
    command(model, { do: "run", settings: changed && !before ? [clean, setting] : [setting] });
  }

  function seek(step, frame) {
    view.follow = false;
    if (step !== null) view.step = step;
    if (frame !== null) view.frame = clamp(frame, 0, about.frames - 1);
    refresh();
  }

  function play() {
    clearInterval(view.playing);
    if (view.playing) { view.playing = null; return refresh(); }
    const last = () => Math.max(state.runs.get(state.left)?.steps.length ?? 0, state.runs.get(state.right)?.steps.length ?? 0) - 1;
    if (view.step >= last()) view.step = -1;
    view.playing = setInterval(() => {
      if (view.step < last()) return seek(view.step + 1, null);
      play();
    }, 180);
    seek(Math.max(0, view.step), null);
  }

  root.addEventListener("keydown", event => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && live) { undo(model); return event.preventDefault(); }
    if (event.target.closest("input, select, textarea, button, [role=grid], .cos-maze") || event.ctrlKey || event.altKey || event.metaKey) return;
    const move = ARROWS[event.key];
    if (move) seek(move[0] ? Math.max(0, view.step + move[0]) : null, move[1] ? view.frame - move[1] : null);
    else if (event.key === " ") play();
    else return;
    event.preventDefault();
  });
  root.addEventListener("pointerdown", event => { if (!event.target.closest("input, select, button, [tabindex]:not(.cos)")) root.focus({ preventScroll: true }); });

  const traits = ["change:setting", "change:preview"];
  traits.forEach(name => model.on(name, refresh));
  state.listeners.add(refresh);
  const shared = live ? textInAddress() : null;
  if (shared) try { choose(model, fromText(shared, about.default), false); } catch { /* an address that is not ours */ }
  if (!state.runs.size || !live) view.follow = true;
  show();
  return () => {
    clearInterval(view.playing);
    state.listeners.delete(refresh);
    traits.forEach(name => model.off(name, refresh));
  };
}

/* Which puzzle, from which noise, on which schedule; its preview; an editor of its board. */
function puzzlePanel(model) {
  const about = model.get("about"), own = change => choose(model, { ...change, board: null });
  const task = h("select", { onchange: () => own({ cell: task.value, index: 0 }) }, about.tasks.map(each => h("option", {}, each.name)));
  const knobs = h("input", { type: "text", spellcheck: "false", onchange: () => own({ cell: [task.value, ...knobs.value.split(/[\s,]+/)].filter(Boolean).join(" ") }) });
  const number = (name, most, extra = {}) => {
    const field = h("input", { type: "number", min: 0, max: most, onchange: () => choose(model, { [name]: clamp(Math.round(Number(field.value)) || 0, field.min, most), ...extra, ...trimmed(name, Number(field.value)) }) });
    return field;
  };
  // Changes at steps that are no longer there are dropped.
  const trimmed = (name, steps) => {
    if (name !== "steps") return {};
    const { noise, patch, drop } = model.get("setting");
    return { noise: noise.filter(([step]) => step < steps), patch: patch && patch[0] < steps ? patch : null,
      drop: drop && drop.step < steps ? { ...drop, until: drop.until && drop.until < steps ? drop.until : null } : null };
  };
  const index = number("index", 9999, { board: null }), seed = number("seed", 999_999), steps = number("steps", about.most.steps);
  steps.min = 1;
  const preset = h("select", { onchange: () => choose(model, { preset: preset.value }) }, Object.keys(about.presets).map(name => h("option", {}, name)));
  const given = h("img", { class: "cos-given-frame", alt: "" }), said = h("p", { class: "cos-note" }), truth = h("div", { class: "cos-truth" });
  const error = h("p", { class: "cos-error", role: "alert" }), place = h("div", {}), buttons = h("div", { class: "cos-row" });
  const button = (name, help, onclick) => h("button", { type: "button", title: help, onclick }, name);
  const board = value => choose(model, { board: value });
  const edit = button("Edit this board", "Change the board of this sample", () => board(model.get("preview").board));
  const maze = about.boards.includes("maze") && button("Random maze", "A new maze to edit", () => board(randomMaze(size("maze", 5))));
  const square = about.boards.includes("latin") && button("Random square", "A new Latin square to edit", () => board(randomSquare(size("latin", 4), Math.floor(size("latin", 4) ** 2 / 2))));
  const empty = button("Open all / no clues", "Remove all clues, or close all walls", () => {
    const now = model.get("setting").board;
    board(now.kind === "maze" ? { ...now, doors: [] } : { ...now, clues: now.clues.map(row => row.map(() => -1)) });
  });
  const back = button("Undo", "Take back the last change of the setting (Ctrl+Z)", () => undo(model));
  const leave = button("Back to the samples", "Leave the board that was drawn", () => board(null));
  const sized = h("input", { type: "number", onchange: () => {
    const kind = model.get("setting").board.kind, n = clamp(Math.round(Number(sized.value)), sized.min, sized.max);
    board(kind === "maze" ? randomMaze(n) : randomSquare(n, Math.floor(n * n / 2)));
  } });
  const sizedLabel = labelled("size", sized, "Rooms or cells a side; another size gives a new random board");
  const sizes = { maze: [3, 8], latin: [4, 6] };
  function size(kind, usual) {
    const now = model.get("setting").board;
    return now?.kind !== kind ? usual : kind === "maze" ? now.rooms : now.clues.length;
  }
  buttons.append(...[edit, maze, square, sizedLabel, empty, back, leave].filter(Boolean));
  const node = h("section", { class: "cos-panel cos-puzzle", "aria-label": "Puzzle" }, h("h3", {}, "Puzzle"),
    h("div", { class: "cos-fields" },
      labelled("puzzle", task, "Which kind of puzzle"), labelled("knobs", knobs, "Fixes knobs of the puzzle, such as order=4 log2=3"),
      labelled("sample", index, "Number of the test sample"), labelled("seed", seed, "Seed of the initial noise"),
      labelled("preset", preset, "Schedule: sampler, noise levels, guidance"), labelled("steps", steps, `Denoising steps, 1 to ${about.most.steps}`)),
    h("div", { class: "cos-preview" }, h("figure", {}, given, place, h("figcaption", {}, "given frame")), h("figure", {}, truth, said)), error, buttons);
  let edited = null;

  function show(setting) {
    const [name, ...rest] = setting.cell.split(" "), preview = model.get("preview") ?? {}, current = same(preview.setting ?? null, setting);
    if (![...task.options].some(option => option.value === name)) task.append(h("option", {}, name));
    if (![...preset.options].some(option => option.value === setting.preset)) preset.append(h("option", {}, setting.preset));
    Object.assign(task, { value: name });
    preset.value = setting.preset;
    for (const [field, value] of [[knobs, rest.join(" ")], [index, setting.index], [seed, setting.seed], [steps, setting.steps]])
      if (field.getRootNode().activeElement !== field) field.value = value;
    knobs.placeholder = (about.tasks.find(each => each.name === name)?.knobs ?? []).map(knob => `${knob}=`).join(" ") || "none";
    for (const field of [task, knobs, index]) field.closest(".cos-field").hidden = setting.board !== null;
    if (!same(edited, setting.board)) {
      edited = setting.board;
      place.replaceChildren(...(edited ? [boardEditor(edited, value => { edited = value; board(value); })] : []));
    }
    const puzzle = ["cell", "index", "board"], shownPuzzle = preview.setting && puzzle.every(key => same(preview.setting[key], setting[key]));
    error.textContent = current && preview.error ? preview.error : "";
    given.hidden = edited !== null || !preview.given;
    if (preview.given && given.src !== preview.given) given.src = preview.given;
    given.alt = `given frame: ${preview.prompt ?? ""}`;
    node.classList.toggle("cos-waiting", !shownPuzzle);
    truth.replaceChildren(...(shownPuzzle ? preview.truth ?? [] : []).map((url, i) => h("img", { src: url, alt: `valid answer ${i + 1}` })));
    said.textContent = !shownPuzzle ? "…" : preview.error ? "" : `“${preview.prompt}”: ${preview.answers === 1
      ? `one valid answer${preview.rounds === null ? "" : `, rounds of propagation: ${preview.rounds}`}` : `${preview.more ? "more than " : ""}${preview.answers} valid answers${preview.answers > preview.truth.length ? `, the first ${preview.truth.length} shown` : ""}`}`;
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

function galleryBar(model, run) {
  const items = model.get("about").gallery;
  const buttons = items.map(item => h("button", { type: "button", title: item.text, onclick: () => {
    choose(model, item.setting);
    run();
  } }, item.title));
  const text = h("p", { class: "cos-note" });
  const node = h("nav", { class: "cos-gallery", "aria-label": "Gallery", hidden: !items.length }, h("span", {}, "Gallery"), buttons, text);
  return { node, show: setting => {
    const at = items.findIndex(item => same(item.setting, setting));
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === at)));
    text.textContent = items[at]?.text ?? "";
  } };
}

function runBar(model, run) {
  const start = h("button", { type: "button", class: "cos-primary", onclick: run, title: "Run the setting, and the run without its changes" }, "Run");
  const stop = h("button", { type: "button", onclick: () => command(model, { do: "stop" }), title: "End the run after its current step" }, "Stop");
  const progress = h("progress", { "aria-label": "steps computed" }), said = h("span", { class: "cos-note" });
  const node = h("div", { class: "cos-row cos-bar", hidden: !model.get("about").live }, start, stop, progress, said);
  return { node, show: (running, shown, due) => {
    stop.disabled = !running;
    progress.hidden = !running;
    if (running) { progress.max = running.setting.steps; progress.value = running.steps.length; }
    const failed = shown.find(each => each?.state === "failed");
    said.textContent = running ? `step ${running.steps.length} of ${running.setting.steps}` : failed ? failed.error
      : !shown[0] ? "Press Run." : due ? "The setting has changed: run again." : "";
    start.classList.toggle("cos-due", due && !running);
  } };
}

function scrubber(view, about, seek, play) {
  const step = h("input", { type: "range", min: 0, "aria-label": "step", "aria-keyshortcuts": "ArrowLeft ArrowRight", title: "Step; also the left and right arrow keys", oninput: () => seek(Number(step.value), null) });
  const frame = h("input", { type: "range", min: 0, max: about.frames - 1, "aria-label": "frame", "aria-keyshortcuts": "ArrowUp ArrowDown", title: "Frame; also the up and down arrow keys", oninput: () => seek(null, Number(frame.value)) });
  const button = h("button", { type: "button", class: "cos-play", onclick: play, "aria-keyshortcuts": "Space", title: "Play along the steps (space)" });
  const stepSaid = h("output", {}), frameSaid = h("output", {});
  const node = h("div", { class: "cos-scrub", role: "group", "aria-label": "What is shown" }, button,
    h("label", {}, stepSaid, step), h("label", { hidden: about.frames < 2 }, frameSaid, frame));
  return { node, show: (at, shown, longest) => {
    node.hidden = !shown[0];
    step.max = longest - 1;
    [step.value, frame.value] = [at.step, at.frame];
    const sigma = shown[0]?.sigmas?.[at.step];
    stepSaid.textContent = `step ${at.step}${sigma === undefined ? "" : `, sigma ${sigma.toFixed(3)}`}`;
    frameSaid.textContent = `frame ${at.frame}${at.frame ? "" : " (given)"}`;
    step.setAttribute("aria-valuetext", stepSaid.textContent);
    frame.setAttribute("aria-valuetext", frameSaid.textContent);
    button.textContent = at.playing ? "❚❚" : "▶";
    button.setAttribute("aria-label", at.playing ? "pause" : "play along the steps");
  } };
}

/* The last runs; any two are shown next to each other. */
function historyStrip(state, refresh) {
  const list = h("ul", {}), cards = new Map();
  const node = h("section", { class: "cos-history", "aria-label": "History" }, h("h3", {}, "History"), list);
  function card(id) {
    const canvas = h("canvas", { class: "cos-thumb", "aria-hidden": "true" }), name = h("span", { class: "cos-name" });
    const side = which => h("button", { type: "button", title: `Show this run on the ${which}`, onclick: () => {
      if (state[which] === id) { if (which === "right") state.right = null; }
      else { if (which === "left" && state.right === id) state.right = null; if (which === "right" && state.left === id) return; state[which] = id; }
      refresh();
    } }, which);
    const sides = { left: side("left"), right: side("right") };
    return { canvas, name, sides, node: h("li", {}, canvas, name, h("span", { class: "cos-row" }, sides.left, sides.right)) };
  }
  return { node, show: () => {
    node.hidden = !state.runs.size;
    for (const id of cards.keys()) if (!state.runs.has(id)) { cards.get(id).node.remove(); cards.delete(id); }
    for (const [id, run] of state.runs) {
      if (!cards.has(id)) { cards.set(id, card(id)); list.prepend(cards.get(id).node); }
      const { canvas, name, sides } = cards.get(id), last = run.steps.at(-1), image = run.pictures.at(-1)?.strip;
      if (image?.complete && image.naturalWidth) draw(canvas, image, image.naturalHeight, image.naturalHeight, image.naturalWidth - image.naturalHeight);
      const mark = run.state === "done" && last ? (last.violations ? "✗" : "✓") : { running: "…", stopped: "stopped", failed: "failed" }[run.state] ?? "";
      name.textContent = `${mark} ${nameOf(run.setting)}, ${run.setting.steps} steps`;
      for (const which of ["left", "right"]) {
        sides[which].setAttribute("aria-pressed", String(state[which] === id));
        sides[which].setAttribute("aria-label", `${which}: ${name.textContent}`);
      }
    }
  } };
}

/* Pictures of what is shown, and the setting as a text and as a link. */
function filesBar(model, state, view) {
  const about = model.get("about"), shown = () => [state.runs.get(state.left), state.runs.get(state.right)].filter(run => run?.steps.length);
  const said = h("span", { class: "cos-note", role: "status" });
  const text = h("input", { type: "text", spellcheck: "false", readonly: !about.live, onchange: () => {
    try { choose(model, fromText(text.value, about.default)); said.textContent = "loaded"; }
    catch (error) { said.textContent = `this is no setting: ${error.message}`; }
  } });
  const copy = (value, what) => {
    const done = () => { said.textContent = `${what} copied`; };
    const shownInstead = () => { text.value = value; text.select(); said.textContent = `copy the ${what} from the field`; };
    if (navigator.clipboard) navigator.clipboard.writeText(value).then(done, shownInstead); else shownInstead();
  };
  const button = (name, help, onclick) => h("button", { type: "button", title: help, onclick }, name);
  const png = button("PNG", "Save a picture of what is shown", () => poster(shown(), view.step, view.frame).toBlob(blob => save("explorer.png", blob)));
  const anim = button("GIF", "Save an animation along the steps", () => {
    said.textContent = "making the animation …";
    setTimeout(() => { save("explorer.gif", new Blob([animation(shown(), view.frame)], { type: "image/gif" })); said.textContent = ""; });
  });
  const node = h("div", { class: "cos-files cos-row" }, png, anim, labelled("setting", text, "Everything that is chosen, as a text; paste another and press Enter"),
    button("Copy text", "Copy the setting as a text", () => copy(text.value, "text")),
    about.live && button("Copy link", "Copy the address of this page with the setting in it", () => copy(linkTo(text.value), "link")), said);
  return { node, show: setting => {
    png.disabled = anim.disabled = !shown().length;
    if (text.getRootNode().activeElement !== text) text.value = toText(setting, about.default);
  } };
}
