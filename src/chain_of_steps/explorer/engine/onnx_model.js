// The exported video model: onnxruntime-web, condition, network. models/web_export.py has written
// the files.
import { Codec } from "./codec.js";

const RUNTIME = "ort.wasm.bundle.min.mjs";
const WASM = "ort-wasm-simd-threaded.wasm";
const NETWORK = "transformer.onnx";

// Makes a model of the files.
export async function startModel(manifest, files) {
  if (typeof WebAssembly !== "object")
    throw new Error("this browser has no WebAssembly, which runs the network; use a current one");
  try {
    const ort = await runtime(files);
    const options = { executionProviders: ["wasm"] };
    const session = await ort.InferenceSession.create(files[NETWORK], options);
    return new OnnxModel(ort, session, manifest, files);
  } catch (error) {
    throw new Error(`the network could not be started: ${error.message ?? error}`);
  }
}

// onnxruntime-web on one thread: pages on common hosts cannot set the headers that threads need.
async function runtime(files) {
  const script = new Blob([files[RUNTIME]], { type: "text/javascript" });
  const address = URL.createObjectURL(script);
  const ort = await import(address);
  URL.revokeObjectURL(address);
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: files[WASM] });
  return ort;
}

export class OnnxModel {
  constructor(ort, session, manifest, files) {
    Object.assign(this, { ort, session, manifest });
    const tables = unjoined(files["codec.bin"], manifest.codec);
    this.codec = new Codec(tables, manifest);
    const { text, latents, image } = manifest.shapes;
    this.states = unjoined(
      files["prompts.bin"],
      Object.fromEntries(manifest.prompts.map((prompt) => [prompt, text])),
    );
    this.count = latents.reduce((product, length) => product * length, 1);
    this.mask = image[1] - latents[1]; // its channels come before those of the image
  }

  // What the network is conditioned on: the given frame (bytes, or null if it is dropped) and a
  // prompt ("" if it is dropped).
  condition(frame, prompt) {
    const [, channels, frames, rows, columns] = this.manifest.shapes.latents;
    const area = rows * columns;
    const image = new Float32Array((this.mask + channels) * frames * area);
    const grey = this.codec.encode(new Float32Array(3 * this.manifest.size ** 2).fill(127.5));
    const given = frame ? this.codec.encode(frame) : grey;
    for (let c = 0; c < this.mask; c++)
      image.fill(frame ? 1 : 0, c * frames * area, (c * frames + 1) * area);
    for (let c = 0; c < channels; c++)
      for (let f = 0; f < frames; f++) {
        const source = (f ? grey : given).subarray(c * area, (c + 1) * area);
        image.set(source, ((this.mask + c) * frames + f) * area);
      }
    return { image, text: this.states[prompt] };
  }

  // The clean estimate (C x F x H x W) of noisy latents. The timestep is 1000 sigma.
  async estimate(noisy, { image, text }, timestep) {
    const { shapes } = this.manifest;
    const tensor = (data, shape) => new this.ort.Tensor("float32", data, shape);
    const { output } = await this.session.run({
      noisy: tensor(noisy, shapes.latents),
      image: tensor(image, shapes.image),
      text: tensor(text, shapes.text),
      timestep: tensor(Float32Array.of(timestep), [1]),
    });
    return output.data;
  }
}

// Tables of float32 that lie one after the other, by name.
function unjoined(bytes, shapes) {
  const found = {};
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((product, length) => product * length, 1);
    found[name] = new Float32Array(bytes.buffer, at, count);
    at += 4 * count;
  }
  return found;
}
