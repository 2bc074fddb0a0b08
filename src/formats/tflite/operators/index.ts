import type { Converter } from "../context.js";
import { casts } from "./casts.js";
import { convolution } from "./convolution.js";
import { elementwise } from "./elementwise.js";
import { indexing } from "./indexing.js";
import { layout } from "./layout.js";
import { matrix } from "./matrix.js";
import { normalisation } from "./normalisation.js";
import { pieces } from "./pieces.js";
import { pooling } from "./pooling.js";
import { recurrent } from "./recurrent.js";
import { resizing } from "./resize.js";
import { shapes } from "./shapes.js";

/** Every TFLite operator that is read, under its name in the schema. */
export const converters: Readonly<Record<string, Converter>> = {
  ...casts,
  ...convolution,
  ...elementwise,
  ...indexing,
  ...layout,
  ...matrix,
  ...normalisation,
  ...pieces,
  ...pooling,
  ...recurrent,
  ...resizing,
  ...shapes,
};
