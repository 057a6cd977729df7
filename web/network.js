// The forward pass of a symbol network: diffusers' WanTransformer3DModel on one frame of one-hot
// latents, a token for each cell. Weights and activations are float32; sums are kept in float64.
import { unpack } from "./weights.js";

const EPSILON = 1e-6; // of all norms
const THETA = 10000; // of timesteps and rotary embeddings

export class Network {
  constructor(packed) {
    const { config } = packed;
    const weights = unpack(packed);
    this.layers = config.num_layers;
    this.heads = config.num_attention_heads;
    this.headWidth = config.attention_head_dim;
    this.width = this.heads * this.headWidth;
    this.inputs = config.in_channels;
    this.frequencies = config.freq_dim / 2;
    this.table = (name) => weights[name];
    this.at = (name) => ({ weight: weights[`${name}.weight`], bias: weights[`${name}.bias`] });
    this.blocks = Array.from({ length: this.layers }, (_, layer) => this.block(`blocks.${layer}`));
    this.text = this.textState();
    this.crossed = this.blocks.map(({ cross }) =>
      linear(linear(this.text, cross.value, 1), cross.out, 1),
    );
  }

  block(name) {
    return {
      table: this.table(`${name}.scale_shift_table`),
      query: this.at(`${name}.attn1.to_q`),
      key: this.at(`${name}.attn1.to_k`),
      value: this.at(`${name}.attn1.to_v`),
      out: this.at(`${name}.attn1.to_out.0`),
      queryNorm: this.table(`${name}.attn1.norm_q.weight`),
      keyNorm: this.table(`${name}.attn1.norm_k.weight`),
      cross: { value: this.at(`${name}.attn2.to_v`), out: this.at(`${name}.attn2.to_out.0`) },
      up: this.at(`${name}.ffn.net.0.proj`),
      down: this.at(`${name}.ffn.net.2`),
    };
  }

  // There is no prompt: the text is one token of zeros. So all attention goes to it, and
  // cross-attention adds the same vector to every cell, whatever the cell asks.
  textState() {
    const [first, second] = [1, 2].map((n) =>
      this.at(`condition_embedder.text_embedder.linear_${n}`),
    );
    return linear(first.bias.map(gelu), second, 1);
  }

  // The clean estimate (C x N, channel by channel, as torch stores it) of noisy latents (C x N)
  // and the given board (G x N) on a board of side x side = N cells. The timestep is 1000 sigma.
  estimate(noisy, board, timestep, side) {
    const cells = side * side;
    const { embedding, modulation } = this.time(timestep);
    let hidden = linear(transposed([...noisy, ...board], cells), this.at("patch_embedding"), cells);
    const rotation = rotations(side, this.headWidth);
    for (let layer = 0; layer < this.layers; layer++)
      hidden = this.through(layer, hidden, modulation, rotation, cells);
    const [shift, scale] = split(this.table("scale_shift_table"), this.width).map((part) =>
      part.map((value, i) => value + embedding[i]),
    );
    const output = linear(modulated(hidden, scale, shift, cells), this.at("proj_out"), cells);
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
    const [first, second] = [1, 2].map((k) =>
      this.at(`condition_embedder.time_embedder.linear_${k}`),
    );
    const embedding = linear(linear(waves, first, 1).map(silu), second, 1);
    const modulation = linear(embedding.map(silu), this.at("condition_embedder.time_proj"), 1);
    return { embedding, modulation };
  }

  // Hidden states (N x D) after a block.
  through(layer, hidden, modulation, rotation, cells) {
    const block = this.blocks[layer];
    const whole = block.table.map((value, i) => value + modulation[i]);
    const [shift, scale, gate, shift2, scale2, gate2] = split(whole, this.width);
    const attended = this.attention(block, modulated(hidden, scale, shift, cells), rotation, cells);
    const crossed = this.crossed[layer];
    const width = this.width;
    const middle = hidden.map(
      (value, i) => value + attended[i] * gate[i % width] + crossed[i % width],
    );
    const inner = linear(modulated(middle, scale2, shift2, cells), block.up, cells).map(gelu);
    const fed = linear(inner, block.down, cells);
    return middle.map((value, i) => value + fed[i] * gate2[i % width]);
  }

  attention(block, x, rotation, cells) {
    const query = rotated(normed(linear(x, block.query, cells), block.queryNorm), rotation);
    const key = rotated(normed(linear(x, block.key, cells), block.keyNorm), rotation);
    const value = linear(x, block.value, cells);
    const mixed = new Float32Array(value.length);
    for (let head = 0; head < this.heads; head++)
      this.mix(query, key, value, head * this.headWidth, cells, mixed);
    return linear(mixed, block.out, cells);
  }

  // Softmax attention of one head, whose channels begin at `begin`.
  mix(query, key, value, begin, cells, mixed) {
    const { width, headWidth } = this;
    const scores = new Float64Array(cells);
    for (let i = 0; i < cells; i++) {
      const row = i * width + begin;
      let highest = -Infinity;
      let total = 0;
      for (let j = 0; j < cells; j++) {
        const other = j * width + begin;
        let sum = 0;
        for (let c = 0; c < headWidth; c++) sum += query[row + c] * key[other + c];
        scores[j] = sum / Math.sqrt(headWidth);
        highest = Math.max(highest, scores[j]);
      }
      for (let j = 0; j < cells; j++) total += scores[j] = Math.exp(scores[j] - highest);
      for (let c = 0; c < headWidth; c++) {
        let sum = 0;
        for (let j = 0; j < cells; j++) sum += scores[j] * value[j * width + begin + c];
        mixed[row + c] = sum / total;
      }
    }
  }
}

// x (rows x I) times the transpose of a weight (O x I), plus a bias (O). Four rows at a time share
// each weight that is read; the last ones are computed twice if rows is no multiple of four.
function linear(x, { weight, bias }, rows) {
  const outer = bias.length;
  const inner = weight.length / outer;
  const y = new Float32Array(rows * outer);
  for (let row = 0; row < rows; row += 4) {
    const [r0, r1, r2, r3] = [0, 1, 2, 3].map((i) => Math.min(row + i, rows - 1));
    const [a, b, c, d] = [r0 * inner, r1 * inner, r2 * inner, r3 * inner];
    for (let o = 0; o < outer; o++) {
      const start = o * inner;
      let s0 = bias[o];
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      for (let i = 0; i < inner; i++) {
        const w = weight[start + i];
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

// Layer norm without weights, then times 1 + scale, plus shift.
function modulated(x, scale, shift, rows) {
  const width = scale.length;
  const y = new Float32Array(x.length);
  for (let begin = 0; begin < rows * width; begin += width) {
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

// RMS norm over all heads together.
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
  const cos = new Float32Array(side * side * pairs).fill(1);
  const sin = new Float32Array(cos.length);
  for (let cell = 0; cell < side * side; cell++)
    for (const [axis, place] of [Math.floor(cell / side), cell % side].entries())
      for (let i = 0; i < each; i++) {
        const angle = place / THETA ** (i / each);
        const at = cell * pairs + still + axis * each + i;
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
      }
  return { cos, sin, pairs };
}

function transposed(x, columns) {
  const rows = x.length / columns;
  const y = new Float32Array(x.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) y[c * rows + r] = x[r * columns + c];
  return y;
}

function split(x, width) {
  return Array.from({ length: x.length / width }, (_, i) => x.slice(i * width, (i + 1) * width));
}

function silu(x) {
  return x / (1 + Math.exp(-x));
}

function gelu(x) {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}
