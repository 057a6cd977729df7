// Interventions: noise on a grid of frames and steps, a patch, a merge, dropped conditions.

const HELP = {
  replace: "replace: full noise, whatever the step",
  additive: "additive: noise on top of what is there",
  "level-correct": "level-correct: fresh noise of just the level that belongs to the step",
};

/* All changes to the run. `show(setting)` brings them up to date. */
function changesPanel(model) {
  const about = model.get("about"),
    grid = noiseGrid(model),
    last = () => model.get("setting").steps - 1;
  const set = change => choose(model, change),
    now = name => model.get("setting")[name],
    reaches = name => (about.changes ?? [name]).includes(name); // "patch": hidden states at all
  const number = (name, help, get, put, limits) => {
    const field = h("input", {
      type: "number",
      min: 0,
      onchange: () => {
        put(clamp(Math.round(Number(field.value)) || 0, ...limits()));
        show(model.get("setting"));
      },
    });
    return { node: labelled(name, field, help), field, get, limits };
  };
  const check = (name, help, turn) => {
    const box = h("input", { type: "checkbox", onchange: () => turn(box.checked) });
    return { box, node: h("label", { class: "cos-check", title: help }, box, name) };
  };
  const steps = () => [0, last()],
    layers = () => [0, about.layers - 1],
    middle = Math.floor(about.layers / 2);

  const mode = h(
    "select",
    { onchange: () => set({ mode: mode.value }) },
    about.modes.map(name => h("option", {}, name)),
  );
  const patch = check(
    "Patch",
    "Take over the hidden state of another seed's run, at one step after one layer",
    on => set({ patch: on ? [Math.floor(last() / 2), middle] : null }),
  );
  const merge = check(
    "Merge seeds",
    "Average several seeds over the first half of the steps; it excludes other changes",
    on => set({ ...CHANGES, merge: on ? { seeds: 3, layers: null } : null }),
  );
  const drop = check(
    "Drop conditions",
    "From some step on, the network no longer gets the given frame, or the prompt",
    on =>
      set({
        drop: on ? { step: Math.floor(last() / 2), until: null, given: true, prompt: false } : null,
      }),
  );
  const part = (name, change) => ({ [name]: { ...now(name), ...change } });
  const given = check("given frame", "Drop the given frame", on =>
    set(part("drop", { given: on })),
  );
  const prompt = check("prompt", "Drop the prompt", on => set(part("drop", { prompt: on })));
  const what = h(
    "select",
    {
      onchange: () =>
        set(part("merge", { layers: what.selectedIndex ? [0, about.layers - 1] : null })),
    },
    h("option", {}, "clean estimates"),
    h("option", {}, "hidden states"),
  );
  const range = () => now("merge").layers;
  const fields = {
    patch: [
      number(
        "at step",
        "The step whose state is patched",
        s => s.patch[0],
        v => set({ patch: [v, now("patch")[1]] }),
        steps,
      ),
      number(
        "after layer",
        "The layer after which it is patched",
        s => s.patch[1],
        v => set({ patch: [now("patch")[0], v] }),
        layers,
      ),
    ],
    merge: [
      number(
        "seeds",
        "How many seeds are merged",
        s => s.merge.seeds,
        v => set(part("merge", { seeds: v })),
        () => [2, about.most.seeds],
      ),
    ],
    layers: [
      number(
        "first layer",
        "The first layer that is merged",
        s => s.merge.layers[0],
        v => set(part("merge", { layers: [v, Math.max(v, range()[1])] })),
        layers,
      ),
      number(
        "last layer",
        "The last layer that is merged",
        s => s.merge.layers[1],
        v => set(part("merge", { layers: [Math.min(v, range()[0]), v] })),
        layers,
      ),
    ],
    drop: [
      number(
        "from step",
        "The first step without them",
        s => s.drop.step,
        v =>
          set(
            part("drop", {
              step: v,
              until: now("drop").until === null ? null : Math.max(v + 1, now("drop").until),
            }),
          ),
        steps,
      ),
      number(
        "to step",
        "The last step without them",
        s => (s.drop.until ?? s.steps) - 1,
        v => set(part("drop", { until: v >= last() ? null : Math.max(v, now("drop").step) + 1 })),
        steps,
      ),
    ],
  };
  const more = {
    patch: h(
      "div",
      { class: "cos-more" },
      fields.patch.map(f => f.node),
    ),
    merge: h(
      "div",
      { class: "cos-more" },
      fields.merge.map(f => f.node),
      reaches("patch") &&
        labelled(
          "of",
          what,
          "What the seeds share: their clean estimates, or hidden states of some layers",
        ),
      fields.layers.map(f => f.node),
    ),
    drop: h(
      "div",
      { class: "cos-more" },
      given.node,
      prompt.node,
      fields.drop.map(f => f.node),
    ),
  };
  const back = h(
    "button",
    {
      type: "button",
      onclick: () => undo(model),
      title: "Take back the last change of the setting (Ctrl+Z)",
    },
    "Undo",
  );
  const clear = h(
    "button",
    { type: "button", onclick: () => set({ noise: [] }), title: "Remove all noise" },
    "Clear noise",
  );
  const none = h(
    "button",
    { type: "button", onclick: () => set(CHANGES), title: "Remove noise, patch, merge and drop" },
    "Remove all",
  );
  const node = h(
    "section",
    { class: "cos-panel cos-changes", "aria-label": "Changes" },
    h("h3", {}, "Changes"),
    h(
      "p",
      { class: "cos-note" },
      "Noise: drag over cells; a number takes its whole row or column.",
    ),
    grid.node,
    h(
      "div",
      { class: "cos-row" },
      labelled("noise", mode, about.modes.map(m => HELP[m] ?? m).join("\n")),
      back,
      clear,
      none,
    ),
    ["patch", "merge", "drop"]
      .filter(reaches)
      .map(name =>
        h("fieldset", {}, h("legend", {}, { patch, merge, drop }[name].node), more[name]),
      ),
  );

  function show(setting) {
    grid.show(setting);
    mode.value = setting.mode;
    for (const [name, { box }] of Object.entries({ patch, merge, drop })) {
      box.checked = setting[name] !== null;
      box.disabled = !about.live || (setting.merge !== null && name !== "merge");
      more[name].hidden = setting[name] === null;
    }
    given.box.checked = setting.drop?.given;
    prompt.box.checked = setting.drop?.prompt;
    what.selectedIndex = setting.merge?.layers ? 1 : 0;
    for (const [name, list] of Object.entries(fields)) {
      const there = name === "layers" ? setting.merge?.layers : setting[name];
      for (const { node, field, get, limits } of list) {
        node.hidden = !there;
        if (!there) continue;
        [field.min, field.max] = limits();
        field.value = get(setting);
      }
    }
    back.disabled = !about.live || !stateOf(model).undo.length;
    clear.disabled = !about.live || !setting.noise.length;
    none.disabled = !about.live || !isChanged(setting);
    mode.disabled = !about.live || setting.merge !== null;
  }
  return { node, show };
}

