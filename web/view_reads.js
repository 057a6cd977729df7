// The run next to what one pass, or passes at one level, make of the same board.
import { element, many, slider, verdict } from "./elements.js";
import { boardView } from "./view_board.js";

const CAUTION =
  "Where a control finds a valid answer as well, this run needed no more than that control has. " +
  "One board proves little: try others.";

export function readsView(model, looks) {
  const items = readOffs(model).map(([name, label, pick]) => {
    const board = boardView(looks, null);
    const text = element("p");
    const node = element("li", { "data-read": name }, board.node, text);
    return { board, text, label, pick, node };
  });
  const sliders = [
    slider(model, "sigma", "sigma of the single passes", (sigma) => sigma.toFixed(2)),
    slider(model, "passes", "passes at that sigma"),
    slider(model, "noised", "noise put in at step"),
  ];
  return {
    nodes: [
      element("p", { class: "hint" }, CAUTION),
      element("div", { class: "tuning" }, ...sliders.map(({ node }) => node)),
      element("ul", { class: "reads" }, ...items.map(({ node }) => node)),
    ],
    show(clues, found) {
      for (const item of items) showItem(item, clues, item.pick(found));
    },
  };
}

// Name, label, and what of the computed looks is shown.
function readOffs(model) {
  const steps = () => model.get("steps");
  const sigma = () => model.get("sigma").toFixed(2);
  const noised = () => Math.min(model.get("noised"), steps() - 1);
  return [
    ["own", () => `own run, ${many(steps(), "step")}`, ({ own }) => own[steps() - 1]],
    ["start", () => "its first estimate alone", ({ own }) => own[0]],
    ["first", () => "one pass on the noised first estimate", ({ first }) => first],
    ["blank", () => "one pass on a noised uninformative board", ({ blank }) => blank],
    ["truth", () => "one pass on a noised valid answer", ({ truth }) => truth],
    [
      "repeated",
      () => `${model.get("passes")} passes, all but the first at sigma ${sigma()}`,
      ({ repeated }) => repeated,
    ],
    [
      "noised",
      () => `own run, its latents replaced by noise at step ${noised()}`,
      (found) => found.noised?.at(-1),
    ],
  ];
}

function showItem({ board, text, label, node }, clues, look) {
  node.style.opacity = look ? 1 : 0.4; // what is left of the board before
  if (!look) return;
  const answer = look.answer.map((value) => value + 1).join(" ");
  board.show(clues, look);
  board.node.setAttribute("aria-label", `${label()}: ${answer}`);
  text.replaceChildren(`${label()}: `, verdict(look));
}
