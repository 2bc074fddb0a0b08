import { defineLayer, type LayerReader } from "../layer.js";
import * as attention from "./attention.js";
import * as convolution from "./convolution.js";
import * as elementwise from "./elementwise.js";
import { operations } from "./operations.js";
import * as pooling from "./pooling.js";
import { Bidirectional, GRU, LSTM, SimpleRNN, timeDistributed } from "./recurrent.js";
import * as shape from "./shape.js";
import { z } from "zod";

const { Identity } = elementwise;

/** Layers that mark moments to be left out: what follows would have to obey, so they are not dropped. */
const refused = (reason: string): LayerReader =>
  defineLayer({ config: z.unknown(), refuse: () => reason, read: (call) => call.x });

const plain: Readonly<Record<string, LayerReader>> = {
  ...attention,
  ...convolution,
  ...elementwise,
  ...pooling,
  ...shape,
  ...operations,
  Bidirectional,
  GRU,
  LSTM,
  SimpleRNN,
  // The same layers under the names of other versions.
  BatchNormalizationV1: elementwise.BatchNormalization,
  BatchNormalizationV2: elementwise.BatchNormalization,
  Convolution2D: convolution.Conv2D,
  Conv2DTransposeV1: convolution.Conv2DTranspose,
  CuDNNGRU: refused("its own packing of weights"),
  CuDNNLSTM: refused("its own packing of weights"),
  GRUV1: GRU,
  GRUV2: GRU,
  LSTMV1: LSTM,
  LSTMV2: LSTM,
  // Layers that do nothing at inference.
  ActivityRegularization: Identity,
  AlphaDropout: Identity,
  Dropout: Identity,
  GaussianDropout: Identity,
  GaussianNoise: Identity,
  RandomBrightness: Identity,
  RandomContrast: Identity,
  RandomFlip: Identity,
  RandomRotation: Identity,
  RandomTranslation: Identity,
  RandomZoom: Identity,
  SpatialDropout1D: Identity,
  SpatialDropout2D: Identity,
  Masking: refused("a mask for the layers after it"),
};

const inner = (name: string): LayerReader | null => (Object.hasOwn(plain, name) ? plain[name]! : null);

/** Every Keras layer that is read, under its class name; InputLayer and nested models are part of the topology. */
export const layers: Readonly<Record<string, LayerReader>> = { ...plain, TimeDistributed: timeDistributed(inner) };
