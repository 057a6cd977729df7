// Small pieces that the views are made of.
import { RANGES } from "./config.js";

const NAMES_A_STEP = ["step", "noised"];

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const percent = (share) => `${Math.round(100 * share)} %`;
export const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

// A slider of a trait, with its name and value. Those that name a step end at the last one.
export function slider(model, name, label, told = String) {
  const [least, most] = RANGES[name];
  const step = name === "sigma" ? 0.05 : 1;
  const input = element("input", { type: "range", min: least, step, "data-trait": name });
  input.setAttribute("aria-label", label); // without the value, which is told by itself
  const output = element("output");
  const show = () => {
    input.max = NAMES_A_STEP.includes(name) ? model.get("steps") - 1 : most;
    input.value = model.get(name);
    output.textContent = told(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => model.set(name, Number(input.value)));
  model.on(`change:${name}`, show);
  model.on("change:steps", show);
  show();
  return { node: element("label", { class: "range" }, label, output, input), input };
}

export function button(text, pressed) {
  const made = element("button", { class: "plain", type: "button" }, text);
  made.addEventListener("click", pressed);
  return made;
}

// Whether the decided answer of a look is valid, in words.
export function verdict({ violations }) {
  const text = violations ? `not valid (${many(violations, "violation")})` : "valid";
  return element("strong", { class: violations ? "not" : "valid" }, text);
}
