// Runs of the video model with noise, merged seeds and dropped conditions: sampling/denoise.py and
// sampling/interventions/.
import { normals } from "./random.js";
import { noised, schedule } from "./sampler.js";

const APART = 1000; // distance between the seeds that are merged
const START = 0; // stream of a run's initial noise
const NOISED = 1000; // plus the step: streams of noise put in, which all seeds share

// Yields {step, estimate, nfe} after every step. `setting` is that of the explorer, `given` the
// given frame.
export async function* pictureRun(model, given, prompt, setting) {
  const grid = schedule(setting.steps, model.manifest.schedule.shift);
  const shape = model.manifest.shapes.latents;
  const merged = setting.merge ? Math.floor(setting.steps / 2) : 0; // steps
  const noise = (seed) => normals(seed, START, model.count);
  let members = Array.from({ length: setting.merge?.seeds ?? 1 }, (_, j) =>
    noise(setting.seed + APART * j),
  );
  let estimate = null;
  let nfe = 0;
  const conditionAt = conditions(model, given, prompt, setting.drop);
  for (let step = 0; step < setting.steps; step++) {
    if (step >= merged) members = members.slice(0, 1);
    members[0] = changed(members[0], estimate, step, grid.sigmas[step], setting, shape);
    const own = [];
    for (const x of members)
      own.push(await model.estimate(x, conditionAt(step), grid.timesteps[step]));
    nfe += own.length;
    estimate = meanOf(own);
    yield { step, estimate, nfe };
    const keep = grid.sigmas[step + 1] / grid.sigmas[step];
    members = members.map((x) => x.map((value, i) => keep * value + (1 - keep) * estimate[i]));
  }
}

// The condition by step: whole, or without what is dropped.
function conditions(model, given, prompt, drop) {
  const whole = model.condition(given, prompt);
  if (!drop) return () => whole;
  const rest = model.condition(drop.given ? null : given, drop.prompt ? "" : prompt);
  return (step) => (step >= drop.step && step < (drop.until ?? Infinity) ? rest : whole);
}

// Latents with noise in the frames that a setting names at this step.
function changed(x, estimate, step, sigma, { noise, mode }, [, , frames, rows, columns]) {
  const chosen = new Set(noise.filter(([at]) => at === step).map(([, frame]) => frame));
  if (!chosen.size) return x;
  const all = noised(mode, x, estimate, sigma, normals(0, NOISED + step, x.length));
  const frameOf = (i) => Math.floor(i / (rows * columns)) % frames;
  return x.map((value, i) => (chosen.has(frameOf(i)) ? all[i] : value));
}

function meanOf(arrays) {
  if (arrays.length === 1) return arrays[0];
  return arrays[0].map((_, i) => arrays.reduce((sum, each) => sum + each[i], 0) / arrays.length);
}
