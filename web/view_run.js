// The run itself: facts about the board, the choices, the steps.
import { button, element, many, slider, verdict } from "./elements.js";

const HOW_TO = "Click a cell to go through its colours, or type 1 to 4; a clue has a dark frame.";
const CLASH = "no valid answer: the clues contradict each other";

// `below` and `beside` are what belongs there next to the board; `scrubbed` is called when a
// visitor moves along the steps.
export function runView(model, scrubbed) {
  const told = element("span", { class: "facts" });
  const end = element("span");
  const now = element("p", { class: "number" });
  const marks = element("div", { class: "marks", "aria-hidden": "true" });
  const last = () => model.get("steps") - 1;
  const step = slider(model, "step", "step", (at) => `${at} of ${last()}`);
  for (const event of ["pointerdown", "keydown"]) step.input.addEventListener(event, scrubbed);
  const buttons = [
    examples(model),
    button("no clues", () => model.set("clues", ".".repeat(16))),
    button("other noise", () => model.set("seed", (model.get("seed") + 1) % 1000)),
  ];
  return {
    below: [step.node, marks, now],
    beside: [
      element("p", { role: "status" }, told, " ", end),
      element("p", { class: "hint" }, HOW_TO),
      element("div", { class: "buttons" }, ...buttons),
      depth(model),
      slider(model, "steps", "number of steps").node,
    ],
    tell(clues, known) {
      const given = clues.filter((value) => value >= 0).length;
      told.textContent = `${many(given, "clue")}; ${answersOf(known)}.`;
      end.textContent = "";
    },
    conclude(look) {
      const steps = many(model.get("steps"), "step");
      end.replaceChildren(`The network's answer after ${steps} is `, verdict(look), ".");
    },
    show({ own, sigmas }, at) {
      const left = Array.from({ length: sigmas.length - 1 - own.length }, () => element("i"));
      marks.replaceChildren(...own.map((look, s) => mark(look, s === at)), ...left);
      const place = `At step ${at}, sigma ${sigmas[at].toFixed(2)}`;
      now.replaceChildren(`${place}, the strongest colours are `, verdict(own[at]), ".");
    },
  };
}

function answersOf({ answers, rounds }) {
  if (!answers.length) return CLASH;
  const count = many(answers.length, "valid answer");
  if (answers.length > 1) return count;
  if (rounds === null) return `${count}, which propagation does not find`;
  return `${count}, found in ${many(rounds, "round")} of propagation`;
}

function mark({ violations }, isNow) {
  return element("i", { class: `${violations ? "" : "valid"} ${isNow ? "now" : ""}` });
}

function examples(model) {
  const known = model.get("examples");
  const options = known.map(({ label, clues }) => element("option", { value: clues }, label));
  const first = element("option", {}, "examples");
  const node = element("select", { class: "plain", "aria-label": "examples" }, first, ...options);
  node.addEventListener("change", () => {
    if (node.selectedIndex) model.set("clues", node.value);
    node.selectedIndex = 0;
  });
  return node;
}

function depth(model) {
  const choices = [1, 4].map((blocks) => {
    const input = element("input", { type: "radio", name: "blocks" });
    const show = () => (input.checked = model.get("blocks") === blocks);
    input.addEventListener("change", () => model.set("blocks", blocks));
    model.on("change:blocks", show);
    show();
    return element("label", {}, input, ` ${many(blocks, "block")}`);
  });
  return element("fieldset", {}, element("legend", {}, "depth"), ...choices);
}
