// A graph as a list of direct tfjs-core calls: bias and activation fused, as tfjs's own converter fuses them.
//
// Direct calls spare tfjs its graph executor. The list is JSON and one file of weights, so that Node and the page run it.

/** 'same' and 'valid' where they say the same as the numbers, since those are tfjs's common paths. */
function padding([t, l, b, r], [h, w], [kh, kw], [sh, sw]) {
  if (t + l + b + r === 0) return "valid";
  const same = (size, k, s) => Math.max(0, (Math.ceil(size / s) - 1) * s + k - size);
  const [v, u] = [same(h, kh, sh), same(w, kw, sw)];
  if (t + b === v && l + r === u && t === v >> 1 && l === u >> 1) return "same";
  return [
    [0, 0],
    [t, b],
    [l, r],
    [0, 0],
  ];
}

/** The rectifiers that alone read the result of a weighted node, by the tensor that they read. */
function fusedActivations(graph) {
  const fused = new Map();
  for (const node of graph.nodes) {
    const [x] = node.inputs;
    const from = graph.nodes.find((n) => n.outputs[0] === x);
    const readers = graph.nodes.filter((n) => n.inputs.includes(x));
    if (/^relu6?$/.test(node.op) && /conv2d|dense/.test(from?.op ?? "") && readers.length === 1) fused.set(x, node);
  }
  return fused;
}

/** @returns the calls in order, the constants' places, and the bytes of the constants. */
export function tfjsCalls(graph) {
  const shape = (tensor) => graph.tensors.get(tensor).type.shape;
  const fused = fusedActivations(graph);
  const inside = new Set(fused.values());
  const calls = graph.nodes
    .filter((node) => !inside.has(node))
    .map(({ op, inputs, outputs, attrs }) => {
      const activation = fused.get(outputs[0]);
      const size = shape(inputs[0]).slice(1, 3);
      const kernel = attrs.kernel ?? (/conv2d/.test(op) ? shape(inputs[1]).slice(0, 2) : null);
      return {
        op,
        inputs,
        output: (activation ?? { outputs }).outputs[0],
        shape: shape(outputs[0]),
        attrs: { ...attrs, ...(kernel && { kernel, pad: padding(attrs.pads, size, kernel, attrs.strides) }) },
        activation: activation?.op ?? "linear",
      };
    });
  const constants = [];
  const chunks = [];
  let offset = 0;
  for (const [name, { data, type }] of graph.tensors) {
    if (!data) continue;
    constants.push({ name, shape: type.shape, offset, length: data.length });
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  return {
    list: {
      input: graph.inputs[0].tensor,
      shape: shape(graph.inputs[0].tensor),
      output: graph.outputs[0].tensor,
      calls,
      constants,
    },
    weights: Buffer.concat(chunks),
  };
}
