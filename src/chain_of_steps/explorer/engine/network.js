// The forward pass of a symbol network: diffusers' WanTransformer3DModel on one frame of one-hot
// latents, a token for each cell. Numbers are float32; sums are kept in float64.
//
// N cells, C channels of latents, G of the board, D numbers in a hidden state.
import { unpack } from "./weights.js";

const EPSILON = 1e-6; // of all norms
const THETA = 10000; // of timesteps and rotary embeddings

export class Network {
  // `packed` is what models/web_weights.py has made of a network.
  static async unpacked(packed) {
    return new Network(packed.config, await unpack(packed));
  }

  constructor(config, weights) {
    this.layers = config.num_layers;
    this.heads = config.num_attention_heads;
    this.headWidth = config.attention_head_dim;
    this.width = this.heads * this.headWidth;
    this.frequencies = config.freq_dim / 2;
    this.weights = weights;
  }

  // The clean estimate (C x N, channel by channel, as torch stores it) of noisy latents (C x N)
  // and the given board (G x N) on a board of side x side = N cells. The timestep is 1000 sigma.
  estimate(noisy, board, timestep, side) {
    const cells = side * side;
    const { embedding, modulation } = this.time(timestep);
    const turns = rotations(side, this.headWidth);
    let x = this.linear("patch_embedding", transposed([...noisy, ...board], cells));
    for (let layer = 0; layer < this.layers; layer++)
      x = this.block(`blocks.${layer}`, x, modulation, turns);
    const [shift, scale] = this.rows("scale_shift_table", embedding);
    const output = this.linear("proj_out", modulated(x, shift, scale));
    return transposed(output, output.length / cells);
  }

  time(timestep) {
    const { frequencies: n } = this;
    const waves = new Float32Array(2 * n);
    for (let i = 0; i < n; i++) {
      const angle = Math.fround(timestep * Math.fround(Math.exp((-Math.log(THETA) * i) / n)));
      waves[i] = Math.cos(angle);
      waves[n + i] = Math.sin(angle);
    }
    const name = "condition_embedder.time_embedder";
    const inner = this.linear(`${name}.linear_1`, waves).map(silu);
    const embedding = this.linear(`${name}.linear_2`, inner);
    const modulation = this.linear("condition_embedder.time_proj", embedding.map(silu));
    return { embedding, modulation };
  }

  // Hidden states (N x D) after a block. There is no prompt, so cross-attention adds the same
  // vector to every cell: `attn2`.
  block(name, x, modulation, turns) {
    const { width } = this;
    const table = this.rows(`${name}.scale_shift_table`, modulation);
    const [shift, scale, gate, shift2, scale2, gate2] = table;
    const attended = this.attention(`${name}.attn1`, modulated(x, shift, scale), turns);
    const crossed = this.weights[`${name}.attn2`];
    const middle = x.map((v, i) => v + attended[i] * gate[i % width] + crossed[i % width]);
    const inner = this.linear(`${name}.ffn.net.0.proj`, modulated(middle, shift2, scale2));
    const fed = this.linear(`${name}.ffn.net.2`, inner.map(gelu));
    return middle.map((v, i) => v + fed[i] * gate2[i % width]);
  }

  attention(name, x, turns) {
    const [query, key] = ["q", "k"].map((which) => {
      const weight = this.weights[`${name}.norm_${which}.weight`];
      return rotated(normed(this.linear(`${name}.to_${which}`, x), weight), turns);
    });
    const value = this.linear(`${name}.to_v`, x);
    const mixed = new Float32Array(value.length);
    for (let begin = 0; begin < this.width; begin += this.headWidth)
      this.head(query, key, value, begin, mixed);
    return this.linear(`${name}.to_out.0`, mixed);
  }

  // Softmax attention of the head whose channels begin at `begin`.
  head(query, key, value, begin, mixed) {
    const { width, headWidth } = this;
    const rows = Array.from({ length: value.length / width }, (_, cell) => cell * width + begin);
    for (const own of rows) {
      const scores = rows.map((other) => {
        let sum = 0;
        for (let c = 0; c < headWidth; c++) sum += query[own + c] * key[other + c];
        return sum / Math.sqrt(headWidth);
      });
      const highest = Math.max(...scores);
      const shares = scores.map((score) => Math.exp(score - highest));
      const total = shares.reduce((sum, share) => sum + share);
      for (let c = 0; c < headWidth; c++) {
        let sum = 0;
        for (let j = 0; j < rows.length; j++) sum += shares[j] * value[rows[j] + c];
        mixed[own + c] = sum / total;
      }
    }
  }

