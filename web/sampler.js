// The denoising loop and the controls of one pass: sampling/denoise.py and measures/one_pass.py.

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

// Euler steps from pure noise. Before every step it yields nothing; after it, {step, x, estimate}.
//
// `edit`, if given, is {step, mode, noise}: `replace` puts the noise in the place of the latents
// before that step; `level-correct` keeps the clean estimate and noises it to the step's level.
export function* denoise(network, board, side, { sigmas, timesteps }, noise, edit = null) {
  let x = noise;
  let estimate = null;
  for (let step = 0; step < timesteps.length; step++) {
    if (edit?.step === step) x = edited(edit, estimate, sigmas[step]);
    estimate = network.estimate(x, board, timesteps[step], side);
    yield { step, x, estimate };
    const keep = sigmas[step + 1] / sigmas[step];
    x = mixed(x, estimate, keep);
  }
}

function edited({ mode, noise }, estimate, sigma) {
  if (mode === "replace") return noise;
  return renoised(estimate ?? new Float32Array(noise.length), sigma, noise);
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
export function* passes(network, board, side, z, sigma, count, noiseOf) {
  for (let k = 0; k < count; k++) {
    z = network.estimate(renoised(z, sigma, noiseOf(k)), board, 1000 * sigma, side);
    yield z;
  }
}
