// A back end of the explorer that runs in the page: see explorer/web/local.js for what it owes.
import { Network } from "./network.js";
import { normals } from "./random.js";
import { denoise, noised, passes, schedule } from "./sampler.js";
import {
  beliefsOf,
  decide,
  latentsOf,
  openShare,
  sampleOf,
  shown,
  uninformative,
} from "./symbols.js";

const START = 0;
const PASS = 1,
  NOISED = 1000; // streams of noise: of the start, of pass k, at step s
const MOST_STEPS = 50;
const MOST_PASSES = 20;
const MOST_TRUTHS = 8; // valid answers that are drawn
const PROMPTS = {
  latin: "fill the square",
  relay: "follow the arrows and draw the way",
  end: "follow the arrows and mark the end",
};

// networks: packed, by puzzle and by name; samples: boards by cell.
export function createEngine({ networks, samples }) {
  const unpacked = {};

  // What a setting chooses, checked: a link may say anything.
  function chosen({ board, cell, index, network, seed, steps }) {
    const own = board ?? samples[cell]?.[index];
    if (!samples[cell]) throw new Error(`there is no kind ${cell} on this page`);
    if (!own) throw new Error(`sample: expected 0 to ${samples[cell].length - 1}, not ${index}`);
    const known = Object.keys(networks[own.kind] ?? {}).join(", ");
    if (!networks[own.kind]?.[network]) throw new Error(`network: expected ${known || "none"}`);
    if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
      throw new Error(`steps: expected 1 to ${MOST_STEPS}, not ${steps}`);
    const sample = sampleOf(own);
    const noise = (stream) => normals(seed, stream, sample.channels * sample.side ** 2);
    return { board: own, sample, noise, grid: schedule(steps) };
  }

  // A function of latents and a timestep, on the board of a sample.
  async function estimateOf({ board, sample }, name) {
    const known = (unpacked[board.kind] ??= {});
    const network = (known[name] ??= await Network.unpacked(networks[board.kind][name]));
    return (x, timestep) => network.estimate(x, sample.given, timestep, sample.side);
  }

  function puzzle({ board, sample }) {
    return {
      board,
      prompt: PROMPTS[board.kind === "relay" && !board.drawn ? "end" : board.kind],
      truth: sample.answers.slice(0, MOST_TRUTHS).map((answer) => shown(sample, answer)),
      answers: sample.answers.length,
      more: false,
      rounds: sample.rounds,
    };
  }

  return {
    preview(setting) {
      const { board, sample } = chosen(setting);
      const given = shown(sample, sample.known);
      return { ...puzzle({ board, sample }), given, stratum: sample.kind };
    },

    header(setting) {
      const { board, sample, grid } = chosen(setting);
      const values = sample.values.map((name, v) => ({ name, valid: !sample.violations([v]) }));
      return { ...puzzle({ board, sample }), sigmas: [...grid.sigmas], values };
    },

    async *run(setting) {
      const { board, sample, noise, grid } = chosen(setting);
      const estimate = await estimateOf({ board, sample }, setting.network);
      const changed = new Set(setting.noise.map(([step]) => step));
      const change = (step, x, x0_hat) =>
        changed.has(step)
          ? noised(setting.mode, x, x0_hat, grid.sigmas[step], noise(NOISED + step))
          : x;
      for (const { step, x0_hat } of denoise(estimate, grid, noise(START), change))
        yield { step, nfe: step + 1, ...looked(sample, x0_hat) };
    },

    // The estimate of step 0 and, at one noise level, one pass on it, on an uninformative board and
    // on a valid answer, and several passes, the first of which is step 0.
    async *controls(setting) {
      const { board, sample, noise, grid } = chosen(setting);
      const { sigma, passes: count } = setting.controls;
      if (!(sigma > 0 && sigma < 1 && count > 1 && count <= MOST_PASSES))
        throw new Error(`expected a sigma between 0 and 1, and 2 to ${MOST_PASSES} passes`);
      const estimate = await estimateOf({ board, sample }, setting.network);
      const first = denoise(estimate, grid, noise(START)).next().value.x0_hat;
      const after = (z, times) =>
        [...passes(estimate, z, sigma, times, (k) => noise(PASS + k))].at(-1);
      const truth = latentsOf(sample, shown(sample, sample.answers[0]));
      const items = [];
      const computed = {
        start: () => first,
        first: () => after(first, 1),
        blank: () => after(uninformative(sample), 1),
        truth: () => after(truth, 1),
        repeated: () => after(first, count - 1),
      };
      for (const [name, compute] of Object.entries(computed)) {
        const { strip: picture, decided, violations } = looked(sample, compute());
        items.push({ name, picture, decided, violations });
        yield [...items];
      }
    },
  };
}

// What a clean estimate shows, as a step of a run has it.
function looked(sample, x0_hat) {
  const beliefs = beliefsOf(sample, x0_hat);
  const decided = decide(beliefs);
  const which = sample.answers.findIndex((answer) => String(answer) === String(decided));
  return {
    strip: beliefs,
    reading: shown(sample, decided),
    decided,
    violations: sample.violations(decided),
    which: which < 0 ? null : which,
    fault: sample.fault(decided),
    drawn: null,
    error: null,
    open: openShare(sample, beliefs),
    beliefs: sample.values.length ? beliefs[0] : null,
  };
}
