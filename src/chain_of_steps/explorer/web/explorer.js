// The page: puzzle, changes, runs, controls, phase diagram, history, files.

const SOON = 120; // milliseconds after the last change, where changes are run at once

function render({ model, el }) {
  const about = model.get("about"),
    state = stateOf(model),
    live = about.live;
  const view = { step: 0, frame: about.frames - 1, follow: true, playing: null };
  const panels = [puzzlePanel(model), changesPanel(model)];
  const left = runView("left", seek),
    right = runView("right", seek);
  const gallery = galleryBar(model, run),
    history = historyStrip(state, refresh),
    bar = runBar(model, run);
  const scrub = scrubber(view, about, seek, play),
    controls = controlsPanel(model, state),
    phases = phasesPanel(model),
    files = filesBar(model, state, view);
  const message = h("p", { class: "cos-sr", role: "status" });
  const root = h(
    "div",
    {
      class: `cos${live ? "" : " cos-recorded"}${about.instant ? " cos-instant" : ""}`,
      tabindex: -1,
    },
    gallery.node,
    h(
      "div",
      { class: "cos-columns" },
      h(
        "div",
        { class: "cos-setup" },
        panels.map(panel => panel.node),
      ),
      h(
        "section",
        { class: "cos-stage", "aria-label": "Runs" },
        bar.node,
        scrub.node,
        h("div", { class: "cos-runs" }, left.node, right.node),
        controls.node,
        phases.node,
        history.node,
        files.node,
      ),
    ),
    message,
  );
  el.replaceChildren(root);

  let due = 0;
  function refresh() {
    due ||= requestAnimationFrame(() => {
      due = 0;
      show();
    });
  }

  function show() {
    const setting = model.get("setting"),
      shown = [state.runs.get(state.left), state.runs.get(state.right)];
    const running = [...state.runs.values()].findLast(each => each.state === "running");
    const longest = Math.max(1, ...shown.map(each => each?.setting.steps ?? 1));
    if (view.follow)
      view.step = Math.max(
        0,
        Math.max(
          ...shown.map(each => (each === running || !running ? (each?.steps.length ?? 0) - 1 : 0)),
        ),
      );
    view.step = clamp(view.step, 0, longest - 1);
    const most = Math.max(
      1,
      ...shown.flatMap(each => each?.steps.map(step => step.violations) ?? []),
    );
    const isOf = each => sameRun(each.setting, setting);
    const stale = each => live && each && !isOf(each) && !sameRun(each.setting, without(setting));
    left.show(shown[0], view.step, view.frame, most, stale(shown[0]));
    right.show(shown[1], view.step, view.frame, most, stale(shown[1]));
    root.classList.toggle("cos-two", Boolean(shown[1]));
    root.classList.toggle("cos-drawn", Boolean(shown[0]?.board));
    panels.forEach(panel =>
      panel.show(live ? setting : ((shown[1] ?? shown[0])?.setting ?? setting)),
    );
    gallery.show(setting);
    bar.show(running, shown, !shown.some(each => each && isOf(each)));
    scrub.show(view, shown, longest);
    controls.show(shown[0], setting);
    phases.show(setting);
    history.show();
    files.show(live ? setting : ((shown[1] ?? shown[0])?.setting ?? setting));
    const told = shown
      .map((each, i) =>
        each?.steps[view.step]
          ? `${["left", "right"][i]}: ${verdictOf(each, each.steps[view.step]).text}`
          : "",
      )
      .filter(Boolean)
      .join(". ");
    if (!running && !view.playing) message.textContent = told && `step ${view.step}. ${told}`;
  }

  /* Runs the setting, and the run without its changes, if there is none yet; `again` also what has
     been run already. */
  function run(again = true) {
    const setting = model.get("setting"),
      clean = without(setting),
      changed = isChanged(setting);
    const known = wanted =>
      [...state.runs.values()].find(
        each =>
          sameRun(without(each.setting), clean) &&
          isChanged(each.setting) === isChanged(wanted) &&
          sameRun({ ...each.setting, mode: 0 }, { ...wanted, mode: 0 }) &&
          each.state === "done",
      );
    view.follow = true;
    if (!live || (!again && known(clean) && known(setting))) {
      [state.left, state.right] = [
        known(clean)?.id ?? known(setting)?.id ?? state.left,
        changed ? (known(setting)?.id ?? null) : null,
      ];
      return refresh();
    }
    const before = changed && known(clean);
    if (before) [state.left, state.right] = [before.id, null];
    command(model, { do: "run", settings: changed && !before ? [clean, setting] : [setting] });
  }

  /* Where it is fast enough, what is chosen is run at once, unless the board is no puzzle. */
  function runSoon() {
    clearTimeout(state.due);
    state.due = setTimeout(() => {
      const setting = model.get("setting"),
        preview = model.get("preview"),
        shown = state.runs.get(state.right ?? state.left);
      const isThere =
        shown && sameRun(shown.setting, setting) && ["running", "done"].includes(shown.state);
      if (!isThere && !(preview?.error && same(preview.setting, setting))) run(false);
    }, SOON);
  }

  function seek(step, frame) {
    view.follow = false;
    if (step !== null) view.step = step;
    if (frame !== null) view.frame = clamp(frame, 0, about.frames - 1);
    refresh();
  }

  function play() {
    clearInterval(view.playing);
    if (view.playing) {
      view.playing = null;
      return refresh();
    }
    const last = () =>
      Math.max(
        state.runs.get(state.left)?.steps.length ?? 0,
        state.runs.get(state.right)?.steps.length ?? 0,
      ) - 1;
    if (view.step >= last()) view.step = -1;
    view.playing = setInterval(() => {
      if (view.step < last()) return seek(view.step + 1, null);
      play();
    }, 180);
    seek(Math.max(0, view.step), null);
  }

  // JupyterLab takes keys as its own unless the focused element itself says otherwise.
  root.addEventListener("focusin", ({ target }) => (target.dataset.lmSuppressShortcuts = "true"));
  root.addEventListener("keydown", event => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && live) {
      undo(model);
      return event.preventDefault();
    }
    if (
      event.target.closest("input, select, textarea, button, [role=grid], .cos-maze") ||
      event.ctrlKey ||
      event.altKey ||
      event.metaKey
    )
      return;
    const move = ARROWS[event.key];
    if (move)
      seek(
        move[0] ? Math.max(0, view.step + move[0]) : null,
        move[1] ? view.frame - move[1] : null,
      );
    else if (event.key === " ") play();
    else return;
    event.preventDefault();
  });
  root.addEventListener("pointerdown", event => {
    if (!event.target.closest("input, select, button, [tabindex]:not(.cos)"))
      root.focus({ preventScroll: true });
  });

  const traits = ["change:setting", "change:preview"];
  traits.forEach(name => model.on(name, refresh));
  state.listeners.add(refresh);
  if (about.instant) model.on("change:setting", runSoon);
  const shared = live ? textInAddress() : null;
  if (shared)
    try {
      choose(model, fromText(shared, about), false);
    } catch {
      /* an address that is not ours */
    }
  if (!state.runs.size || !live) view.follow = true;
  if (about.instant && !state.runs.size) runSoon();
  show();
  return () => {
    clearInterval(view.playing);
    state.listeners.delete(refresh);
    traits.forEach(name => model.off(name, refresh));
    model.off("change:setting", runSoon);
  };
}

