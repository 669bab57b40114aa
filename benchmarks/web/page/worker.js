// One file in one runtime. A crash or a hang ends this worker and nothing else.
// A classic worker: LiteRT.js loads its WebAssembly by importScripts.
"use strict";
importScripts("percentiles.js");

const WARM_UP = 3;
const TOLD_EVERY_MS = 400;

// Opens a .tflite file; `infer` takes a picture's bytes and gives the answers by name.
const engines = {
  async litert(model, threads) {
    const runtime = await import("./litert.js");
    const several = threads > 1;
    if (several) {
      // Its threads otherwise load the script of this worker, and never answer.
      const script = new URL("litert_wasm_threaded_internal.js", self.location).href;
      self.Module = { mainScriptUrlOrBlob: script };
    }
    await runtime.loadLiteRt(new URL("./", self.location).href, several ? { threads: true } : {});
    const relaxed = await runtime.supportsFeature("relaxedSimd");
    const build = relaxed ? "relaxed simd" : "compatible";
    const began = performance.now();
    const options = { accelerator: "wasm", cpuOptions: { numThreads: threads } };
    const opened = await runtime.loadAndCompile(model, options);
    const load = performance.now() - began;
    const [input] = opened.getInputDetails();
    const names = opened.getOutputDetails().map((output) => output.name);
    const Pixels = { float32: Float32Array, uint8: Uint8Array }[input.dtype];
    if (!Pixels) throw new Error(`the file takes ${input.dtype} pixels, which this page has not`);
    const infer = async (pixels) => {
      const tensor = new runtime.Tensor(pixels, [...input.shape]);
      const outputs = await opened.run([tensor]);
      tensor.delete();
      const answers = {};
      outputs.forEach((output, place) => {
        answers[names[place]] = output.toTypedArray().slice();
        output.delete();
      });
      return answers;
    };
    return { build, load, infer, prepare: (bytes) => Pixels.from(bytes) };
  },

  async onnx(model, threads, plan) {
    const runtime = await import("./ort.mjs");
    runtime.env.wasm.wasmPaths = new URL("./", self.location).href;
    runtime.env.wasm.numThreads = threads;
    const began = performance.now();
    const session = await runtime.InferenceSession.create(model, { executionProviders: ["wasm"] });
    const load = performance.now() - began;
    const [name] = session.inputNames;
    const { type } = session.inputMetadata[0];
    const Pixels = { float32: Float32Array, uint8: Uint8Array }[type];
    if (!Pixels) throw new Error(`the file takes ${type} pixels, which this page has not`);
    const shape = [1, ...plan.images.slice(1)];
    const infer = async (pixels) => {
      const outputs = await session.run({ [name]: new runtime.Tensor(type, pixels, shape) });
      return Object.fromEntries(plan.outputs.map((output) => [output, outputs[output].data]));
    };
    return { build: "simd", load, infer, prepare: (bytes) => Pixels.from(bytes) };
  },
};

const fetched = async (name) => {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name} did not come: status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

const joined = (parts) => {
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
};

const measure = async ({ ask, plan }) => {
  const [model, golden] = await Promise.all([fetched(`models/${ask.model}`), fetched("golden")]);
  self.postMessage({ opening: true });
  const { build, load, infer, prepare } = await engines[ask.engine](model, ask.threads, plan);
  const side = golden.length / plan.images[0];
  const pictures = [];
  for (let at = 0; at < golden.length; at += side) {
    pictures.push(prepare(golden.subarray(at, at + side)));
  }
  const timed = async (picture) => {
    const began = performance.now();
    const answers = await infer(picture);
    return [performance.now() - began, answers];
  };
  let first = 0;
  const found = Object.fromEntries(plan.outputs.map((name) => [name, []]));
  for (const [place, picture] of pictures.entries()) {
    const [time, answers] = await timed(picture);
    if (place === 0) first = time;
    for (const name of plan.outputs) {
      if (!answers[name]) throw new Error(`the file has no output '${name}'`);
      found[name].push(answers[name]);
    }
  }
  for (let run = 0; run < WARM_UP; run += 1) await timed(pictures[run % pictures.length]);
  const times = [];
  const began = performance.now();
  let told = began;
  let now = began;
  const enough = () => times.length >= plan.runs && now - began >= 1000 * plan.seconds;
  while (!enough() && times.length < plan.most_runs) {
    const [time] = await timed(pictures[times.length % pictures.length]);
    times.push(time);
    now = performance.now();
    if (now - told >= TOLD_EVERY_MS) {
      told = now;
      const share = Math.min(times.length / plan.runs, (now - began) / (1000 * plan.seconds));
      self.postMessage({ live: { runs: times.length, share, times: percentiles(times) } });
    }
  }
  const answers = Object.fromEntries(plan.outputs.map((name) => [name, joined(found[name])]));
  self.postMessage({ result: { build, load, first, times, answers } });
};

const say = (error) => self.postMessage({ fault: String((error && error.message) || error) });
self.addEventListener("unhandledrejection", (event) => say(event.reason));
self.addEventListener("message", (event) => measure(event.data).catch(say));
