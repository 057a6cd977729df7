// The view: what a visitor sees of a board and changes. All that can be chosen is in the model's
// traits; networks and colours are traits too, which nothing changes.
import { fromClues, toClues } from "./config.js";
import { element } from "./elements.js";
import { Network } from "./network.js";
import { facts, observe, stratum } from "./observe.js";
import { boardView } from "./view_board.js";
import { phasesView } from "./view_phases.js";
import { readsView } from "./view_reads.js";
import { runView } from "./view_run.js";

// The traits that a computation depends on.
const CHOICES = ["clues", "blocks", "steps", "seed", "sigma", "passes", "noised"];
const PACE = 30; // least milliseconds of a step that is watched

export function render({ model, el }) {
  const looks = model.get("looks");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const networks = Object.fromEntries(
    Object.entries(model.get("networks")).map(([blocks, packed]) => [blocks, new Network(packed)]),
  );
  let found = null; // what has been computed so far
  let job = 0; // the number of the computation; a newer one ends it
  let watched = false; // whether the steps are shown as they are computed

  const board = boardView(looks, (clues) => model.set("clues", fromClues(clues)));
  const run = runView(model, () => (watched = false));
  const [reads, phases] = [readsView(model, looks), phasesView(model)];

  function show() {
    const step = found && Math.min(model.get("step"), found.own.length - 1);
    board.show(toClues(model.get("clues")), found?.own[step]);
    if (found) run.show(found, step);
  }

  async function compute() {
    const own = ++job;
    const config = Object.fromEntries(CHOICES.map((name) => [name, model.get(name)]));
    const clues = toClues(config.clues);
    const known = facts(clues);
    run.tell(clues, known);
    phases.show(stratum(known));
    show();
    el.setAttribute("aria-busy", "true");
    for (const progress of observe(networks[config.blocks], { ...config, clues })) {
      const done = progress.own.length;
      const animated = watched && !calm && !progress.first;
      if (animated || done === config.steps) found = progress;
      if (watched && found === progress) model.set("step", done - 1);
      show();
      reads.show(clues, progress);
      await new Promise((resume) => setTimeout(resume, animated ? PACE : 0));
      if (own !== job) return;
    }
    watched = false;
    run.conclude(found.own.at(-1));
    el.setAttribute("aria-busy", "false");
  }

  for (const name of CHOICES)
    model.on(`change:${name}`, () => {
      watched = true;
      compute();
    });
  model.on("change:step", show);
  const left = element("div", {}, board.node, ...run.below);
  const right = element("div", {}, ...run.beside, ...phases.nodes);
  el.append(element("div", { class: "top" }, left, right));
  el.append(element("h2", {}, "Were the steps needed?"), ...reads.nodes);
  compute();
}
