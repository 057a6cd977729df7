// What a visitor has chosen, as traits that a view reads and writes, and as text for a link.

export const DEFAULTS = {
  clues: "..2......21...3.", // row by row: a value from 1, or a dot
  blocks: 4,
  steps: 20,
  seed: 0,
  sigma: 0.5, // of the single passes
  passes: 4, // in all, the first of them step 0 of the run
  noised: 5, // the step before which noise is put in
  step: 19, // the one that is shown
};
export const RANGES = {
  steps: [1, 50],
  seed: [0, 999],
  sigma: [0.05, 0.95],
  passes: [2, 12],
  noised: [0, 49],
  step: [0, 49],
};

// What the view needs of an anywidget model, without a kernel behind it.
export class Traits {
  constructor(values) {
    this.values = values;
    this.listeners = [];
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    for (const [event, listener] of this.listeners)
      if (event === "change" || event === `change:${name}`) listener();
  }

  on(event, listener) {
    this.listeners.push([event, listener]);
  }
}

// `clues=12...&blocks=4&...`, only what differs from the defaults.
export function toHash(values) {
  const changed = Object.entries(values).filter(([name, value]) => value !== DEFAULTS[name]);
  return new URLSearchParams(changed).toString();
}

// The values that a link names; anything that is not understood keeps its default.
export function fromHash(text) {
  const named = new URLSearchParams(text.replace(/^#/, ""));
  const values = { ...DEFAULTS };
  if (/^[1-4.]{16}$/.test(named.get("clues"))) values.clues = named.get("clues");
  if (named.get("blocks") === "1") values.blocks = 1;
  for (const [name, [least, most]] of Object.entries(RANGES)) {
    const given = Number.parseFloat(named.get(name));
    const value = name === "sigma" ? given : Math.round(given);
    if (value >= least && value <= most) values[name] = value;
  }
  return { ...values, step: Math.min(values.step, values.steps - 1) };
}

export function toClues(text) {
  return [...text].map((letter) => (letter === "." ? -1 : Number(letter) - 1));
}

export function fromClues(clues) {
  return clues.map((value) => (value < 0 ? "." : value + 1)).join("");
}
