// The phase diagram: what the steps of trained networks do on boards of each kind. The cell to
// which the chosen board belongs lights up.

const LEGEND =
  "Shares of valid answers at step 0 → after all steps, over many boards of each kind; the " +
  "colour says what the steps do.";

function phasesPanel(model) {
  const { diagram, networks, layers } = model.get("about");
  const grid = h("table", {}),
    told = h("p", { role: "status" });
  const node = h(
    "section",
    { class: "cos-phases", "aria-label": "Phase diagram", hidden: !diagram },
    h("h3", {}, "The phase diagram, and where your board lies"),
    diagram?.missing
      ? h("p", { class: "cos-note" }, diagram.missing)
      : [h("p", { class: "cos-note" }, LEGEND), told, phaseKey(diagram?.colours ?? {})],
    h("div", { class: "cos-scroll" }, grid),
  );
  let shown = null;

  function show(setting) {
    const { stratum = null } = model.get("preview") ?? {};
    const depth = networks?.find(each => each.name === setting.network)?.layers ?? layers;
    const now = JSON.stringify([stratum, depth, setting.steps]);
    if (!diagram?.entries || shown === now) return;
    shown = now;
    const steps = nearest(diagram.entries, setting.steps);
    const task = cell => cell.split(" ")[0];
    const own = diagram.entries.filter(
      entry => entry.steps === steps && (!stratum || task(entry.cell) === task(stratum)),
    );
    const lit = own.find(entry => entry.cell === stratum && entry.layers === depth);
    grid.replaceChildren(...phaseTable(diagram, own, steps, stratum, lit));
    told.textContent = lit
      ? `Boards like yours, ${many(depth, "block")}, ${many(steps, "step")}: ${lit.phase}.`
      : "No boards like yours were measured.";
  }
  return { node, show };
}

/* The measured number of steps that is nearest, as a ratio. */
function nearest(entries, steps) {
  const far = other => Math.abs(Math.log(other / steps));
  const nearer = (one, other) => (far(other) < far(one) ? other : one);
  return entries.map(entry => entry.steps).reduce(nearer);
}

/* Rows are kinds of boards, columns depths. */
function phaseTable({ labels, colours }, entries, steps, stratum, lit) {
  const cells = [...new Set(entries.map(entry => entry.cell))],
    depths = [...new Set(entries.map(entry => entry.layers))].sort((a, b) => a - b);
  const tile = entry => {
    if (!entry) return h("td", {});
    const { phase, at_step_0, at_end } = entry;
    return h(
      "td",
      {
        title: phase,
        style: `background: ${colours[phase]}`,
        class: entry === lit ? "cos-lit" : null,
        "aria-current": entry === lit ? "true" : null,
      },
      `${at_step_0.toFixed(2)} → ${at_end.toFixed(2)}`,
    );
  };
  const head = depths.map(depth => h("th", { scope: "col" }, many(depth, "block")));
  return [
    h("thead", {}, h("tr", {}, h("th", {}, many(steps, "step")), head)),
    h(
      "tbody",
      {},
      cells.map(cell =>
        h(
          "tr",
          { class: cell === stratum ? "cos-lit" : null },
          h("th", { scope: "row" }, labels[cell]),
          depths.map(depth =>
            tile(entries.find(entry => entry.cell === cell && entry.layers === depth)),
          ),
        ),
      ),
    ),
  ];
}

function phaseKey(colours) {
  return h(
    "ul",
    { class: "cos-legend" },
    Object.entries(colours).map(([phase, colour]) =>
      h("li", {}, h("i", { style: `background: ${colour}` }), phase),
    ),
  );
}
