import type { Converter } from "../context.js";
import { ADD, FULLY_CONNECTED, LOGISTIC, MUL, RELU, RELU6, SOFTMAX } from "./arithmetic.js";
import { CONV_2D, DEPTHWISE_CONV_2D } from "./convolution.js";
import { CONCATENATION, EXPAND_DIMS, PAD, RESHAPE, SQUEEZE, TRANSPOSE } from "./layout.js";
import { AVERAGE_POOL_2D, MAX_POOL_2D, MEAN, REDUCE_MAX, SUM } from "./pooling.js";

/** Every TFLite operator that is read, under its name in the schema. */
export const converters: Readonly<Record<string, Converter>> = {
  ADD,
  AVERAGE_POOL_2D,
  CONCATENATION,
  CONV_2D,
  DEPTHWISE_CONV_2D,
  EXPAND_DIMS,
  FULLY_CONNECTED,
  LOGISTIC,
  MAX_POOL_2D,
  MEAN,
  MUL,
  PAD,
  PADV2: PAD,
  REDUCE_MAX,
  RELU,
  RELU6,
  RESHAPE,
  SOFTMAX,
  SQUEEZE,
  SUM,
  TRANSPOSE,
};
