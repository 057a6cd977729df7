// The history of runs.

/* The last runs; any two are shown next to each other. */
function historyStrip(state, refresh) {
  const list = h("ul", {}),
    cards = new Map();
  const node = h(
    "section",
    { class: "cos-history", "aria-label": "History" },
    h("h3", {}, "History"),
    list,
  );
  function card(id) {
    const canvas = h("canvas", { class: "cos-thumb", "aria-hidden": "true" }),
      name = h("span", { class: "cos-name" });
    const side = which =>
      h(
        "button",
        {
          type: "button",
          title: `Show this run on the ${which}`,
          onclick: () => {
            if (state[which] === id) {
              if (which === "right") state.right = null;
            } else {
              if (which === "left" && state.right === id) state.right = null;
              if (which === "right" && state.left === id) return;
              state[which] = id;
            }
            refresh();
          },
        },
        which,
      );
    const sides = { left: side("left"), right: side("right") };
    return {
      canvas,
      name,
      sides,
      node: h("li", {}, canvas, name, h("span", { class: "cos-row" }, sides.left, sides.right)),
    };
  }
  return {
    node,
    show: () => {
      node.hidden = !state.runs.size;
      for (const id of cards.keys())
        if (!state.runs.has(id)) {
          cards.get(id).node.remove();
          cards.delete(id);
        }
      for (const [id, run] of state.runs) {
        if (!cards.has(id)) {
          cards.set(id, card(id));
          list.prepend(cards.get(id).node);
        }
        const { canvas, name, sides } = cards.get(id),
          last = run.steps.at(-1),
          image = run.pictures.at(-1)?.strip;
        const [width, side] = sizeOf(image);
        if (width) draw(canvas, image, side, side, width - side);
        const mark =
          run.state === "done" && last
            ? last.violations
              ? "✗"
              : "✓"
            : ({ running: "…", stopped: "stopped", failed: "failed" }[run.state] ?? "");
        name.textContent = `${mark} ${run.name}, ${run.setting.steps} steps`;
        for (const which of ["left", "right"]) {
          sides[which].setAttribute("aria-pressed", String(state[which] === id));
          sides[which].setAttribute("aria-label", `${which}: ${name.textContent}`);
        }
      }
    },
  };
}
