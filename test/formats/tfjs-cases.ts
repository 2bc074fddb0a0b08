import { Random } from "../../src/model/random.js";
import { sizeOf } from "../../src/model/types.js";

/** A layers model in memory: model.json and the bytes of its one shard, "weights.bin". */
export interface TestLayers {
  readonly json: {
    modelTopology: unknown;
    format: string;
    weightsManifest: {
      paths: string[];
      weights: { name: string; shape: number[]; dtype: string; quantization?: object }[];
    }[];
  };
  readonly shard: Uint8Array;
}

type Json = Record<string, unknown>;

export const layer = (class_name: string, name: string, config: Json = {}): Json => ({
  class_name,
  config: { name, trainable: true, ...config },
});

/** Random weights; variances are positive. */
export function withWeights(modelTopology: unknown, weights: Record<string, number[]>, seed = 5): TestLayers {
  const random = new Random(seed);
  const entries = Object.entries(weights);
  const values = entries.flatMap(([name, shape]) =>
    Array.from({ length: sizeOf(shape) }, () =>
      name.endsWith("variance") ? random.next() + 0.5 : 0.4 * random.normal(),
    ),
  );
  return {
    json: {
      modelTopology,
      format: "layers-model",
      weightsManifest: [
        { paths: ["weights.bin"], weights: entries.map(([name, shape]) => ({ name, shape, dtype: "float32" })) },
      ],
    },
    shard: new Uint8Array(Float32Array.from(values).buffer),
  };
}

export const sequential = (...layers: Json[]): unknown => ({
  class_name: "Sequential",
  config: { name: "sequential_1", layers },
  keras_version: "tfjs-layers 4.22.0",
  backend: "tensor_flow.js",
});

interface Call {
  readonly layer: Json;
  /** Names of the layers that each call takes. */
  readonly calls: readonly (readonly string[])[];
}

export function functional(
  inputs: Record<string, (number | null)[]>,
  calls: readonly Call[],
  outputs: readonly string[],
): unknown {
  const reference = (name: string): unknown[] => [name, 0, 0, {}];
  return {
    class_name: "Model",
    config: {
      name: "model1",
      layers: [
        ...Object.entries(inputs).map(([name, batch_input_shape]) => ({
          name,
          class_name: "InputLayer",
          inbound_nodes: [],
          config: { batch_input_shape, dtype: "float32", sparse: false, name },
        })),
        ...calls.map((c) => ({
          ...c.layer,
          name: (c.layer.config as { name: string }).name,
          inbound_nodes: c.calls.map((names) => names.map(reference)),
        })),
      ],
      input_layers: Object.keys(inputs).map((n) => [n, 0, 0]),
      output_layers: outputs.map((n) => [n, 0, 0]),
    },
    keras_version: "tfjs-layers 4.22.0",
    backend: "tensor_flow.js",
  };
}

const batch_input_shape = [null, 9, 8, 6];
const shape = { batch_input_shape, dtype: "float32" };
const window = { data_format: "channels_last", dilation_rate: [1, 1], use_bias: true };