/* Rows are frames, columns steps, as on the charts. Cells are painted while dragging; the setting
   changes at its end. */
function noiseGrid(model) {
  const { frames, live } = model.get("about");
  const node = h("div", {
    class: "cos-noise",
    role: "grid",
    "aria-label":
      "Noise by frame and step. Space sets or clears a cell, arrows move; " +
      "r and c take its whole row or column.",
  });
  let steps = 0,
    cells = [],
    chosen = new Set(),
    drag = null,
    blocked = false;
  const key = (s, f) => `${s},${f}`;
  const paint = (s, f, on) => {
    if (on) chosen.add(key(s, f));
    else chosen.delete(key(s, f));
    cells[f][s].setAttribute("aria-selected", String(on));
  };
  const commit = () =>
    choose(model, {
      noise: [...chosen]
        .map(k => k.split(",").map(Number))
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]),
    });
  const line = places => {
    // a whole row or column: set, or cleared if it is all set
    if (blocked) return;
    const on = !places.every(([s, f]) => chosen.has(key(s, f)));
    places.forEach(([s, f]) => paint(s, f, on));
    commit();
  };
  const row = f => line(Array.from({ length: steps }, (_, s) => [s, f]));
  const column = s => line(Array.from({ length: frames }, (_, f) => [s, f]));
  const marks = {};

  function build(count) {
    steps = count;
    node.style.setProperty("--steps", steps);
    const every = steps > 25 ? 5 : steps > 12 ? 2 : 1;
    const head = Array.from({ length: steps }, (_, s) =>
      h(
        "button",
        {
          type: "button",
          role: "columnheader",
          tabindex: -1,
          disabled: !live,
          "aria-label": `step ${s}: all frames`,
          title: `step ${s}: all frames`,
          onclick: () => column(s),
        },
        s % every ? "" : String(s),
      ),
    );
    cells = Array.from({ length: frames }, (_, f) =>
      Array.from({ length: steps }, (_, s) =>
        h("div", {
          role: "gridcell",
          class: "cos-dot",
          tabindex: s + f ? -1 : 0,
          "data-at": key(s, f),
          "aria-label": `step ${s}, frame ${f}`,
          "aria-selected": "false",
          title:
            `step ${s}, frame ${f}` +
            (f || frames === 1 ? "" : " (given: the network also gets it without noise)"),
        }),
      ),
    );
    const rows = cells.map((row_, f) =>
      h(
        "div",
        { role: "row" },
        h(
          "button",
          {
            type: "button",
            role: "rowheader",
            tabindex: -1,
            disabled: !live,
            title: `frame ${f}: all steps`,
            "aria-label": `frame ${f}: all steps`,
            onclick: () => row(f),
          },
          f ? `f ${f}` : frames === 1 ? "all" : "given",
        ),
        row_,
      ),
    );
    for (const name of ["patch", "merge", "drop"])
      marks[name] = h(
        "div",
        { role: "presentation", class: "cos-mark", "aria-hidden": "true" },
        h("span", {}, name),
        Array.from({ length: steps }, () => h("i")),
      );
    node.replaceChildren(
      h("div", { role: "row" }, h("span", { role: "columnheader" }, "step"), head),
      ...rows,
      ...Object.values(marks),
    );
  }
  const at = target =>
    target?.closest?.("[data-at]") && node.contains(target)
      ? target.closest("[data-at]").dataset.at.split(",").map(Number)
      : null;
  node.addEventListener("pointerdown", event => {
    const here = at(event.target);
    if (!here || blocked) return;
    event.preventDefault();
    event.target.focus();
    node.setPointerCapture(event.pointerId);
    drag = !chosen.has(key(...here));
    paint(...here, drag);
  });
  node.addEventListener("pointermove", event => {
    if (drag === null) return;
    const root = node.getRootNode(),
      here = at(
        (root.elementFromPoint ? root : document).elementFromPoint(event.clientX, event.clientY),
      );
    if (here) paint(...here, drag);
  });
  const end = () => {
    if (drag !== null) {
      drag = null;
      commit();
    }
  };
  node.addEventListener("pointerup", end);
  node.addEventListener("pointercancel", end);
  node.addEventListener("keydown", event => {
    const here = at(event.target),
      move = ARROWS[event.key];
    if (!here) return;
    const [s, f] = here;
    if (move) {
      const next = cells[clamp(f + move[1], 0, frames - 1)][clamp(s + move[0], 0, steps - 1)];
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if ((event.key === " " || event.key === "Enter") && !blocked) {
      paint(s, f, !chosen.has(key(s, f)));
      commit();
    } else if (event.key === "r") row(f);
    else if (event.key === "c") column(s);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  function show(setting) {
    if (setting.steps !== steps) build(setting.steps);
    blocked = !live || setting.merge !== null;
    node.classList.toggle("cos-blocked", setting.merge !== null);
    chosen = new Set(setting.noise.map(([s, f]) => key(s, f)));
    cells.forEach((row_, f) =>
      row_.forEach((cell, s) => cell.setAttribute("aria-selected", String(chosen.has(key(s, f))))),
    );
    const { patch, merge, drop } = setting;
    const acts = {
      patch: s => patch && s === patch[0],
      merge: s => merge && s < Math.floor(steps / 2),
      drop: s => drop && s >= drop.step && s < (drop.until ?? steps),
    };
    for (const [name, mark] of Object.entries(marks)) {
      mark.hidden = !setting[name];
      [...mark.children]
        .slice(1)
        .forEach((cell, s) => cell.classList.toggle("cos-on", Boolean(acts[name](s))));
    }
  }
  return { node, show };
}
