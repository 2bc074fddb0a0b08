import type { LayerReader } from "../layer.js";
import { Conv2D, Dense, DepthwiseConv2D, SeparableConv2D } from "./convolution.js";
import { Activation, Add, BatchNormalization, Concatenate, Identity, Multiply, ReLU, Softmax } from "./elementwise.js";
import {
  AveragePooling2D,
  Flatten,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  MaxPooling2D,
  Permute,
  Reshape,
  ZeroPadding2D,
} from "./shape.js";

/** Every Keras layer that is read, under its class name; InputLayer and nested models are part of the topology. */
export const layers: Readonly<Record<string, LayerReader>> = {
  Activation,
  ActivityRegularization: Identity,
  Add,
  AlphaDropout: Identity,
  AveragePooling2D,
  BatchNormalization,
  Concatenate,
  Conv2D,
  Dense,
  DepthwiseConv2D,
  Dropout: Identity,
  Flatten,
  GaussianDropout: Identity,
  GaussianNoise: Identity,
  GlobalAveragePooling2D,
  GlobalMaxPooling2D,
  MaxPooling2D,
  Multiply,
  Permute,
  ReLU,
  Reshape,
  SeparableConv2D,
  Softmax,
  SpatialDropout2D: Identity,
  ZeroPadding2D,
};