  linear(name, x) {
    return linear(x, this.weights[`${name}.weight`], this.weights[`${name}.bias`]);
  }

  // The rows (D each) of a table of shifts, scales and gates, with what the noise level adds.
  rows(name, added) {
    const { width } = this;
    const sum = this.weights[name].map((value, i) => value + added[i % added.length]);
    const begins = Array.from({ length: sum.length / width }, (_, row) => row * width);
    return begins.map((begin) => sum.slice(begin, begin + width));
  }
}

// x (rows x I) times the transpose of a weight (O x I), plus a bias (O). Four rows at a time share
// each weight that is read; the last ones are computed twice if rows is no multiple of four.
function linear(x, weight, bias) {
  const outer = bias.length;
  const inner = weight.length / outer;
  const rows = x.length / inner;
  const y = new Float32Array(rows * outer);
  for (let row = 0; row < rows; row += 4) {
    const [r0, r1, r2, r3] = [0, 1, 2, 3].map((i) => Math.min(row + i, rows - 1));
    const [a, b, c, d] = [r0 * inner, r1 * inner, r2 * inner, r3 * inner];
    for (let o = 0; o < outer; o++) {
      let [s0, s1, s2, s3] = [bias[o], bias[o], bias[o], bias[o]];
      for (let i = 0; i < inner; i++) {
        const w = weight[o * inner + i];
        s0 += w * x[a + i];
        s1 += w * x[b + i];
        s2 += w * x[c + i];
        s3 += w * x[d + i];
      }
      y[r0 * outer + o] = s0;
      y[r1 * outer + o] = s1;
      y[r2 * outer + o] = s2;
      y[r3 * outer + o] = s3;
    }
  }
  return y;
}

// Layer norm of each row without weights, then times 1 + scale, plus shift.
function modulated(x, shift, scale) {
  const width = scale.length;
  const y = new Float32Array(x.length);
  for (let begin = 0; begin < x.length; begin += width) {
    let mean = 0;
    let variance = 0;
    for (let i = 0; i < width; i++) mean += x[begin + i] / width;
    for (let i = 0; i < width; i++) variance += (x[begin + i] - mean) ** 2 / width;
    const factor = 1 / Math.sqrt(variance + EPSILON);
    for (let i = 0; i < width; i++)
      y[begin + i] = (x[begin + i] - mean) * factor * (1 + scale[i]) + shift[i];
  }
  return y;
}

// RMS norm of each row, over all heads together.
function normed(x, weight) {
  const width = weight.length;
  for (let begin = 0; begin < x.length; begin += width) {
    let square = 0;
    for (let i = 0; i < width; i++) square += x[begin + i] ** 2 / width;
    const factor = 1 / Math.sqrt(square + EPSILON);
    for (let i = 0; i < width; i++) x[begin + i] *= factor * weight[i];
  }
  return x;
}

// Rotary embedding, in place: channel pairs of each head turn by an angle of the cell.
function rotated(x, { cos, sin, pairs }) {
  const cells = cos.length / pairs;
  const width = x.length / cells;
  for (let cell = 0; cell < cells; cell++)
    for (let i = 0; i < width / 2; i++) {
      const at = cell * width + 2 * i;
      const turn = cell * pairs + (i % pairs);
      const [even, odd] = [x[at], x[at + 1]];
      x[at] = even * cos[turn] - odd * sin[turn];
      x[at + 1] = even * sin[turn] + odd * cos[turn];
    }
  return x;
}

// Cosines and sines (N x pairs). The first pairs of a head turn with the frame, of which there is
// one, the next with the row, the last with the column.
function rotations(side, headWidth) {
  const pairs = headWidth / 2;
  const each = Math.floor(headWidth / 6);
  const still = pairs - 2 * each;
  const angles = Array.from({ length: side * side * pairs }, (_, at) => {
    const [cell, i] = [Math.floor(at / pairs), (at % pairs) - still];
    if (i < 0) return 0;
    const place = i < each ? Math.floor(cell / side) : cell % side;
    return place / THETA ** ((i % each) / each);
  });
  const [cos, sin] = [Math.cos, Math.sin].map((of) => Float32Array.from(angles, of));
  return { cos, sin, pairs };
}

function transposed(x, columns) {
  const rows = x.length / columns;
  return Float32Array.from(x, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)]);
}

const silu = (x) => x / (1 + Math.exp(-x));
const gelu = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
