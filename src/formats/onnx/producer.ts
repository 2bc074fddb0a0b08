/** `producer_name` of the files that our writer makes; the reader takes what they state literally. */
export const PRODUCER = "idap";

/** The batch axis of a port in our files; an extent of k at batch 1 is written `batch*k`. */
export const BATCH = /^batch(?:\*(\d{1,9}))?$/;

/** The Add that our writer puts behind the MatMul of a dense layer with bias. */
export const biasName = (matmul: string): string => `${matmul}/bias`;

/** Name of a value in another order of axes; one order's name does not grow out of another's. */
export const inOrder = (name: string, order: "nchw" | "nhwc"): string => `${name.replace(/\/n(?:chw|hwc)$/, "")}/${order}`;
