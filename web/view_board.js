// Boards: to look at, or to change.
import { candidates } from "./latin.js";
import { element, percent } from "./elements.js";

// A board of 16 cells. With `choose`, they are buttons that change the clues.
export function boardView({ colours, names, paper }, choose) {
  let clues = [];
  const cells = Array.from({ length: 16 }, (_, at) => {
    const digits = names.map((_, value) =>
      element("span", { "aria-hidden": "true" }, `${value + 1}`),
    );
    const cell = element(choose ? "button" : "div", { class: "cell" }, ...digits);
    if (!choose) return cell;
    cell.tabIndex = at ? -1 : 0;
    cell.addEventListener("click", () => put(at, after(at)));
    cell.addEventListener("keydown", (event) => typed(event, at));
    return cell;
  });
  const node = element("div", { class: choose ? "board" : "board small" }, ...cells);
  node.setAttribute("role", choose ? "group" : "img");
  if (choose)
    node.setAttribute(
      "aria-label",
      "the board: arrow keys move, 1 to 4 give a clue, Delete takes it out",
    );

  const put = (at, value) => choose(clues.map((old, cell) => (cell === at ? value : old)));
  // The next colour that no row or column forbids, or none.
  function after(at) {
    const open = clues.map((value, cell) => (cell === at ? -1 : value));
    return candidates(open, at).find((value) => value > clues[at]) ?? -1;
  }

  function typed(event, at) {
    const moved = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -4, ArrowDown: 4 }[event.key];
    if (/^[1-4]$/.test(event.key)) put(at, Number(event.key) - 1);
    else if (["0", "Delete", "Backspace"].includes(event.key)) put(at, -1);
    else if (moved) {
      const next = cells[at + moved] ?? cells[at];
      cells.forEach((cell) => (cell.tabIndex = cell === next ? 0 : -1));
      next.focus();
    } else return;
    event.preventDefault();
  }

  function show(given, look) {
    clues = given;
    cells.forEach((cell, at) => {
      const clue = given[at];
      const shown =
        clue < 0 ? (look?.beliefs[at] ?? names.map(() => 0)) : names.map((_, v) => +(v === clue));
      cell.classList.toggle("clue", clue >= 0);
      cell.style.background = mixture(shown, colours, paper);
      [...cell.children].forEach((digit, value) => (digit.style.opacity = shown[value].toFixed(2)));
      if (choose) cell.setAttribute("aria-label", spoken(at, clue, shown, names));
    });
  }
  return { node, show };
}

// Colours superposed by their beliefs, on paper.
function mixture(shown, colours, paper) {
  const whole = Math.max(
    1,
    shown.reduce((sum, belief) => sum + belief),
  );
  const rest = 1 - shown.reduce((sum, belief) => sum + belief / whole, 0);
  const channel = (c) =>
    shown.reduce((sum, b, value) => sum + (b / whole) * colours[value][c], rest * paper[c]);
  return `rgb(${[0, 1, 2].map((c) => Math.round(255 * channel(c))).join(" ")})`;
}

function spoken(at, clue, shown, names) {
  const place = `row ${Math.floor(at / 4) + 1}, column ${(at % 4) + 1}`;
  if (clue >= 0) return `${place}: clue ${clue + 1}, ${names[clue]}`;
  const believed = names
    .map((name, v) => [shown[v], `${v + 1} ${name} ${percent(shown[v])}`])
    .filter(([belief]) => belief >= 0.05)
    .sort(([a], [b]) => b - a)
    .map(([, text]) => text);
  return `${place}: open, ${believed.join(", ") || "nothing believed"}`;
}
