/** `producer_name` of the files that our writer makes; the reader takes what they state literally. */
export const PRODUCER = "idap";

/** The batch axis of a port in our files; an extent of k at batch 1 is written `batch*k`. */
export const BATCH = /^batch(?:\*(\d{1,9}))?$/;

/** The Add that our writer puts behind the MatMul of a dense layer with bias. */
export const biasName = (matmul: string): string => `${matmul}/bias`;

/** Name of a value in another order of axes; one order's name does not grow out of another's. */
export const inOrder = (name: string, order: "nchw" | "nhwc"): string =>
  `${name.replace(/\/n(?:chw|hwc)$/, "")}/${order}`;

/**
 * What our writer notes (`doc_string`) on a node whose operands have, in the graph, their channels last. Operators that
 * any order of axes suits would else be read on the wrong side of a transpose that the file does not show.
 */
export const CHANNELS_LAST = "channels last";

/** The first of the nodes that our writer makes of an operator which ONNX has no single one for. */
export const partName = (node: string): string => `${node}/part`;

/** The Cast behind an operator whose indices have 64 bits in ONNX and 32 in the IR. */
export const indicesName = (node: string): string => `${node}/indices`;

/** What our writer notes on a `QuantizeLinear` whose operator rounds half away from zero. */
export const AWAY = "rounds half away from zero";
