// The denoising loop and the controls of one pass: sampling/denoise.py and measures/one_pass.py.
//
// `estimate(x, timestep)` is a network's clean estimate of latents x; the timestep is 1000 sigma.

// Noise levels (S + 1, the last is 0) and timesteps (S) of Euler steps on the shifted
// flow-matching grid, as diffusers rounds them.
export function schedule(steps, shift = 5) {
  const exact = Array.from({ length: steps }, (_, s) => {
    const u = s * (-1 / steps) + 1;
    return (shift * u) / (1 + (shift - 1) * u);
  });
  exact[0] -= 1e-6; // the scheduler takes logarithms of 1 - sigma
  return {
    sigmas: Float32Array.from([...exact, 0]),
    timesteps: exact.map((sigma) => Math.trunc(1000 * sigma)),
  };
}

// Euler steps from pure noise; yields {step, x, x0_hat} after each. `change(step, x, x0_hat)` gives
// the latents that a step starts from, with the clean estimate of the step before (null at first).
export function* denoise(estimate, { sigmas, timesteps }, noise, change = (step, x) => x) {
  let x = noise;
  let x0_hat = null;
  for (let step = 0; step < timesteps.length; step++) {
    x = change(step, x, x0_hat);
    x0_hat = estimate(x, timesteps[step]);
    yield { step, x, x0_hat };
    x = mixed(x, x0_hat, sigmas[step + 1] / sigmas[step]);
  }
}

// What noise put in before a step makes of the latents: sampling/interventions/noise.py.
export function noised(mode, x, x0_hat, sigma, noise) {
  if (mode === "replace") return noise;
  if (mode === "additive") return x.map((value, i) => value + noise[i]);
  return renoised(x0_hat ?? new Float32Array(x.length), sigma, noise); // level-correct
}

// (1 - sigma) z + sigma eps
export function renoised(z, sigma, noise) {
  return mixed(noise, z, sigma);
}

function mixed(one, other, share) {
  return one.map((value, i) => share * value + (1 - share) * other[i]);
}

// Passes at one noise level: the first on latents z, each later one on the last estimate. Yields
// the estimates; `noiseOf(k)` is the fresh noise of pass k.
export function* passes(estimate, z, sigma, count, noiseOf) {
  for (let k = 0; k < count; k++) {
    z = estimate(renoised(z, sigma, noiseOf(k)), 1000 * sigma);
    yield z;
  }
}
