// Were the steps needed? The run next to what one pass, or a few at one noise level, make of the
// same board.

const CAUTION =
  "Where a control finds a valid answer as well, this run needed no more than that control has. " +
  "One board proves little: try others.";

/* Controls of the run on the left, where the back end has them. */
function controlsPanel(model, state) {
  const limits = model.get("about").controls;
  const set = change =>
    choose(model, { controls: { ...model.get("setting").controls, ...change } });
  const slider = (name, label, step) => {
    const [least, most] = limits[name];
    const field = h("input", {
      type: "range",
      min: least,
      max: most,
      step,
      "aria-label": label,
      oninput: () => tell(name, Number(field.value)),
      onchange: () => set({ [name]: Number(field.value) }),
    });
    const said = h("span", {});
    return { field, said, node: h("label", {}, label, " ", said, field) };
  };
  const tell = (name, value) => {
    const { field, said } = sliders[name];
    said.textContent = name === "sigma" ? value.toFixed(2) : value;
    field.setAttribute("aria-valuetext", said.textContent);
  };
  const sliders = limits && {
    sigma: slider("sigma", "sigma of the passes", 0.05),
    passes: slider("passes", "passes at that sigma", 1),
  };
  const list = h("ul", {}),
    error = h("p", { class: "cos-error", role: "alert" });
  const node = h(
    "details",
    // Closed at first where evaluations may be slow: nothing is computed that nobody looks at.
    {
      class: "cos-controls",
      open: Boolean(model.get("about").instant),
      ontoggle: () => changed(state),
    },
    h("summary", {}, "Were the steps needed?"),
    h("p", { class: "cos-note" }, CAUTION),
    limits && h("div", { class: "cos-row" }, sliders.sigma.node, sliders.passes.node),
    error,
    list,
  );

  function show(run, setting) {
    node.hidden = !limits || run?.state !== "done";
    if (node.hidden || !node.open) return;
    for (const [name, { field }] of Object.entries(sliders)) {
      if (field.matches(":active")) continue; // it is being dragged
      field.value = setting.controls[name];
      tell(name, setting.controls[name]);
    }
    const wanted = { ...run.setting, controls: setting.controls };
    ask(model, state, wanted);
    const found = model.get("controls");
    const isOf = found.setting && sameRun(found.setting, run.setting);
    error.textContent = (isOf && found.error) || "";
    list.classList.toggle("cos-waiting", !same(found.setting ?? null, wanted));
    const own = run.steps.at(-1);
    const items = [
      { name: "own", picture: pictureAt(run), ...own },
      ...(isOf ? found.items : []),
    ];
    const names = labelsOf(run, found.setting?.controls ?? setting.controls);
    list.replaceChildren(...items.map(item => controlItem(names[item.name], item, run.board)));
  }
  return { node, show };
}

/* Asks for the controls of a setting, unless they are there or on their way. A run ends them. */
function ask(model, state, wanted) {
  const isBusy = [...state.runs.values()].some(run => run.state === "running");
  const found = model.get("controls");
  if (isBusy) state.wanted = null;
  else if (!same(state.wanted, wanted) && !(found.done && same(found.setting, wanted))) {
    state.wanted = wanted;
    command(model, { do: "controls", setting: wanted });
  }
}

function labelsOf(run, { passes }) {
  return {
    own: `own run, ${many(run.steps.length, "step")}`,
    start: "its first estimate alone",
    first: "one pass on the noised first estimate",
    blank: "one pass on noised latents that say nothing",
    truth: "one pass on a noised valid answer",
    repeated: `${passes} passes, all but the first at that sigma`,
  };
}

/* The last frame of the last step of a run. */
function pictureAt(run) {
  const { strip } = run.steps.at(-1),
    [width, side] = sizeOf(run.pictures.at(-1)?.strip);
  if (Array.isArray(strip) || width <= side) return strip;
  const canvas = h("canvas", { width: side, height: side });
  draw(canvas, run.pictures.at(-1).strip, side, side, width - side);
  return canvas.toDataURL();
}

function controlItem(label, { picture, decided, violations }, board) {
  const verdict = violations ? `not valid (${many(violations, "violation")})` : "valid";
  const alt = board ? `${label}: ${spoken(decided, board)}` : label;
  return h(
    "li",
    { class: "cos-control" },
    h("img", { src: urlOf(picture, board), alt }),
    h("p", {}, `${label}: `, h("b", { class: violations ? "cos-wrong" : "cos-right" }, verdict)),
  );
}
