// The engines, each as: create(network, runtime, files) -> { run() } where run copies the input in and returns a copy of
// the output, or a promise of one. Node and the page bring the runtimes; nothing here knows where it runs.
//
// `files.read(name)` gives bytes of the network's folder, `files.module(name)` imports one of its modules.

const floats = (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const aligned = (bytes) => floats(bytes.byteOffset % 4 === 0 ? bytes : bytes.slice());
const json = async (files, name) => JSON.parse(new TextDecoder().decode(await files.read(name)));

export const readFloats = async (files, name) => aligned(await files.read(name));

/** The input as the interface has it: f32, or i32 for tokens. */
async function readInput({ input: { dtype } }, files) {
  const values = await readFloats(files, "input.bin");
  return dtype === "i32" ? new Int32Array(values.buffer, values.byteOffset, values.length) : values;
}

/** Our package as its user has it: load(), run(), results copied. Null where the engine does not know the variant. */
const ours =
  (variant) =>
  async (network, { entry }, files) => {
    const { load } = await files.module(`package/${entry}`);
    let model;
    try {
      model = await load(variant === null ? {} : { variant });
    } catch (error) {
      if (variant !== "simd" && /runs no variant/.test(error.message)) return null;
      throw error;
    }
    const inputs = { [network.input.name]: await readInput(network, files) };
    return { run: () => model.run(inputs)[network.output].data.slice() };
  };

/** How each operation of `calls.json` is a call of tfjs-core. */
const TFJS_CALLS = {
  conv2d: (tf, [x, filter, bias], { strides, pad, dilations }, activation) =>
    tf.fused.conv2d({ x, filter, bias, strides, pad, dilations, activation }),
  depthwise_conv2d: (tf, [x, filter, bias], { strides, pad, dilations }, activation) =>
    tf.fused.depthwiseConv2d({ x, filter, bias, strides, pad, dilations, activation }),
  dense: (tf, [x, b, bias], attrs, activation, shape) => {
    const a = x.rank > 2 ? tf.reshape(x, [-1, x.shape.at(-1)]) : x;
    const y = tf.fused.matMul({ a, b, bias, activation });
    return x.rank > 2 ? tf.reshape(y, shape) : y;
  },
  gather: (tf, [x, indices], { axis }) => tf.gather(x, indices, axis),
  gelu: (tf, [x]) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  layer_norm: (tf, [x, gamma, beta], { epsilon }) => {
    const { mean, variance } = tf.moments(x, -1, true);
    return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon))), gamma), beta);
  },
  matmul: (tf, [a, b], { transposeA, transposeB }) => tf.matMul(a, b, transposeA, transposeB),
  transpose: (tf, [x], { perm }) => tf.transpose(x, perm),
  add: (tf, [a, b]) => tf.add(a, b),
  mul: (tf, [a, b]) => tf.mul(a, b),
  relu: (tf, [x]) => tf.relu(x),
  relu6: (tf, [x]) => tf.relu6(x),
  avg_pool2d: (tf, [x], { kernel, strides, pad }) => tf.avgPool(x, kernel, strides, pad),
  max_pool2d: (tf, [x], { kernel, strides, pad }) => tf.maxPool(x, kernel, strides, pad),
  reduce_mean: (tf, [x], { axes, keepDims }) => tf.mean(x, axes, keepDims),
  reshape: (tf, [x], attrs, activation, shape) => tf.reshape(x, shape),
  softmax: (tf, [x], { axis }) => tf.softmax(x, axis),
};

/** Runs `body` inside tidy; the tensor is returned and not its values, since tidy walks all elements of an array. */
function tfjsRun(tf, input, shape, body) {
  const dtype = input instanceof Int32Array ? "int32" : "float32";
  return () => {
    const y = tf.tidy(() => body(tf.tensor(input, shape, dtype)));
    const data = y.dataSync();
    y.dispose();
    return data;
  };
}

