import type { Converter } from "../context.js";
import { Add, Clip, Div, Gemm, MatMul, Mul, Relu, Sigmoid, Softmax, Sub } from "./arithmetic.js";
import { BatchNormalization, Conv } from "./convolution.js";
import {
  Cast,
  Concat,
  Dropout,
  Flatten,
  Identity,
  Pad,
  Reshape,
  Slice,
  Squeeze,
  Sum,
  Transpose,
  Unsqueeze,
} from "./layout.js";
import { AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, ReduceMax, ReduceMean, ReduceSum } from "./pooling.js";

/** Every ONNX operator that is read, under its name in the default domain; `folders` evaluates constants besides. */
export const converters: Readonly<Record<string, Converter>> = {
  Add,
  AveragePool,
  BatchNormalization,
  Cast,
  Clip,
  Concat,
  Conv,
  Div,
  Dropout,
  Flatten,
  Gemm,
  GlobalAveragePool,
  GlobalMaxPool,
  Identity,
  MatMul,
  MaxPool,
  Mul,
  Pad,
  ReduceMax,
  ReduceMean,
  ReduceSum,
  Relu,
  Reshape,
  Sigmoid,
  Slice,
  Softmax,
  Squeeze,
  Sub,
  Sum,
  Transpose,
  Unsqueeze,
};
