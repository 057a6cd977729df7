// The phase diagram, with the cell of the visitor's board lit up.
import { element, many } from "./elements.js";
import { nearest, table } from "./phases.js";

const TITLE = "The phase diagram, and where your board lies";
const LEGEND =
  "Shares of valid answers at step 0 → after all steps, over many boards of each kind; " +
  "the colour names what the steps do.";

// Without a diagram there is nothing to see.
export function phasesView(model) {
  const diagram = model.get("diagram");
  if (!diagram) return { nodes: [], show() {} };
  const grid = element("table");
  const told = element("p", { role: "status" });
  return {
    nodes: [
      element("h2", {}, TITLE),
      element("p", { class: "hint" }, LEGEND),
      told,
      key(diagram.colours),
      element("div", { class: "scroll" }, grid),
    ],
    show(kind) {
      const blocks = model.get("blocks");
      const steps = nearest(diagram.entries, model.get("steps"));
      const { cells, layers, rows } = table(diagram.entries, steps);
      const lit = rows[cells.indexOf(kind)]?.[layers.indexOf(blocks)];
      const columns = layers.map((depth) => element("th", { scope: "col" }, many(depth, "block")));
      const head = element("tr", {}, element("th", {}, many(steps, "step")), ...columns);
      const lines = rows.map((row, i) => line(diagram, cells[i], row, cells[i] === kind, lit));
      grid.replaceChildren(element("thead", {}, head), element("tbody", {}, ...lines));
      told.textContent = lit
        ? `Boards like yours, ${many(blocks, "block")}, ${many(steps, "step")}: ${lit.phase}.`
        : "No boards like yours were measured.";
    },
  };
}

function key(colours) {
  const items = Object.entries(colours).map(([phase, colour]) => {
    const swatch = element("i");
    swatch.style.background = colour;
    return element("li", {}, swatch, phase);
  });
  return element("ul", { class: "key" }, ...items);
}

function line({ labels, colours }, cell, row, isOwn, lit) {
  const tiles = row.map((entry) => (entry ? tile(entry, colours, entry === lit) : element("td")));
  const head = element("th", { scope: "row" }, labels[cell]);
  return element("tr", { class: isOwn ? "lit" : "" }, head, ...tiles);
}

function tile({ phase, at_step_0, at_end }, colours, isLit) {
  const shares = `${at_step_0.toFixed(2)} → ${at_end.toFixed(2)}`;
  const node = element("td", { title: phase, class: isLit ? "lit" : "" }, shares);
  if (isLit) node.setAttribute("aria-current", "true");
  node.style.background = colours[phase];
  return node;
}