function galleryBar(model, run) {
  const items = model.get("about").gallery;
  const buttons = items.map(item =>
    h(
      "button",
      {
        type: "button",
        title: item.text,
        onclick: () => {
          choose(model, item.setting);
          run();
        },
      },
      item.title,
    ),
  );
  const text = h("p", { class: "cos-note" });
  const node = h(
    "nav",
    { class: "cos-gallery", "aria-label": "Gallery", hidden: !items.length },
    h("span", {}, "Gallery"),
    buttons,
    text,
  );
  return {
    node,
    show: setting => {
      const at = items.findIndex(item => same(item.setting, setting));
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === at)));
      text.textContent = items[at]?.text ?? "";
    },
  };
}

function runBar(model, run) {
  const start = h(
    "button",
    {
      type: "button",
      class: "cos-primary",
      onclick: run,
      title: "Run the setting, and the run without its changes",
    },
    "Run",
  );
  const stop = h(
    "button",
    {
      type: "button",
      onclick: () => command(model, { do: "stop" }),
      title: "End the run after its current step",
    },
    "Stop",
  );
  const progress = h("progress", { "aria-label": "steps computed" }),
    said = h("span", { class: "cos-note" });
  const node = h(
    "div",
    { class: "cos-row cos-bar", hidden: !model.get("about").live },
    start,
    stop,
    progress,
    said,
  );
  return {
    node,
    show: (running, shown, due) => {
      stop.disabled = !running;
      progress.hidden = !running;
      if (running) {
        progress.max = running.setting.steps;
        progress.value = running.steps.length;
      }
      const failed = shown.find(each => each?.state === "failed");
      said.textContent = running
        ? `step ${running.steps.length} of ${running.setting.steps}`
        : failed
          ? failed.error
          : !shown[0]
            ? "Press Run."
            : due
              ? "The setting has changed: run again."
              : "";
      start.classList.toggle("cos-due", due && !running);
    },
  };
}

function scrubber(view, about, seek, play) {
  const step = h("input", {
    type: "range",
    min: 0,
    "aria-label": "step",
    "aria-keyshortcuts": "ArrowLeft ArrowRight",
    title: "Step; also the left and right arrow keys",
    oninput: () => seek(Number(step.value), null),
  });
  const frame = h("input", {
    type: "range",
    min: 0,
    max: about.frames - 1,
    "aria-label": "frame",
    "aria-keyshortcuts": "ArrowUp ArrowDown",
    title: "Frame; also the up and down arrow keys",
    oninput: () => seek(null, Number(frame.value)),
  });
  const button = h("button", {
    type: "button",
    class: "cos-play",
    onclick: play,
    "aria-keyshortcuts": "Space",
    title: "Play along the steps (space)",
  });
  const stepSaid = h("output", {}),
    frameSaid = h("output", {});
  const node = h(
    "div",
    { class: "cos-scrub", role: "group", "aria-label": "What is shown" },
    button,
    h("label", {}, stepSaid, step),
    h("label", { hidden: about.frames < 2 }, frameSaid, frame),
  );
  return {
    node,
    show: (at, shown, longest) => {
      node.hidden = !shown[0];
      step.max = longest - 1;
      [step.value, frame.value] = [at.step, at.frame];
      const sigma = shown[0]?.sigmas?.[at.step];
      const level = sigma === undefined ? "" : `, sigma ${sigma.toFixed(3)}`;
      stepSaid.textContent = `step ${at.step}${level}`;
      frameSaid.textContent = `frame ${at.frame}${at.frame ? "" : " (given)"}`;
      step.setAttribute("aria-valuetext", stepSaid.textContent);
      frame.setAttribute("aria-valuetext", frameSaid.textContent);
      button.textContent = at.playing ? "❚❚" : "▶";
      button.setAttribute("aria-label", at.playing ? "pause" : "play along the steps");
    },
  };
}