/** Small models, one for each way that a layer can be written. */
export const cases: Record<string, TestLayers> = {
  "Conv2D SAME": withWeights(
    sequential(
      layer("Conv2D", "c", {
        ...shape,
        ...window,
        filters: 5,
        kernel_size: [3, 2],
        strides: [2, 2],
        padding: "same",
        activation: "relu",
      }),
    ),
    { "c/kernel": [3, 2, 6, 5], "c/bias": [5] },
  ),
  "Conv2D VALID": withWeights(
    sequential(
      layer("Conv2D", "c", {
        ...shape,
        ...window,
        filters: 5,
        kernel_size: [3, 2],
        strides: [2, 1],
        padding: "valid",
        activation: "sigmoid",
      }),
    ),
    { "c/kernel": [3, 2, 6, 5], "c/bias": [5] },
  ),
  "Conv2D dilated, without bias": withWeights(
    sequential(
      layer("Conv2D", "c", {
        ...shape,
        data_format: "channels_last",
        dilation_rate: [2, 2],
        use_bias: false,
        filters: 5,
        kernel_size: [3, 3],
        strides: [1, 1],
        padding: "same",
        activation: "linear",
      }),
    ),
    { "c/kernel": [3, 3, 6, 5] },
  ),
  DepthwiseConv2D: withWeights(
    sequential(
      layer("DepthwiseConv2D", "d", {
        ...shape,
        ...window,
        kernel_size: [3, 3],
        depth_multiplier: 2,
        strides: [2, 2],
        padding: "same",
        activation: "relu6",
      }),
    ),
    { "d/depthwise_kernel": [3, 3, 6, 2], "d/bias": [12] },
  ),
  SeparableConv2D: withWeights(
    sequential(
      layer("SeparableConv2D", "s", {
        ...shape,
        ...window,
        filters: 7,
        kernel_size: [3, 3],
        depth_multiplier: 2,
        strides: [2, 2],
        padding: "valid",
        activation: "linear",
      }),
    ),
    { "s/depthwise_kernel": [3, 3, 6, 2], "s/pointwise_kernel": [1, 1, 12, 7], "s/bias": [7] },
  ),
  BatchNormalization: withWeights(
    sequential(layer("BatchNormalization", "b", { ...shape, axis: -1, epsilon: 0.01, center: true, scale: true })),
    { "b/gamma": [6], "b/beta": [6], "b/moving_mean": [6], "b/moving_variance": [6] },
  ),
  "BatchNormalization without scale and center": withWeights(
    sequential(layer("BatchNormalization", "b", { ...shape, axis: -1, epsilon: 0.01, center: false, scale: false })),
    { "b/moving_mean": [6], "b/moving_variance": [6] },
  ),
  "MaxPooling2D SAME": withWeights(
    sequential(
      layer("MaxPooling2D", "p", {
        ...shape,
        pool_size: [3, 2],
        strides: [2, 2],
        padding: "same",
        data_format: "channels_last",
      }),
    ),
    {},
  ),
  "AveragePooling2D SAME": withWeights(
    sequential(
      layer("AveragePooling2D", "p", {
        ...shape,
        pool_size: [3, 2],
        strides: [1, 1],
        padding: "same",
        data_format: "channels_last",
      }),
    ),
    {},
  ),
  "GlobalAveragePooling2D and Dense": withWeights(
    sequential(
      layer("GlobalAveragePooling2D", "g", { ...shape, data_format: "channels_last" }),
      layer("Dense", "d", { units: 3, activation: "softmax", use_bias: true }),
    ),
    { "d/kernel": [6, 3], "d/bias": [3] },
  ),
  GlobalMaxPooling2D: withWeights(
    sequential(layer("GlobalMaxPooling2D", "g", { ...shape, data_format: "channels_last" })),
    {},
  ),
  "ReLU, Dropout, ZeroPadding2D, Flatten": withWeights(
    sequential(
      layer("ReLU", "r", { ...shape, max_value: 6 }),
      layer("Dropout", "o", { rate: 0.5 }),
      layer("ZeroPadding2D", "z", {
        padding: [
          [1, 2],
          [3, 0],
        ],
        data_format: "channels_last",
      }),
      layer("Flatten", "f"),
    ),
    {},
  ),
  "Permute and Reshape": withWeights(
    sequential(layer("Permute", "p", { ...shape, dims: [3, 1, 2] }), layer("Reshape", "r", { target_shape: [12, -1] })),
    {},
  ),
  "Add, Multiply, Concatenate, Softmax": withWeights(
    functional(
      { x: batch_input_shape },
      [
        {
          layer: layer("Conv2D", "c", {
            ...window,
            filters: 6,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: "same",
            activation: "linear",
          }),
          calls: [["x"]],
        },
        { layer: layer("Add", "a"), calls: [["c", "x", "c"]] },
        { layer: layer("Multiply", "m"), calls: [["a", "x"]] },
        { layer: layer("Concatenate", "k", { axis: -1 }), calls: [["m", "a"]] },
        { layer: layer("Concatenate", "l", { axis: 1 }), calls: [["m", "a"]] },
        { layer: layer("Softmax", "s", { axis: -1 }), calls: [["k"]] },
      ],
      ["s", "l", "a"],
    ),
    { "c/kernel": [3, 3, 6, 6], "c/bias": [6] },
  ),
  "one layer called twice": withWeights(
    {
      ...(functional(
        { x: [null, 5], z: [null, 5] },
        [
          { layer: layer("Dense", "d", { units: 4, activation: "linear", use_bias: true }), calls: [["x"], ["z"]] },
          { layer: layer("Add", "a"), calls: [["d", "d2"]] },
        ],
        ["a"],
      ) as object),
    },
    { "d/kernel": [5, 4], "d/bias": [4] },
  ),
  "a model in a model": withWeights(
    sequential(
      {
        class_name: "Sequential",
        config: {
          name: "inner",
          layers: [
            layer("Conv2D", "c", {
              ...shape,
              ...window,
              filters: 5,
              kernel_size: [3, 3],
              strides: [1, 1],
              padding: "valid",
              activation: "linear",
            }),
            layer("Activation", "r", { activation: "relu" }),
          ],
        },
      },
      layer("Flatten", "f"),
      layer("Dense", "d", { units: 2, activation: "linear", use_bias: true }),
    ),
    { "c/kernel": [3, 3, 6, 5], "c/bias": [5], "d/kernel": [210, 2], "d/bias": [2] },
  ),
};

// The second call of a layer is its node 1.
const twice = cases["one layer called twice"]!.json.modelTopology as {
  config: { layers: { name: string; inbound_nodes: unknown[][][] }[] };
};
twice.config.layers.find((l) => l.name === "a")!.inbound_nodes = [
  [
    ["d", 0, 0, {}],
    ["d", 1, 0, {}],
  ],
];
