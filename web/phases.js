// The phase diagram: what the steps of trained networks do on boards of each kind.

// The measured number of steps that is nearest, as a ratio; null without entries.
export function nearest(entries, steps) {
  const far = (other) => Math.abs(Math.log(other / steps));
  const measured = [...new Set(entries.map((entry) => entry.steps))];
  return measured.reduce(
    (best, other) => (best === null || far(other) < far(best) ? other : best),
    null,
  );
}

// The rows and columns of the diagram for one number of steps, and its entries by row and column.
export function table(entries, steps) {
  const own = entries.filter((entry) => entry.steps === steps);
  const cells = [...new Set(own.map((entry) => entry.cell))];
  const layers = [...new Set(own.map((entry) => entry.layers))].sort((a, b) => a - b);
  const at = (cell, depth) => own.find((entry) => entry.cell === cell && entry.layers === depth);
  return {
    cells,
    layers,
    rows: cells.map((cell) => layers.map((depth) => at(cell, depth) ?? null)),
  };
}