/** Direct calls, which spare tfjs its graph executor. */
async function tfjsCalls(network, { tf }, files) {
  const list = await json(files, "calls.json");
  const values = await readFloats(files, "calls.bin");
  const constants = new Map(
    list.constants.map(({ name, shape, offset, length }) => [
      name,
      tf.tensor(values.subarray(offset / 4, offset / 4 + length), shape, "float32"),
    ]),
  );
  const unknown = list.calls.find(({ op }) => !TFJS_CALLS[op]);
  if (unknown) throw new Error(`the tfjs engine has no ${unknown.op}`);
  const run = tfjsRun(tf, await readInput(network, files), list.shape, (x) => {
    const results = new Map([[list.input, x]]);
    const get = (name) => results.get(name) ?? constants.get(name);
    for (const { op, inputs, output, attrs, activation, shape } of list.calls) {
      results.set(output, TFJS_CALLS[op](tf, inputs.map(get), attrs, activation, shape));
    }
    return results.get(list.output);
  });
  return { run };
}

/** The graph model that we write, in tfjs's converter and graph executor. */
async function tfjsGraph(network, { tf, converter }, files) {
  const { modelTopology, weightsManifest } = await json(files, "tfjs/model.json");
  const shards = await Promise.all(weightsManifest.flatMap((g) => g.paths).map((p) => files.read(`tfjs/${p}`)));
  const weightData = new Uint8Array(shards.reduce((n, s) => n + s.length, 0));
  shards.reduce((at, s) => (weightData.set(s, at), at + s.length), 0);
  const weightSpecs = weightsManifest.flatMap((g) => g.weights);
  const handler = { load: async () => ({ modelTopology, weightSpecs, weightData: weightData.buffer }) };
  const model = await converter.loadGraphModel(handler);
  return { run: tfjsRun(tf, await readInput(network, files), network.input.shape, (x) => model.predict(x)) };
}

/** The ONNX file that we write, channels first, all optimisations on, one thread. */
const onnx =
  (provider) =>
  async (network, { ort, native }, files) => {
    const runtime = provider === "cpu" ? native : ort;
    const session = await runtime.InferenceSession.create(await files.read("model.onnx"), {
      executionProviders: [provider],
      graphOptimizationLevel: "all",
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
    });
    const { shape, dtype } = network.input;
    const [n, h, w, c] = shape;
    const image = shape.length === 4;
    const values = await readInput(network, files);
    const data = image ? toChannelsFirst(values, h * w, c) : values;
    const type = dtype === "i32" ? "int32" : "float32";
    const [name] = session.inputNames;
    const [output] = session.outputNames;
    return {
      isAsync: true,
      async run() {
        const results = await session.run({ [name]: new runtime.Tensor(type, data, image ? [n, c, h, w] : shape) });
        return results[output].data;
      },
    };
  };

function toChannelsFirst(data, pixels, channels) {
  const result = new Float32Array(data.length);
  for (let p = 0; p < pixels; p++) {
    for (let k = 0; k < channels; k++) result[k * pixels + p] = data[p * channels + k];
  }
  return result;
}

/** The TFLite file that we write, on LiteRT.js's wasm accelerator, one thread. */
async function litert(network, { litert }, files) {
  const model = await litert.loadAndCompile(await files.read("model.tflite"), {
    accelerator: "wasm",
    cpuOptions: { numThreads: 1 },
  });
  const input = await readInput(network, files);
  return {
    isAsync: true,
    async run() {
      const tensor = new litert.Tensor(input, network.input.shape);
      const [result] = await model.run([tensor]);
      const data = result.toTypedArray().slice();
      result.delete();
      tensor.delete();
      return data;
    },
  };
}

/** By the name that `--engines` takes; `runtime` is what Node and the page have to load for it. */
export const ENGINES = {
  simd: { title: "ours, simd", runtime: "ours", create: ours("simd") },
  relaxed: { title: "ours, relaxed", runtime: "ours", create: ours("relaxed") },
  litert: { title: "LiteRT.js", runtime: "litert", create: litert },
  "tfjs-wasm": { title: "tfjs-wasm", runtime: "tfjs", create: tfjsCalls },
  "tfjs-graph": { title: "tfjs-wasm, graph model", runtime: "tfjs", create: tfjsGraph },
  "ort-web": { title: "onnxruntime-web", runtime: "ort", create: onnx("wasm") },
  "ort-node": { title: "onnxruntime-node (native)", runtime: "native", create: onnx("cpu") },
};

/** Our package as it loads by itself, for cold starts. */
export const OURS = { title: "ours", runtime: "ours", create: ours(null) };
