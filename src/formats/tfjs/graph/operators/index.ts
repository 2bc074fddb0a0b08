import type { Converter } from "../context.js";
import { arithmetic } from "./arithmetic.js";
import { convolution } from "./convolution.js";
import { matrix } from "./matrix.js";
import { shape } from "./shape.js";

/** Every operator of TensorFlow that is read; constants and placeholders are part of the graph. */
export const converters: Readonly<Record<string, Converter>> = { ...arithmetic, ...convolution, ...matrix, ...shape };
